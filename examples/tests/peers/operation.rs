//! What an operator sees: an orderly end, and errors that say what to change.

use std::{fs, net::UdpSocket, path::Path, time::Duration};

use crate::{
    Outcome,
    all_in_one::{self, AllInOne, SIP},
    process::Process,
    sipp::{self, CALLER, Phone, Transport},
};

pub(crate) fn sigterm_drains(folder: &Path) -> Outcome {
    let mut core = AllInOne::start("core", &[], folder)?;
    let alice = core.demo_password("alice")?;
    let bob = core.demo_password("bob")?;
    let called = Phone { user: "bob", password: &bob, transport: Transport::Udp, server: SIP, port: 5070, folder };
    let mut called = called.answers(Duration::from_secs(2))?;
    let caller = Phone { user: "alice", password: &alice, transport: Transport::Udp, server: SIP, port: 5072, folder };
    let mut calling = caller.begin(CALLER, "bob", 2)?;

    // A call that rings when the core is told to go is still answered, and can be ended.
    called.wait_for("phone rings", Duration::from_secs(20))?;
    core.process().terminate()?;
    sipp::ended_well(&mut calling, 2, Duration::from_secs(30))?;
    let status = core.process().exit_within(Duration::from_secs(60))?;
    if status.success() { Ok(()) } else { Err(format!("the core ended with {status}").into()) }
}

pub(crate) fn taken_port(folder: &Path) -> Outcome {
    let _taken = UdpSocket::bind(SIP)?;
    refuses_to_start(&[], &[SIP], folder)
}

pub(crate) fn bad_settings(folder: &Path) -> Outcome {
    let file = folder.join("bad.toml");
    fs::write(&file, "home_domain = \"ims.example\"\nhome_domane = \"ims.example\"\n")?;
    let name = file.to_str().ok_or("the folder's name is not UTF-8")?;
    refuses_to_start(&["--config", name], &["bad.toml", "line 2", "home_domane"], folder)
}

/// The program ends by itself, unsuccessfully, and names each of these.
fn refuses_to_start(arguments: &[&str], named: &[&str], folder: &Path) -> Outcome {
    let mut core = Process::start("core", &mut all_in_one::command(arguments), folder)?;
    let status = core.exit_within(Duration::from_secs(20))?;
    let printed = core.printed().join("\n");
    if status.success() {
        return Err(format!("it ended well: {printed}").into());
    }
    match named.iter().find(|what| !printed.contains(**what)) {
        Some(what) => Err(format!("{what:?} is not named in: {printed}").into()),
        None => Ok(()),
    }
}
