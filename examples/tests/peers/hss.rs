//! The program `hss` under test: what its neighbours make of its answers.

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Value, json};

use crate::{
    Outcome,
    all_in_one::{self, HTTP, http, port_open, until},
    capture::Capture,
    process::Process,
    sipp::{CALLER, Phone, REGISTERED, Transport},
};

/// A password, for a user with Digest.
const DIGEST: &str = "secret";
/// K, OP and AMF, for a user with a USIM: sipp takes the bytes as they stand.
const USIM: &str = "none aka_K=1234567890123456 aka_OP=ABCDEFGHIPQRSTUV aka_AMF=AB";
/// Where a core listens whose HSS has the usual address for itself.
const CORE_HTTP: &str = "127.0.0.1:8081";
/// sipp cannot work with each RES: one challenge in twenty is lost on it.
const ATTEMPTS: usize = 4;

/// A running HSS; bob has a password, carol a USIM.
pub(crate) struct Hss(Process);

impl Hss {
    pub(crate) fn start(name: &str, arguments: &[&str], folder: &Path) -> Outcome<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hss"));
        command.args(["--demo-subscribers", "false"]).args(arguments);
        let mut process = Process::start(name, &mut command, folder)?;
        port_open(HTTP, &mut process)?;
        Ok(Self(process))
    }

    pub(crate) fn provision(&self) -> Outcome {
        let usim = json!({
            "scheme": "aka", "k": hex(b"1234567890123456"), "op": hex(b"ABCDEFGHIPQRSTUV"), "amf": hex(b"AB"),
        });
        for (user, authentication) in [("bob", json!({ "scheme": "digest", "password": DIGEST })), ("carol", usim)] {
            let body: Value =
                json!({ "public_identities": [format!("sip:{user}@ims.example")], "authentication": authentication });
            let (status, body) = http("PUT", &format!("/v1/subscribers/{user}%40ims.example"), &body.to_string())?;
            if status != 201 {
                return Err(format!("PUT of {user}: {status}: {body}").into());
            }
        }
        Ok(())
    }

    /// Waits until the HSS can be asked by each of these.
    pub(crate) fn until_connected(&mut self, peers: &[&str]) -> Outcome {
        let up = |peer: &&str| format!("imscore_diameter_peer_up{{peer=\"{peer}.ims.example\"}} 1");
        let lines: Vec<String> = peers.iter().map(up).collect();
        until(&mut self.0, || Ok(http("GET", "/metrics", "")?.1), |text| lines.iter().all(|line| text.contains(line)))
    }
}

/// Bob registers with his password and stays; carol registers with her USIM and calls him.
pub(crate) fn carol_calls_bob(server: &str, folder: &Path) -> Outcome {
    let bob = Phone { user: "bob", password: DIGEST, transport: Transport::Udp, server, port: 5070, folder };
    let _called = bob.answers(Duration::ZERO)?;
    let carol = Phone { user: "carol", password: USIM, transport: Transport::Udp, server, port: 5090, folder };
    // The first run of the scenario registers, the second calls.
    let mut attempts = (0..ATTEMPTS).map(|_| carol.run(CALLER, "bob", 2));
    attempts.find(Result::is_ok).unwrap_or_else(|| Err("carol did not get through".into()))
}

/// The core of this tree over Diameter: phones with both kinds of credentials, before and after the HSS is killed.
pub(crate) fn a_core_with_an_hss_elsewhere(folder: &Path) -> Outcome {
    let data = ["--data", "hss-data"];
    let mut hss = Hss::start("hss", &data, folder)?;
    hss.provision()?;
    let mut command = all_in_one::command(&["--hss", "diameter", "--http-listen", CORE_HTTP]);
    let mut core = Process::start("core", &mut command, folder)?;
    port_open(CORE_HTTP.parse()?, &mut core)?;
    hss.until_connected(&["cscf"])?;
    carol_calls_bob(all_in_one::SIP, folder)?;

    hss.0.kill()?;
    let mut hss = Hss::start("hss-again", &data, folder)?;
    hss.until_connected(&["cscf"])?;
    let bob =
        Phone { user: "bob", password: DIGEST, transport: Transport::Udp, server: all_in_one::SIP, port: 5080, folder };
    bob.run(REGISTERED, "", 1)?;
    core.alive()
}

/// Kamailio's I-CSCF and S-CSCF ask, and tshark looks over what was said.
pub(crate) fn kamailio_registers_phones(folder: &Path) -> Outcome {
    let capture = Capture::start("tcp port 3868", folder)?;
    let mut hss = Hss::start("hss", &["--diameter-peers", "icscf,scscf"], folder)?;
    hss.provision()?;
    let _kamailio = crate::kamailio::start(folder)?;
    hss.until_connected(&["icscf", "scscf"])?;
    carol_calls_bob(crate::kamailio::ICSCF, folder)?;
    // User-Authorization, Server-Assignment, Location-Info, Multimedia-Auth.
    capture.check(3868, &[300, 301, 302, 303])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
