//! Messages for tests, as text that is easy to bend.

use std::cell::Cell;
use std::fmt;

use bytes::Bytes;

use crate::header::{Name, tag_of};
use crate::message::{Message, Request, Response, StatusCode};

/// The home network of test identities.
pub const HOME: &str = "ims.example";

thread_local! {
    /// Numbers drafts, so that no two share a branch or a Call-ID.
    static DRAFTS: Cell<u64> = const { Cell::new(0) };
}

fn next_number() -> u64 {
    DRAFTS.with(|drafts| drafts.replace(drafts.get() + 1) + 1)
}

/// Begins the numbers of [`request`] and [`response`] again on this thread, for runs that must be equal.
pub(super) fn restart_numbers() {
    DRAFTS.with(|drafts| drafts.set(0));
}

/// A message that is being written: a start line, headers in order, a body. Nothing in it is checked, so that it can be
/// made as wrong as a test wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    start: String,
    lines: Vec<(String, String)>,
    body: Bytes,
}

/// A request with all that RFC 3261 §8.1.1 asks for, from `alice` on 192.0.2.1 to the target. Branch, Call-ID and tag
/// are numbered by thread, so no two requests of a test share them.
///
/// ```
/// use imscore_sip::testing::{request, sdp_offer};
///
/// let invite = request("INVITE", "sip:bob@ims.example").from("carol").header("Privacy", "id").sdp(sdp_offer()).request();
/// assert_eq!(invite.headers.raw("Privacy"), Some(&b"id"[..]));
/// assert!(invite.headers.raw("From").is_some_and(|from| from.starts_with(b"<sip:carol@ims.example>;tag=")));
/// ```
pub fn request(method: &str, target: &str) -> Draft {
    Draft::request_numbered(method, target, &format!("test{}", next_number()))
}

/// A response to a request as it was received: its Via, From, To, Call-ID and CSeq, a To tag unless the status is 100,
/// Record-Route in what may set up a dialog, and a Contact where that needs one.
pub fn response(request: &Request, status: u16) -> Draft {
    Draft::response_tagged(request, status, &format!("test{}", next_number()))
}

impl Draft {
    /// A request whose branch, Call-ID and tag are made from `unique`.
    pub(super) fn request_numbered(method: &str, target: &str, unique: &str) -> Draft {
        let sent_by = "192.0.2.1:5060";
        let draft = Draft { start: format!("{method} {target} SIP/2.0"), lines: Vec::new(), body: Bytes::new() }
            .header("Via", format!("SIP/2.0/UDP {sent_by};branch=z9hG4bK{unique}"))
            .header("Max-Forwards", "70")
            .header("From", format!("<sip:alice@{HOME}>;tag={unique}"))
            .header("To", format!("<{target}>"))
            .header("Call-ID", unique)
            .header("CSeq", format!("1 {method}"));
        match method {
            "INVITE" | "SUBSCRIBE" | "REGISTER" | "UPDATE" | "REFER" | "NOTIFY" => {
                draft.header("Contact", format!("<sip:alice@{sent_by}>"))
            }
            _ => draft,
        }
    }

    /// A response whose To has that tag, unless it has one or needs none.
    ///
    /// # Panics
    /// On a status outside 100 to 699.
    #[track_caller]
    pub(super) fn response_tagged(request: &Request, status: u16, tag: &str) -> Draft {
        let status = StatusCode::new(status).unwrap_or_else(|| panic!("{status} is no status"));
        let mut reply = request.reply(status);
        if status != StatusCode::TRYING {
            reply.set_to_tag(tag);
        }
        let draft = Draft::of(&Message::Response(reply));
        let sets_up = ["INVITE", "SUBSCRIBE", "UPDATE", "REFER", "NOTIFY"].contains(&request.method().as_str());
        match sets_up && status != StatusCode::TRYING && status.code() < 300 {
            true => draft.header("Contact", "<sip:bob@192.0.2.2:5060>"),
            false => draft,
        }
    }

    /// A draft of what a message says, without its Content-Length.
    pub fn of(message: &Message) -> Draft {
        let (start, body) = match message {
            Message::Request(request) => (format!("{} {} SIP/2.0", request.method(), request.target()), request.body()),
            Message::Response(response) => {
                let reason = String::from_utf8_lossy(response.reason()).into_owned();
                (format!("SIP/2.0 {} {reason}", response.status()), response.body())
            }
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let lines = message.headers().iter().map(|(name, value)| (text(name), text(value)));
        Draft { start, lines: lines.collect(), body }.without("Content-Length")
    }

    /// Puts one line in place of all of that name, where the first of them stood.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Draft {
        match self.position(name) {
            None => self.lines.push((name.into(), value.into())),
            Some(at) => {
                self.lines[at].1 = value.into();
                let mut index = 0;
                self.lines.retain(|(other, _)| {
                    index += 1;
                    index - 1 <= at || !same(other, name)
                });
            }
        }
        self
    }

    /// Adds a line behind all others.
    #[must_use]
    pub fn add(mut self, name: &str, value: impl Into<String>) -> Draft {
        self.lines.push((name.into(), value.into()));
        self
    }

    /// Takes all lines of that name away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Draft {
        self.lines.retain(|(other, _)| !same(other, name));
        self
    }

    /// Another Request-URI.
    #[must_use]
    pub fn target(mut self, target: &str) -> Draft {
        let method = self.start.split(' ').next().unwrap_or_default();
        self.start = format!("{method} {target} SIP/2.0");
        self
    }

    /// Who sends it: a user of [`HOME`], or a whole URI. The tag stays.
    #[must_use]
    pub fn from(self, who: &str) -> Draft {
        self.address("From", who)
    }

    /// Who is to get it: a user of [`HOME`], or a whole URI. The tag stays.
    #[must_use]
    pub fn to(self, who: &str) -> Draft {
        self.address("To", who)
    }

    /// Puts an address in From or To: a user of [`HOME`], a URI, or a whole value. A tag that stands there stays, unless
    /// the value brings one.
    #[must_use]
    pub(super) fn address(self, name: &str, who: &str) -> Draft {
        let value = if who.contains('<') { who.to_string() } else { format!("<{}>", identity(who)) };
        match self.value(name).and_then(|before| tag_of(before.as_bytes()).map(<[u8]>::to_vec)) {
            Some(tag) if tag_of(value.as_bytes()).is_none() => {
                let tag = String::from_utf8_lossy(&tag).into_owned();
                self.header(name, format!("{value};tag={tag}"))
            }
            _ => self.header(name, value),
        }
    }

    /// The tag of To, in place of one that stands there.
    #[must_use]
    pub fn to_tag(self, tag: &str) -> Draft {
        let bare = self.value("To").map(|to| to.split(";tag=").next().unwrap_or_default().to_string());
        self.header("To", format!("{};tag={tag}", bare.unwrap_or_default()))
    }

    /// The top Via: transport and sent-by, `"TCP 192.0.2.1:5060"`. The branch stays.
    #[must_use]
    pub fn via(self, sent_by: &str) -> Draft {
        let branch = self.value("Via").and_then(|via| via.split_once(";branch=")).map(|(_, branch)| branch.to_string());
        self.header("Via", format!("SIP/2.0/{sent_by};branch={}", branch.unwrap_or_default()))
    }

    /// The CSeq number; the method stays.
    #[must_use]
    pub fn cseq(self, number: u32) -> Draft {
        let method = self.value("CSeq").and_then(|cseq| cseq.split_once(' ')).map(|(_, method)| method.to_string());
        self.header("CSeq", format!("{number} {}", method.unwrap_or_default()))
    }

    /// A session description as body.
    #[must_use]
    pub fn sdp(self, description: impl Into<Bytes>) -> Draft {
        self.body("application/sdp", description)
    }

    /// A body, in place of one that is there. Without a type and bytes: none.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Draft {
        self.body = body.into();
        match content_type.is_empty() {
            true => self.without("Content-Type"),
            false => self.header("Content-Type", content_type),
        }
    }

    /// The value of the first line of that name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.position(name).map(|at| self.lines[at].1.as_str())
    }

    /// The message as a value.
    ///
    /// # Panics
    /// Where the draft is no message.
    #[track_caller]
    pub fn message(&self) -> Message {
        Message::parse(self.bytes()).unwrap_or_else(|error| panic!("{error} of\n{self}"))
    }

    /// The request as a value.
    ///
    /// # Panics
    /// Where the draft is none.
    #[track_caller]
    pub fn request(&self) -> Request {
        match self.message() {
            Message::Request(request) => request,
            Message::Response(_) => panic!("no request:\n{self}"),
        }
    }

    /// The response as a value.
    ///
    /// # Panics
    /// Where the draft is none.
    #[track_caller]
    pub fn response(&self) -> Response {
        match self.message() {
            Message::Response(response) => response,
            Message::Request(_) => panic!("no response:\n{self}"),
        }
    }

    /// The bytes, with a Content-Length unless the draft has one.
    pub fn bytes(&self) -> Bytes {
        let mut out = self.head().into_bytes();
        out.extend_from_slice(&self.body);
        out.into()
    }

    fn head(&self) -> String {
        let mut head = format!("{}\r\n", self.start);
        for (name, value) in &self.lines {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.position("Content-Length").is_none() {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head + "\r\n"
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.lines.iter().position(|(other, _)| same(other, name))
    }
}

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head())?;
        f.write_str(&String::from_utf8_lossy(&self.body))
    }
}

/// The URI of a test identity: a user of [`HOME`] by name, or a URI as it stands.
pub(super) fn identity(who: &str) -> String {
    match who.split_once(':') {
        Some(("sip" | "sips" | "tel" | "urn", _)) => who.to_string(),
        _ if who.contains('@') => format!("sip:{who}"),
        _ => format!("sip:{who}@{HOME}"),
    }
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || Name::find(one.as_bytes()).is_some_and(|name| Some(name) == Name::find(other.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_requests_share_what_must_be_unique() {
        let (one, other) = (request("INVITE", "sip:bob@ims.example"), request("INVITE", "sip:bob@ims.example"));
        for name in ["Via", "From", "Call-ID"] {
            assert_ne!(one.value(name), other.value(name));
        }
        restart_numbers();
        let again = [request("OPTIONS", "sip:a@b"), request("OPTIONS", "sip:a@b")];
        restart_numbers();
        assert_eq!(again, [request("OPTIONS", "sip:a@b"), request("OPTIONS", "sip:a@b")]);
    }

    #[test]
    fn lines_are_put_added_and_taken_away() {
        let draft = request("INVITE", "sip:bob@ims.example").header("f", "<sip:a@b>;tag=1").from("tel:+1555");
        assert_eq!(draft.value("From"), Some("<tel:+1555>;tag=1"));
        let draft = draft.add("Route", "<sip:a;lr>").add("Route", "<sip:b;lr>").header("Route", "<sip:c;lr>");
        assert_eq!(draft.to_string().matches("Route: ").count(), 1);
        let draft = draft.without("Max-Forwards").cseq(7).via("TCP 192.0.2.9").to("bob").to_tag("x").to_tag("y");
        assert_eq!(draft.value("Max-Forwards"), None);
        assert_eq!(draft.value("CSeq"), Some("7 INVITE"));
        assert!(draft.value("Via").is_some_and(|via| via.starts_with("SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK")));
        assert_eq!(draft.value("To"), Some("<sip:bob@ims.example>;tag=y"));
    }

    #[test]
    fn a_response_goes_back_the_way_of_its_request() {
        let invite = request("INVITE", "sip:bob@ims.example").add("Record-Route", "<sip:p;lr>").request();
        let ringing = response(&invite, 180);
        assert_eq!(ringing.value("Via").map(str::as_bytes), invite.headers.raw("Via"));
        assert_eq!(ringing.value("Record-Route"), Some("<sip:p;lr>"));
        assert!(ringing.value("To").is_some_and(|to| to.contains(";tag=")) && ringing.value("Contact").is_some());
        let trying = response(&invite, 100);
        assert!(trying.value("To").is_some_and(|to| !to.contains(";tag=")) && trying.value("Contact").is_none());
        assert_eq!(ringing.response().status(), StatusCode::RINGING);
    }

    #[test]
    fn a_body_brings_its_length() {
        let message = request("MESSAGE", "sip:bob@ims.example").body("text/plain", "hello").request();
        assert_eq!((message.body(), message.headers.raw("l")), ("hello".into(), Some(&b"5"[..])));
        let lying = request("MESSAGE", "sip:bob@ims.example").body("text/plain", "hello").header("Content-Length", "2");
        assert_eq!(lying.request().body(), "he");
    }
}
