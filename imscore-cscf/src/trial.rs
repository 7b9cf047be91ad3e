//! Procedures by themselves: polled to their end in virtual time, without a node.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use imscore_hss::state::Clock;
use imscore_sip::testing;
use imscore_sip::{Message, Now, Request, Response};
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use crate::call::{Call, Origin};
use crate::node::shared::{Alarm, Shared};
use crate::role::{Decision, Refused, Role, Target};

/// A clock, a generator, and whoever waits for the time.
pub(crate) struct Trial {
    begin: Now,
    shared: Arc<Shared>,
    /// The clock of the stores.
    pub(crate) clock: Clock,
    alarms: BTreeMap<(Instant, u64), Arc<Alarm>>,
    set: u64,
}

impl Trial {
    pub(crate) fn new() -> Trial {
        let begin = testing::Clock::new().now();
        let shared = Shared::new(begin, ChaCha12Rng::from_seed([7; 32]), Vec::new());
        Trial { begin, shared, clock: Clock::new(begin.wall), alarms: BTreeMap::new(), set: 0 }
    }

    /// A call that came from another role by this Route, empty for none.
    pub(crate) fn call(&self, route: &str) -> Call {
        self.call_from(Origin::Role("pcscf.ims.example".into()), route)
    }

    pub(crate) fn call_from(&self, origin: Origin, route: &str) -> Call {
        let route = (!route.is_empty()).then(|| route.into());
        Call::new(origin, route, self.shared.clone())
    }

    /// Time since the beginning.
    pub(crate) fn passed(&self) -> Duration {
        self.shared.now().monotonic - self.begin.monotonic
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.shared.now().monotonic + time;
        self.move_to(until);
    }

    /// Polls a procedure until it is done; whenever it waits, time moves on.
    #[track_caller]
    pub(crate) fn run<T>(&mut self, procedure: impl Future<Output = T>) -> T {
        let mut procedure = pin!(procedure);
        loop {
            if let Poll::Ready(value) = procedure.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return value;
            }
            self.take_alarms();
            let ((next, _), _) = self.alarms.first_key_value().expect("the procedure waits for nothing that comes");
            self.move_to(*next);
        }
    }

    /// Polls a procedure that never ends for a while.
    pub(crate) fn run_for(&mut self, time: Duration, procedure: impl Future<Output = ()>) {
        let call = self.call("");
        let mut procedure = pin!(procedure);
        self.run(async {
            let mut over = pin!(call.after(time));
            std::future::poll_fn(|cx| match procedure.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => over.as_mut().poll(cx),
            })
            .await;
        });
    }

    fn take_alarms(&mut self) {
        for (deadline, alarm) in self.shared.take_sleeps() {
            self.set += 1;
            self.alarms.insert((deadline, self.set), alarm);
        }
    }

    fn move_to(&mut self, until: Instant) {
        let wall = self.begin.wall + (until - self.begin.monotonic).as_millis() as u64;
        self.shared.set_now(Now { monotonic: until, wall });
        self.clock.advance_to(wall);
        while let Some(entry) = self.alarms.first_entry().filter(|entry| entry.key().0 <= until) {
            entry.remove().ring();
        }
    }

    /// What a role makes of a request that came by this Route.
    #[track_caller]
    pub(crate) fn request(&mut self, role: &dyn Role, route: &str, request: Request) -> Outcome {
        let mut call = self.call(route);
        let original = request.clone();
        let decision = self.run(role.on_request(&mut call, request));
        Outcome::of(call, original, decision)
    }
}

/// A decision, and the call that goes on after it.
pub(crate) struct Outcome {
    pub(crate) call: Call,
    pub(crate) original: Request,
    pub(crate) decision: Result<Decision, Refused>,
}

impl Outcome {
    fn of(call: Call, original: Request, decision: Result<Decision, Refused>) -> Outcome {
        Outcome { call, original, decision }
    }

    /// The answer, whether decided or refused.
    #[track_caller]
    pub(crate) fn response(&self) -> Response {
        match &self.decision {
            Ok(Decision::Reply(response)) => response.clone(),
            Err(refused) => refused.reply(&self.original),
            Ok(other) => panic!("no answer: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn status(&self) -> u16 {
        self.response().status().code()
    }

    /// The request that goes on, and where to.
    #[track_caller]
    pub(crate) fn forwarded(&self) -> (&Request, &[Target]) {
        match &self.decision {
            Ok(Decision::Forward(request, targets)) => (request, targets),
            other => panic!("not sent on: {other:?}"),
        }
    }

    /// Where the request goes: Request-URI and Route, once for each target.
    #[track_caller]
    pub(crate) fn ways(&self) -> Vec<String> {
        let (request, targets) = self.forwarded();
        let way = |target: &Target| {
            let uri = target.uri.clone().unwrap_or_else(|| request.target());
            target.routes.iter().fold(uri.to_string(), |way, route| format!("{way} by {route}"))
        };
        targets.iter().map(way).collect()
    }
}

/// A request from text: lines end in `\n`, indentation is left out.
#[track_caller]
pub(crate) fn request(text: &str) -> Request {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let text = format!("{}\r\n\r\n", lines.join("\r\n"));
    match Message::parse(text.clone().into()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?} in {text}"),
    }
}
