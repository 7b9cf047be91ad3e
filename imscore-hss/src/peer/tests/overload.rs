//! Overload reports (RFC 7683) and redirections (RFC 6733 §6.1.8) at their edges.

use super::*;

fn report(reduction: u32) -> OcOlr {
    let mut report = OcOlr::new(1, ReportType::Host);
    (report.reduction, report.validity) = (Some(reduction), Some(30));
    report
}

/// RFC 7683 §4.2: a report to whoever has not said that it heeds them is none.
#[test]
fn a_report_that_was_not_asked_for() {
    let mut world = World::up();
    world.peers.request(lir_to("a.ims.example"), Duration::from_secs(1), world.now).unwrap();
    world.expect(&[SENT_1]);
    world.give(1, lia(&world.last(1), "a.ims.example", Outcome::SUCCESS, vec![report(100)]));
    world.drain();
    world.ask().unwrap();
    world.expect(&[SENT_1]);
}

/// RFC 7683 §6: as many of a hundred are left out as are asked for, and each is counted.
#[test]
fn a_part_is_left_out() {
    let mut settings = settings();
    settings.peers.truncate(1);
    let mut world = World::new(settings);
    world.peers.start(world.now);
    world.drain();
    world.open(1, "a.ims.example", &[]);
    world.ask().unwrap();
    world.drain();
    world.give(1, lia(&world.last(1), "a.ims.example", Outcome::SUCCESS, vec![report(30)]));
    world.drain();
    let sent = (0..1000).filter(|_| world.ask().is_ok()).count();
    assert!((650..750).contains(&sent), "{sent}");
    assert_eq!(world.peers.counters().shed, 1000 - sent as u64);
}

/// Two that send each other's requests away: who asked hears of it, and it ends.
#[test]
fn redirections_in_a_circle() {
    let mut world = World::up();
    world.ask().unwrap();
    world.expect(&[SENT_1]);
    world.give(1, redirect(&world.last(1), "a.ims.example", &["aaa://z.ims.example"]));
    world.expect(&[SENT_2]);
    world.give(2, redirect(&world.last(2), "z.ims.example", &["aaa://a.ims.example", "aaa://z.ims.example"]));
    world.expect(&["answer 1 z.ims.example"]);
    assert_eq!(world.peers.counters().retransmitted, 0, "no repetition: each was answered");
    // What cannot be read is passed over, and the first that we know is taken.
    world.ask().unwrap();
    world.expect(&[SENT_1]);
    let hosts = ["nonsense", "aaa://stranger.example", "aaa://z.ims.example:3868;transport=tcp"];
    world.give(1, redirect(&world.last(1), "a.ims.example", &hosts));
    world.expect(&[SENT_2]);
}
