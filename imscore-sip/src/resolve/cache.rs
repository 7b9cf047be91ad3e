//! What name servers have said, for as long as it holds.

use std::collections::{BTreeMap, BTreeSet};
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
    /// The same by when they end.
    ends: BTreeSet<(Instant, Question)>,
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
            Answer::Failed => match self.remove(&question).filter(|old| old.stale_until > now) {
                Some(old) => Entry { until: now + AGAIN, ..old },
                None => Entry { records: Vec::new(), until: now + SHORTEST, stale_until: now },
            },
        };
        self.remove(&question);
        if self.entries.len() >= ENTRIES
            && let Some((_, first)) = self.ends.pop_first()
        {
            self.entries.remove(&first);
        }
        self.ends.insert((entry.until, question.clone()));
        self.entries.insert(question, entry);
    }

    fn remove(&mut self, question: &Question) -> Option<Entry> {
        let (question, entry) = self.entries.remove_entry(question)?;
        self.ends.remove(&(entry.until, question));
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Clock;

    fn question(number: usize) -> Question {
        Question::A(format!("{number}.example").into())
    }

    /// Threat D12: what is kept is bounded; one more takes the place of the one that ends first, also where that was asked again.
    #[test]
    fn a_full_cache_forgets_what_ends_first() {
        let (mut cache, now) = (Cache::default(), Clock::new().now().monotonic);
        let answer = |seconds: u64| Answer::Records(Vec::new(), Duration::from_secs(seconds));
        (0..ENTRIES).for_each(|number| cache.put(question(number), answer(100 + number as u64), now));
        cache.put(question(0), answer(80_000), now);
        cache.put(question(1), Answer::Failed, now);
        cache.put(question(2), answer(90), now);
        for (number, gone) in [(ENTRIES, 1), (ENTRIES + 1, 2), (ENTRIES + 2, 3)] {
            assert!(cache.get(&question(gone), now).is_some());
            cache.put(question(number), answer(50_000), now);
            assert!(cache.get(&question(gone), now).is_none(), "{gone}");
            assert_eq!((cache.entries.len(), cache.ends.len()), (ENTRIES, ENTRIES));
        }
        assert!(cache.get(&question(0), now).is_some());
    }
}
