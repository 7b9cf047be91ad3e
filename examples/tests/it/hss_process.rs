//! The program `hss` as a process: killed without notice, told to end, and given garbage.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use imscore_hss::diameter::{Avp, Message, dictionary as avp};
use imscore_hss::vector::{AkaCredentials, Milenage, Usim, UsimAnswer};
use imscore_hss::{
    AssignmentType, HssCache, HssEvent, LocationInfo, LocationInfoRequest, MultimediaAuth, MultimediaAuthRequest,
    ServerAssignmentRequest, ServerName, TerminationReason,
};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::core::http;
use crate::hss::{SOON, scscf};

/// A running `hss`; killed with the test.
pub(crate) struct Process {
    child: Child,
    pub(crate) diameter: SocketAddr,
    http: SocketAddr,
}

impl Process {
    /// Starts it and returns once it has said where it listens.
    pub(crate) async fn start(data: &Path, diameter: &str) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hss"))
            .args(["--listen", diameter, "--http", "127.0.0.1:0", "--log", "warn", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = async |before: &str| loop {
            let line = timeout(SOON, lines.next_line()).await.unwrap().unwrap().expect("it goes on");
            if let Some((_, rest)) = line.split_once(before) {
                let end = rest.find(|c: char| !c.is_ascii_digit() && !".:".contains(c)).unwrap_or(rest.len());
                return rest[..end].parse().unwrap();
            }
        };
        let (diameter, http) = (address("Diameter ").await, address("http://").await);
        Process { child, diameter, http }
    }

    async fn http(&self, request: &str, body: &str) -> String {
        http(self.http, request, body).await
    }

    /// A number of `/metrics`.
    pub(crate) async fn count(&self, name: &str) -> u64 {
        let page = self.http("GET /metrics", "").await;
        let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {page}"));
        line.trim().parse().unwrap()
    }
}

/// No sequence number comes twice, and who was registered still is: three times over.
#[tokio::test]
async fn kill_nine_repeats_no_sequence_number_and_loses_no_registration() {
    let folder = tempfile::tempdir().unwrap();
    let mut hss = Process::start(folder.path(), "127.0.0.1:0").await;
    let body = json!({
        "public_identities": ["sip:carol@ims.example"],
        "authentication": { "scheme": "aka", "k": "01".repeat(16), "opc": "02".repeat(16) },
    });
    let put = hss.http("PUT /v1/subscribers/carol%40ims.example", &body.to_string()).await;
    assert!(put.starts_with("HTTP/1.1 201 "), "{put}");
    let (cx, node) = scscf(hss.diameter).await;
    let name: ServerName = "sip:scscf.ims.example".parse().unwrap();
    let (carol, identity) = ("carol@ims.example".parse().unwrap(), "sip:carol@ims.example".parse().unwrap());
    let question = MultimediaAuthRequest::new(carol, identity, name.clone());
    let (carol, identity) = (question.private_identity.clone(), question.public_identity.clone());
    let mut usim = Usim::new(AkaCredentials::new(Milenage::new(&[1; 16], &[2; 16]), [0x80, 0]));
    let mut seen = BTreeSet::new();
    for turn in 0..3 {
        for _ in 0..5 {
            let MultimediaAuth::Aka(vectors) = cx.multimedia_auth(&question).await.unwrap() else { panic!("vectors") };
            for vector in vectors {
                let answer = usim.authenticate(&vector.rand, &vector.autn);
                assert!(matches!(answer, UsimAnswer::Response { .. }), "a sequence number came again: {answer:?}");
                assert!(seen.insert(vector.rand));
            }
        }
        if turn == 0 {
            let kind = AssignmentType::Registration;
            let request = ServerAssignmentRequest::new(carol.clone(), identity.clone(), name.clone(), kind);
            cx.server_assignment(&request).await.unwrap();
        }
        hss.child.kill().await.unwrap();
        timeout(SOON, node.until_down("hss.ims.example")).await.unwrap();
        hss = Process::start(folder.path(), &hss.diameter.to_string()).await;
        assert!(timeout(SOON, node.until_up("hss.ims.example")).await.unwrap());
        let location = cx.location_info(&LocationInfoRequest::new(identity.clone())).await.unwrap();
        assert_eq!(location, LocationInfo::Scscf(name.clone()));
    }
    // It knows as well where to say that it is over.
    let mut events = cx.events();
    let ended = hss.http("DELETE /v1/registrations/sip:carol@ims.example?reason=remove-scscf", "").await;
    assert!(ended.starts_with("HTTP/1.1 204 "), "{ended}");
    let Some(HssEvent::RegistrationTermination(end)) = timeout(SOON, events.next()).await.unwrap() else {
        panic!("a termination")
    };
    assert_eq!((end.private_identity, end.reason), (carol, TerminationReason::RemoveScscf));
}

#[tokio::test]
async fn sigterm_takes_leave_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut hss = Process::start(folder.path(), "127.0.0.1:0").await;
    let (_cx, node) = scscf(hss.diameter).await;
    let pid = hss.child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    timeout(SOON, node.until_down("hss.ims.example")).await.unwrap();
    let status = node.status().await.unwrap();
    let obstacle = status.peers[0].obstacle.as_ref().unwrap().to_string();
    assert!(obstacle.starts_with("left: "), "{obstacle}");
    let ended = timeout(SOON, hss.child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
}

/// Threats X1 to X8: each on a connection of its own, that of the I-CSCF. Either the connection is closed and counted, or
/// the request is refused on it; the S-CSCF does not notice, and who comes next is served.
#[tokio::test]
async fn x01_to_x08_garbage_harms_its_own_connection_alone() {
    let folder = tempfile::tempdir().unwrap();
    let hss = Process::start(folder.path(), "127.0.0.1:0").await;
    let (cx, _node) = scscf(hss.diameter).await;
    for Row { name, bytes, end } in rows() {
        let malformed = hss.count("imscore_diameter_malformed_total").await;
        let unsolicited = hss.count("imscore_diameter_unsolicited_total").await;
        let mut peer = Raw::connect(hss.diameter).await;
        peer.stream.write_all(&bytes).await.unwrap();
        match &end {
            End::Closed => {
                assert!(peer.answer().await.is_none(), "{name}: it is closed");
                assert_eq!(hss.count("imscore_diameter_malformed_total").await, malformed + 1, "{name}");
            }
            End::Refused(codes) => {
                let answer = peer.answer().await.unwrap_or_else(|| panic!("{name}: it is answered"));
                let code = result(&answer);
                assert!(codes.contains(&code), "{name}: {code}");
            }
            End::Dropped => {}
        }
        if !matches!(end, End::Closed) {
            peer.stream.write_all(&uar(&[]).message(UAR, 9)).await.unwrap();
            let answer = peer.answer().await.unwrap_or_else(|| panic!("{name}: the connection lives"));
            assert_eq!(result(&answer), 2001, "{name}: {answer:?}");
            assert_eq!(hss.count("imscore_diameter_malformed_total").await, malformed, "{name}");
        }
        if matches!(end, End::Dropped) {
            assert_eq!(hss.count("imscore_diameter_unsolicited_total").await, unsolicited + 1, "{name}");
        }
        // The S-CSCF was there all the time.
        let alice = LocationInfoRequest::new("sip:alice@ims.example".parse().unwrap());
        let located = timeout(SOON, cx.location_info(&alice)).await.unwrap();
        assert_eq!(located, Err(imscore_hss::HssError::NotRegistered), "{name}");
    }
    assert_eq!(hss.count("imscore_diameter_peer_up{peer=\"scscf.ims.example\"}").await, 1);
}

/// Threat X5: what a stranger says first.
#[tokio::test]
async fn x05_a_stranger_that_says_nonsense_is_sent_away() {
    let folder = tempfile::tempdir().unwrap();
    let hss = Process::start(folder.path(), "127.0.0.1:0").await;
    let many = (0..64).fold(Avps::default(), |avps, n| avps.text(264, 0, &format!("h{n}.ims.example")));
    let shallow = Avps::default().add(260, 0, &[0xff; 12]);
    for (name, first, codes) in [
        ("64 Origin-Host", many.and(&cer("icscf.ims.example")), vec![5009]),
        ("a group of garbage", cer("icscf.ims.example").and(&shallow), vec![5014, 5004]),
        ("a stranger", cer("mallory.ims.example"), vec![3010]),
        ("a question before the introduction", uar(&[]), vec![]),
    ] {
        let mut stream = Raw { stream: TcpStream::connect(hss.diameter).await.unwrap() };
        let command = if codes.is_empty() { UAR } else { CER };
        stream.stream.write_all(&first.message(command, 1)).await.unwrap();
        if !codes.is_empty() {
            let answer = stream.answer().await.unwrap_or_else(|| panic!("{name}: it is answered"));
            assert!(codes.contains(&result(&answer)), "{name}: {}", result(&answer));
        }
        assert!(stream.answer().await.is_none(), "{name}: and closed");
        drop(Raw::connect(hss.diameter).await);
    }
}

/// Threat D14, by the way that XML comes in here.
#[tokio::test]
async fn d14_xml_that_would_grow_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let hss = Process::start(folder.path(), "127.0.0.1:0").await;
    let laughs = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>\
                  <IMSSubscription><PrivateID>&b;</PrivateID></IMSSubscription>";
    let file = "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><IMSSubscription>&a;</IMSSubscription>";
    let deep = ["<IMSSubscription>", &"<a>".repeat(10_000)].concat();
    let other = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><IMSSubscription/>";
    for (xml, cause) in [(laughs, "document type"), (file, "document type"), (&deep, "64 deep"), (other, "user_data")] {
        let body = json!({ "user_data": xml, "authentication": { "scheme": "digest", "password": "x" } });
        let answer = hss.http("PUT /v1/subscribers/carol%40ims.example", &body.to_string()).await;
        assert!(answer.starts_with("HTTP/1.1 422 ") && answer.contains(cause), "{answer}");
    }
    assert!(hss.http("GET /v1/subscribers/carol%40ims.example", "").await.starts_with("HTTP/1.1 404 "));
}

struct Row {
    name: String,
    bytes: Vec<u8>,
    end: End,
}

enum End {
    Closed,
    Refused(Vec<u32>),
    /// Nothing comes of it.
    Dropped,
}

const CER: u32 = 257;
pub(crate) const UAR: u32 = 300;
pub(crate) const SAR: u32 = 301;
pub(crate) const LIR: u32 = 302;
pub(crate) const MAR: u32 = 303;

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |name: &str, bytes: Vec<u8>, end: End| rows.push(Row { name: name.to_owned(), bytes, end });
    // X1: the length of an AVP.
    for (length, codes) in [(0, vec![5014]), (7, vec![5014]), (60_000, vec![5014]), (0xff_ffff, vec![5014])] {
        let bad = [&1_u32.to_be_bytes()[..], &(0x4000_0000_u32 | length).to_be_bytes(), &[0; 4]].concat();
        row(&format!("X1: an AVP of {length}"), uar(&[1]).raw(&bad).message(UAR, 2), End::Refused(codes));
    }
    // X2: the length of a message.
    for length in [0_u32, 19, 21, 16 << 20, 0xff_ffff] {
        let mut bytes = uar(&[]).message(UAR, 2);
        bytes[..4].copy_from_slice(&(0x0100_0000 | (length & 0xff_ffff)).to_be_bytes());
        row(&format!("X2: a message of {length}"), bytes, End::Closed);
    }
    let mut bytes = uar(&[]).message(UAR, 2);
    bytes[0] = 2;
    row("X2: another version", bytes, End::Closed);
    row("X2: no Diameter", b"GET / HTTP/1.1\r\nHost: hss\r\n\r\n".repeat(3), End::Closed);
    // X3: nobody.
    row("X3: no Public-Identity in it", uar(&[601]).text(601, TGPP, "").message(UAR, 2), End::Refused(vec![5004]));
    row("X3: no User-Name in it", uar(&[1]).text(1, 0, "").message(UAR, 2), End::Refused(vec![5004]));
    // X4: a NUL.
    let nul = Avps::default().text(263, 0, "icscf;\0;1").and(&uar(&[263]));
    row("X4: NUL in Session-Id", nul.message(UAR, 2), End::Refused(vec![2001, 5004]));
    // X5: what is missing.
    row("X5: no Destination-Realm", uar(&[283]).message(UAR, 2), End::Refused(vec![5005]));
    row("X5: no Session-Id", uar(&[263]).message(UAR, 2), End::Refused(vec![5005]));
    row("X5: no application", uar(&[260]).message(UAR, 2), End::Refused(vec![5005, 2001]));
    // X6: another size than there is, and values that there are not.
    for (command, code, vendor, right) in
        [(UAR, 277, 0, 4_usize), (UAR, 623, TGPP, 4), (SAR, 614, TGPP, 4), (SAR, 624, TGPP, 4)]
    {
        let question = |without: &[u32]| if command == UAR { uar(without) } else { sar(without) };
        for size in [0, 1, right - 1, right + 1, 60_000] {
            let bytes = question(&[code]).add(code, vendor, &vec![0; size]).message(command, 2);
            row(&format!("X6: AVP {code} of {size}"), bytes, End::Refused(vec![5014, 5004]));
        }
        let bytes = question(&[code]).add(code, vendor, &[0xff; 4]).message(command, 2);
        row(&format!("X6: AVP {code} of another value"), bytes, End::Refused(vec![5004]));
    }
    // X7: groups within groups.
    let mut deep = Vec::new();
    for _ in 0..3_000 {
        deep = Avps::default().add(260, 0, &deep).0;
    }
    row("X7: 3,000 groups", uar(&[260]).raw(&deep).message(UAR, 2), End::Refused(vec![5014, 5004, 5009, 5005]));
    // X8: an answer to nothing.
    let mut answer = Avps::default().number(268, 2001).message(UAR, 77);
    answer[4] = 0x40;
    row("X8: an answer that nobody waits for", answer, End::Dropped);
    rows
}

const TGPP: u32 = 10_415;
static END_TO_END: AtomicU32 = AtomicU32::new(1);

/// AVPs as bytes, right or wrong.
#[derive(Clone, Default)]
pub(crate) struct Avps(pub(crate) Vec<u8>);

impl Avps {
    pub(crate) fn add(mut self, code: u32, vendor: u32, data: &[u8]) -> Avps {
        let head = if vendor == 0 { 8 } else { 12 };
        let flags = if vendor == 0 { 0x40 } else { 0xc0 };
        self.0.extend(code.to_be_bytes());
        self.0.extend((flags << 24 | (head + data.len()) as u32).to_be_bytes());
        if vendor != 0 {
            self.0.extend(vendor.to_be_bytes());
        }
        self.0.extend(data);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(crate) fn text(self, code: u32, vendor: u32, text: &str) -> Avps {
        self.add(code, vendor, text.as_bytes())
    }

    fn number(self, code: u32, number: u32) -> Avps {
        self.add(code, 0, &number.to_be_bytes())
    }

    fn raw(mut self, bytes: &[u8]) -> Avps {
        self.0.extend(bytes);
        self
    }

    pub(crate) fn and(self, other: &Avps) -> Avps {
        self.raw(&other.0)
    }

    pub(crate) fn message(&self, command: u32, hop_by_hop: u32) -> Vec<u8> {
        let application = if command == CER { 0 } else { 16_777_216_u32 };
        let flags = if command == CER { 0x80 } else { 0xc0 };
        let words = [
            0x0100_0000 | (20 + self.0.len()) as u32,
            flags << 24 | command,
            application,
            hop_by_hop,
            // One that came before would be answered as it was then (RFC 6733 §3).
            END_TO_END.fetch_add(1, Ordering::Relaxed),
        ];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        bytes.extend(&self.0);
        bytes
    }
}

fn cer(host: &str) -> Avps {
    let application = Avps::default().number(266, TGPP).number(258, 16_777_216);
    Avps::default()
        .text(264, 0, host)
        .text(296, 0, "ims.example")
        .add(257, 0, &[0, 1, 127, 0, 0, 1])
        .number(266, 0)
        .text(269, 0, "test")
        .number(265, TGPP)
        .add(260, 0, &application.0)
}

/// A request for Alice as it should be, but for these.
fn request(without: &[u32], more: &[(u32, u32, &[u8])]) -> Avps {
    let application = Avps::default().number(266, TGPP).number(258, 16_777_216);
    let all: [(u32, u32, &[u8]); 6] = [
        (263, 0, b"icscf.ims.example;1;1"),
        (260, 0, &application.0),
        (277, 0, &[0, 0, 0, 1]),
        (264, 0, b"icscf.ims.example"),
        (296, 0, b"ims.example"),
        (283, 0, b"ims.example"),
    ];
    let wanted = all.iter().chain(more).filter(|(code, ..)| !without.contains(code));
    wanted.fold(Avps::default(), |avps, (code, vendor, data)| avps.add(*code, *vendor, data))
}

pub(crate) fn uar(without: &[u32]) -> Avps {
    let identity = b"sip:alice@ims.example";
    request(without, &[(1, 0, b"alice@ims.example"), (601, TGPP, identity), (600, TGPP, b"ims.example")])
}

pub(crate) fn sar(without: &[u32]) -> Avps {
    let name = b"sip:scscf.ims.example";
    request(
        without,
        &[
            (1, 0, b"alice@ims.example"),
            (601, TGPP, b"sip:alice@ims.example"),
            (602, TGPP, name),
            (614, TGPP, &[0, 0, 0, 0]),
            (624, TGPP, &[0; 4]),
        ],
    )
}

pub(crate) fn lir(without: &[u32]) -> Avps {
    request(without, &[(601, TGPP, b"sip:alice@ims.example")])
}

pub(crate) fn mar(without: &[u32]) -> Avps {
    let item = Avps::default().text(608, TGPP, "SIP Digest");
    request(
        without,
        &[
            (1, 0, b"alice@ims.example"),
            (601, TGPP, b"sip:alice@ims.example"),
            (612, TGPP, &item.0),
            (607, TGPP, &[0, 0, 0, 1]),
            (602, TGPP, b"sip:scscf.ims.example"),
        ],
    )
}

/// A peer that says whatever it likes.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
}

impl Raw {
    /// The I-CSCF, connected: again and again while the HSS has not yet noticed that the one of before is gone.
    pub(crate) async fn connect(hss: SocketAddr) -> Raw {
        timeout(SOON, async {
            loop {
                let mut peer = Raw { stream: TcpStream::connect(hss).await.unwrap() };
                peer.stream.write_all(&cer("icscf.ims.example").message(CER, 1)).await.unwrap();
                if peer.answer().await.is_some_and(|answer| result(&answer) == 2001) {
                    return peer;
                }
            }
        })
        .await
        .unwrap()
    }

    /// The next answer; none where the connection was closed. A watchdog of the HSS is left alone.
    pub(crate) async fn answer(&mut self) -> Option<Message> {
        loop {
            let message = self.message().await?;
            if !message.header().is_request() {
                return Some(message);
            }
        }
    }

    async fn message(&mut self) -> Option<Message> {
        let read = timeout(Duration::from_secs(10), async {
            let mut bytes = vec![0; 4];
            self.stream.read_exact(&mut bytes).await.ok()?;
            let length = u32::from_be_bytes([0, bytes[1], bytes[2], bytes[3]]) as usize;
            bytes.resize(length, 0);
            self.stream.read_exact(&mut bytes[4..]).await.ok()?;
            Message::parse(bytes.into()).ok()
        });
        read.await.expect("an answer, or an end")
    }
}

/// Result-Code, or the one in Experimental-Result; DIAMETER_FIRST_REGISTRATION counts as success.
pub(crate) fn result(answer: &Message) -> u32 {
    let number = |avp: Avp<'_>| u32::from_be_bytes(avp.data().try_into().unwrap());
    if let Some(code) = answer.find(&avp::RESULT_CODE) {
        return number(code);
    }
    let group = answer.find(&avp::EXPERIMENTAL_RESULT).unwrap_or_else(|| panic!("no result in {answer:?}"));
    match number(group.avps().find(&avp::EXPERIMENTAL_RESULT_CODE).unwrap()) {
        2001..=2004 => 2001,
        code => code,
    }
}
