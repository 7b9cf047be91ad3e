//! The core under test: the binary that `cargo run` starts, and its HTTP side.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{Outcome, process::Process};

/// Where phones find it.
pub(crate) const SIP: &str = "127.0.0.1:5060";
/// Where its operator finds it.
pub(crate) const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// A running core.
pub(crate) struct AllInOne {
    process: Process,
}

/// The program with these arguments, not started yet.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_all_in_one"));
    command.args(arguments);
    command
}

impl AllInOne {
    /// Starts the program and returns once it can be called. `name` tells two runs in one test
    /// apart.
    pub(crate) fn start(name: &str, arguments: &[&str], folder: &Path) -> Outcome<Self> {
        let mut process = Process::start(name, &mut command(arguments), folder)?;
        port_open(HTTP, &mut process)?;
        Ok(Self { process })
    }

    /// The password that it printed for one of its demo subscribers.
    pub(crate) fn demo_password(&mut self, user: &str) -> Outcome<String> {
        let identity = format!("{user}@ims.example");
        let line = self.process.wait_for(&identity, Duration::from_secs(5))?;
        let password = line.split_once("password").and_then(|(_, rest)| rest.split_whitespace().next());
        Ok(password.ok_or_else(|| format!("no password in {line:?}"))?.trim_matches([':', '"', ',']).to_owned())
    }

    /// Provisions a subscriber over HTTP and expects this status.
    pub(crate) fn provision(&self, user: &str, password: &str, expected: u16) -> Outcome {
        let subscriber = json!({
            "public_identities": [format!("sip:{user}@ims.example")],
            "authentication": { "scheme": "digest", "password": password },
        });
        let (status, body) = http("PUT", &subscriber_path(user), &subscriber.to_string())?;
        if status == expected { Ok(()) } else { Err(format!("PUT of {user}: {status}, not {expected}: {body}").into()) }
    }

    /// The subscriber as HTTP shows it, if there is one.
    pub(crate) fn subscriber(&self, user: &str) -> Outcome<Option<Value>> {
        match http("GET", &subscriber_path(user), "")? {
            (200, body) => Ok(Some(serde_json::from_str(&body)?)),
            (404, _) => Ok(None),
            (status, body) => Err(format!("GET of {user}: {status}: {body}").into()),
        }
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// Waits until something listens there, as long as the process that should is alive.
pub(crate) fn port_open(address: SocketAddr, process: &mut Process) -> Outcome<TcpStream> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() > deadline => {
                return Err(format!("nothing listens on {address}: {error}").into());
            }
            Err(_) => process.alive()?,
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Asks again and again until the answer is what is wanted, as long as the process is alive.
pub(crate) fn until(
    process: &mut Process,
    ask: impl Fn() -> Outcome<String>,
    is_wanted: impl Fn(&str) -> bool,
) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = ask()?;
        if is_wanted(&answer) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("not within 30 s; the last answer was\n{answer}").into());
        }
        process.alive()?;
        thread::sleep(Duration::from_millis(50));
    }
}

fn subscriber_path(user: &str) -> String {
    format!("/v1/subscribers/{user}%40ims.example")
}

/// One request; the status and the body of the answer.
pub(crate) fn http(method: &str, path: &str, body: &str) -> Outcome<(u16, String)> {
    let mut stream = TcpStream::connect(HTTP)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {HTTP}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok((status.ok_or_else(|| format!("{method} {path}: no HTTP answer in {answer:?}"))?, body.to_owned()))
}
