//! Who may register, and what a core that was killed still knows.

use std::{path::Path, time::Duration};

use crate::{
    Outcome,
    all_in_one::{AllInOne, SIP},
    calls::baresip_phone,
    sipp::{NOBODY_HOME, Phone, REFUSED, REGISTERED, STRANGER, Transport},
};

pub(crate) fn wrong_password(folder: &Path) -> Outcome {
    let mut core = AllInOne::start("core", &[], folder)?;
    let alice = core.demo_password("alice")?;
    let phone =
        Phone { user: "alice", password: "not-hers", transport: Transport::Udp, server: SIP, port: 5072, folder };
    phone.run(REFUSED, "", 1)?;
    // The same user with the right one, so that it is the password which was refused.
    Phone { password: &alice, ..phone }.run(REGISTERED, "", 1)?;

    let mut bob = baresip_phone("bob", "not-his", 1, folder)?;
    let outcome = bob.registration()?;
    if outcome.contains("403") { Ok(()) } else { Err(format!("no 403: {outcome}").into()) }
}

pub(crate) fn kill_with_data(folder: &Path) -> Outcome {
    let data = folder.join("data");
    let arguments = ["--data", data.to_str().ok_or("the folder's name is not UTF-8")?];
    let core = killed_and_restarted(&arguments, folder)?;
    for user in ["carol", "dave"] {
        let kept = core.subscriber(user)?.ok_or_else(|| format!("{user} is gone"))?;
        if kept["public_identities"][0] != format!("sip:{user}@ims.example") {
            return Err(format!("{user} is not what was provisioned: {kept}").into());
        }
    }
    // No binding survives: the phone is unknown until it registers, and so is the one it calls.
    carol(folder).run(STRANGER, "dave", 1)?;
    carol(folder).run(NOBODY_HOME, "dave", 1)?;
    dave(folder).run(REGISTERED, "", 1)
}

pub(crate) fn kill_without_data(folder: &Path) -> Outcome {
    let core = killed_and_restarted(&[], folder)?;
    for user in ["carol", "dave"] {
        if let Some(kept) = core.subscriber(user)? {
            return Err(format!("{user} is still there: {kept}").into());
        }
    }
    carol(folder).run(STRANGER, "dave", 1)?;
    // Provisioned once more it can register as before.
    core.provision("carol", CAROL, 201)?;
    carol(folder).run(REGISTERED, "", 1)
}

const CAROL: &str = "in-the-choir";
const DAVE: &str = "on-the-roof";

fn carol(folder: &Path) -> Phone<'_> {
    Phone { user: "carol", password: CAROL, transport: Transport::Udp, server: SIP, port: 5074, folder }
}

fn dave(folder: &Path) -> Phone<'_> {
    Phone { user: "dave", password: DAVE, transport: Transport::Udp, server: SIP, port: 5076, folder }
}

/// Two subscribers are provisioned and registered; then `kill -9` and a new start.
fn killed_and_restarted(arguments: &[&str], folder: &Path) -> Outcome<AllInOne> {
    let mut core = AllInOne::start("core-killed", arguments, folder)?;
    core.provision("carol", CAROL, 201)?;
    core.provision("carol", CAROL, 200)?;
    core.provision("dave", DAVE, 201)?;
    carol(folder).run(REGISTERED, "", 1)?;
    let called = dave(folder).answers(Duration::ZERO)?;
    core.process().kill()?;
    drop(called);
    AllInOne::start("core-restarted", arguments, folder)
}
