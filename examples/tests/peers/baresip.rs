//! baresip as a phone, scripted over its control connection (module `ctrl_tcp`: JSON in
//! netstrings, answers and events on one stream).

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Outcome,
    all_in_one::{SIP, port_open},
    process::Process,
};

/// How long a command may take that sends nothing.
const ANSWER: Duration = Duration::from_secs(5);

/// Who a phone is and which ports it has.
#[derive(Clone, Copy)]
pub(crate) struct Phone<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) sip_port: u16,
    pub(crate) control_port: u16,
    /// The first of 20 ports for media; each call takes two.
    pub(crate) media_port: u16,
    pub(crate) folder: &'a Path,
}

/// A running phone.
pub(crate) struct Baresip {
    process: Process,
    control: TcpStream,
    received: Vec<u8>,
    /// Events that came while something else was waited for.
    events: Vec<Value>,
}

/// What a phone says about the media of its call.
#[derive(Debug)]
pub(crate) struct Media {
    /// Where it takes packets.
    pub(crate) local_port: u16,
    /// Where the packets that it counted came from.
    pub(crate) source: SocketAddr,
    /// How many it has received so far.
    pub(crate) received: u64,
}

impl Phone<'_> {
    /// Starts the phone, which registers by itself and answers every call.
    pub(crate) fn start(&self) -> Outcome<Baresip> {
        let Phone { user, password, sip_port, control_port, media_port, folder } = self;
        let home = folder.join(format!("baresip-{user}"));
        fs::create_dir_all(&home)?;
        fs::write(home.join("contacts"), "")?;
        // The outbound proxy is all of the route that this phone knows: it takes no Service-Route.
        let account = format!(
            "<sip:{user}@ims.example;transport=udp>;auth_user={user}@ims.example;auth_pass={password};\
             outbound=\"sip:{SIP};transport=udp\";regint=600;answermode=auto;audio_codecs=PCMA/8000/1\n"
        );
        fs::write(home.join("accounts"), account)?;
        // No module for playing is loaded, so nothing needs a sound card. The sine wave comes at
        // 48 kHz in stereo only.
        let settings = format!(
            "poll_method epoll\n\
             sip_listen 127.0.0.1:{sip_port}\n\
             net_interface 127.0.0.1\n\
             audio_source ausine,440\n\
             ausrc_srate 48000\n\
             ausrc_channels 2\n\
             rtp_ports {media_port}-{}\n\
             module_path /usr/lib/baresip/modules\n\
             module g711.so\n\
             module ausine.so\n\
             module_tmp account.so\n\
             module_app menu.so\n\
             module_app debug_cmd.so\n\
             module_app ctrl_tcp.so\n\
             ctrl_tcp_listen 127.0.0.1:{control_port}\n",
            media_port + 20
        );
        fs::write(home.join("config"), settings)?;
        // stdbuf: what it prints is waited for, and a pipe would hold it back.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "baresip", "-4", "-v", "-s", "-f"]).arg(&home);
        let mut process = Process::start(&format!("baresip-{user}"), &mut command, folder)?;
        let control = port_open(SocketAddr::from(([127, 0, 0, 1], *control_port)), &mut process)?;
        Ok(Baresip { process, control, received: Vec::new(), events: Vec::new() })
    }
}

impl Baresip {
    /// What came of the registration that the phone begins when it starts: its status line.
    pub(crate) fn registration(&mut self) -> Outcome<String> {
        self.process.wait_for("@ims.example: ", Duration::from_secs(20))
    }

    /// The next event of one of these types.
    pub(crate) fn event(&mut self, types: &[&str], within: Duration) -> Outcome<Value> {
        let deadline = Instant::now() + within;
        let wanted = |event: &Value| event["type"].as_str().is_some_and(|name| types.contains(&name));
        loop {
            if let Some(index) = self.events.iter().position(wanted) {
                return Ok(self.events.remove(index));
            }
            match self.next(deadline)? {
                Some(message) if message["event"] == true => self.events.push(message),
                Some(_) => {}
                None => return Err(format!("baresip: none of {types:?} within {within:?}").into()),
            }
        }
    }

    /// What a command of the phone's menu prints.
    pub(crate) fn command(&mut self, command: &str, parameters: &str) -> Outcome<String> {
        let request = json!({ "command": command, "params": parameters }).to_string();
        write!(self.control, "{}:{request},", request.len())?;
        let deadline = Instant::now() + ANSWER;
        loop {
            match self.next(deadline)? {
                Some(message) if message["response"] == true => {
                    return Ok(message["data"].as_str().unwrap_or_default().to_owned());
                }
                Some(message) => self.events.push(message),
                None => return Err(format!("baresip: no answer to {command}").into()),
            }
        }
    }

    /// A line that the phone prints; it prints every SIP message.
    pub(crate) fn prints(&mut self, text: &str, within: Duration) -> Outcome<String> {
        self.process.wait_for(text, within)
    }

    /// What the phone knows of the media of its one call, once packets have come.
    pub(crate) fn media(&mut self) -> Outcome<Media> {
        let shown = self.command("audio_debug", "")?;
        media(&shown).ok_or_else(|| format!("no packets counted in {shown}").into())
    }

    /// The next message on the control connection, or nothing by the deadline.
    fn next(&mut self, deadline: Instant) -> Outcome<Option<Value>> {
        loop {
            if let Some(message) = take_netstring(&mut self.received)? {
                return Ok(Some(serde_json::from_slice(&message)?));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.control.set_read_timeout(Some(left))?;
            let mut buffer = [0; 4096];
            match self.control.read(&mut buffer) {
                Ok(0) => return Err("baresip closed its control connection".into()),
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Takes a whole `LENGTH:BYTES,` from the front.
fn take_netstring(received: &mut Vec<u8>) -> Outcome<Option<Vec<u8>>> {
    let Some(colon) = received.iter().position(|&byte| byte == b':') else { return Ok(None) };
    let length: usize = std::str::from_utf8(&received[..colon])?.parse()?;
    let end = colon + 1 + length;
    if received.len() <= end {
        return Ok(None);
    }
    let message = received[colon + 1..end].to_vec();
    received.drain(..=end);
    Ok(Some(message))
}

/// Reads `local: 0.0.0.0:10102, remote: …` and `IP=127.0.0.1:10202 psent=0 rcvd=201`.
fn media(shown: &str) -> Option<Media> {
    let after = |mark: &str| shown.split_once(mark).map(|(_, rest)| rest);
    let local: SocketAddr = after("local: ")?.split(',').next()?.parse().ok()?;
    let source = after(" IP=")?.split_whitespace().next()?.parse().ok()?;
    let received = after("rcvd=")?.split_whitespace().next()?.parse().ok()?;
    Some(Media { local_port: local.port(), source, received })
}
