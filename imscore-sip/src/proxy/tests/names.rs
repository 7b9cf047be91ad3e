//! Requests to names: RFC 3263 §4 from the outside, with a name server that may be slow, wrong or away.

use super::*;
use crate::testing::NameServer;

const ZONE: &str = "
    _sip._udp.far.example  SRV  1 0 5060 one.far.example
    _sip._udp.far.example  SRV  2 0 5060 two.far.example
    one.far.example        A    192.0.2.21
    two.far.example        A    192.0.2.22
    near.example           A    192.0.2.22";

const FAR: &str = "sip:bob@far.example;transport=udp";
const NEAR: &str = "sip:bob@near.example:5060";

fn names(targets: &[&'static str], server: NameServer) -> Ladder {
    let mut ladder = ladder(targets).peer("one", "udp:192.0.2.21:5060").peer("two", "udp:192.0.2.22:5060");
    ladder.network().add_name_server(server);
    ladder
}

/// RFC 3263 §4.3: after a 503 the next target, with a branch of its own; it is the first for 30 s, then one call tries the
/// other again.
#[test]
fn after_a_503_the_next_target() {
    let mut ladder = names(&[FAR], NameServer::new(ZONE));
    ladder.run(
        "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         proxy -> one    INVITE sip:bob@far.example;transport=udp  Via#=2 Max-Forwards=69
         one -> proxy    180
         proxy -> alice  180
         one -> proxy    503
         proxy -> one    ACK
         proxy -> two    INVITE sip:bob@far.example;transport=udp  Via#=2 Max-Forwards=69
         one -> proxy    503 INVITE again
         proxy -> one    ACK again
         two -> proxy    200
         proxy -> alice  200  Via#=1
         alice -> proxy  ACK
         proxy -> two    ACK
         +29s
         alice -> proxy  MESSAGE sip:bob@ims.example
         proxy -> two    MESSAGE sip:bob@far.example;transport=udp
         two -> proxy    200
         proxy -> alice  200
         +1s
         alice -> proxy  MESSAGE sip:bob@ims.example
         proxy -> one    MESSAGE sip:bob@far.example;transport=udp
         alice -> proxy  MESSAGE sip:bob@ims.example
         proxy -> two    MESSAGE sip:bob@far.example;transport=udp
         one -> proxy    200
         proxy -> alice  200
         alice -> proxy  MESSAGE sip:bob@ims.example
         proxy -> one    MESSAGE sip:bob@far.example;transport=udp",
    );
}

/// RFC 3261 §16.7 step 6: when the last target says 503 too, it is a 500. What is no 503 ends the search.
#[test]
fn the_last_failure_counts_and_others_end_the_search() {
    let mut ladder = names(&[FAR], NameServer::new(ZONE));
    ladder.run(
        "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         proxy -> one    INVITE sip:bob@far.example;transport=udp
         one -> proxy    503
         proxy -> one    ACK
         proxy -> two    INVITE sip:bob@far.example;transport=udp
         two -> proxy    503
         proxy -> two    ACK
         proxy -> alice  500
         alice -> proxy  ACK
         +31s
         alice -> proxy  OPTIONS sip:bob@ims.example
         proxy -> one    OPTIONS sip:bob@far.example;transport=udp
         one -> proxy    500
         proxy -> alice  500",
    );
    let host = ladder.network().find::<Forking>("proxy").expect("it is there");
    ladder.network().run_for(Duration::from_secs(200));
    assert!(ladder.network().engine(host).proxy.is_empty());
    assert!(ladder.network().engine(host).proxy.clients.is_empty());
}

/// RFC 3263 §4.3: after a transport error the next target, at once.
#[test]
fn after_a_transport_error_the_next_target() {
    let mut ladder = ladder(&[FAR]).peer("two", "udp:192.0.2.22:5060");
    ladder.network().add_name_server(NameServer::new(ZONE));
    ladder.network().report_unreachable(true);
    ladder.run(
        "alice -> proxy            OPTIONS sip:bob@ims.example
         proxy -> 192.0.2.21:5060  OPTIONS sip:bob@far.example;transport=udp
         proxy -> two              OPTIONS sip:bob@far.example;transport=udp
         two -> proxy              200
         proxy -> alice            200
         alice -> proxy            OPTIONS sip:bob@ims.example
         proxy -> two              OPTIONS sip:bob@far.example;transport=udp",
    );
}

/// RFC 3263 §4.3: after Timer B the next target; a call that was given up tries none.
#[test]
fn after_silence_the_next_target() {
    let mut ladder = names(&[FAR], NameServer::new(ZONE));
    let silence = "
         +500ms
         proxy -> one    INVITE again
         +1s
         proxy -> one    INVITE again
         +2s
         proxy -> one    INVITE again
         +4s
         proxy -> one    INVITE again
         +8s
         proxy -> one    INVITE again
         +16s
         proxy -> one    INVITE again
         +500ms\n";
    let begin = "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         proxy -> one    INVITE sip:bob@far.example;transport=udp";
    let end = "proxy -> two    INVITE sip:bob@far.example;transport=udp
         two -> proxy    486
         proxy -> two    ACK
         proxy -> alice  486
         alice -> proxy  ACK
         +31s\n";
    ladder.run(&format!("{begin}{silence}{end}{begin}"));
    ladder.run(
        "one -> proxy    100
         alice -> proxy  CANCEL
         proxy -> alice  200
         proxy -> one    CANCEL
         one -> proxy    200 CANCEL
         +32s
         proxy -> alice  487
         alice -> proxy  ACK",
    );
}

/// Threat D12: one name takes 4 s, another has no answer at all; a third call waits for neither.
#[test]
fn a_slow_name_holds_up_nobody_else() {
    let server = NameServer::new(ZONE).slow("_sip._udp.far.example", Duration::from_secs(4));
    let mut ladder = names(&[FAR], server);
    ladder.run(
        "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         +1s",
    );
    let host = ladder.network().find::<Forking>("proxy").expect("it is there");
    ladder.network().with(host, |forking, _| forking.targets = vec![NEAR]);
    ladder.run(
        "bob -> proxy    OPTIONS sip:bob@ims.example
         proxy -> two    OPTIONS sip:bob@near.example:5060
         two -> proxy    200
         proxy -> bob    200
         +3s
         proxy -> one    INVITE sip:bob@far.example;transport=udp",
    );
}

/// A call that is given up before its name is found is not sent, and is answered at once.
#[test]
fn a_call_that_is_cancelled_before_its_name_is_found() {
    let server = NameServer::new(ZONE).after(Duration::from_secs(1));
    let mut ladder = names(&[FAR], server);
    ladder.run(
        "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         +1s
         alice -> proxy  CANCEL
         proxy -> alice  200
         proxy -> alice  487 INVITE
         alice -> proxy  ACK
         +10s",
    );
}

/// A name that leads nowhere, one that nobody can tell of, and none at all.
#[test]
fn a_name_that_leads_nowhere() {
    for target in ["sip:bob@nowhere.example", "sip:bob@failing.example:5060", "sip:bob@near.example;transport=pigeon"] {
        let server = NameServer::new(ZONE).failing("failing.example");
        names(&[target], server).run(
            "alice -> proxy  INVITE sip:bob@ims.example
             proxy -> alice  100
             proxy -> alice  500
             alice -> proxy  ACK",
        );
    }
    // Without a name server too.
    ladder(&[FAR]).run(
        "alice -> proxy  OPTIONS sip:bob@ims.example
         proxy -> alice  500",
    );
}

/// RFC 8767: while name servers are silent, what they said before serves; the first call waits 1.8 s for each question.
#[test]
fn old_answers_serve_while_name_servers_are_down() {
    let mut ladder = names(&[NEAR], NameServer::new(ZONE));
    let message = "alice -> proxy  MESSAGE sip:bob@ims.example\n";
    let forwarded = "
         proxy -> two    MESSAGE sip:bob@near.example:5060
         two -> proxy    200
         proxy -> alice  200\n";
    ladder.run(&format!("{message}{forwarded}+60s"));
    ladder.network().name_server().set_down(true);
    ladder.run(&format!("{message}+1800ms{forwarded}{message}{forwarded}+30s\n{message}+1800ms{forwarded}"));
    assert_eq!(ladder.network().name_server().asked().len(), 3);
}

/// RFC 3261 §13.2.2.4, §16.12: ACK and BYE go by the name in the Contact, the ACK to the first target.
#[test]
fn requests_of_a_dialog_go_by_name() {
    names(&[FAR], NameServer::new(ZONE)).run(
        "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         proxy -> one    INVITE sip:bob@far.example;transport=udp
         one -> proxy    200  Contact=<sip:bob@near.example:5060>
         proxy -> alice  200
         alice -> proxy  ACK
         proxy -> two    ACK sip:bob@near.example:5060  -Route Max-Forwards=69
         alice -> proxy  BYE
         proxy -> two    BYE sip:bob@near.example:5060",
    );
}

/// Names of the settings: their addresses in order, whatever a name server says, and by the transport that is asked for.
#[test]
fn names_of_the_settings_need_no_question() {
    for (target, way) in
        [("sip:bob@pool.example", "proxy/udp -> one"), ("sip:bob@POOL.example:5099;transport=tcp", "proxy/tcp -> two")]
    {
        let ladder = Ladder::new();
        let now = ladder.now();
        let forking = |listeners| {
            let mut config = Config::new(transaction::Config::new([7; 32], listeners));
            for address in ["udp:192.0.2.21:5060", "udp:192.0.2.22:5060", "tcp:192.0.2.22:5070"] {
                config.hosts.push(("pool.example".into(), address.parse().unwrap()));
            }
            Forking { proxy: Proxy::new(config, now), targets: vec![target] }
        };
        ladder
            .engine("proxy", ["udp:192.0.2.10:5060", "tcp:192.0.2.10:5060"], forking)
            .peer("alice", "udp:192.0.2.1:5060")
            .peer("one", "udp:192.0.2.21:5060")
            .peer("two", "tcp:192.0.2.22:5070")
            .run(&format!("alice -> proxy  OPTIONS sip:bob@ims.example\n{way}  OPTIONS {target}"));
    }
}
