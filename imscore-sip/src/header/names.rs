//! Sets of header names, and what some names have in common.

use super::Name;

/// A set of names of the table.
#[derive(Clone, Copy, Default)]
pub(crate) struct Names([u64; 3]);

const _: () = assert!(Name::COUNT <= 3 * 64);

impl Names {
    const fn of(names: &[Name]) -> Names {
        let mut set = Names([0; 3]);
        let mut at = 0;
        while at < names.len() {
            let (word, bit) = place(names[at]);
            set.0[word] |= bit;
            at += 1;
        }
        set
    }

    /// False: the name was there before.
    pub(crate) fn insert(&mut self, name: Name) -> bool {
        let (word, bit) = place(name);
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    pub(crate) fn contains(&self, name: Name) -> bool {
        let (word, bit) = place(name);
        self.0[word] & bit != 0
    }
}

/// Which names the lines of a message have: a bit for each name, which a few others have too.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    /// Names that a line has or had.
    any: u64,
    /// Those that more than one line has or had.
    repeated: u64,
}

impl Seen {
    pub(crate) const NOTHING: Seen = Seen { any: 0, repeated: 0 };

    /// One more line has that name.
    #[inline]
    pub(crate) fn note(&mut self, name: Name) {
        let bit = 1 << (name.id() % 64);
        self.repeated |= self.any & bit;
        self.any |= bit;
    }

    /// False where no line has that name.
    #[inline]
    pub(crate) fn has(self, name: Name) -> bool {
        self.any & (1 << (name.id() % 64)) != 0
    }

    /// False where no more than one line has that name.
    #[inline]
    pub(crate) fn repeats(self, name: Name) -> bool {
        self.repeated & (1 << (name.id() % 64)) != 0
    }
}

const fn place(name: Name) -> (usize, u64) {
    ((name.id() / 64) as usize, 1 << (name.id() % 64))
}

impl Name {
    /// Headers whose value may be empty: lists of `*( … )` and free text (RFC 3261 §20, §25.1, RFC 7315
    /// §5.1).
    pub(crate) fn may_be_empty(self) -> bool {
        const EMPTY: Names = Names::of(&[
            Name::ACCEPT,
            Name::ACCEPT_ENCODING,
            Name::ACCEPT_LANGUAGE,
            Name::ALLOW,
            Name::ORGANIZATION,
            Name::P_ASSOCIATED_URI,
            Name::P_EARLY_MEDIA,
            Name::SUBJECT,
            Name::SUPPORTED,
            Name::RECV_INFO,
        ]);
        EMPTY.contains(self)
    }

    /// Headers that may stand once in a message, with one value (RFC 3261 §7.3.1 and the headers' own clauses). Texts
    /// that mean nothing to a server, as Subject and User-Agent, are not among them.
    pub(crate) fn is_single(self) -> bool {
        const SINGLE: Names = Names::of(&[
            Name::CALL_ID,
            Name::CONTENT_DISPOSITION,
            Name::CONTENT_ID,
            Name::CONTENT_LENGTH,
            Name::CONTENT_TYPE,
            Name::CSEQ,
            Name::DATE,
            Name::EVENT,
            Name::EXPIRES,
            Name::FLOW_TIMER,
            Name::FROM,
            Name::INFO_PACKAGE,
            Name::JOIN,
            Name::MAX_BREADTH,
            Name::MAX_FORWARDS,
            Name::MIME_VERSION,
            Name::MIN_EXPIRES,
            Name::MIN_SE,
            Name::P_CALLED_PARTY_ID,
            Name::P_CHARGING_FUNCTION_ADDRESSES,
            Name::P_CHARGING_VECTOR,
            Name::P_PROFILE_KEY,
            Name::P_SERVED_USER,
            Name::P_USER_DATABASE,
            Name::PRIORITY,
            Name::RACK,
            Name::REFER_SUB,
            Name::REFER_TO,
            Name::REFERRED_BY,
            Name::REPLACES,
            Name::REPLY_TO,
            Name::RETRY_AFTER,
            Name::RSEQ,
            Name::SESSION_EXPIRES,
            Name::SESSION_ID,
            Name::SIP_ETAG,
            Name::SIP_IF_MATCH,
            Name::SUBSCRIPTION_STATE,
            Name::TARGET_DIALOG,
            Name::TIMESTAMP,
            Name::TO,
        ]);
        SINGLE.contains(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_share_a_bit() {
        let names: Vec<Name> = Name::every().collect();
        let (one, same_bit, other) = (names[0], names[64], names[1]);
        let mut seen = Seen::NOTHING;
        assert_eq!((seen.has(one), seen.repeats(one)), (false, false));
        seen.note(one);
        assert_eq!((seen.has(one), seen.has(same_bit), seen.has(other)), (true, true, false));
        assert!(!seen.repeats(one));
        seen.note(same_bit);
        assert_eq!((seen.repeats(one), seen.repeats(same_bit), seen.repeats(other)), (true, true, false));
    }
}
