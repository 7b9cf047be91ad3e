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

/// Where the lines of each name begin: a byte for each [`SLOTS`]th name, zero where no line has one of them.
#[derive(Clone, Copy)]
pub(crate) struct Places([u8; SLOTS]);

/// Few enough to move a message cheaply, so many that the names of one message seldom meet.
const SLOTS: usize = 64;

/// In a byte: more than one line has one of the names.
const REPEATED: u8 = 0x80;

/// In a byte, in place of one above the number of the first line: it is not known where that is.
const SOMEWHERE: u8 = 0x7f;

impl Places {
    pub(crate) const NONE: Places = Places([0; SLOTS]);

    /// The line of that number, the next one, has that name.
    #[inline]
    pub(crate) fn note(&mut self, name: Name, line: usize) {
        let place = &mut self.0[slot(name)];
        *place = if *place == 0 { (line + 1).min(SOMEWHERE.into()) as u8 } else { *place | REPEATED };
    }

    /// The lines have changed: what had one name may have another place, and `added` may have one more line.
    pub(crate) fn forget(&mut self, added: Option<Name>) {
        for place in &mut self.0 {
            *place |= if *place == 0 { 0 } else { SOMEWHERE };
        }
        if let Some(name) = added {
            self.note(name, SOMEWHERE.into());
        }
    }

    /// The first line that may have that name; none before it has. `None`: there is none.
    #[inline]
    pub(crate) fn first(&self, name: Name) -> Option<usize> {
        match self.0[slot(name)] & SOMEWHERE {
            0 => None,
            SOMEWHERE => Some(0),
            place => Some(usize::from(place) - 1),
        }
    }

    /// False where no more than one line has that name.
    #[inline]
    pub(crate) fn repeats(&self, name: Name) -> bool {
        self.0[slot(name)] & REPEATED != 0
    }
}

const fn slot(name: Name) -> usize {
    name.id() as usize % SLOTS
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
    fn lines_begin_where_the_first_of_a_slot_is() {
        let names: Vec<Name> = Name::every().collect();
        let (one, same_slot, other) = (names[0], names[SLOTS], names[1]);
        let mut places = Places::NONE;
        assert_eq!((places.first(one), places.repeats(one)), (None, false));
        places.note(one, 3);
        assert_eq!((places.first(one), places.first(same_slot), places.first(other)), (Some(3), Some(3), None));
        assert!(!places.repeats(one));
        places.note(same_slot, 5);
        assert_eq!((places.first(same_slot), places.repeats(one)), (Some(3), true));
        places.note(other, 4_000);
        assert_eq!((places.first(other), places.repeats(other)), (Some(0), false));
        places.forget(None);
        assert_eq!((places.first(one), places.first(other), places.first(names[2])), (Some(0), Some(0), None));
        places.forget(Some(names[2]));
        places.forget(Some(other));
        assert_eq!((places.first(names[2]), places.repeats(names[2]), places.repeats(other)), (Some(0), false, true));
    }
}
