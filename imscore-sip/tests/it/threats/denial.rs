//! Requests that cost the server more than the one who sends them.

use std::time::{Duration, Instant};

use imscore_sip::header::{Authorization, Contact, TypedHeader, Via};
use imscore_sip::parse::{Framer, Limits};
use imscore_sip::{Message, uri::SipUri};

use super::rig::{NEXT, Rig, STRANGER, answer, config, request};

/// D2: INVITEs whose callee rings and rings end by Timer C, those without an ACK by Timer H; past the limit there is 503.
#[test]
fn d02_half_open_invites() {
    for status in [180, 200, 486] {
        let mut settings = config();
        settings.max_transactions = 1_000;
        let mut proxy = Rig::proxy(settings);
        let (mut refused, mut reached) = (0, 0);
        for number in 0..2_000 {
            proxy.give(request("INVITE", &number.to_string(), &[]).as_bytes(), STRANGER);
            let (statuses, forwarded) = proxy.outcome();
            refused += statuses.iter().filter(|status| **status == 503).count();
            for invite in forwarded {
                reached += 1;
                proxy.give(&answer(&invite, status).to_bytes(), NEXT);
            }
            proxy.sent.clear();
        }
        assert!(refused >= 1_000 && refused + reached == 2_000, "{refused} refused, {reached} forwarded");
        proxy.pass(Duration::from_secs(185 + 64));
        proxy.assert_empty();
    }
}

/// D5: a length is what it says or ends the connection, and no room is made for what has not come.
#[test]
fn d05_huge_and_negative_lengths() {
    for length in ["2147483648", "4294967296", "18446744073709551616", "-1", "65537"] {
        let text = request("OPTIONS", "1", &[]).replace("Length: 0", &format!("Length: {length}"));
        let mut framer = Framer::new(Limits::default());
        let room = allocation_counter::measure(|| {
            framer.push(text.as_bytes());
            assert!(framer.next_frame().is_err(), "{length}");
        });
        assert!(room.bytes_max < 100_000, "{length}: {} bytes", room.bytes_max);
    }
}

/// D6, P7: ten times as much takes ten times as long, and twelve at most. The least of many short
/// runs is one that nothing came between, however busy the machine is.
#[test]
fn d06_time_grows_with_size() {
    let long = |repeated: &str, times: usize| repeated.repeat(times);
    let message =
        |lines: String| request("OPTIONS", "1", &[]).replace("Content-Length", &format!("{lines}Content-Length"));
    let read = |text: &str| {
        let message = Message::parse(text.to_string().into()).unwrap();
        let headers = message.headers();
        let _ = (headers.all::<Via>(), headers.all::<Contact>(), headers.contains("Not-There"));
        let _ = message.validate();
    };
    type Written = fn(usize) -> String;
    let messages: [(&str, usize, Written); 5] = [
        ("headers", 24, |times| "X-Name: value\r\n".repeat(times)),
        ("vias", 24, |times| "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n".repeat(times)),
        ("contacts", 40, |times| format!("Contact: {}<sip:a@b>\r\n", "<sip:a@b>;q=0.1, ".repeat(times))),
        ("folds", 6, |times| format!("X-Name: a\r\n{}", " bbbbbbbbbbbbb\r\n".repeat(times))),
        ("value", 800, |times| format!("X-Name: {}\r\n", "n".repeat(times))),
    ];
    for (what, times, lines) in messages {
        let (small, large) = (message(lines(times)), message(lines(10 * times)));
        linear(what, || read(&small), || read(&large));
    }
    let params = |times| format!("sip:a@b{}", long(";p=v", times));
    let (small, large) = (params(50), params(500));
    linear("uri parameters", || drop(small.parse::<SipUri>()), || drop(large.parse::<SipUri>()));
    for repeated in ["\"\\\"\"", "a=\"", "a=b,", "\"", "\\"] {
        let digest = |times| imscore_sip::ByteString::from(format!("Digest {}", long(repeated, times)));
        let (small, large) = (digest(400), digest(4_000));
        linear(repeated, || drop(Authorization::decode(&small)), || drop(Authorization::decode(&large)));
    }
}

#[track_caller]
fn linear(what: &str, small: impl Fn(), large: impl Fn()) {
    let least = |run: &dyn Fn()| {
        let once = || {
            let begin = Instant::now();
            run();
            begin.elapsed()
        };
        (0..40).map(|_| once()).min().unwrap_or_default()
    };
    let (small, large) = (least(&small), least(&large));
    assert!(large <= small * 12 + Duration::from_micros(20), "{what}: {small:?} became {large:?}");
}

/// D9: a callee that repeats its 2xx each millisecond is passed on as long as its transaction lasts and takes no room.
#[test]
fn d09_a_storm_of_2xx() {
    let mut proxy = Rig::proxy(config());
    proxy.give(request("INVITE", "1", &[]).as_bytes(), STRANGER);
    let invite = proxy.outcome().1.remove(0);
    let ok = answer(&invite, 200).to_bytes();
    let mut passed = 0;
    for _ in 0..40_000 {
        proxy.give(&ok, NEXT);
        let (statuses, forwarded) = proxy.outcome();
        assert!(statuses.len() <= 1 && forwarded.is_empty());
        passed += statuses.len();
        assert!(proxy.engine.len() <= 1 && proxy.engine.transactions().client_count() <= 1);
        proxy.pass(Duration::from_millis(1));
    }
    assert!((31_000..=32_001).contains(&passed), "{passed}: 64*T1 long, and not after that");
    proxy.assert_empty();
}

/// D9: ACKs of no dialog leave nothing behind, and a user agent says nothing to them.
#[test]
fn d09_a_flood_of_acks() {
    let mut agent = Rig::agent();
    let mut proxy = Rig::proxy(config());
    for number in 0..1_000 {
        let ack = request("ACK", &number.to_string(), &["To: <sip:bob@ims.example>;tag=guessed"]);
        agent.give(ack.as_bytes(), STRANGER);
        proxy.give(ack.as_bytes(), STRANGER);
        // Where it goes is for the owner to say; it is sent once.
        assert_eq!(proxy.outcome().1.len(), 1);
    }
    assert!(agent.sent.is_empty());
    assert_eq!((agent.engine.calls(), agent.engine.pending()), (0, (0, 0)));
    proxy.assert_empty();
}

/// D9: INVITE and CANCEL in any order, over and over: one final response each, and nothing left.
#[test]
fn d09_races_of_invite_and_cancel() {
    let mut proxy = Rig::proxy(config());
    for number in 0..200 {
        let branch = number.to_string();
        let (invite, cancel) = (request("INVITE", &branch, &[]), request("CANCEL", &branch, &[]));
        let mut finals = Vec::new();
        let order = [&cancel, &invite, &cancel, &invite, &cancel];
        for text in &order[number % 3..] {
            proxy.give(text.as_bytes(), STRANGER);
            for (_, message) in std::mem::take(&mut proxy.sent) {
                match message {
                    Message::Response(response) if response.status().is_final() => {
                        finals.extend(
                            (response.headers.cseq().unwrap().method.as_str() == "INVITE").then(|| response.status()),
                        );
                    }
                    Message::Response(_) => {}
                    Message::Request(forwarded) if number % 2 == 0 => {
                        let status = if forwarded.method().as_str() == "INVITE" { 180 } else { 200 };
                        proxy.give(&answer(&forwarded, status).to_bytes(), NEXT);
                    }
                    Message::Request(_) => {}
                }
            }
        }
        assert!(finals.len() <= 1, "{finals:?}");
    }
    proxy.pass(Duration::from_secs(250));
    proxy.assert_empty();
}
