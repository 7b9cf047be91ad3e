//! What a role may do, and what becomes of the call: each promise of `Role` once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use imscore_cscf::{Call, Decision, Drain, Node, Refused, Role, Target, Verdict, Worker};
use imscore_sip::testing::{Ladder, NameServer};
use imscore_sip::transport::{Address, Side};
use imscore_sip::{Method, Request, Response, StatusCode};

const AT: &str = "udp:192.0.2.10:5060";
const BOB: &str = "sip:bob@192.0.2.2";
const FAR: &str = "sip:bob@far.example";

/// Does what the user part of the Request-URI says.
#[derive(Default)]
struct Obedient {
    finished: Arc<AtomicU32>,
}

#[async_trait]
impl Role for Obedient {
    async fn on_request(&self, call: &mut Call, request: Request) -> Result<Decision, Refused> {
        let uri = request.uri().ok();
        let is_far = uri.as_ref().is_some_and(|uri| uri.as_sip().is_some_and(|uri| uri.user() == Some("far")));
        let order = uri.as_ref().and_then(|uri| uri.as_sip()?.user()).unwrap_or_default().to_string();
        match order.as_str() {
            "refuse" => return Err(StatusCode::BUSY_HERE.into()),
            "answer" => return Ok(Decision::Reply(request.reply(StatusCode::OK))),
            "panic" => panic!("a defect in a role"),
            "wait" => call.after(Duration::from_secs(2)).await,
            "stuck" => call.after(Duration::from_secs(60)).await,
            "within" => {
                let ask = std::future::pending::<()>();
                if call.within(Duration::from_secs(1), ask).await.is_err() {
                    return Err(StatusCode::SERVER_TIMEOUT.into());
                }
            }
            "cancelled" => call.cancelled().await,
            "ring" => {
                call.provisional(request.reply(StatusCode::RINGING));
                call.after(Duration::from_secs(1)).await;
            }
            "tell" => {
                let mut message = Request::new(&Method::Message, BOB);
                for (name, value) in
                    [("From", "<sip:role@x>;tag=r"), ("To", "<sip:bob@x>"), ("Call-ID", "own"), ("CSeq", "1 MESSAGE")]
                {
                    message.headers.push_raw(name, value.as_bytes());
                }
                let answer = call.send(message, Target::default()).await;
                let status = answer.map_or(StatusCode::BAD_GATEWAY, |answer| answer.status());
                return Ok(Decision::Reply(request.reply(status)));
            }
            "retry" | "resume" => call.keep(order),
            "timer" => call.set_timer("impatience", Duration::from_secs(5)),
            _ => {}
        }
        self.finished.fetch_add(1, Ordering::Relaxed);
        let uri = if is_far { FAR } else { BOB };
        Ok(Decision::forward_to(request, Target { uri: Some(uri.into()), ..Target::default() }))
    }

    fn on_response(&self, call: &mut Call, response: Response) -> Verdict {
        let failed = response.status().code() >= 300;
        match call.kept::<String>().map(|order| order.as_str()) {
            Some("resume") if failed => Verdict::Resume(response),
            _ => Verdict::Pass(response),
        }
    }

    async fn on_resume(&self, call: &mut Call, failure: Response) -> Result<Decision, Refused> {
        call.after(Duration::from_secs(1)).await;
        Ok(Decision::Reply(failure))
    }

    fn on_timer(&self, call: &mut Call, timer: &'static str) {
        assert_eq!(timer, "impatience");
        call.stop();
    }
}

/// A role that stays on the way and marks what passes.
struct Marking(&'static str);

#[async_trait]
impl Role for Marking {
    async fn on_request(&self, _call: &mut Call, mut request: Request) -> Result<Decision, Refused> {
        request.headers.push_raw("X-Passed", self.0.as_bytes());
        let own = format!("sip:{}.ims.example;lr", self.0).parse().map_err(|_| StatusCode::SERVER_INTERNAL_ERROR)?;
        imscore_sip::proxy::route::record(&mut request, own);
        let target = match self.0 {
            "one" => Target::route("sip:two.ims.example;lr"),
            _ => Target { uri: Some(BOB.into()), ..Target::default() },
        };
        Ok(Decision::forward_to(request, target))
    }

    fn on_dialog_request(&self, _call: &mut Call, mut request: Request) -> Result<Decision, Refused> {
        request.headers.push_raw("X-Passed", self.0.as_bytes());
        Ok(Decision::forward(request))
    }

    fn on_response(&self, _call: &mut Call, mut response: Response) -> Verdict {
        response.headers.push_raw("X-Passed", self.0.as_bytes());
        Verdict::Pass(response)
    }
}

fn ladder(node: Node) -> Ladder {
    let ladder = Ladder::new();
    let now = ladder.now();
    let at: Address = AT.parse().unwrap();
    ladder
        .engine("node", [AT], |listeners| {
            assert_eq!(listeners.len(), 1, "{at}");
            Worker::new(Arc::new(node), (0, 1), [7; 32], listeners, now)
        })
        .peer("alice", "udp:192.0.2.1:5060")
        .peer("bob", "udp:192.0.2.2:5060")
}

fn obedient() -> Ladder {
    ladder(Node::default().role("role.ims.example", Obedient::default()).listen(
        AT.parse().unwrap(),
        "role.ims.example",
        Side::Core,
    ))
}

#[test]
fn a_role_refuses_and_answers() {
    obedient().run(
        "alice -> node  INVITE sip:refuse@ims.example
         node -> alice  100
         node -> alice  486
         alice -> node  ACK
         alice -> node  MESSAGE sip:answer@ims.example
         node -> alice  200",
    );
}

#[test]
fn a_role_waits_by_the_clock_of_the_node() {
    obedient().run(
        "alice -> node  INVITE sip:wait@ims.example
         node -> alice  100
         +2s
         node -> bob    INVITE sip:bob@192.0.2.2
         bob -> node    200
         node -> alice  200",
    );
}

#[test]
fn an_ask_has_its_own_time_out() {
    obedient().run(
        "alice -> node  INVITE sip:within@ims.example
         node -> alice  100
         +1s
         node -> alice  504",
    );
}

/// The caller gets 504 at the deadline; what the role decides later goes nowhere.
#[test]
fn a_procedure_that_takes_too_long_goes_on_without_its_caller() {
    let role = Obedient::default();
    let finished = role.finished.clone();
    let node =
        Node::default().role("role.ims.example", role).listen(AT.parse().unwrap(), "role.ims.example", Side::Core);
    let mut ladder = ladder(node);
    ladder.run(
        "alice -> node  INVITE sip:stuck@ims.example
         node -> alice  100
         +10s
         node -> alice  504
         alice -> node  ACK
         +40s",
    );
    assert_eq!(finished.load(Ordering::Relaxed), 0);
    ladder.run("+20s");
    assert_eq!(finished.load(Ordering::Relaxed), 1);
}

/// CANCEL is answered at once, and the INVITE too where nothing was sent; the procedure wakes and runs to its end.
#[test]
fn a_call_that_is_cancelled_while_its_role_thinks() {
    let role = Obedient::default();
    let finished = role.finished.clone();
    let node =
        Node::default().role("role.ims.example", role).listen(AT.parse().unwrap(), "role.ims.example", Side::Core);
    ladder(node).run(
        "alice -> node  INVITE sip:cancelled@ims.example
         node -> alice  100
         +1s
         alice -> node  CANCEL
         node -> alice  200
         node -> alice  487
         alice -> node  ACK",
    );
    assert_eq!(finished.load(Ordering::Relaxed), 1);
}

/// A panic is a 500 and the end of that call alone.
#[test]
fn a_role_that_panics() {
    obedient().run(
        "alice -> node  INVITE sip:panic@ims.example
         node -> alice  100
         node -> alice  500
         alice -> node  ACK
         alice -> node  MESSAGE sip:answer@ims.example
         node -> alice  200",
    );
}

#[test]
fn a_role_rings_by_itself() {
    obedient().run(
        "alice -> node  INVITE sip:ring@ims.example
         node -> alice  100
         node -> alice  180
         +1s
         node -> bob    INVITE sip:bob@192.0.2.2",
    );
}

#[test]
fn a_role_sends_a_request_of_its_own_and_awaits_the_answer() {
    obedient().run(
        "alice -> node  OPTIONS sip:tell@ims.example
         node -> bob    MESSAGE sip:bob@192.0.2.2
         +100ms
         bob -> node    202
         node -> alice  202",
    );
}

#[test]
fn a_failure_that_needs_a_question_holds_the_choice_open() {
    obedient().run(
        "alice -> node  INVITE sip:resume@ims.example
         node -> alice  100
         node -> bob    INVITE sip:bob@192.0.2.2
         bob -> node    480
         node -> bob    ACK
         +1s
         node -> alice  480",
    );
}

#[test]
fn a_timer_of_a_call() {
    obedient().run(
        "alice -> node  INVITE sip:timer@ims.example
         node -> alice  100
         node -> bob    INVITE sip:bob@192.0.2.2
         bob -> node    180
         node -> alice  180
         +5s
         node -> bob    CANCEL
         bob -> node    200 CANCEL
         bob -> node    487 INVITE
         node -> bob    ACK
         node -> alice  487",
    );
}

const ZONE: &str = "
    _sip._udp.far.example  SRV  1 0 5060 carol.far.example
    _sip._udp.far.example  SRV  2 0 5060 bob.far.example
    carol.far.example      A    192.0.2.3
    bob.far.example        A    192.0.2.2";

const FAILS_OVER: &str = "
    alice -> node  INVITE sip:far@ims.example
    node -> alice  100
    node -> carol  INVITE sip:bob@far.example  Via#=2
    carol -> node  503
    node -> carol  ACK
    node -> bob    INVITE sip:bob@far.example  Via#=2
    bob -> node    200
    node -> alice  200";

/// RFC 3263 §4.3: a role sends to a name and sees one branch, whichever target it is that answers.
#[test]
fn a_role_sends_to_a_name() {
    let mut by_dns = obedient().peer("carol", "udp:192.0.2.3:5060");
    by_dns.network().add_name_server(NameServer::new(ZONE));
    by_dns.run(FAILS_OVER);

    let table = ["udp:192.0.2.3:5060", "udp:192.0.2.2:5060"].iter().fold(
        Node::default().role("role.ims.example", Obedient::default()).listen(
            AT.parse().unwrap(),
            "role.ims.example",
            Side::Core,
        ),
        |node, address| node.host("Far.example", address.parse().unwrap()),
    );
    ladder(table).peer("carol", "udp:192.0.2.3:5060").run(FAILS_OVER);
}

/// One address of a host needs no choice and no question: it is used for the transport that it has.
#[test]
fn a_host_of_the_table() {
    for (target, is_there) in
        [(FAR, true), ("sip:bob@FAR.example:9;transport=udp", true), ("sips:bob@far.example", false)]
    {
        let node = Node::default().role("role.ims.example", To(target)).listen(
            AT.parse().unwrap(),
            "role.ims.example",
            Side::Core,
        );
        let mut ladder = ladder(node.host("far.example", "udp:192.0.2.2:5060".parse().unwrap()));
        let expected = if is_there { format!("node -> bob  OPTIONS {target}") } else { "node -> alice  500".into() };
        ladder.run(&format!("alice -> node  OPTIONS sip:bob@ims.example\n{expected}"));
    }
}

/// Sends everything there.
struct To(&'static str);

#[async_trait]
impl Role for To {
    async fn on_request(&self, _call: &mut Call, request: Request) -> Result<Decision, Refused> {
        Ok(Decision::forward_to(request, Target { uri: Some(self.0.into()), ..Target::default() }))
    }
}

/// RFC 3261 §13.2.2.4: the ACK for a 2xx goes by the name in the Contact.
#[test]
fn an_ack_goes_to_a_name() {
    let mut ladder = ladder(chain());
    ladder.network().add_name_server(NameServer::new("bob.far.example  A  192.0.2.2"));
    ladder.run(
        "alice -> node  INVITE sip:bob@ims.example
         node -> alice  100
         node -> bob    INVITE sip:bob@192.0.2.2
         bob -> node    200  Contact=<sip:bob@bob.far.example:5060>
         node -> alice  200
         alice -> node  ACK
         node -> bob    ACK sip:bob@bob.far.example:5060  X-Passed='one, two' -Route
         alice -> node  BYE
         node -> bob    BYE sip:bob@bob.far.example:5060  -Route",
    );
}

fn chain() -> Node {
    Node::default().role("one.ims.example", Marking("one")).role("two.ims.example", Marking("two")).listen(
        AT.parse().unwrap(),
        "one.ims.example",
        Side::Core,
    )
}

/// Decision 4 of ARCHITECTURE.md: two roles of one node are two hops of the route, and one Via.
#[test]
fn roles_of_one_node_hand_over_values() {
    ladder(chain()).run(
        "alice -> node  INVITE sip:bob@ims.example
         node -> alice  100
         node -> bob    INVITE sip:bob@192.0.2.2  Via#=2 Max-Forwards=68 Record-Route#=2 X-Passed#=2 -Route
         bob -> node    200
         node -> alice  200  Via#=1 X-Passed='two, one'
         alice -> node  ACK
         node -> bob    ACK  X-Passed='one, two' -Route
         bob -> node    BYE
         node -> alice  BYE  X-Passed='two, one' -Route Max-Forwards=68
         alice -> node  200
         node -> bob    200",
    );
}

#[test]
fn a_cancel_passes_a_chain() {
    ladder(chain()).run(
        "alice -> node  INVITE sip:bob@ims.example
         node -> alice  100
         node -> bob    INVITE sip:bob@192.0.2.2
         bob -> node    180
         node -> alice  180
         alice -> node  CANCEL
         node -> alice  200
         node -> bob    CANCEL
         bob -> node    200 CANCEL
         bob -> node    487 INVITE
         node -> bob    ACK
         node -> alice  487",
    );
}

/// RFC 3261 §16.3 step 3 holds between roles too.
#[test]
fn hops_count_inside_a_node() {
    ladder(chain()).run(
        "alice -> node  OPTIONS sip:bob@ims.example  Max-Forwards=1
         node -> alice  483",
    );
}

#[test]
fn a_node_that_drains_takes_nothing_new() {
    let node = chain();
    let drain: Drain = node.drain();
    let mut ladder = ladder(node);
    ladder.run(
        "alice -> node  INVITE sip:bob@ims.example
         node -> alice  100
         node -> bob    INVITE sip:bob@192.0.2.2
         bob -> node    200
         node -> alice  200
         alice -> node  ACK
         node -> bob    ACK",
    );
    drain.start();
    ladder.run(
        "alice -> node  REGISTER sip:ims.example
         node -> alice  503  +Retry-After
         bob -> node    BYE
         node -> alice  BYE
         alice -> node  200
         node -> bob    200",
    );
}
