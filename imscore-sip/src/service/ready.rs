//! Which handlers want to be polled.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// A queue of names, each in it once, and whom to wake when there is one.
pub(super) struct Ready<N>(Mutex<Queue<N>>);

struct Queue<N> {
    names: VecDeque<Arc<Named<N>>>,
    driver: Option<Waker>,
}

struct Named<N> {
    name: N,
    queued: AtomicBool,
    ready: Arc<Ready<N>>,
}

impl<N> Ready<N> {
    pub(super) fn new() -> Arc<Ready<N>> {
        Arc::new(Ready(Mutex::new(Queue { names: VecDeque::new(), driver: None })))
    }

    fn with<R>(&self, act: impl FnOnce(&mut Queue<N>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_driver(&self, driver: Waker) {
        self.with(|queue| queue.driver = Some(driver));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.with(|queue| queue.names.is_empty())
    }
}

impl<N: Copy + Send + Sync + 'static> Ready<N> {
    /// A waker that puts a name into the queue.
    pub(super) fn waker(self: &Arc<Self>, name: N) -> Waker {
        Waker::from(Arc::new(Named { name, queued: AtomicBool::new(false), ready: self.clone() }))
    }

    /// The name that waits longest; it can come in again from now on.
    pub(super) fn pop(&self) -> Option<N> {
        let named = self.with(|queue| queue.names.pop_front())?;
        named.queued.store(false, Ordering::Release);
        Some(named.name)
    }
}

impl<N: Copy + Send + Sync + 'static> Wake for Named<N> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            let driver = self.ready.with(|queue| {
                queue.names.push_back(self.clone());
                queue.driver.clone()
            });
            if let Some(driver) = driver {
                driver.wake();
            }
        }
    }
}
