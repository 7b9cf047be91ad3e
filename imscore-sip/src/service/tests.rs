use std::convert::Infallible;
use std::future::{Future, Ready, pending, poll_fn, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tower_service::Service;

use super::*;
use crate::header::{CSeq, Expires, Subject};
use crate::sdp::SessionDescription;
use crate::testing::{Ladder, sdp_answer, sdp_offer};
use crate::ua::Config;
use crate::uri::Uri;
use crate::{Method, Request, Response, StatusCode, transaction};

/// A server of these methods at 192.0.2.9, and alice.
fn stage<S>(methods: Vec<Method>, service: S, change: impl FnOnce(Server<S>) -> Server<S>) -> Ladder
where
    S: Service<Request, Response = Response, Future: Send> + Clone + Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let ladder = Ladder::new();
    let now = ladder.now();
    let build = |listeners| {
        let mut config = Config::new(transaction::Config::new([3; 32], listeners));
        config.methods = methods;
        change(Server::new(config, service, now))
    };
    ladder.engine("server", ["udp:192.0.2.9:5060"], build).peer("alice", "udp:192.0.2.1:5060")
}

fn routed<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Ladder {
    stage(router.methods(), router, |server| server)
}

/// What a service says to a request, which it does at once.
fn answer(mut service: impl Service<Request, Response = Response, Error = Infallible>, request: Request) -> Response {
    let mut context = Context::from_waker(Waker::noop());
    let mut answer = Box::pin(service.call(request));
    match answer.as_mut().poll(&mut context) {
        Poll::Ready(Ok(response)) => response,
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn requests_are_routed_by_method() {
    let router = Router::new("of the state".to_owned()).on(Method::Options, async || StatusCode::OK).on(
        Method::Message,
        async |State(text): State<String>| {
            assert_eq!(text, "of the state");
            (StatusCode::ACCEPTED, Header(Expires(7)))
        },
    );
    routed(router).run(
        "alice -> server  OPTIONS sip:a@192.0.2.9
         server -> alice  200  Allow~=MESSAGE
         alice -> server  MESSAGE sip:a@192.0.2.9
         server -> alice  202  Expires=7
         alice -> server  PUBLISH sip:a@192.0.2.9
         server -> alice  405  Allow~=MESSAGE",
    );
}

/// RFC 3261 §21.4.6.
#[test]
fn what_has_no_handler_gets_405_unless_there_is_a_fallback() {
    let router = Router::new(()).on(Method::Options, async || StatusCode::OK);
    let publish = || Request::new(&Method::Publish, "sip:a@h");
    let response = answer(router.clone(), publish());
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers.raw("Allow"), Some(&b"OPTIONS"[..]));
    let response = answer(router.fallback(async || StatusCode::NOT_FOUND), publish());
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(!response.headers.contains("Allow"));
}

#[test]
fn a_later_handler_takes_the_place_of_an_earlier_one() {
    let router =
        Router::new(()).on(Method::Options, async || StatusCode::OK).on(Method::Options, async || StatusCode::GONE);
    assert_eq!(router.methods(), [Method::Options]);
    assert_eq!(answer(router, Request::new(&Method::Options, "sip:a@h")).status(), StatusCode::GONE);
}

/// The name of the header is in the Warning (RFC 3261 §21.4.1 asks for the problem in more detail).
#[test]
fn what_a_handler_asks_for_and_does_not_get_is_a_400() {
    let router = Router::new(()).on(Method::Message, async |Header(_): Header<Subject>| StatusCode::OK);
    routed(router).run(
        "alice -> server  MESSAGE sip:a@192.0.2.9  -Subject
         server -> alice  400  Warning~=Subject
         alice -> server  MESSAGE sip:a@192.0.2.9  Subject=hello
         server -> alice  200",
    );
}

#[test]
fn everything_that_can_be_asked_for() {
    let with = |name: &str, value: &str| {
        let mut request = Request::new(&Method::Message, "sip:a@h");
        request.headers.push_raw(name, value.as_bytes());
        request
    };
    let plain = || Request::new(&Method::Message, "sip:a@h");
    let sdp = || plain().with_body("application/sdp", sdp_offer());
    macro_rules! check {
        ($($argument:ty: $request:expr => $status:literal,)*) => {$(
            let router = Router::new(5_u8).fallback(async |_: $argument| StatusCode::OK);
            let name = stringify!($argument);
            assert_eq!(answer(router, $request).status().code(), $status, "{name}");
        )*};
    }
    check! {
        Request: plain() => 200,
        Method: plain() => 200,
        State<u8>: plain() => 200,
        Uri: plain() => 200,
        Uri: Request::new(&Method::Message, "sip:") => 400,
        Header<CSeq>: with("CSeq", "1 MESSAGE") => 200,
        Header<CSeq>: with("CSeq", "one") => 400,
        Header<CSeq>: plain() => 400,
        Option<Header<CSeq>>: plain() => 200,
        Option<Header<CSeq>>: with("CSeq", "one") => 400,
        All<CSeq>: plain() => 200,
        All<CSeq>: with("CSeq", "one") => 400,
        bytes::Bytes: plain() => 200,
        String: plain().with_body("text/plain", "grüße") => 200,
        String: plain().with_body("text/plain", &b"\xff"[..]) => 400,
        SessionDescription: sdp() => 200,
        SessionDescription: plain() => 415,
        SessionDescription: plain().with_body("text/plain", sdp_offer()) => 415,
        SessionDescription: plain().with_body("application/sdp", "v=") => 400,
        Option<SessionDescription>: plain() => 200,
        Option<SessionDescription>: plain().with_body("text/plain", "x") => 415,
        Option<SessionDescription>: sdp() => 200,
    }
}

#[test]
fn a_call_is_answered_with_a_description() {
    let router = Router::new(()).on(Method::Invite, async |offer: SessionDescription| {
        let text = sdp_answer(&String::from_utf8_lossy(&offer.to_bytes()), "192.0.2.9", 40_000);
        SessionDescription::parse(text.into()).map_err(|_| StatusCode::NOT_ACCEPTABLE_HERE)
    });
    routed(router).run(
        "alice -> server  INVITE sip:a@192.0.2.9  +sdp
         server -> alice  200  +sdp +Contact
         alice -> server  ACK
         +1m
         alice -> server  BYE
         server -> alice  200",
    );
}

/// RFC 3261 §21.4.9, RFC 4320 §4.2.
#[test]
fn a_handler_that_takes_too_long_is_not_waited_for() {
    let router = Router::new(()).on(Method::Invite, pending::<StatusCode>).on(Method::Message, pending::<StatusCode>);
    routed(router).run(
        "alice -> server  INVITE sip:a@192.0.2.9  +sdp
         +200ms
         server -> alice  100
         +19800ms
         server -> alice  408
         alice -> server  ACK",
    );
    let router = Router::new(()).on(Method::Message, pending::<StatusCode>);
    stage(router.methods(), router, |server| server.deadline(Duration::from_secs(2))).run(
        "alice -> server  MESSAGE sip:a@192.0.2.9
         +2s
         server -> alice  500
         +1m",
    );
}

#[test]
fn the_handler_of_a_cancelled_call_is_dropped() {
    struct Dropped(Arc<Mutex<u32>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let dropped = Arc::<Mutex<u32>>::default();
    let router = Router::new(dropped.clone()).on(Method::Invite, async |State(count): State<Arc<Mutex<u32>>>| {
        let _dropped = Dropped(count);
        pending::<StatusCode>().await
    });
    let mut ladder = routed(router);
    ladder.run(
        "alice -> server  INVITE sip:a@192.0.2.9  +sdp
         +200ms
         server -> alice  100",
    );
    assert_eq!(*dropped.lock().unwrap(), 0);
    ladder.run(
        "alice -> server  CANCEL
         server -> alice  200 CANCEL
         server -> alice  487
         alice -> server  ACK
         +1m",
    );
    assert_eq!(*dropped.lock().unwrap(), 1);
}

#[test]
fn a_panic_is_a_500_and_the_end_of_that_request_alone() {
    async fn defect() -> StatusCode {
        panic!("on purpose")
    }
    let router = Router::new(()).on(Method::Message, defect).on(Method::Options, async || StatusCode::OK);
    routed(router).run(
        "alice -> server  MESSAGE sip:a@192.0.2.9
         server -> alice  500
         alice -> server  OPTIONS sip:a@192.0.2.9
         server -> alice  200",
    );
}

/// A service that fails, as the layers of tower may.
#[derive(Clone)]
struct Failing;

impl Service<Request> for Failing {
    type Response = Response;
    type Error = &'static str;
    type Future = Ready<Result<Response, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request) -> Self::Future {
        ready(Err("overloaded"))
    }
}

#[test]
fn a_service_that_fails_is_a_500() {
    stage(vec![Method::Message], Failing, |server| server).run(
        "alice -> server  MESSAGE sip:a@192.0.2.9
         server -> alice  500",
    );
}

#[test]
fn what_is_not_final_or_cannot_be_sent_is_a_500() {
    let router = Router::new(())
        .on(Method::Message, async || StatusCode::RINGING)
        .on(Method::Invite, async |request: Request| {
            request.reply(StatusCode::OK).with_body("application/sdp", "v=nothing")
        });
    routed(router).run(
        "alice -> server  MESSAGE sip:a@192.0.2.9
         server -> alice  500
         alice -> server  INVITE sip:a@192.0.2.9  +sdp
         server -> alice  500
         alice -> server  ACK",
    );
}

#[test]
fn handlers_at_one_time_are_limited() {
    for (most, third) in [(4, ""), (3, ""), (2, "server -> alice  503  Retry-After=5")] {
        let router = Router::new(()).on(Method::Message, pending::<StatusCode>);
        let messages = "alice -> server  MESSAGE sip:a@192.0.2.9\n".repeat(3);
        stage(router.methods(), router, |server| server.at_most(most)).run(&(messages + third));
    }
}

/// A place where handlers wait until somebody opens it.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Gate {
    async fn passed(&self) {
        poll_fn(|context| {
            let mut gate = self.0.lock().unwrap();
            if gate.0 {
                return Poll::Ready(());
            }
            gate.1.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn open(&self) {
        let mut gate = self.0.lock().unwrap();
        gate.0 = true;
        gate.1.drain(..).for_each(Waker::wake);
    }
}

/// More than one turn polls, all ready at once.
#[test]
fn a_handler_goes_on_when_it_is_woken() {
    let gate = Gate::default();
    let router = Router::new(gate.clone()).on(Method::Message, async |State(gate): State<Gate>| {
        gate.passed().await;
        StatusCode::OK
    });
    let mut ladder = routed(router);
    for _ in 0..100 {
        ladder.run("alice -> server  MESSAGE sip:a@192.0.2.9");
    }
    gate.open();
    ladder.run(&"server -> alice  200\n".repeat(100));
}
