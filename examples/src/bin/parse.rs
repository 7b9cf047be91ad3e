//! Shows what is in a SIP message: how to read one, and to ask for its headers.
//!
//! ```text
//! cargo run --bin parse                 a message of its own
//! cargo run --bin parse -- invite.sip   one from a file
//! … | cargo run --bin parse -- -        one from the standard input
//! ```

use std::fmt::Display;
use std::io::Read;
use std::path::PathBuf;

use clap::Parser;
use imscore_sip::header::{CSeq, CallId, Contact, From, MaxForwards, RecordRoute, Route, To, TypedHeader, Via};
use imscore_sip::sdp::SessionDescription;
use imscore_sip::{Headers, Message, StatusCode};

const SAMPLE: &str = "INVITE tel:+12015550123 SIP/2.0\r\n\
    Via: SIP/2.0/TCP 192.0.2.1:5062;branch=z9hG4bK74bf9;rport, SIP/2.0/UDP [2001:db8::9];branch=z9hG4bKnashds\r\n\
    Max-Forwards: 70\r\n\
    Route: <sip:pcscf.ims.example;lr>, <sip:orig@scscf.ims.example;lr>\r\n\
    f: \"Alice \\\"A.\\\"\" <sip:alice@ims.example>;tag=9fxced76sl\r\n\
    t: <tel:+12015550123>\r\n\
    i: 3848276298220188511@192.0.2.1\r\n\
    CSeq: 1 INVITE\r\n\
    m: <sip:alice@192.0.2.1:5062;transport=tcp>;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"\r\n\
    X-Badge: unknown headers survive,\r\n  folded or not\r\n\
    c: application/sdp\r\n\
    l: 131\r\n\r\n\
    v=0\r\no=alice 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 49170 RTP/AVP 96\r\na=rtpmap:96 AMR-WB/16000\r\na=sendrecv\r\n";

/// Shows what is in a SIP message.
#[derive(Parser)]
struct Flags {
    /// File with one message; - is the standard input. Without it a sample is shown.
    file: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let bytes = match Flags::parse().file {
        None => SAMPLE.into(),
        Some(file) if file.as_os_str() == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes)?;
            bytes
        }
        Some(file) => std::fs::read(file)?,
    };
    // One pass finds the lines. A typed header is decoded when somebody asks for it, and not before.
    let message = Message::parse(bytes.into())?;
    let (what, body) = match &message {
        Message::Request(request) => (format!("{} {}", request.method(), request.target()), request.body()),
        Message::Response(response) => {
            (format!("{} {}", response.status(), String::from_utf8_lossy(response.reason())), response.body())
        }
    };
    println!("{what}");
    show(&message, |via: Via| format!("{} {} branch {}", via.transport(), via.host(), via.branch().unwrap_or("-")));
    show(&message, |hops: MaxForwards| hops);
    show(&message, |route: Route| route.uri().clone());
    show(&message, |route: RecordRoute| route.uri().clone());
    show(&message, |from: From| format!("{} {}", from.display_name().unwrap_or_default(), from.uri()));
    show(&message, |to: To| format!("{} {}", to.uri(), to.tag().unwrap_or("outside a dialog")));
    show(&message, |call_id: CallId| call_id);
    show(&message, |cseq: CSeq| format!("{} of {}", cseq.number, cseq.method));
    show(&message, |contact: Contact| match (contact.uri(), contact.instance()) {
        (Some(uri), Some(instance)) => format!("{uri} of {instance}"),
        (Some(uri), None) => uri.to_string(),
        (None, _) => "every one".to_owned(),
    });
    if let Some(badge) = message.headers().raw("X-Badge") {
        println!("{:>14}  {}", "X-Badge", String::from_utf8_lossy(badge));
    }

    if let Ok(session) = SessionDescription::parse(body) {
        for media in session.media() {
            println!("{:>14}  {} to port {}, {}", "media", media.kind(), media.port(), media.direction().as_str());
        }
    }
    // A reply is built from the request; what it copies is copied byte for byte.
    if let Message::Request(request) = message {
        let ringing = request.reply(StatusCode::RINGING).with_to_tag("314159");
        println!("\n{}", String::from_utf8_lossy(&ringing.to_bytes()));
    }
    Ok(())
}

/// All values of a header: repeated lines and comma lists alike. One that cannot be read hinders none of the others.
fn show<H: TypedHeader, D: Display>(message: &Message, describe: impl Fn(H) -> D) {
    let headers: &Headers = message.headers();
    for value in headers.typed::<H>() {
        match value {
            Ok(value) => println!("{:>14}  {}", H::NAME.as_str(), describe(value)),
            Err(error) => println!("{:>14}  {error}", H::NAME.as_str()),
        }
    }
}
