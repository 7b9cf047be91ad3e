//! Calls and messages between two real phones.

use std::{path::Path, time::Duration};

use crate::{
    Outcome,
    all_in_one::{AllInOne, SIP},
    baresip::{self, Baresip, Media},
    sipp::{self, CALLER, MESSAGE, Transport},
};

/// What sipp does: two users register, and 100 calls are completed with none failed.
const CALLS: usize = 100;

/// A phone sends 50 packets a second at 20 ms each; as many as these must come.
const PACKETS_A_SECOND: f64 = 45.0;

pub(crate) fn sipp_over_udp(folder: &Path) -> Outcome {
    sipp_calls_sipp(Transport::Udp, folder)
}

pub(crate) fn sipp_over_tcp(folder: &Path) -> Outcome {
    sipp_calls_sipp(Transport::Tcp, folder)
}

fn sipp_calls_sipp(transport: Transport, folder: &Path) -> Outcome {
    let mut core = AllInOne::start("core", &[], folder)?;
    let alice = core.demo_password("alice")?;
    let bob = core.demo_password("bob")?;
    let called = sipp::Phone { user: "bob", password: &bob, transport, server: SIP, port: 5070, folder };
    let _called = called.answers(Duration::ZERO)?;
    let caller = sipp::Phone { user: "alice", password: &alice, transport, server: SIP, port: 5072, folder };
    // The first run of the scenario registers, each that follows is a call.
    caller.run(CALLER, "bob", 1 + CALLS)
}

pub(crate) fn baresip_hears_baresip(folder: &Path) -> Outcome {
    let mut core = AllInOne::start("core", &[], folder)?;
    let mut alice = baresip_phone("alice", &core.demo_password("alice")?, 0, folder)?;
    let mut bob = baresip_phone("bob", &core.demo_password("bob")?, 1, folder)?;
    registered(&mut alice)?;
    registered(&mut bob)?;

    alice.command("dial", "sip:bob@ims.example")?;
    let soon = Duration::from_secs(20);
    for phone in [&mut alice, &mut bob] {
        phone.event(&["CALL_ESTABLISHED"], soon)?;
        phone.event(&["CALL_RTPESTAB"], soon)?;
    }
    let ports = [alice.media()?.local_port, bob.media()?.local_port];
    for _ in 0..4 {
        let before = [alice.media()?, bob.media()?];
        let begun = std::time::Instant::now();
        // A second in which nobody hangs up.
        if let Ok(event) = alice.event(&["CALL_CLOSED"], Duration::from_secs(1)) {
            return Err(format!("the call ended: {event}").into());
        }
        let after = [alice.media()?, bob.media()?];
        let seconds = begun.elapsed().as_secs_f64();
        for (who, other) in [(0, 1), (1, 0)] {
            heard(&before[who], &after[who], ports[other], seconds)?;
        }
    }
    alice.command("hangup", "")?;
    bob.event(&["CALL_CLOSED"], soon)?;
    Ok(())
}

/// Enough packets came in that time, from the port where the other phone takes its own.
fn heard(before: &Media, after: &Media, from: u16, seconds: f64) -> Outcome {
    let rate = (after.received - before.received) as f64 / seconds;
    if after.source.port() != from {
        return Err(format!("packets from {}, not from port {from}", after.source).into());
    }
    if rate < PACKETS_A_SECOND {
        return Err(format!("{rate:.1} packets a second: {before:?}, {after:?}").into());
    }
    Ok(())
}

pub(crate) fn message_arrives(folder: &Path) -> Outcome {
    let mut core = AllInOne::start("core", &[], folder)?;
    let alice = core.demo_password("alice")?;
    let mut bob = baresip_phone("bob", &core.demo_password("bob")?, 1, folder)?;
    registered(&mut bob)?;
    let sender =
        sipp::Phone { user: "alice", password: &alice, transport: Transport::Udp, server: SIP, port: 5072, folder };
    sender.run(MESSAGE, "bob", 1)?;
    bob.prints("supper at eight", Duration::from_secs(5))?;
    Ok(())
}

fn registered(phone: &mut Baresip) -> Outcome {
    let outcome = phone.registration()?;
    if outcome.contains("200 OK") { Ok(()) } else { Err(format!("not registered: {outcome}").into()) }
}

/// The first or the second phone of a test, each with ports of its own.
pub(crate) fn baresip_phone(user: &str, password: &str, nth: u16, folder: &Path) -> Outcome<Baresip> {
    baresip::Phone {
        user,
        password,
        sip_port: 5080 + 2 * nth,
        control_port: 4440 + nth,
        media_port: 10_100 + 100 * nth,
        folder,
    }
    .start()
}
