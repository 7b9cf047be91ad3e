//! Attacks on a whole core, by phones that are registered and by strangers; each is named after its row in THREATS.md.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use imscore_sip::header::{MaxForwards, Name, RecordRoute, TypedHeader, Via};
use imscore_sip::testing::{Ladder, Phone};
use imscore_sip::transport::{Flow, ListenerId, Transport};
use imscore_sip::{Message, Method, Request};

use super::core::{ladder, registered};

/// Sends bytes from a phone as they stand.
fn inject(ladder: &mut Ladder, from: &str, bytes: &[u8]) {
    let network = ladder.network();
    let host = network.find::<Phone>(from).expect("a phone");
    let remote = "192.0.2.10:5060".parse().unwrap();
    let flow = Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None };
    network.with(host, |phone, _| phone.send_bytes(bytes.to_vec().into(), flow));
    network.run_for(Duration::from_millis(400));
}

/// What the core has sent to one address since the trace had so many messages.
fn sent_to(ladder: &mut Ladder, address: &str, since: usize) -> Vec<Vec<u8>> {
    let sent = ladder.network().trace().sent().skip(since);
    sent.filter(|sent| sent.from.name == "core" && sent.to.address.to_string() == address)
        .map(|sent| sent.bytes.to_vec())
        .collect()
}

fn count(ladder: &mut Ladder) -> usize {
    ladder.network().trace().sent().count()
}

fn message(branch: &str, lines: &[u8]) -> Vec<u8> {
    let head = format!(
        "MESSAGE sip:bob@ims.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{branch}\r\n\
         From: <sip:alice@ims.example>;tag=a\r\nTo: <sip:bob@ims.example>\r\nCall-ID: {branch}\r\nCSeq: 1 MESSAGE\r\n\
         Max-Forwards: 70\r\n"
    );
    [head.as_bytes(), lines, b"Content-Length: 0\r\n\r\n"].concat()
}

/// P1: whatever stands around the name of an identity, the called phone reads the registered one and no other: not a
/// byte of the forged one arrives, however its reader takes what is no white space.
#[test]
fn p01_header_smuggling() {
    let forged: [&[u8]; 20] = [
        b"P-Asserted-Identity: <sip:forged@ims.example>\r\n",
        b"P-Asserted-Identity : <sip:forged@ims.example>\r\n",
        b"P-Asserted-Identity\t: <sip:forged@ims.example>\r\n",
        b"P-Asserted-Identity \t : <sip:forged@ims.example>\r\n",
        b"P-Asserted-Identity\r\n : <sip:forged@ims.example>\r\n",
        b"P-Asserted-Identity:\r\n <sip:forged@ims.example>\r\n",
        b"P-Asserted-Identity\x0b: <sip:forged@ims.example>\r\n",
        b"P-Asserted-Identity\x0c: <sip:forged@ims.example>\r\n",
        b"P-Asserted-Identity\x01: <sip:forged@ims.example>\r\n",
        b"P-Asserted-Identity\xa0: <sip:forged@ims.example>\r\n",
        b"P-Asserted-Identity\xc2\xa0: <sip:forged@ims.example>\r\n",
        b"P-Asserted-Identity\0: <sip:forged@ims.example>\r\n",
        b"\0P-Asserted-Identity: <sip:forged@ims.example>\r\n",
        b" P-Asserted-Identity: <sip:forged@ims.example>\r\n",
        b"X-Y: z\rP-Asserted-Identity: <sip:forged@ims.example>\r\n",
        b"X-Y: z\nP-Asserted-Identity: <sip:forged@ims.example>\r\n",
        b"X-Y: z\n\rP-Asserted-Identity: <sip:forged@ims.example>\r\n",
        b"X-Y: z\x0bP-Asserted-Identity: <sip:forged@ims.example>\r\n",
        b"p-aSSERTED-iDENTITY: <sip:forged@ims.example>\r\nP-Asserted-Identity: <sip:forged@ims.example>\r\n",
        b"P-Preferred-Identity: <sip:forged@ims.example>\r\nP-Asserted-Identity: <sip:forged@ims.example>\r\n",
    ];
    let mut ladder = registered();
    let mut arrived = 0;
    for (number, lines) in forged.iter().enumerate() {
        let since = count(&mut ladder);
        inject(&mut ladder, "alice", &message(&format!("p01-{number}"), lines));
        for bytes in sent_to(&mut ladder, "192.0.2.2:5060", since) {
            let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
            let asserted = text.lines().filter(|line| line.contains("asserted-identity")).collect::<Vec<_>>();
            let own = ["p-asserted-identity: <sip:alice@ims.example>", "p-asserted-identity: <tel:+12015550101>"];
            // A bare CR or a fold stands in the value of the line before, where the name is one of its words.
            assert_eq!(asserted, own, "{}\n{text}", lines.escape_ascii());
            assert!(!text.contains("forged"), "{}\n{text}", lines.escape_ascii());
            arrived += 1;
        }
    }
    assert!(arrived >= 7, "what is legal is passed on: {arrived}");
}

/// I8: a BYE or a re-INVITE by whoever knows everything of a call but its token, be it a stranger or a registered phone with
/// the route of a call of its own; and a CANCEL from elsewhere, by its branch.
#[test]
fn i08_forged_requests_of_other_peoples_calls() {
    let mut ladder = registered();
    ladder.run(
        "alice -> core  INVITE sip:bob@ims.example Call-ID=known From='<sip:alice@ims.example>;tag=one'
                        | Via='SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKseen'
         core -> alice  100
         core -> bob    INVITE sip:bob@192.0.2.2*
         bob -> core    180
         core -> alice  180",
    );
    ladder.run(
        "eve = udp:192.0.2.3:5060 sip:eve@ims.example
         eve -> core    CANCEL sip:bob@ims.example  Via='SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKseen' CSeq='1 CANCEL'
                        | Call-ID=known From='<sip:alice@ims.example>;tag=one' To='<sip:bob@ims.example>'
         core -> eve    481
         bob -> core    200
         core -> alice  200
         alice -> core  ACK
         core -> bob    ACK",
    );
    let since = count(&mut ladder);
    ladder.run(
        "mallory = udp:192.0.2.4:5060 sip:mallory@ims.example
         eve -> core    REGISTER sip:ims.example
         core -> eve    401
         eve -> core    REGISTER sip:ims.example  password=secret user=eve@ims.example
         core -> eve    200
         eve -> core    INVITE sip:bob@ims.example  Call-ID=mine From='<sip:eve@ims.example>;tag=one'
         core -> eve    100
         core -> bob    INVITE sip:bob@192.0.2.2*
         bob -> core    200
         core -> eve    200
         eve -> core    ACK
         core -> bob    ACK",
    );
    let answer = sent_to(&mut ladder, "192.0.2.3:5060", since).pop().unwrap();
    let Ok(Message::Response(answer)) = Message::parse(answer.into()) else { panic!("an answer") };
    let mut route: Vec<String> =
        answer.headers.all::<RecordRoute>().unwrap().iter().map(|hop| format!("Route: {hop}\r\n")).collect();
    route.reverse();
    assert!(route[0].contains('@'), "a token: {route:?}");
    nobody_is_reached(&mut ladder, ("eve", "192.0.2.3:5060"), &route.concat());
    let made_up = "Route: <sip:AAAAAAAAAAAAAAAAAAAAAAAAAAAA@pcscf.ims.example;lr>\r\n";
    nobody_is_reached(&mut ladder, ("eve", "192.0.2.3:5060"), made_up);
    for route in [made_up, &route.concat(), ""] {
        nobody_is_reached(&mut ladder, ("mallory", "192.0.2.4:5060"), route);
    }
}

/// Requests of that phone in the call `known`, by that route: each is refused, and reaches neither phone.
#[track_caller]
fn nobody_is_reached(ladder: &mut Ladder, (who, address): (&str, &str), route: &str) {
    for method in ["BYE", "INVITE", "UPDATE", "INFO"] {
        let since = count(ladder);
        let forged = format!(
            "{method} sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK{since}\r\n\
             From: <sip:alice@ims.example>;tag=one\r\nTo: <sip:bob@ims.example>;tag=x\r\nCall-ID: known\r\n\
             CSeq: 9 {method}\r\nMax-Forwards: 70\r\n{route}\
             Contact: <sip:{who}@{address}>\r\nContent-Length: 0\r\n\r\n"
        );
        inject(ladder, who, forged.as_bytes());
        let answers = sent_to(ladder, address, since);
        assert!(answers.iter().any(|bytes| bytes.starts_with(b"SIP/2.0 4")), "{method} by {who} is refused: {route}");
        for victim in ["192.0.2.1:5060", "192.0.2.2:5060"] {
            assert!(sent_to(ladder, victim, since).is_empty(), "{method} by {who} reached {victim}: {route}");
        }
    }
}

/// I11: a challenge of the other phone within a call goes back to who asked; nobody in the core answers it.
#[test]
fn i11_a_challenge_passes_the_core_unanswered() {
    let mut ladder = registered();
    ladder.run(
        "alice -> core  INVITE sip:bob@ims.example
         core -> alice  100
         core -> bob    INVITE sip:bob@192.0.2.2*
         bob -> core    200
         core -> alice  200
         alice -> core  ACK
         core -> bob    ACK
         alice -> core  BYE
         core -> bob    BYE  -Proxy-Authorization -Authorization
         bob -> core    407  Proxy-Authenticate='Digest realm=\"ims.example\", nonce=\"1\"'
         core -> alice  407
         +40s",
    );
}

/// I12: a phone that challenges whatever comes, with a new nonce each time, is asked once for each request.
#[test]
fn i12_endless_challenges_are_not_the_core_s() {
    let mut ladder = registered();
    for nonce in 0..5 {
        ladder.run(&format!(
            "alice -> core  MESSAGE sip:bob@ims.example body=hi
             core -> bob    MESSAGE sip:bob@192.0.2.2*
             bob -> core    401  WWW-Authenticate='Digest realm=\"ims.example\", nonce=\"{nonce}\"'
             core -> alice  401"
        ));
    }
}

/// D7: a user is not to be reached at another user of ours.
#[test]
fn d07_bindings_of_one_another_are_refused() {
    ladder().run(
        "alice -> core  REGISTER sip:ims.example
         core -> alice  401
         alice -> core  REGISTER sip:ims.example  password=secret user=alice@ims.example
                        | Contact='<sip:bob@ims.example;n=1>, <sip:bob@ims.example;n=2>'
         core -> alice  403",
    );
}

/// D7, RFC 5393: ten bindings of each of two users, whose phones send each INVITE on to the other user, breadth and hops
/// as they came. What one INVITE becomes is bounded, and it has one final response.
#[test]
fn d07_fork_amplification() {
    let mut ladder = ladder();
    for (name, host) in [("alice", 1), ("bob", 2)] {
        let contacts: Vec<String> = (0..10).map(|number| format!("<sip:{name}@192.0.2.{host};n={number}>")).collect();
        ladder.run(&format!(
            "{name} -> core  REGISTER sip:ims.example
             core -> {name}  401
             {name} -> core  REGISTER sip:ims.example  password=secret user={name}@ims.example Contact='{}'
             core -> {name}  200",
            contacts.join(", ")
        ));
    }
    let since = count(&mut ladder);
    let invite = message("d07", b"Contact: <sip:alice@192.0.2.1>\r\n");
    inject(&mut ladder, "alice", String::from_utf8(invite).unwrap().replace("MESSAGE", "INVITE").as_bytes());
    let (mut looked, mut forwarded) = (since, HashSet::new());
    loop {
        let sent: Vec<(String, Bytes)> = {
            let sent = ladder.network().trace().sent().skip(looked).filter(|sent| sent.from.name == "core");
            sent.map(|sent| (sent.to.address.to_string(), sent.bytes.clone())).collect()
        };
        looked = count(&mut ladder);
        let before = forwarded.len();
        for (to, bytes) in sent {
            let Ok(Message::Request(request)) = Message::parse(bytes) else { continue };
            let branch = request.headers.branch().unwrap_or_default().to_string();
            if request.is(&Method::Invite) && forwarded.insert(branch) {
                let (name, other) = if to == "192.0.2.1:5060" { ("alice", "bob") } else { ("bob", "alice") };
                inject(&mut ladder, name, &forward(request, other, &to, forwarded.len()).to_bytes());
            }
        }
        assert!(forwarded.len() <= 60, "breadth runs out: {}", forwarded.len());
        if forwarded.len() == before {
            break;
        }
    }
    // RFC 5393 §5.3.3: of 60 each binding of the first user has six, which are not enough for ten of the second.
    assert_eq!(forwarded.len(), 10);
    let answers = sent_to(&mut ladder, "192.0.2.2:5060", since);
    let refused: HashSet<&Vec<u8>> = answers.iter().filter(|bytes| bytes.starts_with(b"SIP/2.0 440")).collect();
    assert_eq!(refused.len(), 10, "what the phones sent on");
    ladder.network().run_for(Duration::from_secs(400));
    let sent = count(&mut ladder) - since;
    assert!(sent <= 60 * 40, "{sent} messages for one INVITE");
    let finals: HashSet<Vec<u8>> = sent_to(&mut ladder, "192.0.2.1:5060", since)
        .into_iter()
        .filter(|bytes| match Message::parse(bytes.clone().into()) {
            Ok(Message::Response(response)) => {
                response.status().is_final() && response.headers.branch() == Some("z9hG4bKd07")
            }
            Ok(Message::Request(_)) | Err(_) => false,
        })
        .collect();
    assert_eq!(finals.len(), 1, "one final response");
}

/// As a phone that is a proxy sends a request on to another user.
fn forward(mut request: Request, to: &str, from: &str, number: usize) -> Request {
    request.headers.remove(Name::ROUTE);
    let hops: MaxForwards = request.headers.first().unwrap();
    request.headers.set(&MaxForwards(hops.0 - 1));
    let via = format!("SIP/2.0/UDP {from};branch=z9hG4bKagain{number}");
    request.headers.push_front(&Via::decode(&via.as_str().into()).unwrap());
    request.set_target(format!("sip:{to}@ims.example"));
    request
}

/// D9: ACKs of no dialog, thousands of them, are answered by nothing and reach nobody.
#[test]
fn d09_a_flood_of_acks_for_no_dialog() {
    let mut ladder = registered();
    let since = count(&mut ladder);
    for number in 0..500 {
        let ack = String::from_utf8(message(&format!("d09-{number}"), b"")).unwrap().replace("MESSAGE", "ACK");
        inject(
            &mut ladder,
            "alice",
            ack.replace("To: <sip:bob@ims.example>", "To: <sip:bob@ims.example>;tag=x").as_bytes(),
        );
    }
    assert_eq!(count(&mut ladder) - since, 500, "the ACKs alone");
}
