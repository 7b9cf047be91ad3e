//! Diameter: what is copied is the same bytes, what is read is written and read again, what is refused has an answer.

use std::time::Duration;

use imscore_hss::cx::{
    Answer, LocationInfoAnswer, LocationInfoRequest, MultimediaAuthAnswer, MultimediaAuthRequest, PushProfileAnswer,
    PushProfileRequest, RegistrationTerminationAnswer, RegistrationTerminationRequest, Request, ServerAssignmentAnswer,
    ServerAssignmentRequest, UserAuthorizationAnswer, UserAuthorizationRequest,
};
use imscore_hss::diameter::dictionary::{Kind, TGPP};
use imscore_hss::diameter::{
    ApplicationId, Avps, CommandCode, CommandFlags, DiameterUri, Fault, Framer, Header, Message, Origin, Writer,
};
use imscore_hss::peer::{Arrival, ConnectionId, Output, PeerSettings, Peers, Settings, Transport};

use super::input::Input;

/// A choice, then what it is made of: a stream, a command of Cx with the AVPs that follow, messages to a peer, or a URI.
pub fn diameter(data: &[u8]) {
    let mut input = Input::new(data);
    match input.choice(4) {
        0 => stream(input.rest()),
        1 => command(input),
        2 => peer(input),
        _ => uri(&input.text()),
    }
}

/// The messages of a connection, however it is cut.
fn stream(bytes: &[u8]) {
    let cut = |size: usize| {
        let (mut framer, mut found, mut failed) = (Framer::default(), Vec::new(), None);
        for segment in bytes.chunks(size) {
            framer.push(segment);
            while failed.is_none() {
                match framer.next_frame() {
                    Ok(Some(frame)) => found.push(frame),
                    Ok(None) => break,
                    Err(error) => failed = Some(error),
                }
            }
        }
        (found, failed)
    };
    let whole = cut(bytes.len().max(1));
    assert_eq!(cut(1), whole, "byte by byte");
    for frame in whole.0 {
        message(&Message::parse(frame).expect("what was framed is a message"));
    }
}

fn message(message: &Message) {
    let mut copy = Writer::new(*message.header());
    let mut fault = None;
    for avp in message.avps() {
        match avp {
            Ok(avp) => copy.copy(&avp),
            Err(found) => fault = Some(found),
        }
    }
    match fault {
        // Reserved flags of the header stay as well.
        None => assert_eq!(copy.finish().as_ref(), Ok(message.bytes()), "copied"),
        Some(fault) => refused(message, &fault),
    }
    dive(message.avps());
    let _ = format!("{message:?}");
}

/// Groups within groups, as deep as is allowed.
fn dive(avps: Avps<'_>) {
    for avp in avps.map_while(Result::ok) {
        if avp.definition().is_some_and(|definition| definition.kind == Kind::Grouped) {
            dive(avp.avps());
        }
    }
}

fn refused(message: &Message, fault: &Fault) {
    let answer = message.refuse(fault, &Origin::new("hss.ims.example", "ims.example"));
    let answer = Message::parse(answer).expect("a refusal is a message");
    assert!(answer.avps().all(|avp| avp.is_ok()), "{answer:?}");
    assert!(answer.header().is_error() && !answer.header().is_request());
}

/// Reads a command; what was read is written, and read again it is the same.
macro_rules! again {
    ($message:ident, $around:ident<$command:ty>) => {
        match $around::<$command>::read($message) {
            Err(fault) => refused($message, &fault),
            Ok(read) => {
                // Padding that was left out is written, and may be what makes it too long.
                let Some(bytes) = written!($around, read, $message) else { return };
                let written = Message::parse(bytes).expect("what was written is a message");
                assert_eq!($around::<$command>::read(&written).as_ref(), Ok(&read));
            }
        }
    };
}

macro_rules! written {
    (Request, $read:ident, $message:ident) => {
        $read.encode().ok()
    };
    (Answer, $read:ident, $message:ident) => {
        $read.encode($message.header()).ok()
    };
}

/// A command of Cx: the bytes say which, and whether it is a request; the AVPs follow.
fn command(mut input: Input<'_>) {
    let (which, request) = (input.choice(6), input.choice(2) == 0);
    let code = CommandCode(CommandCode::USER_AUTHORIZATION.0 + which as u32);
    let flags = CommandFlags::PROXIABLE;
    let header = Header::request(code, ApplicationId::CX, flags);
    let header = if request { header } else { header.answer() };
    let avps = input.rest();
    let mut out = Writer::new(header);
    out.bytes(avps);
    out.bytes(&[0; 3][..avps.len().wrapping_neg() % 4]);
    let Ok(bytes) = out.finish() else { return };
    let message = Message::parse(bytes).expect("what was written is a message");
    let message = &message;
    match (code, request) {
        (CommandCode::USER_AUTHORIZATION, true) => again!(message, Request<UserAuthorizationRequest<'_>>),
        (CommandCode::USER_AUTHORIZATION, false) => again!(message, Answer<UserAuthorizationAnswer<'_>>),
        (CommandCode::SERVER_ASSIGNMENT, true) => again!(message, Request<ServerAssignmentRequest<'_>>),
        (CommandCode::SERVER_ASSIGNMENT, false) => again!(message, Answer<ServerAssignmentAnswer<'_>>),
        (CommandCode::LOCATION_INFO, true) => again!(message, Request<LocationInfoRequest<'_>>),
        (CommandCode::LOCATION_INFO, false) => again!(message, Answer<LocationInfoAnswer<'_>>),
        (CommandCode::MULTIMEDIA_AUTH, true) => again!(message, Request<MultimediaAuthRequest<'_>>),
        (CommandCode::MULTIMEDIA_AUTH, false) => again!(message, Answer<MultimediaAuthAnswer<'_>>),
        (CommandCode::REGISTRATION_TERMINATION, true) => again!(message, Request<RegistrationTerminationRequest<'_>>),
        (CommandCode::REGISTRATION_TERMINATION, false) => again!(message, Answer<RegistrationTerminationAnswer<'_>>),
        (_, true) => again!(message, Request<PushProfileRequest<'_>>),
        (_, false) => again!(message, Answer<PushProfileAnswer>),
    }
}

/// From nowhere in particular.
const ARRIVAL: Arrival = Arrival { from: None, transport: Transport::Tcp };

/// Frames to a peer: on a connection of ours, and on one from outside.
fn peer(mut input: Input<'_>) {
    let peers = vec![
        PeerSettings::connect("a.ims.example", "ims.example", "a"),
        PeerSettings::accept("z.ims.example", "ims.example"),
    ];
    let origin = Origin::new("m.ims.example", "ims.example");
    let mut peers = Peers::new(Settings::new(origin, vec![(TGPP, ApplicationId::CX)], peers), 1, 0);
    let mut now = Duration::ZERO;
    peers.start(now);
    let mut connections = vec![ConnectionId(1)];
    peers.handle_connected(ConnectionId(1), now);
    for _ in 0..input.choice(8) {
        match input.choice(4) {
            0 => connections.extend(peers.handle_accepted(ARRIVAL, now)),
            1 => now += Duration::from_secs(u64::from(input.byte())),
            2 => peers.handle_lost(input.pick(&connections), now),
            _ => peers.handle_timeout(now),
        }
    }
    let mut framer = Framer::default();
    framer.push(input.rest());
    let mut turn = 0;
    loop {
        loop {
            match peers.poll_output() {
                Output::Wait(_) => break,
                Output::Transmit { bytes, .. } => drop(Message::parse(bytes).expect("what is sent is a message")),
                Output::Connect { .. } | Output::Close(_) | Output::Event(_) => {}
            }
        }
        let Ok(Some(frame)) = framer.next_frame() else { return };
        let message = Message::parse(frame).expect("what was framed is a message");
        turn += 1;
        peers.handle_message(connections[turn % connections.len()], message, now);
    }
}

fn uri(text: &str) {
    if let Ok(uri) = text.parse::<DiameterUri>() {
        assert_eq!(uri.to_string().parse(), Ok(uri));
    }
}
