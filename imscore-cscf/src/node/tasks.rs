//! Procedures under way: futures that the worker polls itself, first woken first polled.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use crate::node::shared::{Shared, TaskId, TaskWaker};

/// A procedure, which owns all that it touches.
pub(crate) type Procedure<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What polling a procedure came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Polled<T> {
    /// It is through.
    Done(T),
    /// It waits for something.
    Pending,
    /// It panicked, and is gone.
    Panicked,
    /// It was through before: a late wake.
    Gone,
}

/// A table of procedures.
pub(crate) struct Tasks<T> {
    shared: Arc<Shared>,
    slots: Vec<Option<Task<T>>>,
    free: Vec<usize>,
    begun: u64,
}

struct Task<T> {
    generation: u64,
    procedure: Procedure<T>,
    queued: Arc<TaskWaker>,
    waker: Waker,
}

impl<T> Tasks<T> {
    pub(crate) fn new(shared: Arc<Shared>) -> Tasks<T> {
        Tasks { shared, slots: Vec::new(), free: Vec::new(), begun: 0 }
    }

    /// Takes a procedure in; it is polled by the first [`Tasks::poll`].
    pub(crate) fn begin(&mut self, procedure: Procedure<T>) -> TaskId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.begun += 1;
        let task = TaskId { slot, generation: self.begun };
        let queued = Arc::new(TaskWaker { task, shared: self.shared.clone(), queued: AtomicBool::new(false) });
        let waker = Waker::from(queued.clone());
        self.slots[slot] = Some(Task { generation: task.generation, procedure, queued, waker });
        task
    }

    pub(crate) fn poll(&mut self, id: TaskId) -> Polled<T> {
        let Some(slot) = self.slots.get_mut(id.slot) else { return Polled::Gone };
        let Some(task) = slot.as_mut().filter(|task| task.generation == id.generation) else { return Polled::Gone };
        task.queued.queued.store(false, Ordering::Release);
        let mut cx = Context::from_waker(&task.waker);
        let polled = match catch_unwind(AssertUnwindSafe(|| task.procedure.as_mut().poll(&mut cx))) {
            Ok(Poll::Pending) => return Polled::Pending,
            Ok(Poll::Ready(value)) => Polled::Done(value),
            Err(_) => Polled::Panicked,
        };
        *slot = None;
        self.free.push(id.slot);
        polled
    }

    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use imscore_sip::Now;
    use rand_chacha::ChaCha12Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::call::{Call, Elapsed, Origin};

    /// A worker without a proxy: a clock that the test moves, and the alarms in a list.
    struct Bench<T> {
        shared: Arc<Shared>,
        tasks: Tasks<T>,
        alarms: Vec<(std::time::Instant, Arc<crate::node::shared::Alarm>)>,
    }

    impl<T: Send + 'static> Bench<T> {
        fn new() -> Bench<T> {
            let now = Now { monotonic: imscore_sip::testing::Clock::new().now().monotonic, wall: 0 };
            let shared = Shared::new(now, ChaCha12Rng::from_seed([7; 32]), Vec::new());
            Bench { tasks: Tasks::new(shared.clone()), shared, alarms: Vec::new() }
        }

        fn call(&self) -> Call {
            Call::new(Origin::Node, None, self.shared.clone())
        }

        fn begin(&mut self, procedure: impl Future<Output = T> + Send + 'static) -> TaskId {
            self.tasks.begin(Box::pin(procedure))
        }

        /// Polls what is ready; the outcome of `task`, if it came to one.
        fn turn(&mut self, task: TaskId) -> Option<Polled<T>> {
            let mut outcome = None;
            while let Some(ready) = self.shared.next_ready() {
                let polled = self.tasks.poll(ready);
                if ready == task {
                    outcome = Some(polled);
                }
            }
            self.alarms.extend(self.shared.take_sleeps());
            outcome
        }

        fn pass(&mut self, time: Duration) {
            self.shared.set_now(self.shared.now() + time);
            let now = self.shared.now().monotonic;
            let (due, later) = std::mem::take(&mut self.alarms).into_iter().partition(|(deadline, _)| *deadline <= now);
            self.alarms = later;
            let due: Vec<_> = due;
            due.into_iter().for_each(|(_, alarm)| alarm.ring());
        }
    }

    #[test]
    fn a_procedure_waits_and_goes_on() {
        let mut bench = Bench::new();
        let call = bench.call();
        let task = bench.begin(async move {
            call.after(Duration::from_millis(500)).await;
            7
        });
        assert_eq!(bench.tasks.poll(task), Polled::Pending);
        assert_eq!(bench.turn(task), None);
        bench.pass(Duration::from_millis(499));
        assert_eq!(bench.turn(task), None);
        bench.pass(Duration::from_millis(1));
        assert_eq!(bench.turn(task), Some(Polled::Done(7)));
        assert_eq!((bench.tasks.len(), bench.tasks.poll(task)), (0, Polled::Gone));
    }

    #[test]
    fn an_ask_that_takes_too_long_is_given_up() {
        let mut bench = Bench::new();
        let call = bench.call();
        let task = bench.begin(async move { call.within(Duration::from_secs(1), std::future::pending::<()>()).await });
        assert_eq!(bench.tasks.poll(task), Polled::Pending);
        assert_eq!(bench.turn(task), None);
        bench.pass(Duration::from_secs(1));
        assert_eq!(bench.turn(task), Some(Polled::Done(Err(Elapsed))));
    }

    #[test]
    fn a_cancelled_call_wakes_and_runs_to_its_end() {
        let mut bench = Bench::new();
        let call = bench.call();
        let own = call.own.clone();
        let task = bench.begin(async move {
            call.cancelled().await;
            call.is_cancelled()
        });
        assert_eq!(bench.tasks.poll(task), Polled::Pending);
        own.cancel();
        own.cancel();
        assert_eq!(bench.turn(task), Some(Polled::Done(true)));
    }

    #[test]
    fn a_panic_ends_its_own_procedure_alone() {
        let mut bench = Bench::new();
        let call = bench.call();
        let bad = bench.begin(async move {
            call.after(Duration::from_millis(1)).await;
            panic!("a defect in a role")
        });
        let call = bench.call();
        let good = bench.begin(async move {
            call.after(Duration::from_millis(1)).await;
        });
        assert_eq!((bench.tasks.poll(bad), bench.tasks.poll(good)), (Polled::Pending, Polled::Pending));
        assert_eq!(bench.turn(good), None);
        bench.pass(Duration::from_millis(1));
        assert_eq!(bench.turn(good), Some(Polled::Done(())));
        assert_eq!((bench.tasks.poll(bad), bench.tasks.len()), (Polled::Gone, 0));
    }

    #[test]
    fn a_task_is_queued_once_however_often_it_is_woken() {
        let mut bench = Bench::<()>::new();
        let task = bench.begin(std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        assert_eq!(bench.tasks.poll(task), Polled::Pending);
        assert_eq!((bench.shared.next_ready(), bench.shared.next_ready()), (Some(task), None));
    }
}
