//! What name servers have said, for as long as it holds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytestring::ByteString;

use super::{Answer, Question, Record};
use crate::transport::Address;

/// Answers that are kept. One more takes the place of the one that ends first.
const ENTRIES: usize = 10_000;

/// Records of one answer.
const RECORDS: usize = 64;

/// The longest and the shortest time that an answer holds.
const LONGEST: Duration = Duration::from_secs(86_400);
const SHORTEST: Duration = Duration::from_secs(1);

/// How long a failure holds, and an old answer in its place.
const AGAIN: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct Cache {
    entries: BTreeMap<Question, Entry>,
    fixed: BTreeMap<Question, Vec<Record>>,
    /// Names that need no question.
    places: BTreeMap<ByteString, Vec<Address>>,
}

struct Entry {
    records: Vec<Record>,
    until: Instant,
    /// An old answer serves up to here while there is no new one.
    stale_until: Instant,
}

impl Cache {
    /// What is known, if it still holds.
    pub(super) fn get(&self, question: &Question, now: Instant) -> Option<&[Record]> {
        if let Some(fixed) = self.fixed.get(question) {
            return Some(fixed);
        }
        self.entries.get(question).filter(|entry| entry.until > now).map(|entry| &entry.records[..])
    }

    /// Whether there is an old answer, should there be no new one.
    pub(super) fn has_old(&self, question: &Question, now: Instant) -> bool {
        self.entries.get(question).is_some_and(|entry| entry.stale_until > now)
    }

    /// Answers a question for ever.
    pub(super) fn fix(&mut self, question: Question, records: Vec<Record>) {
        self.fixed.insert(question, records);
    }

    /// Where a name leads without a question.
    pub(super) fn places(&self, name: &str) -> Option<&[Address]> {
        self.places.get(name).map(Vec::as_slice)
    }

    /// One more place that a name leads to.
    pub(super) fn place(&mut self, name: ByteString, address: Address) {
        self.places.entry(name).or_default().push(address);
    }

    /// Keeps an answer. A failure keeps what was known before, for a while.
    pub(super) fn put(&mut self, question: Question, answer: Answer, now: Instant) {
        let entry = match answer {
            Answer::Records(mut records, ttl) => {
                records.truncate(RECORDS);
                let until = now + ttl.clamp(SHORTEST, LONGEST);
                Entry { records, until, stale_until: until + LONGEST }
            }
            Answer::Failed => match self.entries.remove(&question).filter(|old| old.stale_until > now) {
                Some(old) => Entry { until: now + AGAIN, ..old },
                None => Entry { records: Vec::new(), until: now + SHORTEST, stale_until: now },
            },
        };
        if self.entries.len() >= ENTRIES && !self.entries.contains_key(&question) {
            let first = self.entries.iter().min_by_key(|(_, entry)| entry.until).map(|(question, _)| question.clone());
            first.and_then(|first| self.entries.remove(&first));
        }
        self.entries.insert(question, entry);
    }
}
