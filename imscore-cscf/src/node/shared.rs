//! What procedures and the worker that polls them have in common: the ready queue, timers, effects.
//!
//! A worker is one task, so the locks in here are never waited for; they make the futures `Send`.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures_channel::oneshot;
use imscore_sip::transport::Listener;
use imscore_sip::{Now, Request, Response};
use rand_chacha::ChaCha12Rng;
use rand_core::Rng;

use crate::call::SendError;
use crate::role::{Target, Targets};

/// One worker's side of all its calls.
pub(crate) struct Shared {
    pub(crate) listeners: Vec<Listener>,
    now: Mutex<Now>,
    random: Mutex<ChaCha12Rng>,
    ready: Mutex<VecDeque<TaskId>>,
    driver: Mutex<Option<Waker>>,
    sleeps: Mutex<Vec<(Instant, Arc<Alarm>)>>,
}

/// A procedure under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TaskId {
    pub(crate) slot: usize,
    pub(crate) generation: u64,
}

impl Shared {
    pub(crate) fn new(now: Now, random: ChaCha12Rng, listeners: Vec<Listener>) -> Arc<Shared> {
        Arc::new(Shared {
            listeners,
            now: Mutex::new(now),
            random: Mutex::new(random),
            ready: Mutex::default(),
            driver: Mutex::default(),
            sleeps: Mutex::default(),
        })
    }

    pub(crate) fn now(&self) -> Now {
        *lock(&self.now)
    }

    pub(crate) fn set_now(&self, now: Now) {
        *lock(&self.now) = now;
    }

    pub(crate) fn random(&self) -> u64 {
        lock(&self.random).next_u64()
    }

    pub(crate) fn set_driver(&self, waker: Waker) {
        *lock(&self.driver) = Some(waker);
    }

    pub(crate) fn next_ready(&self) -> Option<TaskId> {
        lock(&self.ready).pop_front()
    }

    pub(crate) fn has_ready(&self) -> bool {
        !lock(&self.ready).is_empty()
    }

    /// Sleeps that began since the last call.
    pub(crate) fn take_sleeps(&self) -> Vec<(Instant, Arc<Alarm>)> {
        std::mem::take(&mut *lock(&self.sleeps))
    }

    fn wake(&self, task: TaskId) {
        lock(&self.ready).push_back(task);
        if let Some(driver) = &*lock(&self.driver) {
            driver.wake_by_ref();
        }
    }
}

/// A panic in a role leaves these values whole: none is changed in two steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts its task on the ready queue, once, and wakes the driver.
pub(crate) struct TaskWaker {
    pub(crate) task: TaskId,
    pub(crate) shared: Arc<Shared>,
    pub(crate) queued: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.shared.wake(self.task);
        }
    }
}

/// What a procedure wants done; the worker drains it after each poll.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Effect {
    Provisional(Response),
    Fork(Request, Targets),
    Stop,
    Timer(&'static str, Duration),
    Send(Request, Target, oneshot::Sender<Result<Response, SendError>>),
}

/// One call's side of what its procedure and the worker share.
#[derive(Default)]
pub(crate) struct CallShared {
    effects: Mutex<Vec<Effect>>,
    cancelled: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl CallShared {
    pub(crate) fn push(&self, effect: Effect) {
        lock(&self.effects).push(effect);
    }

    pub(crate) fn take_effects(&self) -> Vec<Effect> {
        std::mem::take(&mut *lock(&self.effects))
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        if let Some(waker) = lock(&self.waiting).take() {
            waker.wake();
        }
    }

    pub(crate) fn poll_cancelled(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_cancelled() {
            return Poll::Ready(());
        }
        *lock(&self.waiting) = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// What the worker's wheel holds for a sleep.
#[derive(Default)]
pub(crate) struct Alarm {
    state: Mutex<AlarmState>,
}

#[derive(Default)]
enum AlarmState {
    #[default]
    Armed,
    Awaited(Waker),
    Rung,
}

impl Alarm {
    pub(crate) fn ring(&self) {
        if let AlarmState::Awaited(waker) = std::mem::replace(&mut *lock(&self.state), AlarmState::Rung) {
            waker.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if matches!(*state, AlarmState::Rung) {
            return Poll::Ready(());
        }
        *state = AlarmState::Awaited(cx.waker().clone());
        Poll::Pending
    }
}

/// A future that is ready after a time; it costs nothing until it is polled.
pub(crate) struct Sleep {
    shared: Arc<Shared>,
    deadline: Instant,
    alarm: Option<Arc<Alarm>>,
}

impl Sleep {
    pub(crate) fn new(shared: Arc<Shared>, time: Duration) -> Sleep {
        let deadline = shared.now().monotonic + time;
        Sleep { shared, deadline, alarm: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Sleep { shared, deadline, alarm } = &mut *self;
        if *deadline <= shared.now().monotonic {
            return Poll::Ready(());
        }
        alarm
            .get_or_insert_with(|| {
                let alarm = Arc::<Alarm>::default();
                lock(&shared.sleeps).push((*deadline, alarm.clone()));
                alarm
            })
            .poll(cx)
    }
}
