//! Streams of changes: bounded, and honest about what was lost.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use futures_core::Stream;

use super::{Key, Table, Version};
use crate::lock;

/// Changes that wait for one listener before the rest becomes [`StateChange::Missed`].
const CAPACITY: usize = 1024;

/// Something happened to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateChange {
    /// It was written with this version. Another may have followed: read it.
    Written(Key, Version),
    /// It was removed. Expiry is no change: whoever reads knows when.
    Removed(Key),
    /// The listener was too slow or the connection broke: any record may have changed.
    Missed,
}

impl StateChange {
    fn table(&self) -> Option<Table> {
        match self {
            Self::Written(key, _) | Self::Removed(key) => Some(key.table()),
            Self::Missed => None,
        }
    }
}

/// Where changes come from: the other end of every [`StateChanges`]. For those who implement
/// [`StateStore`](super::StateStore).
///
/// ```
/// use imscore_hss::state::{Key, StateChange, StateChangeSource, StateChanges, Table};
///
/// # futures_executor::block_on(async {
/// const BINDINGS: Table = Table::new("bindings");
/// let source = StateChangeSource::default();
/// let mut changes: StateChanges = source.subscribe(BINDINGS);
/// let removed = StateChange::Removed(Key::new(BINDINGS, "alice"));
/// source.announce(&removed);
/// assert_eq!(changes.next().await, Some(removed));
/// # });
/// ```
#[derive(Debug, Default)]
pub struct StateChangeSource {
    listeners: Mutex<Vec<(Table, Weak<Mutex<Queue>>)>>,
    /// Spares writers the lock where nobody listens.
    any: AtomicBool,
}

impl StateChangeSource {
    /// A new stream of what happens in `table` from now on. It ends when the source is gone.
    pub fn subscribe(&self, table: Table) -> StateChanges {
        let queue = Arc::new(Mutex::new(Queue::default()));
        let mut listeners = lock(&self.listeners);
        listeners.retain(|(_, listener)| listener.strong_count() > 0);
        listeners.push((table, Arc::downgrade(&queue)));
        self.any.store(true, Ordering::Release);
        StateChanges { queue }
    }

    /// Tells the listeners of the record's table; [`StateChange::Missed`] goes to all.
    pub fn announce(&self, change: &StateChange) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let listeners: Vec<_> = lock(&self.listeners)
            .iter()
            .filter(|(table, _)| change.table().is_none_or(|changed| changed == *table))
            .filter_map(|(_, listener)| listener.upgrade())
            .collect();
        for listener in listeners {
            wake(&listener, |queue| queue.push(change));
        }
    }
}

impl Drop for StateChangeSource {
    fn drop(&mut self) {
        for listener in lock(&self.listeners).iter().filter_map(|(_, listener)| listener.upgrade()) {
            wake(&listener, |queue| queue.ended = true);
        }
    }
}

/// Changes a queue and wakes its reader, without the lock.
fn wake(queue: &Mutex<Queue>, change: impl FnOnce(&mut Queue)) {
    let waker = {
        let mut queue = lock(queue);
        change(&mut queue);
        queue.waker.take()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A stream of [`StateChange`]: hints to read again, near enough in their order. Names no runtime.
#[derive(Debug)]
pub struct StateChanges {
    queue: Arc<Mutex<Queue>>,
}

impl StateChanges {
    /// Waits for the next change; `None` once the store is gone.
    pub async fn next(&mut self) -> Option<StateChange> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<StateChange>> {
        let mut queue = lock(&self.queue);
        match queue.changes.pop_front() {
            Some(change) => Poll::Ready(Some(change)),
            None if queue.ended => Poll::Ready(None),
            None => {
                queue.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Stream for StateChanges {
    type Item = StateChange;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<StateChange>> {
        self.poll(context)
    }
}

#[derive(Debug, Default)]
struct Queue {
    changes: VecDeque<StateChange>,
    ended: bool,
    waker: Option<Waker>,
}

impl Queue {
    /// At most [`CAPACITY`] changes, the last of which may be `Missed`.
    fn push(&mut self, change: &StateChange) {
        match self.changes.len() {
            len if len < CAPACITY - 1 => self.changes.push_back(change.clone()),
            len if len < CAPACITY => self.changes.push_back(StateChange::Missed),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table::new("a");

    fn written(n: u64) -> StateChange {
        StateChange::Written(Key::new(TABLE, n.to_be_bytes()), Version::new(n))
    }

    fn ready(changes: &StateChanges) -> Vec<StateChange> {
        let context = Context::from_waker(Waker::noop());
        std::iter::from_fn(|| match changes.poll(&context) {
            Poll::Ready(change) => change,
            Poll::Pending => None,
        })
        .collect()
    }

    #[test]
    fn slow_listener_is_told_what_it_missed() {
        let source = StateChangeSource::default();
        let changes = source.subscribe(TABLE);
        (0..3000).for_each(|n| source.announce(&written(n)));
        let got = ready(&changes);
        assert_eq!(got.len(), CAPACITY);
        assert_eq!((got.first(), got.last()), (Some(&written(0)), Some(&StateChange::Missed)));
        source.announce(&written(4000));
        assert_eq!(ready(&changes), [written(4000)]);
    }

    #[test]
    fn each_table_has_its_own_listeners() {
        let source = StateChangeSource::default();
        let other = source.subscribe(Table::new("b"));
        source.announce(&written(1));
        assert_eq!(ready(&other), []);
        source.announce(&StateChange::Missed);
        assert_eq!(ready(&other), [StateChange::Missed]);
    }

    #[test]
    fn ends_with_its_source() {
        let source = StateChangeSource::default();
        let mut changes = source.subscribe(TABLE);
        source.announce(&written(1));
        drop(source);
        futures_executor::block_on(async {
            assert_eq!(changes.next().await, Some(written(1)));
            assert_eq!(changes.next().await, None);
        });
    }
}
