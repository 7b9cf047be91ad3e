//! Session descriptions that overflowed other agents, in offers to one of ours and in answers to it.

use imscore_sip::sdp::{Direction, Media, MediaAnswer, SessionDescription, format_parameters};
use imscore_sip::testing::Clock;
use imscore_sip::ua::{Config, Event, UserAgent};
use imscore_sip::{Message, Now};

use super::rig::{Rig, STRANGER, answer, config, flow, request};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

/// All that a phone asks a section for before it plays it; sums that would overflow panic.
fn look(media: &Media<'_>) -> u32 {
    let ptime = media.ptime().unwrap_or(20);
    let mut sum = u32::from(ptime) * 8 + u32::from(media.max_ptime().unwrap_or_default());
    for format in media.formats() {
        sum += format_parameters(media.fmtp(format).unwrap_or_default()).count() as u32;
        let codec = format.parse().ok().and_then(|payload| media.codec(payload));
        sum += codec.map_or(0, |codec| (u64::from(codec.clock_rate) * u64::from(ptime) / 1_000) as u32 % 1_000);
    }
    sum + u32::from(media.rtcp().map_or(0, |rtcp| rtcp.port)) + media.cryptos().count() as u32
}

/// Answers each offer with the first format of each section, and says by itself that it is wrong.
fn told(agent: &mut UserAgent, event: Event, now: Now) {
    if let Event::Request { request, call: Some(call), .. } = event {
        let offer = SessionDescription::parse(request.body()).expect("what the owner is told of was read");
        let text = offer.answer([192, 0, 2, 10].into(), (1, 1), |_, media| {
            look(media);
            let formats = media.formats().take(1).map(str::to_owned).collect();
            let attributes = vec!["ptime:65535".to_owned()];
            Some(MediaAnswer { port: 5_000, formats, direction: Direction::SendRecv, attributes })
        });
        let answer = SessionDescription::parse(text).expect("an answer can be read");
        agent.answer(call, &answer, now).expect("it goes with the offer");
    }
}

fn agent() -> Rig<UserAgent> {
    let now = Clock::new().now();
    let mut config = Config::new(config());
    config.proxy = Some(flow(STRANGER).into());
    Rig { engine: UserAgent::new(config, now), now, sent: Vec::new(), told }
}

/// The status that an INVITE with this offer gets, and what becomes of a call of ours that is answered with it: true
/// where it is up.
#[track_caller]
fn fate(media: &str) -> (u16, bool) {
    let sdp = format!("{HEAD}{media}");
    let mut agent = agent();
    let body = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
    let invite = request("INVITE", "offer", &[]).replace("Content-Length: 0\r\n\r\n", &body);
    agent.give(invite.as_bytes(), STRANGER);
    let (statuses, _) = agent.outcome();
    let [status] = statuses[..] else { panic!("{statuses:?}: {media:.60}") };

    let mut caller = self::agent();
    let offer = SessionDescription::audio("192.0.2.10:4000".parse().unwrap());
    let now = caller.now;
    let call = caller.engine.invite(&"sip:bob@ims.example".parse().unwrap(), Some(&offer), now);
    let invite = sent(&mut caller, "INVITE").expect("an INVITE");
    let Message::Request(invite) = invite else { panic!("{invite:?}") };
    let mut ok = answer(&invite, 200).with_body("application/sdp", sdp);
    ok.headers.push_raw("Contact", b"<sip:bob@192.0.2.1>");
    caller.give(&ok.to_bytes(), STRANGER);
    let agreed = caller.engine.agreed(call);
    agreed.iter().flat_map(|agreed| agreed.remote.media()).for_each(|media| assert!(look(&media) < u32::MAX));
    let is_up = agreed.is_some();
    assert!(sent(&mut caller, "ACK").is_some(), "{media:.60}");
    (status, is_up)
}

/// The next request of that method.
fn sent(agent: &mut Rig<UserAgent>, method: &str) -> Option<Message> {
    agent.pass(std::time::Duration::ZERO);
    let mut sent = agent.sent.iter().map(|(_, message)| message);
    sent.find(|message| matches!(message, Message::Request(it) if it.method().as_str() == method)).cloned()
}

/// P9: what is garbage in an attribute is passed over, what is none in a line that must be read is 488 and ends our call;
/// numbers of any size overflow nothing, which tests would show as a panic.
#[test]
fn p09_descriptions_that_overflow() {
    let audio = |lines: &str| format!("m=audio 4000 RTP/AVP 0 96\r\n{lines}");
    for line in [
        "a=fmtp:96",
        "a=fmtp:",
        "a=fmtp: ",
        "a=fmtp",
        "a=fmtp:96 ;;;=;=,=",
        "a=fmtp:4294967296 x",
        "a=rtpmap:96",
        "a=rtpmap:96 /",
        "a=rtpmap:96 x/4294967295/255",
        "a=rtpmap:96 x/4294967296/256",
        "a=rtpmap:-1 x/8000",
        "a=rtpmap:99999999999999999999 x/8000",
        "a=rtpmap: 96  x//",
        "a=ptime:20",
        "a=ptime:65535",
        "a=ptime:65536",
        "a=ptime:0",
        "a=ptime:-1",
        "a=ptime:20\r\na=ptime:65535\r\na=maxptime:1",
        "a=maxptime:18446744073709551616",
        "a=rtcp:65536",
        "a=crypto:99999999999 x y",
        "b=AS:18446744073709551616",
        "a=curr:qos local",
        "a=des:qos mandatory x y z",
        "x=",
        "a=",
    ] {
        assert_eq!(fate(&audio(&format!("{line}\r\n"))), (200, true), "{line}");
    }
    for media in [
        "m=audio 65536 RTP/AVP 0\r\n",
        "m=audio -1 RTP/AVP 0\r\n",
        "m=audio 4000/65536 RTP/AVP 0\r\n",
        "m=audio 4000 RTP/AVP\r\n",
        "m=\r\n",
        "m=audio 4000 RTP/AVP 0\r\nc=IN IP4\r\n",
        "m=audio 4000 RTP/AVP 0\r\na=x\0y\r\n",
        "m=audio 4000 RTP/AVP 0\r\nnonsense\r\n",
        &"m=audio 4000 RTP/AVP 0\r\n".repeat(65),
        &"m=a 1 RTP/AVP 0\r\n".repeat(1_800),
        &audio(&"a=x\r\n".repeat(513)),
    ] {
        assert_eq!(fate(media), (488, false), "{media:.60}");
    }
    // As many as are read: with one section too many for our offer they are no answer to it.
    assert_eq!(fate(&"m=audio 4000 RTP/AVP 0\r\n".repeat(64)), (200, false));
    assert_eq!(fate(&audio(&"a=x\r\n".repeat(512))), (200, true));
    let formats: String = (0..3_000).map(|format| format!(" {format}")).collect();
    assert_eq!(fate(&format!("m=audio 4000 RTP/AVP 0{formats}\r\n")), (200, true));
}
