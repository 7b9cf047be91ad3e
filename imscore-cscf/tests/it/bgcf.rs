//! A BGCF in a node, gateways as peers (TS 24.229 §5.6).

use std::sync::Arc;

use imscore_cscf::bgcf::{Bgcf, Routes, Settings, Way};
use imscore_cscf::{Node, Worker};
use imscore_sip::testing::Ladder;
use imscore_sip::transport::Side;

const AT: &str = "udp:192.0.2.10:5053";

fn way(address: &str) -> Way {
    Way::new(format!("sip:{address};lr").parse().unwrap())
}

fn ladder(routes: Routes) -> Ladder {
    let ladder = Ladder::new();
    let now = ladder.now();
    let node = Node::default().role("bgcf.ims.example", Bgcf::new(Settings::default(), routes)).listen(
        AT.parse().unwrap(),
        "bgcf.ims.example",
        Side::Core,
    );
    ladder
        .engine("bgcf", [AT], |listeners| Worker::new(Arc::new(node), (0, 1), [7; 32], listeners, now))
        .peer("scscf", "udp:192.0.2.1:5060")
        .peer("one", "udp:192.0.2.21:5060")
        .peer("two", "udp:192.0.2.22:5060")
}

fn two_ways() -> Routes {
    Routes::default().with_number("+44", [way("192.0.2.21"), way("192.0.2.22").with_priority(1)]).unwrap()
}

/// Whoever rings has the call, and what it says is the other network's answer.
#[test]
fn the_first_way_that_works() {
    ladder(two_ways()).run(
        "scscf -> bgcf  INVITE tel:+442079460123 Route='<sip:bgcf.ims.example;lr>'
         bgcf -> scscf  100
         bgcf -> one    INVITE tel:+442079460123 Route='<sip:192.0.2.21;lr>'
         one -> bgcf    183
         bgcf -> scscf  183
         +20s
         one -> bgcf    503
         bgcf -> one    ACK
         bgcf -> scscf  500
         scscf -> bgcf  ACK",
    );
}

/// 503 says that the way is closed.
#[test]
fn the_next_way_after_503() {
    ladder(two_ways()).run(
        "scscf -> bgcf  INVITE tel:+442079460123 Route='<sip:bgcf.ims.example;lr>'
         bgcf -> scscf  100
         bgcf -> one    INVITE tel:+442079460123
         one -> bgcf    503
         bgcf -> one    ACK
         bgcf -> two    INVITE tel:+442079460123 Route='<sip:192.0.2.22;lr>'
         two -> bgcf    180
         bgcf -> scscf  180
         two -> bgcf    503
         bgcf -> two    ACK
         bgcf -> scscf  500
         scscf -> bgcf  ACK",
    );
    ladder(two_ways()).run(
        "scscf -> bgcf  INVITE tel:+442079460123 Route='<sip:bgcf.ims.example;lr>'
         bgcf -> scscf  100
         bgcf -> one    INVITE tel:+442079460123
         one -> bgcf    486
         bgcf -> one    ACK
         bgcf -> scscf  486
         scscf -> bgcf  ACK",
    );
}

/// A way that says nothing, or no more than 100, is given up; what it answers later is of no interest, unless it is that
/// the call is up.
#[test]
fn the_next_way_after_silence() {
    ladder(two_ways()).run(
        "scscf -> bgcf  INVITE tel:+442079460123 Route='<sip:bgcf.ims.example;lr>'
         bgcf -> scscf  100
         bgcf -> one    INVITE tel:+442079460123
         one -> bgcf    100
         +4s
         bgcf -> one    CANCEL
         bgcf -> two    INVITE tel:+442079460123 Route='<sip:192.0.2.22;lr>'
         one -> bgcf    200 CANCEL
         one -> bgcf    487 INVITE
         bgcf -> one    ACK
         two -> bgcf    180
         bgcf -> scscf  180
         +30s
         two -> bgcf    486
         bgcf -> two    ACK
         bgcf -> scscf  486
         scscf -> bgcf  ACK",
    );
}

#[test]
fn a_number_that_nobody_has_a_way_to() {
    ladder(two_ways()).run(
        "scscf -> bgcf  INVITE tel:+12015550123 Route='<sip:bgcf.ims.example;lr>'
         bgcf -> scscf  100
         bgcf -> scscf  404
         scscf -> bgcf  ACK
         scscf -> bgcf  MESSAGE sip:bob@192.0.2.21 Route='<sip:bgcf.ims.example;lr>'
         bgcf -> one    MESSAGE sip:bob@192.0.2.21
         one -> bgcf    200
         bgcf -> scscf  200
         scscf -> bgcf  MESSAGE urn:service:sos Route='<sip:bgcf.ims.example;lr>'
         bgcf -> scscf  416",
    );
}
