use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::Message as Seen;
use super::dialogs::{Dialogs, LONGEST, MOST};
use super::{DialogStep, Event, Ladder, Observer, Record, Traced};
use crate::message::StatusCode;
use crate::owned::Owned;
use crate::testing::{Host, Link, Network, sdp_answer, sdp_offer};
use crate::transport::Listener;
use crate::ua::{CallHandle, Config, Event as Told, UserAgent};
use crate::{Message, Now, transaction};

const OFFER: &str = "application/sdp";

type Agent = Traced<Owned<UserAgent, fn(&mut UserAgent, Told, Now)>>;

/// Rings, and answers; a call for nobody is refused after ringing.
fn answer(agent: &mut UserAgent, event: Told, now: Now) {
    let Told::Request { id, request, .. } = event else { return };
    agent.respond(id, request.reply(StatusCode::RINGING), now).unwrap();
    let last = match request.target().contains("nobody") {
        true => request.reply(StatusCode::BUSY_HERE),
        false => request.reply(StatusCode::OK).with_body(OFFER, sdp_answer(&sdp_offer(), "192.0.2.2", 40_000)),
    };
    agent.respond(id, last, now).unwrap();
}

struct Stage {
    network: Network,
    alice: Host<Agent>,
    records: Receiver<Record>,
}

impl Stage {
    /// Alice, who is traced, and bob, who is traced where `both` says so.
    fn new(both: bool) -> Stage {
        let mut network = Network::new(1);
        let delay = Duration::from_millis(10);
        network.link_all(Link::slow(delay..=delay));
        let now = network.now();
        let (sink, records) = channel();
        let build = |name: &'static str, observer: Observer, listeners: Vec<Listener>| -> Agent {
            let mut config = Config::new(transaction::Config::new([7; 32], listeners));
            config.identity = format!("sip:{name}@ims.example").parse().unwrap();
            Traced::new(Owned::new(UserAgent::new(config, now), now, answer), observer, now)
        };
        let silent = |listeners: &[Listener]| Observer::new("bob", listeners, |_| ());
        let other = sink.clone();
        network.add("bob", ["udp:192.0.2.2:5060"], |listeners| {
            let observer = match both {
                true => Observer::new("bob", &listeners, move |record| other.send(record).unwrap()),
                false => silent(&listeners),
            };
            build("bob", observer, listeners)
        });
        let alice = network.add("alice", ["udp:192.0.2.1:5060"], |listeners| {
            build("alice", Observer::new("alice", &listeners, move |record| sink.send(record).unwrap()), listeners)
        });
        Stage { network, alice, records }
    }

    fn call(&mut self, target: &str) -> CallHandle {
        let (target, offer) =
            (target.parse().unwrap(), crate::sdp::SessionDescription::parse(sdp_offer().into()).unwrap());
        let call = self
            .network
            .with(self.alice, |alice, now| alice.engine_mut(now).engine_mut().invite(&target, Some(&offer), now));
        self.network.run_for(Duration::from_millis(500));
        call
    }

    fn hang_up(&mut self, call: CallHandle) {
        self.network.with(self.alice, |alice, now| alice.engine_mut(now).engine_mut().hang_up(call, now));
        self.network.run_for(Duration::from_secs(60));
    }

    fn written(&self) -> Vec<Record> {
        self.records.try_iter().collect()
    }
}

/// What a record says, in a few words.
fn said(record: &Record) -> String {
    match &record.event {
        Event::Message(Seen { direction, method, status, .. }) => format!("{direction:?} {method} {status:?}"),
        Event::Transaction { end, method, state, .. } => format!("{end} {method} {state}"),
        Event::Dialog { state, .. } => format!("dialog {}", state.as_str()),
        Event::Malformed { .. } | Event::FlowLost { .. } | Event::SendFailed | Event::Missed { .. } => {
            format!("{:?}", record.event)
        }
    }
}

#[test]
fn a_call_is_written_down_in_order() {
    let mut stage = Stage::new(false);
    let call = stage.call("sip:bob@192.0.2.2");
    stage.hang_up(call);
    let records = stage.written();
    let said: Vec<String> = records.iter().map(said).collect();
    assert_eq!(
        said,
        [
            "client INVITE calling",
            "Out INVITE None",
            "In INVITE Some(180)",
            "dialog early",
            "client INVITE proceeding",
            "In INVITE Some(200)",
            "dialog confirmed",
            "client INVITE accepted",
            "Out ACK None",
            "client BYE trying",
            "Out BYE None",
            "dialog ended",
            "In BYE Some(200)",
            "client BYE completed",
            "client BYE terminated",
            "client INVITE terminated",
        ]
    );
    // A transaction is found by the branch of its messages.
    let branches =
        |wanted: fn(&Event) -> Option<&String>| records.iter().find_map(|record| wanted(&record.event)).cloned();
    let of_message = branches(|event| if let Event::Message(message) = event { message.branch.as_ref() } else { None });
    let of_transaction =
        branches(|event| if let Event::Transaction { branch, .. } = event { branch.as_ref() } else { None });
    assert!(of_message.is_some());
    assert_eq!(of_message, of_transaction);
    assert!(records.windows(2).all(|pair| pair[0].wall <= pair[1].wall));
}

#[test]
fn the_called_side_sees_its_own_ends() {
    let mut stage = Stage::new(true);
    stage.call("sip:nobody@192.0.2.2");
    stage.network.run_for(Duration::from_secs(60));
    let records = stage.written();
    let of_bob = records.iter().filter(|record| record.node == "bob").map(said).collect::<Vec<_>>();
    assert_eq!(
        of_bob,
        [
            "In INVITE None",
            "server INVITE proceeding",
            "server INVITE completed",
            "Out INVITE Some(180)",
            "dialog early",
            "Out INVITE Some(486)",
            "dialog ended",
            "In ACK None",
            "server INVITE confirmed",
            "server INVITE terminated",
        ]
    );
}

const LADDER: &str = "          alice                   bob
    0.000 |- INVITE, sdp -------->|
    0.010 |< 180 Ringing ---------|
    0.010 |                       *  dialog early
    0.010 |< 200 OK, sdp ---------|
    0.010 |                       *  dialog confirmed
    0.020 *  dialog early         |
    0.020 *  dialog confirmed     |
    0.020 |- ACK ---------------->|
    0.500 |- BYE ---------------->|
    0.500 *  dialog ended         |
    0.510 |                       *  dialog ended
    0.510 |< 200 OK --------------|
";

#[test]
fn a_ladder_has_each_message_once() {
    let mut stage = Stage::new(true);
    let call = stage.call("sip:bob@192.0.2.2");
    stage.hang_up(call);
    let ladder = Ladder::of(&stage.written());
    assert_eq!(ladder.to_string(), LADDER);
    let svg = ladder.to_svg();
    assert_eq!(svg.matches("class='arrow'").count(), 6, "{svg}");
}

#[test]
fn an_untraced_side_is_an_address() {
    let mut stage = Stage::new(false);
    stage.call("sip:bob@192.0.2.2");
    let ladder = Ladder::of(&stage.written());
    assert_eq!(ladder.columns, ["alice", "192.0.2.2:5060"]);
    assert_eq!(ladder.rungs.iter().filter(|rung| rung.from != rung.to).count(), 4);
}

/// What a trace says is text in a terminal and in an SVG, whoever wrote the trace.
#[test]
fn a_ladder_is_text() {
    let mut stage = Stage::new(false);
    stage.call("sip:bob@192.0.2.2");
    let mut records = stage.written();
    for record in &mut records {
        record.node = "\u{1b}[2J<script>&'".to_owned();
    }
    let ladder = Ladder::of(&records);
    assert!(!ladder.to_string().contains('\u{1b}'));
    assert!(ladder.to_svg().contains("?[2J&lt;script&gt;&amp;&#39;"));
}

fn response(status: u16, call_id: &str, method: &str) -> Message {
    let text = format!(
        "SIP/2.0 {status} x\r\nFrom: <sip:a@h>;tag=a\r\nTo: <sip:b@h>;tag=b\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\r\n"
    );
    Message::parse(text.into()).unwrap()
}

fn request(method: &str, from: &str, to: &str, more: &str) -> Message {
    let text = format!(
        "{method} sip:h SIP/2.0\r\nFrom: <sip:a@h>;tag={from}\r\nTo: <sip:b@h>;tag={to}\r\nCall-ID: 1\r\n{more}\r\n"
    );
    Message::parse(text.into()).unwrap()
}

#[test]
fn dialogs_begin_and_end_once() {
    use DialogStep::{Confirmed, Early, Ended};
    let cases: &[(&[Message], &[Option<DialogStep>])] = &[
        (
            &[response(100, "1", "INVITE"), response(180, "1", "INVITE"), response(183, "1", "INVITE")],
            &[None, Some(Early), None],
        ),
        (&[response(180, "1", "INVITE"), response(486, "1", "INVITE")], &[Some(Early), Some(Ended)]),
        // A refused re-INVITE ends nothing; a late 183 makes nothing early again.
        (
            &[response(200, "1", "INVITE"), response(488, "1", "INVITE"), response(183, "1", "INVITE")],
            &[Some(Confirmed), None, None],
        ),
        (&[response(200, "1", "INVITE"), request("BYE", "b", "a", "")], &[Some(Confirmed), Some(Ended)]),
        (&[response(200, "1", "MESSAGE"), request("BYE", "a", "b", "")], &[None, None]),
        (
            &[
                response(200, "1", "SUBSCRIBE"),
                request("NOTIFY", "b", "a", "Subscription-State: active\r\n"),
                request("NOTIFY", "b", "a", "Subscription-State: terminated;reason=timeout\r\n"),
            ],
            &[Some(Confirmed), None, Some(Ended)],
        ),
    ];
    for (messages, expected) in cases {
        let mut dialogs = Dialogs::default();
        let steps: Vec<_> = messages.iter().map(|message| dialogs.on(message).map(|(_, step)| step)).collect();
        assert_eq!(steps, *expected, "{messages:?}");
    }
}

#[test]
fn dialogs_that_are_followed_are_limited() {
    let mut dialogs = Dialogs::default();
    for call in 0..MOST - 1 {
        dialogs.on(&response(180, &format!("call-{call}"), "INVITE"));
    }
    assert_eq!(dialogs.len(), (MOST - 1, MOST - 1));
    dialogs.on(&response(180, "at", "INVITE"));
    assert_eq!(dialogs.len(), (MOST, MOST));
    dialogs.on(&response(180, "above", "INVITE"));
    assert_eq!(dialogs.len(), (MOST, MOST));
    assert!(dialogs.on(&response(486, "call-0", "INVITE")).is_none(), "the oldest is forgotten");
    assert!(dialogs.on(&response(486, "above", "INVITE")).is_some());

    for (length, is_followed) in [(LONGEST - 3, true), (LONGEST - 2, true), (LONGEST - 1, false)] {
        let found = dialogs.on(&response(180, &"c".repeat(length), "INVITE"));
        assert_eq!(found.is_some(), is_followed, "{length}");
    }
}
