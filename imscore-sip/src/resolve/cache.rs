//! What name servers have said, for as long as it holds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Answer, Question, Record};

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

    /// Answers a question for ever.
    pub(super) fn fix(&mut self, question: Question, records: Vec<Record>) {
        self.fixed.insert(question, records);
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
