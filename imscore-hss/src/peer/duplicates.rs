//! Requests that came before: RFC 6733 §3, by Origin-Host and End-to-End Identifier.
//!
//! A request that is sent again after a failover may come on another connection while the first is still being worked on, or
//! after it was answered. It gets the same answer, and nobody works on it twice.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::ConnectionId;
use crate::diameter::Message;

/// How long an answer is kept: as long as an identifier stays unique (RFC 6733 §3).
const KEPT: Duration = Duration::from_secs(240);

type Key = (String, u32);

/// What came, and what was answered.
#[derive(Debug)]
pub(super) struct Duplicates {
    known: BTreeMap<Key, Known>,
    /// In the order of arrival.
    order: VecDeque<(Duration, Key)>,
    most: usize,
}

#[derive(Debug)]
enum Known {
    /// Being worked on; where else to send the answer.
    Open(Vec<(ConnectionId, u32)>),
    Answered(Message),
}

/// What a request is.
#[derive(Debug, PartialEq)]
pub(super) enum Seen {
    First,
    /// The answer will go here as well.
    InWork,
    Answered(Message),
}

impl Duplicates {
    /// Keeps `most` answers.
    pub(super) fn new(most: usize) -> Duplicates {
        Duplicates { known: BTreeMap::new(), order: VecDeque::new(), most }
    }

    pub(super) fn see(&mut self, origin: &str, request: &Message, from: ConnectionId, now: Duration) -> Seen {
        self.expire(now);
        let key = (origin.to_ascii_lowercase(), request.header().end_to_end);
        match self.known.get_mut(&key) {
            Some(Known::Answered(answer)) => Seen::Answered(answer.clone()),
            Some(Known::Open(others)) => {
                // A peer that repeats itself without end is answered where it asked first.
                if others.len() < 4 {
                    others.push((from, request.header().hop_by_hop));
                }
                Seen::InWork
            }
            None => {
                self.known.insert(key.clone(), Known::Open(Vec::new()));
                self.order.push_back((now, key));
                Seen::First
            }
        }
    }

    /// Keeps an answer; says where it has to go besides.
    pub(super) fn answered(&mut self, origin: &str, answer: &Message) -> Vec<(ConnectionId, u32)> {
        let key = (origin.to_ascii_lowercase(), answer.header().end_to_end);
        match self.known.get_mut(&key).map(|known| std::mem::replace(known, Known::Answered(answer.clone()))) {
            Some(Known::Open(others)) => others,
            Some(Known::Answered(_)) | None => Vec::new(),
        }
    }

    fn expire(&mut self, now: Duration) {
        while let Some((came, _)) = self.order.front() {
            if self.order.len() < self.most && now < *came + KEPT {
                return;
            }
            if let Some((_, key)) = self.order.pop_front() {
                self.known.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diameter::{ApplicationId, CommandCode, CommandFlags, Header, Writer};

    fn message(end_to_end: u32, hop_by_hop: u32) -> Message {
        let flags = CommandFlags::PROXIABLE;
        let header = Header::request(CommandCode::PUSH_PROFILE, ApplicationId::CX, flags);
        Message::parse(Writer::new(Header { end_to_end, hop_by_hop, ..header }).finish().unwrap()).unwrap()
    }

    #[test]
    fn one_answer_for_all() {
        let mut duplicates = Duplicates::new(10);
        let (one, two) = (ConnectionId(1), ConnectionId(2));
        let now = Duration::ZERO;
        assert_eq!(duplicates.see("hss", &message(7, 1), one, now), Seen::First);
        assert_eq!(duplicates.see("HSS", &message(7, 2), two, now), Seen::InWork);
        assert_eq!(duplicates.see("other", &message(7, 1), two, now), Seen::First);
        assert_eq!(duplicates.answered("hss", &message(7, 1)), [(two, 2)]);
        assert_eq!(duplicates.see("hss", &message(7, 3), two, now), Seen::Answered(message(7, 1)));
        let later = Duration::from_secs(241);
        assert_eq!(duplicates.see("hss", &message(7, 3), two, later), Seen::First);
    }

    #[test]
    fn no_more_than_allowed() {
        let mut duplicates = Duplicates::new(10);
        for n in 0..1000 {
            duplicates.see("hss", &message(n, 0), ConnectionId(1), Duration::ZERO);
        }
        assert_eq!((duplicates.known.len(), duplicates.order.len()), (10, 10));
    }
}
