//! What is kept of one private identity, and how it is written.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::state::fields::{Field, Reader, Unknown, Unreadable, Writer};
use crate::{ChargingAddresses, PrivateIdentity, PublicIdentity, ServerName, UserProfile};

/// Implicit registration sets of one private identity, at most; the oldest gives way.
pub(super) const MAX_SETS: usize = 16;

/// The registration sets of one private identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Profiles {
    pub(super) sets: Vec<Set>,
    unknown: Unknown,
}

/// What the HSS said of one set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) profile: Arc<UserProfile>,
    pub(super) charging: Option<ChargingAddresses>,
    /// All private identities that have the set, where there are several.
    pub(super) associated: Vec<PrivateIdentity>,
    /// The S-CSCF that it was said to.
    pub(super) server_name: ServerName,
    pub(super) state: State,
    /// How long ago the HSS was told or asked.
    pub(super) age: Duration,
    pub(super) unknown: Unknown,
}

/// What the HSS holds the set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody here has said.
    Unknown,
    Registered,
    Unregistered,
}

/// Tags of a record.
mod tag {
    pub(super) const SET: u8 = 1;
}

/// Tags of a set.
mod set {
    pub(super) const SERVER_NAME: u8 = 1;
    /// 1 registered, 2 not registered.
    pub(super) const STATE: u8 = 2;
    /// XML of TS 29.228 annex E.
    pub(super) const PROFILE: u8 = 3;
    /// Milliseconds from when the HSS was told to the end of the record, which the store alone keeps.
    pub(super) const TO_END: u8 = 4;
    pub(super) const COLLECTION: u8 = 5;
    pub(super) const EVENT: u8 = 6;
    pub(super) const ASSOCIATED: u8 = 7;
}

impl Profiles {
    pub(super) fn add(&mut self, set: Set) {
        self.sets.push(set);
        if self.sets.len() > MAX_SETS {
            let oldest = self.sets.iter().enumerate().max_by_key(|(_, set)| set.age).map(|(at, _)| at);
            oldest.map(|at| self.sets.remove(at));
        }
    }

    /// How long ago the HSS was last told of any of them.
    pub(super) fn youngest(&self) -> Option<Duration> {
        self.sets.iter().map(|set| set.age).min()
    }

    /// The record, to be kept for `lasts`.
    pub(super) fn encode(&self, lasts: Duration) -> Bytes {
        let mut out = Writer::record();
        self.sets.iter().for_each(|entry| out.group(tag::SET, |out| entry.encode(lasts, out)));
        out.unknown(&self.unknown);
        out.finish()
    }

    /// What a record says that the store keeps for `expires_in`.
    pub(super) fn decode(bytes: &Bytes, expires_in: Duration) -> Result<Profiles, Unreadable> {
        let mut fields = Reader::record(bytes)?;
        let mut profiles = Profiles::default();
        while let Some(field) = fields.next_field()? {
            match field.tag {
                tag::SET => profiles.sets.push(Set::decode(field, expires_in)?),
                _ => profiles.unknown.keep(&field),
            }
        }
        Ok(profiles)
    }
}

impl Set {
    pub(super) fn has(&self, identity: &PublicIdentity) -> bool {
        self.profile.identity(identity).is_some()
    }

    fn encode(&self, lasts: Duration, out: &mut Writer) {
        out.text(set::SERVER_NAME, self.server_name.as_str());
        out.number(
            set::STATE,
            match self.state {
                State::Unknown => 0,
                State::Registered => 1,
                State::Unregistered => 2,
            },
        );
        out.text(set::PROFILE, &self.profile.to_xml());
        let to_end = self.age.saturating_add(lasts).as_millis();
        out.number(set::TO_END, u64::try_from(to_end).unwrap_or(u64::MAX));
        for address in self.charging.iter().flat_map(|charging| &charging.collection) {
            out.text(set::COLLECTION, address);
        }
        for address in self.charging.iter().flat_map(|charging| &charging.event) {
            out.text(set::EVENT, address);
        }
        for user in &self.associated {
            out.text(set::ASSOCIATED, user.as_str());
        }
        out.unknown(&self.unknown);
    }

    fn decode(field: Field, expires_in: Duration) -> Result<Set, Unreadable> {
        let (mut server_name, mut profile, mut state, mut to_end) = (None, None, State::Unknown, 0);
        let (mut collection, mut event, mut unknown) = (Vec::new(), Vec::new(), Unknown::default());
        let mut associated = Vec::new();
        let mut fields = field.group();
        while let Some(field) = fields.next_field()? {
            match field.tag {
                set::SERVER_NAME => server_name = Some(field.parse()?),
                set::STATE => {
                    state = match field.number()? {
                        1 => State::Registered,
                        2 => State::Unregistered,
                        _ => State::Unknown,
                    }
                }
                set::PROFILE => profile = Some(UserProfile::from_xml(&field.value).map_err(|_| Unreadable)?.profile),
                set::TO_END => to_end = field.number()?,
                set::COLLECTION => collection.push(field.text()?.to_string()),
                set::EVENT => event.push(field.text()?.to_string()),
                set::ASSOCIATED => associated.push(field.parse()?),
                _ => unknown.keep(&field),
            }
        }
        let has_charging = !collection.is_empty() || !event.is_empty();
        Ok(Set {
            profile: Arc::new(profile.ok_or(Unreadable)?),
            charging: has_charging.then(|| ChargingAddresses::new(collection, event)),
            associated,
            server_name: server_name.ok_or(Unreadable)?,
            state,
            age: Duration::from_millis(to_end).saturating_sub(expires_in),
            unknown,
        })
    }
}
