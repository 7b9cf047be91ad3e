//! What is kept of one implicit registration set, and how it is written.

use std::time::Duration;

use bytes::Bytes;
use imscore_hss::state::fields::{Field, Reader, Unknown, Unreadable, Writer};
use imscore_hss::{ChargingAddresses, PrivateIdentity, PublicIdentity, ServerName, UserProfile};
use imscore_sip::ByteString;
use imscore_sip::header::{Contact, TypedHeader};

/// An implicit registration set: its identities, and where its phones are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    /// The S-CSCF that the HSS knows for it.
    pub(crate) server_name: ServerName,
    /// Whose profile it is; of several that share the set, who registered last.
    pub(crate) private_identity: PrivateIdentity,
    /// The set, in the order of the HSS.
    pub(crate) identities: Vec<Associated>,
    /// Where its phones are, the one that registered last at the end.
    pub(crate) bindings: Vec<Binding>,
    /// Where charging data goes, if the HSS said so.
    pub(crate) charging: Option<ChargingAddresses>,
    /// What has run out since the record was written.
    pub(crate) expired: Vec<Binding>,
    /// Private identities that have no binding any more, which the HSS has yet to hear.
    pub(crate) left: Vec<PrivateIdentity>,
    /// How long the other identities of the set point to it from now on.
    pub(super) aliases_last: Duration,
    unknown: Unknown,
}

/// A public identity of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Associated {
    pub(crate) identity: PublicIdentity,
    /// It may be registered, and neither call nor be called.
    pub(crate) barred: bool,
    unknown: Unknown,
}

/// Where one phone, or one flow of it, is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    /// Who registered it.
    pub(crate) private_identity: PrivateIdentity,
    /// The Contact, without `expires`.
    pub(crate) contact: ByteString,
    /// The URIs of its Path, first hop first.
    pub(crate) path: Vec<ByteString>,
    /// Which flow of its phone it is, where the edge supports flows (RFC 5626 §6); else 0.
    pub(crate) reg_id: u32,
    pub(crate) call_id: ByteString,
    pub(crate) cseq: u32,
    /// How long it holds from now on.
    pub(crate) remaining: Duration,
    unknown: Unknown,
}

/// What is found under an identity.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The set whose default identity it is.
    Set(Registration),
    /// It belongs to the set of this default identity.
    Alias(PublicIdentity),
}

/// Tags of a set, and of an alias.
mod set {
    pub(super) const ALIAS: u8 = 1;
    pub(super) const SERVER_NAME: u8 = 2;
    pub(super) const IDENTITY: u8 = 3;
    pub(super) const BINDING: u8 = 4;
    pub(super) const COLLECTION: u8 = 5;
    pub(super) const EVENT: u8 = 6;
    /// Milliseconds between the record's end and that of its aliases.
    pub(super) const ALIASES_OUTLIVE: u8 = 7;
    pub(super) const PRIVATE_IDENTITY: u8 = 8;
    pub(super) const LEFT: u8 = 9;
}

/// Tags of an identity.
mod identity {
    pub(super) const IDENTITY: u8 = 1;
    pub(super) const BARRED: u8 = 2;
}

/// Tags of a binding.
mod binding {
    pub(super) const PRIVATE_IDENTITY: u8 = 1;
    pub(super) const CONTACT: u8 = 2;
    pub(super) const PATH: u8 = 3;
    pub(super) const REG_ID: u8 = 4;
    pub(super) const CALL_ID: u8 = 5;
    pub(super) const CSEQ: u8 = 6;
    /// Milliseconds between its end and the record's, which the store counts.
    pub(super) const BEFORE_END: u8 = 7;
}

impl Registration {
    /// A set without bindings.
    pub(crate) fn new(server_name: ServerName, profile: &UserProfile) -> Registration {
        let mut registration = Registration::empty(server_name, profile.private_identity.clone());
        registration.set_profile(profile);
        registration
    }

    fn empty(server_name: ServerName, private_identity: PrivateIdentity) -> Registration {
        Registration {
            server_name,
            private_identity,
            identities: Vec::new(),
            bindings: Vec::new(),
            charging: None,
            expired: Vec::new(),
            left: Vec::new(),
            aliases_last: Duration::ZERO,
            unknown: Unknown::default(),
        }
    }

    /// Takes over the identities of a profile.
    pub(crate) fn set_profile(&mut self, profile: &UserProfile) {
        let is_new = |identity: &PublicIdentity| self.associated(identity).is_none();
        if profile.identities().any(|entry| is_new(&entry.identity)) {
            self.aliases_last = Duration::ZERO;
        }
        let associated = profile.identities().map(|entry| Associated {
            identity: entry.identity.clone(),
            barred: entry.barred,
            unknown: Unknown::default(),
        });
        self.identities = associated.collect();
        self.private_identity = profile.private_identity.clone();
    }

    /// The first identity that is not barred; of a set that is barred altogether, the first.
    pub(crate) fn default_identity(&self) -> Option<&PublicIdentity> {
        self.unbarred().next().or_else(|| self.identities.first().map(|entry| &entry.identity))
    }

    /// What P-Associated-URI lists (TS 24.229 §5.4.1.2.2F).
    pub(crate) fn unbarred(&self) -> impl Iterator<Item = &PublicIdentity> + Clone {
        self.identities.iter().filter(|entry| !entry.barred).map(|entry| &entry.identity)
    }

    /// The entry of one identity.
    pub(crate) fn associated(&self, identity: &PublicIdentity) -> Option<&Associated> {
        self.identities.iter().find(|entry| entry.identity == *identity)
    }

    /// Whether a private identity has a binding.
    pub(crate) fn has(&self, private_identity: &PrivateIdentity) -> bool {
        self.bindings.iter().any(|binding| binding.private_identity == *private_identity)
    }

    /// Puts other bindings in the place of those that there are, and notes who has none from now on.
    pub(crate) fn set_bindings(&mut self, bindings: Vec<Binding>) {
        let before = std::mem::replace(&mut self.bindings, bindings);
        self.note_left(&before);
    }

    /// Who has left: whoever had a binding, or had left before, and has none.
    fn note_left(&mut self, before: &[Binding]) {
        let had = before.iter().map(|binding| binding.private_identity.clone());
        let mut left = std::mem::take(&mut self.left);
        left.extend(had);
        for user in left {
            if !self.has(&user) && !self.left.contains(&user) {
                self.left.push(user);
            }
        }
    }

    /// How long its last binding holds.
    pub(super) fn lasts(&self) -> Duration {
        self.bindings.iter().map(|binding| binding.remaining).max().unwrap_or_default()
    }

    /// When its first binding runs out.
    pub(super) fn changes_in(&self) -> Duration {
        self.bindings.iter().map(|binding| binding.remaining).min().unwrap_or_default()
    }

    /// The record, to be written so that it expires when the last binding does.
    pub(super) fn encode(&self) -> Bytes {
        let lasts = self.lasts();
        let mut out = Writer::record();
        out.text(set::SERVER_NAME, self.server_name.as_str());
        out.text(set::PRIVATE_IDENTITY, self.private_identity.as_str());
        for associated in &self.identities {
            out.group(set::IDENTITY, |out| {
                out.text(identity::IDENTITY, associated.identity.as_str());
                out.number(identity::BARRED, associated.barred.into());
                out.unknown(&associated.unknown);
            });
        }
        for entry in &self.bindings {
            out.group(set::BINDING, |out| entry.encode(lasts, out));
        }
        for address in self.charging.iter().flat_map(|charging| &charging.collection) {
            out.text(set::COLLECTION, address);
        }
        for address in self.charging.iter().flat_map(|charging| &charging.event) {
            out.text(set::EVENT, address);
        }
        for user in &self.left {
            out.text(set::LEFT, user.as_str());
        }
        out.number(set::ALIASES_OUTLIVE, milliseconds(self.aliases_last.saturating_sub(lasts)));
        out.unknown(&self.unknown);
        out.finish()
    }

    fn read(mut fields: Reader, expires_in: Duration, server_name: ServerName) -> Result<Registration, Unreadable> {
        let (mut collection, mut event) = (Vec::new(), Vec::new());
        let private_identity = fields.next_field()?.filter(|field| field.tag == set::PRIVATE_IDENTITY);
        let private_identity = private_identity.ok_or(Unreadable)?.parse()?;
        let mut registration = Registration::empty(server_name, private_identity);
        while let Some(field) = fields.next_field()? {
            match field.tag {
                set::IDENTITY => registration.identities.push(Associated::read(field)?),
                set::BINDING => registration.bindings.push(Binding::read(field, expires_in)?),
                set::COLLECTION => collection.push(field.text()?.to_string()),
                set::EVENT => event.push(field.text()?.to_string()),
                set::LEFT => registration.left.push(field.parse()?),
                set::ALIASES_OUTLIVE => {
                    registration.aliases_last = expires_in.saturating_add(Duration::from_millis(field.number()?));
                }
                _ => registration.unknown.keep(&field),
            }
        }
        if !collection.is_empty() || !event.is_empty() {
            registration.charging = Some(ChargingAddresses::new(collection, event));
        }
        let has_run_out = |binding: &mut Binding| binding.remaining.is_zero();
        let expired: Vec<_> = registration.bindings.extract_if(.., has_run_out).collect();
        registration.note_left(&expired);
        registration.expired = expired;
        Ok(registration)
    }
}

impl Associated {
    fn read(field: Field) -> Result<Associated, Unreadable> {
        let (mut found, mut barred, mut unknown) = (None, false, Unknown::default());
        let mut fields = field.group();
        while let Some(field) = fields.next_field()? {
            match field.tag {
                identity::IDENTITY => found = Some(field.parse()?),
                identity::BARRED => barred = field.number()? > 0,
                _ => unknown.keep(&field),
            }
        }
        Ok(Associated { identity: found.ok_or(Unreadable)?, barred, unknown })
    }
}

impl Binding {
    /// A binding that holds for a while from now on.
    pub(crate) fn new(private_identity: PrivateIdentity, contact: &Contact, remaining: Duration) -> Binding {
        Binding {
            private_identity,
            contact: contact.without_param("expires").to_string().into(),
            path: Vec::new(),
            reg_id: 0,
            call_id: ByteString::new(),
            cseq: 0,
            remaining,
            unknown: Unknown::default(),
        }
    }

    /// The Contact, without `expires`.
    pub(crate) fn contact(&self) -> Option<Contact> {
        Contact::decode(&self.contact).ok()
    }

    fn encode(&self, lasts: Duration, out: &mut Writer) {
        out.text(binding::PRIVATE_IDENTITY, self.private_identity.as_str());
        out.text(binding::CONTACT, &self.contact);
        for uri in &self.path {
            out.text(binding::PATH, uri);
        }
        out.number(binding::REG_ID, self.reg_id.into());
        out.text(binding::CALL_ID, &self.call_id);
        out.number(binding::CSEQ, self.cseq.into());
        out.number(binding::BEFORE_END, milliseconds(lasts.saturating_sub(self.remaining)));
        out.unknown(&self.unknown);
    }

    fn read(field: Field, expires_in: Duration) -> Result<Binding, Unreadable> {
        let (mut private_identity, mut contact) = (None, None);
        let (mut call_id, mut path, mut unknown) = (ByteString::new(), Vec::new(), Unknown::default());
        let (mut reg_id, mut cseq, mut before_end) = (0, 0, 0);
        let mut fields = field.group();
        while let Some(field) = fields.next_field()? {
            match field.tag {
                binding::PRIVATE_IDENTITY => private_identity = Some(field.parse()?),
                binding::CONTACT => contact = Some(field.text()?),
                binding::PATH => path.push(field.text()?),
                binding::REG_ID => reg_id = u32::try_from(field.number()?).map_err(|_| Unreadable)?,
                binding::CALL_ID => call_id = field.text()?,
                binding::CSEQ => cseq = u32::try_from(field.number()?).map_err(|_| Unreadable)?,
                binding::BEFORE_END => before_end = field.number()?,
                _ => unknown.keep(&field),
            }
        }
        Ok(Binding {
            private_identity: private_identity.ok_or(Unreadable)?,
            contact: contact.ok_or(Unreadable)?,
            path,
            reg_id,
            call_id,
            cseq,
            remaining: expires_in.saturating_sub(Duration::from_millis(before_end)),
            unknown,
        })
    }
}

impl Entry {
    /// An alias, as it is written.
    pub(super) fn alias(default: &PublicIdentity) -> Bytes {
        let mut out = Writer::record();
        out.text(set::ALIAS, default.as_str());
        out.finish()
    }

    /// What a record says that the store keeps for `expires_in`. Bindings that have run out are apart.
    pub(super) fn decode(bytes: &Bytes, expires_in: Option<Duration>) -> Result<Entry, Unreadable> {
        let mut fields = Reader::record(bytes)?;
        let first = fields.next_field()?.ok_or(Unreadable)?;
        match first.tag {
            set::ALIAS => first.parse().map(Entry::Alias),
            set::SERVER_NAME => {
                let server_name = first.parse()?;
                Registration::read(fields, expires_in.unwrap_or_default(), server_name).map(Entry::Set)
            }
            _ => Err(Unreadable),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use imscore_hss::{ProfileIdentity, ServiceProfile};

    use super::*;

    fn registration() -> Registration {
        let profile = UserProfile::new(
            "alice".parse().unwrap(),
            vec![ServiceProfile::new(vec![
                ProfileIdentity::barred("sip:001@ims.example".parse().unwrap()),
                ProfileIdentity::new("sip:alice@ims.example".parse().unwrap()),
                ProfileIdentity::new("tel:+12015550123".parse().unwrap()),
            ])],
        );
        let mut registration = Registration::new("sip:scscf.ims.example".parse().unwrap(), &profile);
        registration.charging = Some(ChargingAddresses::new(["aaa://c1".to_string(), "aaa://c2".to_string()], []));
        registration.aliases_last = Duration::from_secs(90_000);
        for (contact, seconds) in [("<sip:a@192.0.2.1;ob>;q=0.5;expires=7;+x", 600), ("sip:a@192.0.2.2", 3_600)] {
            let contact = Contact::decode(&contact.into()).unwrap();
            registration.bindings.push(Binding {
                path: vec!["sip:t@pcscf.ims.example;lr".into(), "sip:edge.example;lr".into()],
                reg_id: 2,
                call_id: "c@1".into(),
                cseq: u32::MAX,
                ..Binding::new("alice@ims.example".parse().unwrap(), &contact, Duration::from_secs(seconds))
            });
        }
        registration
    }

    fn decode(bytes: &Bytes, seconds: u64) -> Registration {
        match Entry::decode(bytes, Some(Duration::from_secs(seconds))) {
            Ok(Entry::Set(registration)) => registration,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let registration = registration();
        assert_eq!((registration.lasts().as_secs(), registration.changes_in().as_secs()), (3_600, 600));
        let bytes = registration.encode();
        assert_eq!(decode(&bytes, 3_600), registration);
        assert!(bytes.len() < 440, "{} bytes", bytes.len());
        assert_eq!(registration.bindings[0].contact, "<sip:a@192.0.2.1;ob>;q=0.5;+x");
        assert_eq!(registration.default_identity().map(PublicIdentity::as_str), Some("sip:alice@ims.example"));
    }

    /// The store's clock is the only one: what is left of a binding follows from what is left of the record.
    #[test]
    fn bindings_run_out_with_the_time_of_the_store() {
        let bytes = registration().encode();
        let left = |seconds| -> Vec<u64> {
            decode(&bytes, seconds).bindings.iter().map(|binding| binding.remaining.as_secs()).collect()
        };
        assert_eq!(left(3_599), [599, 3_599]);
        assert_eq!(left(3_001), [1, 3_001]);
        assert_eq!(left(3_000), [3_000]);
        assert_eq!(left(0), [0; 0]);
        let later = decode(&bytes, 3_000);
        assert_eq!((later.expired.len(), later.aliases_last.as_secs()), (1, 89_400));
    }

    #[test]
    fn aliases() {
        let default: PublicIdentity = "sip:alice@ims.example".parse().unwrap();
        assert_eq!(Entry::decode(&Entry::alias(&default), None), Ok(Entry::Alias(default)));
    }

    /// Rolling upgrade: what a later release added survives a write of this one.
    #[test]
    fn fields_of_later_releases_survive() {
        let mut later = Writer::record();
        later.text(set::SERVER_NAME, "sip:s");
        later.text(set::PRIVATE_IDENTITY, "a");
        later.group(set::IDENTITY, |out| {
            out.text(identity::IDENTITY, "sip:a@h");
            out.text(200, "i");
        });
        later.group(set::BINDING, |out| {
            out.text(binding::PRIVATE_IDENTITY, "a");
            out.text(binding::CONTACT, "<sip:a@192.0.2.1>");
            out.text(binding::CALL_ID, "c");
            out.text(200, "b");
        });
        later.text(200, "r");
        let later = later.finish();
        let read = decode(&later, 60);
        assert_eq!(read.encode(), later);
    }

    #[test]
    fn damaged_records_are_refused() {
        let bytes = registration().encode();
        for len in [0, 1, 2, 10, bytes.len() - 1] {
            assert_eq!(Entry::decode(&bytes.slice(..len), None), Err(Unreadable), "{len}");
        }
        let mut empty = Writer::record();
        empty.text(set::SERVER_NAME, "sip:s");
        empty.text(set::PRIVATE_IDENTITY, "a");
        empty.group(set::BINDING, |_| {});
        assert_eq!(Entry::decode(&empty.finish(), None), Err(Unreadable));
    }
}
