//! The whole core in one node, with phones around it.

use std::sync::Arc;

use imscore_cscf::icscf::{self, Icscf};
use imscore_cscf::pcscf::{self, Pcscf};
use imscore_cscf::scscf::{self, Scscf};
use imscore_cscf::{Node, Worker};
use imscore_hss::state::{Clock, MemoryState};
use imscore_hss::{Credentials, DigestCredentials, Hss, HssCache, PrivateIdentity, ServerName, Subscription};
use imscore_sip::testing::{Bind, Ladder};
use imscore_sip::transport::{Address, Side};

pub(crate) const ACCESS: &str = "udp:192.0.2.10:5060";
pub(crate) const ACCESS_TCP: &str = "tcp:192.0.2.10:5060";

fn subscription(name: &str, number: &str) -> Subscription {
    let private: PrivateIdentity = format!("{name}@ims.example").parse().unwrap();
    let credentials = DigestCredentials::from_password(&private, "ims.example", "secret").unwrap();
    let publics = [format!("sip:{name}@ims.example").parse().unwrap(), format!("tel:{number}").parse().unwrap()];
    Subscription::new(private, publics, Credentials::Digest(credentials)).unwrap()
}

/// Alice, Bob and Eve.
pub(crate) fn hss() -> Hss {
    let users = [("alice", "+12015550101"), ("bob", "+12015550102"), ("eve", "+12015550103")];
    Hss::with_subscribers(users.map(|(name, number)| subscription(name, number)), [0; 32]).unwrap()
}

/// A core of P-, I- and S-CSCF, and the clock of its store.
pub(crate) fn core() -> (Node, Arc<Hss>, Clock) {
    let hss = Arc::new(hss());
    let (node, clock) = core_over(hss.clone());
    (node, hss, clock)
}

/// As [`core`], over another HSS.
fn core_over(hss: Arc<dyn HssCache>) -> (Node, Clock) {
    let clock = Clock::new(0);
    let store = Arc::new(MemoryState::new(clock.clone(), 7));
    let scscf_name: ServerName = "sip:scscf.ims.example".parse().unwrap();
    let pcscf = Pcscf::new(pcscf::Settings::new("pcscf.ims.example", "icscf.ims.example", [7; 16]));
    let icscf = Icscf::new(icscf::Settings::new("icscf.ims.example"), hss.clone(), [scscf_name]);
    let settings = scscf::Settings::new("scscf.ims.example", "icscf.ims.example");
    let scscf = Scscf::new(settings, hss.clone(), store).unwrap();
    let listen = |text: &str| text.parse::<Address>().unwrap();
    let node = Node::default()
        .role("pcscf.ims.example", pcscf)
        .role("icscf.ims.example", icscf)
        .role("scscf.ims.example", scscf)
        .clock(clock.clone())
        .listen(listen(ACCESS), "pcscf.ims.example", Side::Access)
        .listen(listen(ACCESS_TCP), "pcscf.ims.example", Side::Access);
    (node, clock)
}

pub(crate) fn ladder() -> Ladder {
    ladder_over(Arc::new(hss()))
}

/// Alice and Bob around a core over that HSS.
pub(crate) fn ladder_over(hss: Arc<dyn HssCache>) -> Ladder {
    let (node, _) = core_over(hss);
    let ladder = Ladder::new();
    let now = ladder.now();
    let binds = [ACCESS, ACCESS_TCP].map(|at| Bind::from(at).access());
    ladder
        .engine("core", binds, |listeners| Worker::new(Arc::new(node), (0, 1), [7; 32], listeners, now))
        .peer("alice", "udp:192.0.2.1:5060")
        .peer("bob", "udp:192.0.2.2:5060")
}

/// Alice and Bob register.
pub(crate) const REGISTERED: &str = "
    alice -> core  REGISTER sip:ims.example
    core -> alice  401
    alice -> core  REGISTER sip:ims.example  password=secret user=alice@ims.example
    core -> alice  200
    bob -> core    REGISTER sip:ims.example
    core -> bob    401
    bob -> core    REGISTER sip:ims.example  password=secret user=bob@ims.example
    core -> bob    200";

pub(crate) fn registered() -> Ladder {
    let mut ladder = ladder();
    ladder.run(REGISTERED);
    ladder
}

/// TS 24.229 §5.2.2, §5.3.1, §5.4.1.2: challenge, answer, and what the phone learns.
#[test]
fn a_registration() {
    ladder().run(
        "alice -> core  REGISTER sip:ims.example  Path='<sip:forged.example;lr>' P-Charging-Vector=icid-value=x
         core -> alice  401  WWW-Authenticate~=ims.example -Path -P-Charging-Vector
         alice -> core  REGISTER sip:ims.example  password=secret user=alice@ims.example
         core -> alice  200  Service-Route~=scscf.ims.example P-Associated-URI~=sip:alice P-Associated-URI~=tel:+1201
                             | Contact~=expires=3600 -Path -P-Charging-Vector",
    );
}

/// RFC 5626 §5.4, RFC 6223 §4.4: a phone is told how often to keep its flow alive, where it said that it would.
#[test]
fn a_flow_is_to_be_kept_alive() {
    for (at, timer) in [("udp:192.0.2.3:5060", 29), ("tcp:192.0.2.3:5060", 120)] {
        let mut ladder = ladder().peer("carol", at);
        ladder.run(&format!(
            "carol -> core  REGISTER sip:ims.example  From=<sip:alice@ims.example> To=<sip:alice@ims.example>
             core -> carol  401  -Flow-Timer
             carol -> core  REGISTER sip:ims.example  password=secret user=alice@ims.example
             |              From=<sip:alice@ims.example> To=<sip:alice@ims.example> Supported='path, outbound'
             |              Contact='<sip:alice@192.0.2.3;ob>;+sip.instance=\"<urn:uuid:1>\";reg-id=1'
             core -> carol  200  Require=outbound Flow-Timer={timer}"
        ));
    }
}

/// I10: nobody without a registration gets anything from the core.
#[test]
fn nobody_passes_without_a_registration() {
    ladder().run(
        "alice -> core  MESSAGE sip:bob@ims.example body=hi
         core -> alice  403
         alice -> core  INVITE sip:bob@ims.example
         core -> alice  100
         core -> alice  403
         alice -> core  ACK
         alice -> core  SUBSCRIBE sip:bob@ims.example Event=reg
         core -> alice  403
         alice -> core  OPTIONS sip:bob@ims.example
         core -> alice  403",
    );
}

#[test]
fn a_wrong_password() {
    ladder().run(
        "alice -> core  REGISTER sip:ims.example
         core -> alice  401
         alice -> core  REGISTER sip:ims.example  password=guessed user=alice@ims.example
         core -> alice  403",
    );
}

#[test]
fn users_that_nobody_knows() {
    let mut ladder = registered();
    ladder.run(
        "alice -> core  MESSAGE sip:nobody@ims.example body=hi
         core -> alice  404
         carol = udp:192.0.2.7:5060
         carol -> core  REGISTER sip:ims.example
         core -> carol  403",
    );
}

#[test]
fn a_user_that_is_not_registered() {
    let mut ladder = ladder();
    ladder.run(
        "alice -> core  REGISTER sip:ims.example
         core -> alice  401
         alice -> core  REGISTER sip:ims.example  password=secret user=alice@ims.example
         core -> alice  200
         alice -> core  MESSAGE sip:bob@ims.example body=hi
         core -> alice  480",
    );
}

/// The whole call: every request of a dialog by the route that was recorded, and nothing of the core's own at the phones.
#[test]
fn a_call() {
    registered().run(
        "alice -> core  INVITE sip:bob@ims.example  P-Asserted-Identity='<sip:mallory@ims.example>'
         core -> alice  100
         core -> bob    INVITE sip:bob@192.0.2.2*  Via#=2 Record-Route#=6 P-Asserted-Identity#=2 -P-Charging-Vector
                        | P-Asserted-Identity~=sip:alice@ims.example P-Asserted-Identity~=tel:+12015550101
                        | P-Called-Party-ID~=sip:bob@ims.example -P-Preferred-Identity -Route
         bob -> core    180
         core -> alice  180  P-Asserted-Identity~=sip:bob@ims.example
         bob -> core    200
         core -> alice  200  Via#=1
         alice -> core  ACK
         core -> bob    ACK  -Route
         alice -> core  INVITE
         core -> alice  100
         core -> bob    INVITE  -Route
         bob -> core    200
         core -> alice  200
         alice -> core  ACK
         core -> bob    ACK
         bob -> core    BYE
         core -> alice  BYE  -Route
         alice -> core  200
         core -> bob    200",
    );
}

/// RFC 3262, RFC 3311: reliable provisional responses and UPDATE pass.
#[test]
fn a_call_with_prack_and_update() {
    registered().run(
        "alice -> core  INVITE sip:bob@ims.example Supported=100rel
         core -> alice  100
         core -> bob    INVITE sip:bob@192.0.2.2*
         bob -> core    183 100rel
         core -> alice  183
         alice -> core  PRACK
         core -> bob    PRACK
         bob -> core    200
         core -> alice  200
         alice -> core  UPDATE
         core -> bob    UPDATE
         bob -> core    200
         core -> alice  200
         bob -> core    200 INVITE
         core -> alice  200
         alice -> core  ACK
         core -> bob    ACK
         alice -> core  BYE
         core -> bob    BYE
         bob -> core    200
         core -> alice  200",
    );
}

#[test]
fn a_cancelled_call() {
    registered().run(
        "alice -> core  INVITE sip:bob@ims.example
         core -> alice  100
         core -> bob    INVITE sip:bob@192.0.2.2*
         bob -> core    180
         core -> alice  180
         alice -> core  CANCEL
         core -> alice  200
         core -> bob    CANCEL
         bob -> core    200 CANCEL
         bob -> core    487 INVITE
         core -> bob    ACK
         core -> alice  487
         alice -> core  ACK",
    );
}

#[test]
fn a_busy_phone() {
    registered().run(
        "alice -> core  INVITE sip:bob@ims.example
         core -> alice  100
         core -> bob    INVITE sip:bob@192.0.2.2*
         bob -> core    486
         core -> bob    ACK
         core -> alice  486
         alice -> core  ACK",
    );
}

/// RFC 3428 and the rest: requests outside a dialog go both ways, to an identity by its number too.
#[test]
fn messages_and_the_like() {
    registered().run(
        "alice -> core  MESSAGE sip:bob@ims.example body=hi
         core -> bob    MESSAGE sip:bob@192.0.2.2*  body~=hi
         bob -> core    200
         core -> alice  200
         bob -> core    MESSAGE tel:+12015550101 body=hello
         core -> alice  MESSAGE sip:alice@192.0.2.1*  body~=hello
         alice -> core  200
         core -> bob    200
         alice -> core  OPTIONS sip:bob@ims.example
         core -> bob    OPTIONS sip:bob@192.0.2.2*
         bob -> core    200
         core -> alice  200
         alice -> core  SUBSCRIBE sip:bob@ims.example Event=presence
         core -> bob    SUBSCRIBE sip:bob@192.0.2.2*  Record-Route#=6
         bob -> core    200
         core -> alice  200
         bob -> core    NOTIFY Event=presence Subscription-State=active
         core -> alice  NOTIFY
         alice -> core  200
         core -> bob    200
         alice -> core  PUBLISH sip:bob@ims.example Event=presence
         core -> bob    PUBLISH sip:bob@192.0.2.2*
         bob -> core    200
         core -> alice  200
         alice -> core  REFER sip:bob@ims.example Refer-To='<sip:carol@ims.example>'
         core -> bob    REFER sip:bob@192.0.2.2*
         bob -> core    202
         core -> alice  202",
    );
}

/// RFC 3261 §10.2.2: who is gone is not reached any more, and asks for nothing.
#[test]
fn a_phone_that_deregisters() {
    registered().run(
        "bob -> core    REGISTER sip:ims.example  Expires=0 password=secret user=bob@ims.example
         core -> bob    200  -Contact
         alice -> core  MESSAGE sip:bob@ims.example body=hi
         core -> alice  480
         bob -> core    MESSAGE sip:alice@ims.example body=hi
         core -> bob    403",
    );
}

/// TS 24.229 §5.4.1.4.2: a registration that nobody refreshes runs out, at the S-CSCF and at the P-CSCF.
#[test]
fn a_registration_runs_out() {
    registered().run(
        "+3599s
         alice -> core  MESSAGE sip:bob@ims.example body=hi
         core -> bob    MESSAGE sip:bob@192.0.2.2*
         bob -> core    200
         core -> alice  200
         +3s
         alice -> core  MESSAGE sip:bob@ims.example body=hi
         core -> alice  403",
    );
}

#[test]
fn a_time_that_is_too_short() {
    ladder().run(
        "alice -> core  REGISTER sip:ims.example
         core -> alice  401
         alice -> core  REGISTER sip:ims.example  Expires=5 password=secret user=alice@ims.example
         core -> alice  423  Min-Expires=60",
    );
}

/// Parallel forking to all contacts (RFC 3261 §16.7): the first to answer has the call.
#[test]
fn a_user_with_two_phones() {
    let mut ladder = registered();
    ladder.run(
        "bob2 = udp:192.0.2.3:5060 sip:bob@ims.example
         bob2 -> core   REGISTER sip:ims.example
         core -> bob2   401
         bob2 -> core   REGISTER sip:ims.example  password=secret user=bob@ims.example
         core -> bob2   200  Contact#=2
         alice -> core  INVITE sip:bob@ims.example
         core -> alice  100
         core -> bob    INVITE sip:bob@192.0.2.2*
         core -> bob2   INVITE sip:bob*@192.0.2.3*
         bob -> core    180
         core -> alice  180
         bob2 -> core   180
         core -> alice  180
         bob2 -> core   200
         core -> bob    CANCEL
         core -> alice  200
         bob -> core    200 CANCEL
         bob -> core    487 INVITE
         core -> bob    ACK
         alice -> core  ACK
         core -> bob2   ACK",
    );
}

/// I8, I9: a stranger to a dialog is refused, whatever of it he knows but the token.
#[test]
fn a_stranger_ends_no_call() {
    let mut ladder = registered();
    ladder.run(
        "alice -> core  INVITE sip:bob@ims.example Call-ID=known From='<sip:alice@ims.example>;tag=one'
         core -> alice  100
         core -> bob    INVITE sip:bob@192.0.2.2*
         bob -> core    200
         core -> alice  200
         alice -> core  ACK
         core -> bob    ACK",
    );
    ladder.run(
        "bob2 = udp:192.0.2.3:5060 sip:bob@ims.example
         bob2 -> core   REGISTER sip:ims.example
         core -> bob2   401
         bob2 -> core   REGISTER sip:ims.example  password=secret user=bob@ims.example
         core -> bob2   200
         bob2 -> core   BYE sip:alice@192.0.2.1 Call-ID=known From='<sip:bob@ims.example>;tag=x' To='<sip:alice@ims.example>;tag=one'
         core -> bob2   481
         bob2 -> core   BYE sip:alice@192.0.2.1 Call-ID=known From='<sip:bob@ims.example>;tag=x' To='<sip:alice@ims.example>;tag=one'
                        | Route='<sip:AAAAAAAAAAAAAAAAAAAAAAAAAAAA@pcscf.ims.example;lr>, <sip:scscf.ims.example;lr>'
         core -> bob2   403
         bob -> core    BYE
         core -> alice  BYE
         alice -> core  200
         core -> bob    200",
    );
}

/// I1: what only the core may say is not passed on from a phone, nor is what only the core may read told to one.
#[test]
fn a_phone_says_and_hears_nothing_of_the_core() {
    registered().run(
        "alice -> core  MESSAGE sip:bob@ims.example body=hi Attestation-Info=A Origination-Id=1 P-Served-User='<sip:x@y>'
                        | Cellular-Network-Info='3GPP-E-UTRAN-FDD' P-Access-Network-Info='3GPP-E-UTRAN-FDD' Response-Source=x
         core -> bob    MESSAGE sip:bob@192.0.2.2*  -Attestation-Info -Origination-Id -P-Served-User -Response-Source
                        | -Cellular-Network-Info -P-Access-Network-Info
         bob -> core    200  Attestation-Info=A P-Charging-Vector=icid-value=x
         core -> alice  200  -Attestation-Info -P-Charging-Vector",
    );
}

/// I7: a Route that a phone thinks of leads nowhere but to its S-CSCF.
#[test]
fn a_route_of_a_phone_is_its_service_route() {
    registered().run(
        "alice -> core  MESSAGE sip:bob@ims.example body=hi Route='<sip:192.0.2.66;lr>'
         core -> bob    MESSAGE sip:bob@192.0.2.2*
         bob -> core    200
         core -> alice  200",
    );
}

/// I17, RFC 3325 §9.3: a caller who wants privacy is not named to the phone.
#[test]
fn a_private_call() {
    registered().run(
        "alice -> core  MESSAGE sip:bob@ims.example body=hi Privacy=id
         core -> bob    MESSAGE sip:bob@192.0.2.2*  -P-Asserted-Identity
         bob -> core    200
         core -> alice  200",
    );
}

/// I3: an answer to a challenge is good once; a retransmission gets the same response again.
#[test]
fn a_replayed_answer() {
    let mut ladder = ladder();
    ladder.run(
        "alice -> core  REGISTER sip:ims.example
         core -> alice  401
         alice -> core  REGISTER sip:ims.example  password=secret user=alice@ims.example
         core -> alice  200
         alice -> core  REGISTER again
         core -> alice  200 again",
    );
    let answer = {
        let network = ladder.network();
        let register = network.trace().sent().rfind(|sent| sent.from.name == "alice").expect("it was sent");
        let message = register.message().expect("a message");
        String::from_utf8(message.headers().raw("Authorization").expect("an answer").to_vec()).unwrap()
    };
    ladder.run(&format!(
        "alice -> core  REGISTER sip:ims.example  Authorization='{answer}'
         core -> alice  401  WWW-Authenticate~=stale=true",
    ));
}

/// I5: an answer is good for the identity that was challenged, and no other.
#[test]
fn an_answer_for_another_identity() {
    ladder().run(
        "alice -> core  REGISTER sip:ims.example
         core -> alice  401
         alice -> core  REGISTER sip:ims.example  password=secret user=alice@ims.example
                        | To='<sip:bob@ims.example>' From='<sip:bob@ims.example>'
         core -> alice  403",
    );
}
