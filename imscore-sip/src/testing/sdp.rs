//! Session descriptions for tests.

use std::fmt::Write as _;

/// An offer of one audio stream at 192.0.2.1, port 40000, with AMR-WB, AMR and DTMF events.
pub fn sdp_offer() -> String {
    sdp_offer_at("192.0.2.1", 40_000)
}

/// [`sdp_offer`] with another address and port.
pub fn sdp_offer_at(address: &str, port: u16) -> String {
    let streams = format!(
        "m=audio {port} RTP/AVP 97 98 101\r\na=rtpmap:97 AMR-WB/16000\r\na=rtpmap:98 AMR/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    );
    session(address) + &streams
}

/// An answer that takes every stream of an offer, each with the first format that it lists, on every second port.
pub fn sdp_answer(offer: &str, address: &str, port: u16) -> String {
    let mut answer = session(address);
    let (mut taken, mut ports) = (String::new(), (port..).step_by(2));
    for line in offer.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            let mut words = media.split(' ');
            let (kind, profile) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
            taken = words.next().unwrap_or_default().to_string();
            let port = ports.next().unwrap_or_default();
            let _ = write!(answer, "m={kind} {port} {profile} {taken}\r\n");
        } else if line.strip_prefix("a=rtpmap:").and_then(|map| map.split(' ').next()) == Some(&taken) {
            let _ = write!(answer, "{line}\r\n");
        }
    }
    answer
}

fn session(address: &str) -> String {
    let family = if address.contains(':') { "IP6" } else { "IP4" };
    format!("v=0\r\no=- 1 1 IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_takes_the_first_format_of_each_stream() {
        let offer = sdp_offer_at("2001:db8::1", 40_000) + "m=video 40002 RTP/AVPF 99\r\na=rtpmap:99 H264/90000\r\n";
        assert!(offer.contains("c=IN IP6 2001:db8::1\r\n"));
        assert!(sdp_answer(&offer, "192.0.2.2", 50_000).ends_with(
            "t=0 0\r\nm=audio 50000 RTP/AVP 97\r\na=rtpmap:97 AMR-WB/16000\r\nm=video 50002 RTP/AVPF 99\r\n\
             a=rtpmap:99 H264/90000\r\n"
        ));
    }
}
