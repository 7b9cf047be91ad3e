//! Dialogs, as whoever sees their messages knows them: at an end or on the way.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::header::{Name, SubscriptionState};
use crate::message::{Headers, Message, Method};

/// Dialogs that are followed at one time; beyond it the oldest is followed no further.
pub(super) const MOST: usize = 10_000;

/// Bytes of Call-ID and tags together; a dialog with more is not followed.
pub(super) const LONGEST: usize = 768;

/// Where a dialog stands (RFC 3261 §12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialogStep {
    /// A provisional response made it.
    Early,
    /// A 2xx made it, or confirmed it.
    Confirmed,
    /// It was refused, or there was a BYE or a last NOTIFY.
    Ended,
}

impl DialogStep {
    /// In lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            DialogStep::Early => "early",
            DialogStep::Confirmed => "confirmed",
            DialogStep::Ended => "ended",
        }
    }
}

/// Call-ID, tag of who began it, tag of the other.
pub(super) type Key = (String, String, String);

#[derive(Default)]
pub(super) struct Dialogs {
    standing: BTreeMap<Key, DialogStep>,
    /// From the oldest on, those that have ended among them.
    order: VecDeque<Key>,
}

impl Dialogs {
    /// What a message does to its dialog. Each copy of it that passes is given here; only the first has a say.
    pub(super) fn on(&mut self, message: &Message) -> Option<(Key, DialogStep)> {
        let key = key(message.headers())?;
        match message {
            Message::Response(response) => {
                let method = response.headers.cseq().ok()?.method;
                if ![Method::Invite, Method::Subscribe].contains(&method) {
                    return None;
                }
                match response.status().code() {
                    100 => None,
                    101..200 => self.come_to(key, DialogStep::Early),
                    200..300 => self.come_to(key, DialogStep::Confirmed),
                    _ => self.end_early(key),
                }
            }
            Message::Request(request) if request.is(&Method::Bye) => self.end(key),
            Message::Request(request) if request.is(&Method::Notify) => {
                let state = request.headers.first::<SubscriptionState>().ok()?;
                if state.is_terminated() { self.end(key) } else { None }
            }
            Message::Request(_) => None,
        }
    }

    fn come_to(&mut self, key: Key, step: DialogStep) -> Option<(Key, DialogStep)> {
        if let Some(known) = self.known(&key) {
            let standing = self.standing.get_mut(&known)?;
            if *standing == step || *standing == DialogStep::Confirmed {
                return None;
            }
            *standing = step;
            return Some((known, step));
        }
        if self.order.len() == MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.standing.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.standing.insert(key.clone(), step);
        Some((key, step))
    }

    /// The refusal of an INVITE ends no dialog that there was before it (RFC 3261 §14.1).
    fn end_early(&mut self, key: Key) -> Option<(Key, DialogStep)> {
        let known = self.known(&key)?;
        match self.standing.get(&known)? {
            DialogStep::Early => self.end(known),
            DialogStep::Confirmed | DialogStep::Ended => None,
        }
    }

    fn end(&mut self, key: Key) -> Option<(Key, DialogStep)> {
        let known = self.known(&key)?;
        self.standing.remove(&known)?;
        Some((known, DialogStep::Ended))
    }

    /// As the dialog began: the tags of a request of the other side stand the other way round.
    fn known(&self, (call_id, from, to): &Key) -> Option<Key> {
        let keys = [(from, to), (to, from)].map(|(from, to)| (call_id.clone(), from.clone(), to.clone()));
        keys.into_iter().find(|key| self.standing.contains_key(key))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.standing.len(), self.order.len())
    }
}

fn key(headers: &Headers) -> Option<Key> {
    let call_id = std::str::from_utf8(headers.raw(Name::CALL_ID)?).ok()?;
    let length = call_id.len() + headers.from_tag()?.len() + headers.to_tag()?.len();
    (length <= LONGEST).then_some(())?;
    Some((call_id.to_owned(), headers.from_tag()?.to_owned(), headers.to_tag()?.to_owned()))
}
