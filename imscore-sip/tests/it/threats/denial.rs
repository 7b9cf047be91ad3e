//! Requests that cost the server more than the one who sends them.

use std::time::Duration;

use imscore_sip::Message;
use imscore_sip::parse::{Framer, Limits};

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

/// D6: up to a limit a request is read and past it refused, by a proxy and by an agent alike, however much more there is.
/// What reading costs is counted apart: the benches have ten times as much of everything take ten times the instructions.
#[test]
fn d06_more_than_a_limit_is_refused() {
    let message =
        |lines: &str| request("OPTIONS", "1", &[]).replace("Content-Length", &format!("{lines}Content-Length"));
    // What it is refused with; an agent is busy otherwise, and a proxy forwards it.
    let refused = |text: &str| {
        let (mut proxy, mut agent) = (Rig::proxy(config()), Rig::agent());
        proxy.give(text.as_bytes(), STRANGER);
        agent.give(text.as_bytes(), STRANGER);
        let ((refused, forwarded), (answered, _)) = (proxy.outcome(), agent.outcome());
        let [status] = answered[..] else { panic!("{answered:?}") };
        let status = (status != 486).then_some(status);
        assert_eq!((refused.first().copied(), forwarded.len()), (status, usize::from(status.is_none())));
        status
    };
    type Written = fn(usize) -> String;
    // How many are read, what more get, and them.
    let kinds: [(&str, usize, u16, Written); 9] = [
        // Eight lines stand there already.
        ("headers", 248, 400, |count| "X-Y: z\r\n".repeat(count)),
        ("Vias", 69, 400, |count| "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n".repeat(count)),
        ("Vias in a line", 69, 400, |count| format!("Via: h{}\r\n", ",h".repeat(count - 1))),
        ("Contacts", 63, 400, |count| format!("Contact: <sip:a@b>{}\r\n", ",<sip:a@b>".repeat(count - 1))),
        ("folds", 64, 400, |count| format!("X-Y: z\r\n{}", " z\r\n".repeat(count))),
        ("a name", 256, 400, |count| format!("{}: y\r\n", "n".repeat(count))),
        ("a line", 8_185, 400, |count| format!("X-Y: {}\r\n", "y".repeat(count))),
        ("parameters", 63, 400, |count| {
            let params: String = (0..count).map(|number| format!(";p{number}")).collect();
            format!("Record-Route: <sip:a@b;lr>\r\nRecord-Route: <sip:a@b;lr{params}>\r\n")
        }),
        // The other lines and the empty one take 245.
        ("the header block", 32_768 - 245, 513, |count| {
            let rest = count % 1_000 + 1_000;
            format!("X-Y: {}\r\n", "y".repeat(993)).repeat((count - rest) / 1_000)
                + &format!("X-Y: {}\r\n", "y".repeat(rest - 7))
        }),
    ];
    for (what, limit, status, lines) in kinds {
        let found = [limit - 1, limit, limit + 1].map(|count| refused(&message(&lines(count))));
        assert_eq!(found, [None, None, Some(status)], "{what}");
        // So much of some is more than a header block, too.
        assert!(matches!(refused(&message(&lines(10 * limit))), Some(400 | 513)), "{what}");
    }
    let target = |length: usize| {
        request("OPTIONS", "1", &[]).replacen("sip:bob@ims.example", &format!("sip:{}@h", "u".repeat(length - 6)), 1)
    };
    let found = [2_047, 2_048, 2_049, 20_000].map(|length| refused(&target(length)));
    assert_eq!(found, [None, None, Some(414), Some(414)]);
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
