//! Which sources of an endpoint have something to do.
//!
//! An endpoint is one task with many things to wait for. Each of them has a waker of its own, which puts its
//! [`Token`] on one queue, once, and wakes the task; the task polls what stands on the queue, first in first out, and
//! nothing else.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};

use crate::transport::ConnectionId;

/// A source of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// The socket of a listener, by its place in the list.
    Listener(u16),
    /// The error queue of a UDP socket.
    Errors(u16),
    Connection(ConnectionId),
    /// The engine's own waker.
    Engine,
    /// The clock has reached the next deadline.
    Alarm,
    /// Other workers have something for us.
    Mail,
    /// A name server has answered.
    #[cfg(feature = "dns")]
    Names,
}

/// The queue. Dropping it makes its wakers do nothing.
#[derive(Debug, Default)]
pub(super) struct Ready {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Arc<Signal>>,
    /// The task, while it sleeps.
    task: Option<Waker>,
}

/// What wakes one source.
#[derive(Debug)]
pub(super) struct Signal {
    pub(super) token: Token,
    queued: AtomicBool,
    ready: Weak<Ready>,
}

impl Ready {
    /// What wakes a source.
    pub(super) fn signal(self: &Arc<Ready>, token: Token) -> Arc<Signal> {
        Arc::new(Signal { token, queued: AtomicBool::new(false), ready: Arc::downgrade(self) })
    }

    /// The waker of a source that is on the queue already: it is to be polled once before it can wake anybody.
    pub(super) fn source(self: &Arc<Ready>, token: Token) -> Waker {
        let signal = self.signal(token);
        signal.wake_by_ref();
        signal.into()
    }

    /// The next source to poll. Waking it puts it on the queue again.
    pub(super) fn pop(&self) -> Option<Arc<Signal>> {
        let signal = self.state().queue.pop_front()?;
        signal.queued.store(false, Ordering::Release);
        Some(signal)
    }

    /// Lets the task sleep until a signal comes. False: one is there.
    pub(super) fn sleep(&self, task: &Waker) -> bool {
        let mut state = self.state();
        if state.queue.is_empty() {
            state.task = Some(task.clone());
        }
        state.queue.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Signal>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Signal>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let Some(ready) = self.ready.upgrade() else {
            return;
        };
        let mut state = ready.state();
        state.queue.push_back(self.clone());
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Task>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn queued(ready: &Ready) -> Vec<Token> {
        std::iter::from_fn(|| ready.pop()).map(|signal| signal.token).collect()
    }

    #[test]
    fn a_source_is_queued_once_and_wakes_the_task_once() {
        let (ready, task) = (Arc::new(Ready::default()), Arc::new(Task::default()));
        let waker = Waker::from(task.clone());
        let (first, second) = (ready.signal(Token::Engine), ready.source(Token::Mail));
        assert!(!ready.sleep(&waker), "a new source is to be polled");
        assert_eq!(queued(&ready), [Token::Mail]);

        assert!(ready.sleep(&waker));
        for _ in 0..2 {
            second.wake_by_ref();
            first.wake_by_ref();
        }
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
        assert!(!ready.sleep(&waker));
        assert_eq!(queued(&ready), [Token::Mail, Token::Engine]);

        drop(ready);
        first.wake();
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
    }
}
