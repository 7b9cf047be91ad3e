//! Records in process: the default, and what tests run on.

use std::{
    collections::{BTreeMap, HashMap},
    hash::BuildHasher,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use siphasher::sip::SipHasher13;

use super::{
    Claim, Clock, Key, Record, StateChange, StateChangeSource, StateChanges, StateError, StateStore, Swap, Table,
    Version, Write,
};
use crate::lock;

/// Locks, so that workers seldom meet at one.
const SHARDS: usize = 64;
/// Records that [`MemoryState::new`] has room for.
const DEFAULT_LIMIT: usize = 4_000_000;
/// Forgotten records that one write buries: more than it makes, so the dead cannot pile up.
const BURIED_BY_WRITE: usize = 4;

/// A [`StateStore`] in memory. Every operation takes one of many locks for a moment, and none across an await.
#[derive(Debug)]
pub struct MemoryState {
    clock: Clock,
    seed: Seed,
    shards: Vec<Mutex<Shard>>,
    changes: StateChangeSource,
    records: AtomicUsize,
    limit: usize,
    /// Where the next claim begins, so that a small `limit` does not starve the last shard.
    turn: AtomicUsize,
}

impl MemoryState {
    /// An empty store on `clock`, with room for 4 million records. `seed` comes from the generator of the node: it
    /// keeps strangers, who choose keys, from choosing where they collide.
    pub fn new(clock: Clock, seed: u64) -> Self {
        let seed = Seed(seed);
        Self {
            clock,
            seed,
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::new(seed))).collect(),
            changes: StateChangeSource::default(),
            records: AtomicUsize::new(0),
            limit: DEFAULT_LIMIT,
            turn: AtomicUsize::new(0),
        }
    }

    /// Room for this many records; a write of one more is [`StateError::Full`].
    #[must_use]
    pub fn with_limit(mut self, records: usize) -> Self {
        self.limit = records;
        self
    }

    /// How many records it holds, expired ones that nobody has buried yet among them.
    pub fn len(&self) -> usize {
        self.records.load(Ordering::Relaxed)
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The clock it goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    fn shard(&self, key: &Key) -> &Mutex<Shard> {
        let hash = self.seed.hash_one(key);
        // Other bits than those by which the map within the shard sorts.
        &self.shards[(hash >> 20) as usize % SHARDS]
    }

    fn bury(&self, shard: &mut Shard, now: u64, most: usize) {
        let buried = shard.bury(now, most);
        self.records.fetch_sub(buried, Ordering::Relaxed);
    }

    fn has_room(&self) -> bool {
        self.records.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < self.limit).then_some(n + 1)).is_ok()
    }
}

#[async_trait]
impl StateStore for MemoryState {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StateError> {
        let now = self.clock.now();
        Ok(lock(self.shard(key)).get(key, now))
    }

    async fn compare_and_swap(&self, key: &Key, expected: Option<Version>, write: Write) -> Result<Swap, StateError> {
        let now = self.clock.now();
        let change = StateChange::Written(key.clone(), write.version);
        {
            let mut shard = lock(self.shard(key));
            self.bury(&mut shard, now, BURIED_BY_WRITE);
            match shard.judge(key, expected, write.version, now) {
                Verdict::Conflict(record) => return Ok(Swap::Conflict(record)),
                Verdict::Repeated => return Ok(Swap::Done),
                Verdict::Replace => {}
                Verdict::Create if self.has_room() => {}
                Verdict::Create => return Err(StateError::Full),
            }
            shard.put(key, write, now);
        }
        self.changes.announce(&change);
        Ok(Swap::Done)
    }

    async fn remove(&self, key: &Key, expected: Version) -> Result<Swap, StateError> {
        let now = self.clock.now();
        {
            let mut shard = lock(self.shard(key));
            match shard.records.get(key) {
                Some(kept) if !kept.is_forgotten(now) && kept.version != expected => {
                    return Ok(Swap::Conflict(kept.read(now)));
                }
                Some(_) => {}
                None => return Ok(Swap::Done),
            }
            shard.take(key);
        }
        self.records.fetch_sub(1, Ordering::Relaxed);
        self.changes.announce(&StateChange::Removed(key.clone()));
        Ok(Swap::Done)
    }

    async fn claim_due(&self, table: Table, limit: usize, lease: Duration) -> Result<Vec<Claim>, StateError> {
        let now = self.clock.now();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut claims = Vec::new();
        for index in 0..SHARDS {
            let mut shard = lock(&self.shards[first.wrapping_add(index) % SHARDS]);
            self.bury(&mut shard, now, usize::MAX);
            shard.claim(table, limit - claims.len(), after(now, lease), now, &mut claims);
        }
        // Which shard a record is in depends on the seed; the order in which work is done shall not.
        claims.sort_by(|(a_due, a), (b_due, b)| (a_due, &a.key).cmp(&(b_due, &b.key)));
        Ok(claims.into_iter().map(|(_, claim)| claim).collect())
    }

    fn subscribe(&self, table: Table) -> StateChanges {
        self.changes.subscribe(table)
    }
}

/// A hash that strangers cannot foresee, and that is the same for the same seed.
#[derive(Clone, Copy, Debug)]
struct Seed(u64);

impl BuildHasher for Seed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, !self.0.rotate_left(32))
    }
}

/// Milliseconds since 1970; the second number tells records of one millisecond apart.
type Moment = (u64, u64);

#[derive(Debug)]
struct Kept {
    version: Version,
    value: Bytes,
    expires: Option<u64>,
    wake: Wake,
}

/// Where a record waits for its time.
#[derive(Clone, Copy, Debug)]
enum Wake {
    Never,
    /// In `Shard::expiring`: then it is forgotten.
    Forget(Moment),
    /// In `Shard::due`: then it is given out.
    Due(Moment),
}

impl Kept {
    fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    /// Expired, and nobody is to deal with it: as good as gone.
    fn is_forgotten(&self, now: u64) -> bool {
        match self.wake {
            Wake::Never | Wake::Forget(_) => self.is_expired(now),
            Wake::Due(_) => false,
        }
    }

    fn read(&self, now: u64) -> Option<Record> {
        (!self.is_expired(now)).then(|| self.record(now))
    }

    fn record(&self, now: u64) -> Record {
        Record {
            version: self.version,
            value: self.value.clone(),
            expires_in: self.expires.map(|at| Duration::from_millis(at.saturating_sub(now))),
        }
    }
}

enum Verdict {
    Create,
    Replace,
    Repeated,
    Conflict(Option<Record>),
}

#[derive(Debug)]
struct Shard {
    records: HashMap<Key, Kept, Seed>,
    expiring: BTreeMap<Moment, Key>,
    due: BTreeMap<(Table, Moment), Key>,
    next: u64,
}

impl Shard {
    fn new(seed: Seed) -> Self {
        Self { records: HashMap::with_hasher(seed), expiring: BTreeMap::new(), due: BTreeMap::new(), next: 0 }
    }

    fn get(&self, key: &Key, now: u64) -> Option<Record> {
        self.records.get(key)?.read(now)
    }

    fn judge(&self, key: &Key, expected: Option<Version>, makes: Version, now: u64) -> Verdict {
        let Some(kept) = self.records.get(key) else {
            return if expected.is_none() { Verdict::Create } else { Verdict::Conflict(None) };
        };
        let there = (!kept.is_forgotten(now)).then_some(kept.version);
        if there == Some(makes) {
            Verdict::Repeated
        } else if there == expected || (expected.is_none() && kept.is_expired(now)) {
            Verdict::Replace
        } else {
            Verdict::Conflict(kept.read(now))
        }
    }

    fn put(&mut self, key: &Key, write: Write, now: u64) {
        self.take(key);
        self.next += 1;
        let expires = write.expires_in.map(|time| after(now, time));
        let wake = match (write.due_in, expires) {
            (Some(time), _) => Wake::Due((after(now, time), self.next)),
            (None, Some(at)) => Wake::Forget((at, self.next)),
            (None, None) => Wake::Never,
        };
        self.wait(key, wake);
        self.records.insert(key.clone(), Kept { version: write.version, value: write.value, expires, wake });
    }

    fn take(&mut self, key: &Key) -> Option<Kept> {
        let kept = self.records.remove(key)?;
        match kept.wake {
            Wake::Never => {}
            Wake::Forget(moment) => {
                self.expiring.remove(&moment);
            }
            Wake::Due(moment) => {
                self.due.remove(&(key.table(), moment));
            }
        }
        Some(kept)
    }

    fn wait(&mut self, key: &Key, wake: Wake) {
        match wake {
            Wake::Never => {}
            Wake::Forget(moment) => {
                self.expiring.insert(moment, key.clone());
            }
            Wake::Due(moment) => {
                self.due.insert((key.table(), moment), key.clone());
            }
        }
    }

    fn claim(&mut self, table: Table, most: usize, lease_end: u64, now: u64, claims: &mut Vec<(u64, Claim)>) {
        let due: Vec<_> = self
            .due
            .range((table, (0, 0))..=(table, (now, u64::MAX)))
            .take(most)
            .map(|(&(_, (at, _)), key)| (at, key.clone()))
            .collect();
        for (at, key) in due {
            let Some(mut kept) = self.take(&key) else { continue };
            claims.push((at, Claim { key: key.clone(), record: kept.record(now) }));
            self.next += 1;
            kept.wake = Wake::Due((lease_end, self.next));
            self.wait(&key, kept.wake);
            self.records.insert(key, kept);
        }
    }

    /// Drops up to `most` forgotten records and says how many.
    fn bury(&mut self, now: u64, most: usize) -> usize {
        let mut buried = 0;
        while buried < most {
            match self.expiring.first_entry() {
                Some(first) if first.key().0 <= now => {
                    let key = first.remove();
                    self.records.remove(&key);
                    buried += 1;
                }
                Some(_) | None => break,
            }
        }
        buried
    }
}

fn after(now: u64, time: Duration) -> u64 {
    now.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, thread};

    use futures_executor::block_on;
    use proptest::prelude::*;

    use super::*;
    use crate::state::contract;

    const TABLE: Table = Table::new("t");

    fn write(version: u64) -> Write {
        Write::new(Version::new(version), version.to_be_bytes().to_vec())
    }

    fn key(id: u64) -> Key {
        Key::new(TABLE, id.to_be_bytes())
    }

    fn created(store: &MemoryState, id: u64, write: Write) {
        assert_eq!(block_on(store.compare_and_swap(&key(id), None, write)), Ok(Swap::Done));
    }

    #[test]
    fn keeps_the_contract() {
        let clock = Clock::new(1_700_000_000_000);
        let store = MemoryState::new(clock.clone(), 1);
        let pass = async |time: Duration| clock.advance_to(clock.now() + u64::try_from(time.as_millis()).unwrap());
        block_on(contract::check(&store, pass));
        assert!(store.is_empty());
    }

    #[test]
    fn full_until_something_is_forgotten() {
        let clock = Clock::new(0);
        let store = MemoryState::new(clock.clone(), 1).with_limit(2);
        created(&store, 1, write(1).expires_in(Duration::from_secs(1)));
        created(&store, 2, write(1));
        assert_eq!(block_on(store.compare_and_swap(&key(3), None, write(1))), Err(StateError::Full));
        let replaced = block_on(store.compare_and_swap(&key(2), Some(Version::new(1)), write(2)));
        assert_eq!(replaced, Ok(Swap::Done), "no more room needed");
        clock.advance_to(1000);
        assert_eq!(block_on(store.claim_due(TABLE, 0, Duration::ZERO)), Ok(vec![]));
        created(&store, 3, write(1));
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn writes_bury_the_dead() {
        let clock = Clock::new(0);
        let store = MemoryState::new(clock.clone(), 1);
        for id in 0..10_000 {
            clock.advance_to(id);
            created(&store, id, write(1).expires_in(Duration::from_millis(10)));
        }
        assert!(store.len() < 1000, "{}", store.len());
    }

    #[test]
    fn deadlines_beyond_time() {
        let store = MemoryState::new(Clock::new(u64::MAX - 5), 1);
        created(&store, 1, write(1).expires_in(Duration::MAX).due_in(Duration::MAX));
        assert!(block_on(store.get(&key(1))).unwrap().is_some());
    }

    /// Eight threads add to one counter: no addition is lost, and each record of work goes to one thread.
    #[test]
    fn many_threads() {
        let store = MemoryState::new(Clock::new(0), 1);
        created(&store, u64::MAX, write(0));
        for id in 0..100 {
            created(&store, id, write(1).due_in(Duration::ZERO));
        }
        let claimed = thread::scope(|scope| {
            let work = |thread: u64| {
                let store = &store;
                move || {
                    for round in 1..=200_u64 {
                        add_one(store, thread * 1000 + round);
                    }
                    block_on(store.claim_due(TABLE, 20, Duration::from_secs(1))).unwrap()
                }
            };
            let threads: Vec<_> = (1..=8).map(|thread| scope.spawn(work(thread))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).map(|claim| claim.key).collect::<Vec<_>>()
        });
        assert_eq!(claimed.len(), 100);
        assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>().len(), 100);
        let total = block_on(store.get(&key(u64::MAX))).unwrap().unwrap();
        assert_eq!(total.value[..], 1600_u64.to_be_bytes());
    }

    fn add_one(store: &MemoryState, version: u64) {
        loop {
            let record = block_on(store.get(&key(u64::MAX))).unwrap().unwrap();
            let count = u64::from_be_bytes(record.value[..].try_into().unwrap());
            let write = Write::new(Version::new(version), (count + 1).to_be_bytes().to_vec());
            match block_on(store.compare_and_swap(&key(u64::MAX), Some(record.version), write)).unwrap() {
                Swap::Done => return,
                Swap::Conflict(_) => {}
            }
        }
    }

    #[test]
    fn order_of_work_does_not_depend_on_the_seed() {
        let claims = |seed| {
            let clock = Clock::new(0);
            let store = MemoryState::new(clock.clone(), seed);
            for id in 0..200 {
                created(&store, id, write(1).due_in(Duration::from_millis(id % 7)));
            }
            clock.advance_to(10);
            block_on(store.claim_due(TABLE, 200, Duration::ZERO)).unwrap()
        };
        assert_eq!(claims(1), claims(2));
        assert_eq!(claims(1).len(), 200);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put { id: u64, expires: Option<u64>, due: Option<u64> },
        Remove { id: u64 },
        Claim { limit: usize, lease: u64 },
        Pass { millis: u64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        let time = proptest::option::of(0..50_u64);
        prop_oneof![
            (0..4_u64, time.clone(), time).prop_map(|(id, expires, due)| Step::Put { id, expires, due }),
            (0..4_u64).prop_map(|id| Step::Remove { id }),
            (0..5_usize, 0..50_u64).prop_map(|(limit, lease)| Step::Claim { limit, lease }),
            (0..30_u64).prop_map(|millis| Step::Pass { millis }),
        ]
    }

    proptest! {
        /// The indices of a shard and its records tell the same story, whatever happens.
        #[test]
        fn indices_agree(steps in proptest::collection::vec(step(), 0..60)) {
            let clock = Clock::new(0);
            let store = MemoryState::new(clock.clone(), 1);
            for (version, step) in (1..).zip(steps) {
                match step {
                    Step::Put { id, expires, due } => {
                        let current = block_on(store.get(&key(id))).unwrap().map(|record| record.version);
                        let mut write = write(version);
                        write.expires_in = expires.map(Duration::from_millis);
                        write.due_in = due.map(Duration::from_millis);
                        prop_assert_eq!(block_on(store.compare_and_swap(&key(id), current, write)), Ok(Swap::Done));
                    }
                    Step::Remove { id } => {
                        if let Some(record) = block_on(store.get(&key(id))).unwrap() {
                            prop_assert_eq!(block_on(store.remove(&key(id), record.version)), Ok(Swap::Done));
                        }
                    }
                    Step::Claim { limit, lease } => {
                        let claims = block_on(store.claim_due(TABLE, limit, Duration::from_millis(lease))).unwrap();
                        prop_assert!(claims.len() <= limit);
                    }
                    Step::Pass { millis } => clock.advance_to(clock.now() + millis),
                }
                let mut records = 0;
                for shard in &store.shards {
                    let shard = lock(shard);
                    records += shard.records.len();
                    let waiting = shard.records.values().filter(|kept| !matches!(kept.wake, Wake::Never)).count();
                    prop_assert_eq!(waiting, shard.expiring.len() + shard.due.len());
                }
                prop_assert_eq!(records, store.len());
            }
        }
    }
}
