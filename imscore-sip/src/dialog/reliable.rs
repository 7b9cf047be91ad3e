//! Reliable provisional responses (RFC 3262), both sides.

use super::Repetition;
use crate::header::{RAck, RSeq, Require};
use crate::message::{Method, Request, Response};

/// The side that answers: numbers its reliable responses, keeps the one that waits for its PRACK, and sends no other before
/// that has come (RFC 3262 §3).
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use imscore_sip::dialog::{Received, Reliable, Repetition};
/// use imscore_sip::header::CSeq;
/// use imscore_sip::{Method, Request, StatusCode};
///
/// let cseq = CSeq { number: 1, method: Method::Invite };
/// let invite = Request::new(&Method::Invite, "sip:bob@ims.example").with(cseq);
/// let mut callee = Reliable::new(41);
/// let repetition = Repetition::new(Duration::from_millis(500), None, Instant::now());
/// let ringing = callee.send(&invite.reply(StatusCode::RINGING), repetition).ok_or("one waits")?;
///
/// let rack = Received::default().next(&ringing).ok_or("not reliable")?;
/// assert_eq!(rack.response, 42);
/// let prack = Request::new(&Method::Prack, "sip:bob@192.0.2.2").with(rack);
/// assert!(callee.acknowledge(&prack));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reliable {
    next: u32,
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    acknowledged: RAck,
    response: Box<Response>,
    repetition: Repetition,
}

impl Reliable {
    /// With a first number from 1 to 2^31 - 1, made of that random one (RFC 3262 §3).
    pub fn new(random: u64) -> Reliable {
        Reliable { next: (random % ((1 << 31) - 1)) as u32 + 1, waiting: None }
    }

    /// Makes a provisional response to an INVITE reliable and keeps it for repetition. `None`: the one before it still waits,
    /// or it has no CSeq.
    pub fn send(&mut self, response: &Response, repetition: Repetition) -> Option<Response> {
        let number = response.headers.cseq().ok()?.number;
        if self.waiting.is_some() {
            return None;
        }
        let response = response.clone().with(Require::from("100rel")).with(RSeq(self.next));
        let acknowledged = RAck { response: self.next, number, method: Method::Invite };
        self.next = self.next.wrapping_add(1);
        self.waiting = Some(Waiting { acknowledged, response: Box::new(response.clone()), repetition });
        Some(response)
    }

    /// True for the PRACK that is waited for. One for anything else gets 481 (RFC 3262 §3).
    pub fn acknowledge(&mut self, prack: &Request) -> bool {
        let awaited = self.waiting.as_ref().map(|waiting| &waiting.acknowledged);
        let is_awaited = awaited.is_some() && prack.headers.first::<RAck>().ok().as_ref() == awaited;
        if is_awaited {
            self.waiting = None;
        }
        is_awaited
    }

    /// The response that waits, and when it is repeated.
    pub fn waiting(&self) -> Option<(&Response, Repetition)> {
        self.waiting.as_ref().map(|waiting| (&*waiting.response, waiting.repetition))
    }

    /// True where the response that waits has a body: then the 2xx waits for its PRACK too (RFC 3262 §3).
    pub fn holds_success(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| !waiting.response.body().is_empty())
    }

    /// The moment of the repetition has come: the response to repeat. `None`: its time is over, and the INVITE gets a 504
    /// (RFC 3262 §3 wants a 5xx).
    pub fn again(&mut self) -> Option<&Response> {
        let waiting = self.waiting.as_mut()?;
        waiting.repetition.again()?;
        Some(&waiting.response)
    }

    /// Nothing waits any more: there is a final response.
    pub fn stop(&mut self) {
        self.waiting = None;
    }
}

/// The side that asked: which reliable response of an early dialog is the next (RFC 3262 §4).
#[derive(Clone, Copy, Debug, Default)]
pub struct Received {
    last: Option<u32>,
}

impl Received {
    /// What a PRACK is to acknowledge. `None`: the response is not reliable, came before, or came before one that is missing;
    /// the latter two are to be dropped.
    pub fn next(&mut self, response: &Response) -> Option<RAck> {
        let number = reliable(response)?;
        let RSeq(found) = response.headers.first().ok()?;
        if self.last.is_some_and(|last| last.checked_add(1) != Some(found)) {
            return None;
        }
        self.last = Some(found);
        Some(RAck { response: found, number, method: Method::Invite })
    }
}

/// The CSeq number of a provisional response that is reliable: other than 100, with `100rel` and RSeq (RFC 3262 §4).
fn reliable(response: &Response) -> Option<u32> {
    let is_reliable = (101..200).contains(&response.status().code()) && response.headers.requires("100rel");
    let cseq = response.headers.cseq().ok().filter(|cseq| cseq.method == Method::Invite)?;
    is_reliable.then_some(cseq.number)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::message::StatusCode;
    use crate::testing::{self, Clock};

    fn invite() -> Request {
        testing::request("INVITE", "sip:bob@ims.example").request()
    }

    fn prack(text: &str) -> Request {
        testing::request("PRACK", "sip:bob@192.0.2.2").header("RAck", text).request()
    }

    #[test]
    fn one_response_waits_at_a_time() {
        let now = Clock::new().now().monotonic;
        let repetition = Repetition::new(Duration::from_millis(500), None, now);
        let mut reliable = Reliable::new(u64::MAX);
        let progress = invite().reply(StatusCode::SESSION_PROGRESS);
        let sent = reliable.send(&progress, repetition).unwrap();
        let RSeq(number) = sent.headers.first().unwrap();
        assert!(number > 0 && number < 1 << 31 && sent.headers.requires("100rel"));
        assert!(reliable.send(&progress, repetition).is_none());
        assert!(!reliable.holds_success());
        for (text, expected) in [
            (format!("{} 1 INVITE", number + 1), false),
            (format!("{number} 2 INVITE"), false),
            (format!("{number} 1 UPDATE"), false),
            ("x".to_owned(), false),
            (format!("{number} 1 INVITE"), true),
            (format!("{number} 1 INVITE"), false),
        ] {
            assert_eq!(reliable.acknowledge(&prack(&text)), expected, "{text}");
        }
        let sent = reliable.send(&progress.with_body("application/sdp", "v=0"), repetition).unwrap();
        assert_eq!(sent.headers.first(), Ok(RSeq(number + 1)));
        assert!(reliable.holds_success());
        for _ in 0..6 {
            assert!(reliable.again().is_some());
        }
        assert!(reliable.again().is_none());
    }

    /// RFC 3262 §4.
    #[test]
    fn responses_are_acknowledged_in_order_and_once() {
        let reliable = |number: &str| {
            let draft = testing::response(&invite(), 183).header("Require", "100rel").header("RSeq", number);
            draft.response()
        };
        let mut received = Received::default();
        let mut next = |response: &Response| received.next(response).map(|next| next.to_string());
        assert_eq!(next(&testing::response(&invite(), 183).response()), None);
        assert_eq!(next(&reliable("x")), None);
        assert_eq!(next(&reliable("4294967294")), Some("4294967294 1 INVITE".into()));
        assert_eq!(next(&reliable("4294967294")), None);
        assert_eq!(next(&reliable("1")), None);
        assert_eq!(next(&reliable("4294967295")), Some("4294967295 1 INVITE".into()));
        assert_eq!(next(&reliable("0")), None);
    }
}
