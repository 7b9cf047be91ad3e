//! Where a node keeps what must outlive a message: records of bytes with a version and deadlines.
//!
//! A [`StateStore`] knows nothing of what it keeps; who uses it writes typed records on top. Three rules make it usable
//! from many nodes at once:
//!
//! * **Writes are compare-and-swap, and the writer names the version that it makes.** A write that is repeated after a
//!   lost answer finds its own version and succeeds again, instead of failing against itself.
//! * **Deadlines are durations on the way in and on the way out.** The store adds them to its own clock, so nodes need
//!   not agree on the time.
//! * **Work that falls due is given to one claimer at a time**, with a lease: a claimer that dies loses the work to the
//!   next one.
//!
//! [`fields`] is how such records are written. [`MemoryState`] keeps records in process. Any other back end has to pass `state::contract::check` (feature `testing`).
//!
//! ```
//! # futures_executor::block_on(async {
//! use imscore_hss::state::{Clock, Key, MemoryState, StateStore, Swap, Table, Version, Write};
//! use std::time::Duration;
//!
//! const BINDINGS: Table = Table::new("bindings");
//! let clock = Clock::new(0);
//! let store = MemoryState::new(clock.clone(), 7);
//! let alice = Key::new(BINDINGS, "sip:alice@ims.example");
//!
//! let write = Write::new(Version::new(1), "sip:192.0.2.1").expires_in(Duration::from_secs(3600));
//! assert_eq!(store.compare_and_swap(&alice, None, write).await?, Swap::Done);
//!
//! clock.advance_to(3_600_000);
//! assert_eq!(store.get(&alice).await?, None);
//! # Ok::<(), imscore_hss::state::StateError>(())
//! # }).unwrap();
//! ```

mod changes;
mod clock;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
pub mod fields;
mod memory;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;

pub use changes::{StateChange, StateChangeSource, StateChanges};
pub use clock::Clock;
pub use memory::MemoryState;

/// Records under keys, for any number of nodes at once.
///
/// ```
/// use std::time::Duration;
///
/// use imscore_hss::state::{
///     Claim, Clock, Key, MemoryState, Record, StateChange, StateError, StateStore, Table, Version, Write,
/// };
///
/// # futures_executor::block_on(async {
/// const CHALLENGES: Table = Table::new("challenges");
/// let clock = Clock::new(0);
/// let store = MemoryState::new(clock.clone(), 7).with_limit(1);
/// let mut changes = store.subscribe(CHALLENGES);
/// let key = Key::new(CHALLENGES, "1");
/// store.compare_and_swap(&key, None, Write::new(Version::new(1), "a").due_in(Duration::from_secs(4))).await?;
/// assert_eq!(changes.next().await, Some(StateChange::Written(key.clone(), Version::new(1))));
/// let record: Option<Record> = store.get(&key).await?;
/// assert!(record.is_some_and(|record| record.value == "a"));
///
/// // Work that has fallen due is claimed by one node.
/// clock.advance_to(4_000);
/// let claims: Vec<Claim> = store.claim_due(CHALLENGES, 10, Duration::from_secs(1)).await?;
/// assert_eq!(claims[0].key, key);
/// let full = store.compare_and_swap(&Key::new(CHALLENGES, "2"), None, Write::new(Version::new(1), "b")).await;
/// assert_eq!(full, Err(StateError::Full));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[async_trait]
pub trait StateStore: Send + Sync {
    /// The record under `key`, unless there is none or it has expired.
    async fn get(&self, key: &Key) -> Result<Option<Record>, StateError>;

    /// Puts `write` in the place of the version `expected`; `None` is no record, or one that has expired.
    ///
    /// The record may have the version that `write` makes already: then this is a repetition, and [`Swap::Done`].
    async fn compare_and_swap(&self, key: &Key, expected: Option<Version>, write: Write) -> Result<Swap, StateError>;

    /// Takes the record away if it still has the version `expected`, expired or not. No record at all is
    /// [`Swap::Done`]: a repetition finds it so.
    async fn remove(&self, key: &Key, expected: Version) -> Result<Swap, StateError>;

    /// Takes up to `limit` records of a table that have fallen due ([`Write::due_in`]) and gives each to this caller
    /// alone for the time of `lease`. Who has done the work writes or removes the record, with the version it got; a
    /// record left as it is comes due again when the lease ends.
    async fn claim_due(&self, table: Table, limit: usize, lease: Duration) -> Result<Vec<Claim>, StateError>;

    /// A new stream of what is written and removed in a table from now on, by any node.
    fn subscribe(&self, table: Table) -> StateChanges;
}

#[async_trait]
impl<T: StateStore + ?Sized> StateStore for Arc<T> {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StateError> {
        (**self).get(key).await
    }

    async fn compare_and_swap(&self, key: &Key, expected: Option<Version>, write: Write) -> Result<Swap, StateError> {
        (**self).compare_and_swap(key, expected, write).await
    }

    async fn remove(&self, key: &Key, expected: Version) -> Result<Swap, StateError> {
        (**self).remove(key, expected).await
    }

    async fn claim_due(&self, table: Table, limit: usize, lease: Duration) -> Result<Vec<Claim>, StateError> {
        (**self).claim_due(table, limit, lease).await
    }

    fn subscribe(&self, table: Table) -> StateChanges {
        (**self).subscribe(table)
    }
}

/// A kind of record. The name is part of the key in back ends that have one name space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(&'static str);

impl Table {
    /// A table of this name; two of one name are the same table.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// Where a record is: a table, and bytes within it. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    table: Table,
    id: Bytes,
}

impl Key {
    /// The key of `id` in a table.
    pub fn new(table: Table, id: impl AsRef<[u8]>) -> Self {
        Self { table, id: Bytes::copy_from_slice(id.as_ref()) }
    }

    /// Its table.
    pub fn table(&self) -> Table {
        self.table
    }

    /// Its bytes.
    pub fn id(&self) -> &[u8] {
        &self.id
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table.0, self.id.escape_ascii())
    }
}

/// Which write a record comes from. The writer draws it, from the generator of its node, never twice for one key; only
/// equality means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(u64);

impl Version {
    /// The version of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A record as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// What [`StateStore::compare_and_swap`] expects.
    pub version: Version,
    /// What was written.
    pub value: Bytes,
    /// Time left until it expires, by the store's clock, in whole milliseconds; `None` if it never does.
    pub expires_in: Option<Duration>,
}

impl Record {
    /// A record that never expires. For those who implement [`StateStore`].
    pub fn new(version: Version, value: Bytes) -> Self {
        Self { version, value, expires_in: None }
    }
}

/// A record as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Write {
    /// The version that this write makes.
    pub version: Version,
    /// What to keep.
    pub value: Bytes,
    /// See [`Write::expires_in`].
    pub expires_in: Option<Duration>,
    /// See [`Write::due_in`].
    pub due_in: Option<Duration>,
}

impl Write {
    /// A record that never expires and never falls due.
    pub fn new(version: Version, value: impl Into<Bytes>) -> Self {
        Self { version, value: value.into(), expires_in: None, due_in: None }
    }

    /// From then on [`StateStore::get`] finds nothing. A record that never falls due is forgotten then.
    #[must_use]
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.expires_in = Some(time);
        self
    }

    /// From then on [`StateStore::claim_due`] gives it out. It is kept until somebody has dealt with it, even where
    /// it has expired.
    #[must_use]
    pub fn due_in(mut self, time: Duration) -> Self {
        self.due_in = Some(time);
        self
    }
}

/// How a write ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Swap {
    /// It stands (perhaps since an earlier try).
    Done,
    /// The record has another version: here it is, `None` if there is none or it has expired.
    Conflict(Option<Record>),
}

/// A record that has fallen due.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// Where it is.
    pub key: Key,
    /// What it says; `expires_in` is zero where it has expired.
    pub record: Record,
}

impl Claim {
    /// A claim. For those who implement [`StateStore`].
    pub fn new(key: Key, record: Record) -> Self {
        Self { key, record }
    }
}

/// Why a store did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StateError {
    /// It has no room for another record.
    #[error("the state store is full")]
    Full,
    /// Too much to do at the moment.
    #[error("the state store is busy")]
    Busy,
    /// No connection or no answer; a write may or may not stand.
    #[error("the state store cannot be reached")]
    Unreachable,
}
