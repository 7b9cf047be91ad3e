//! Strict validation: everything in a message that its specifications do not allow, or do not go without.
//!
//! Nothing on the way of a message asks for it. A proxy forwards what it does not understand, and a server refuses what
//! [`Request::check`](super::Request::check) finds; this is for whoever wants to know more: a test of a phone, a trace, a
//! border to a network that is known for bad messages.

use super::{Headers, Message, Method, Rejection, Request, Response};
use crate::header::{CSeq, Cause, HeaderError, Name};

impl Message {
    /// What is wrong with the message, each thing once; empty for one that keeps to its specifications as far as they are
    /// known here.
    ///
    /// ```
    /// use imscore_sip::Message;
    /// use imscore_sip::header::{Cause, Name};
    ///
    /// let text = "SUBSCRIBE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
    ///     To: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 SUBSCRIBE\r\nMax-Forwards: 70\r\nContact: <sip:a@h>\r\n\
    ///     Accept: reginfo\r\n\r\n";
    /// let found = Message::parse(text.into())?.validate();
    /// let found: Vec<_> = found.iter().map(|violation| violation.to_string()).collect();
    /// assert_eq!(found, ["Event header is missing", "Accept header is malformed"]);
    /// # Ok::<(), imscore_sip::ParseError>(())
    /// ```
    pub fn validate(&self) -> Vec<Rejection> {
        let mut found = Vec::new();
        match self {
            Message::Request(request) => request.violations(&mut |violation| note(&mut found, violation)),
            Message::Response(response) => response.violations(&mut |violation| note(&mut found, violation)),
        }
        self.headers().undecodable().for_each(|error| note(&mut found, error.into()));
        found
    }
}

fn note(found: &mut Vec<Rejection>, violation: Rejection) {
    if !found.contains(&violation) {
        found.push(violation);
    }
}

impl Request {
    fn violations(&self, found: &mut dyn FnMut(Rejection)) {
        self.check().err().into_iter().for_each(&mut *found);
        let own: &[Name] = match self.method() {
            Method::Register | Method::Ack | Method::Bye | Method::Cancel | Method::Options | Method::Message => &[],
            // RFC 3261 §8.1.1.8, RFC 3311 §5.1
            Method::Invite | Method::Update => &[Name::CONTACT],
            // RFC 6665 §8.2, RFC 3903
            Method::Subscribe => &[Name::CONTACT, Name::EVENT],
            Method::Notify => &[Name::CONTACT, Name::EVENT, Name::SUBSCRIPTION_STATE],
            Method::Publish => &[Name::EVENT],
            // RFC 3515 §2.4.1
            Method::Refer => &[Name::CONTACT, Name::REFER_TO],
            // RFC 3262 §7.2
            Method::Prack => &[Name::RACK],
            Method::Info | Method::Extension(_) => &[],
        };
        // RFC 3261 §8.1.1
        wanted(&self.headers, &[Name::MAX_FORWARDS], found);
        wanted(&self.headers, own, found);
        body(&self.headers, self.body().is_empty(), found);
    }
}

impl Response {
    fn violations(&self, found: &mut dyn FnMut(Rejection)) {
        self.check().err().into_iter().for_each(&mut *found);
        let own: &[Name] = match self.status().code() {
            // RFC 3261 §21.4.2, §21.4.6, §21.4.8, §21.4.15 to §21.4.17
            401 => &[Name::WWW_AUTHENTICATE],
            405 => &[Name::ALLOW],
            407 => &[Name::PROXY_AUTHENTICATE],
            420 => &[Name::UNSUPPORTED],
            421 => &[Name::REQUIRE],
            // RFC 4028 §6
            422 => &[Name::MIN_SE],
            423 => &[Name::MIN_EXPIRES],
            // RFC 6665 §8.3.2
            489 => &[Name::ALLOW_EVENTS],
            // RFC 3329
            494 => &[Name::SECURITY_SERVER],
            _ => &[],
        };
        wanted(&self.headers, own, found);
        if let Ok(CSeq { method, .. }) = self.headers.cseq()
            && self.status().is_success()
        {
            let of_method: &[Name] = match method {
                // RFC 3261 §12.1.1, RFC 3311 §5.2
                Method::Invite | Method::Update => &[Name::CONTACT],
                // RFC 6665 §4.2.1.1
                Method::Subscribe => &[Name::CONTACT, Name::EXPIRES],
                // RFC 3903
                Method::Publish => &[Name::EXPIRES, Name::SIP_ETAG],
                Method::Register
                | Method::Ack
                | Method::Bye
                | Method::Cancel
                | Method::Options
                | Method::Message
                | Method::Notify
                | Method::Refer
                | Method::Prack
                | Method::Info
                | Method::Extension(_) => &[],
            };
            wanted(&self.headers, of_method, found);
        }
        // RFC 3262 §3
        if self.status().is_provisional() && self.headers.requires("100rel") {
            wanted(&self.headers, &[Name::RSEQ], found);
        }
        body(&self.headers, self.body().is_empty(), found);
    }
}

/// Headers that must be there.
fn wanted(headers: &Headers, names: &[Name], found: &mut dyn FnMut(Rejection)) {
    for name in names.iter().filter(|name| !headers.contains(**name)) {
        found(HeaderError { name: *name, cause: Cause::Missing }.into());
    }
}

/// RFC 3261 §20.15: a body has a type.
fn body(headers: &Headers, is_empty: bool, found: &mut dyn FnMut(Rejection)) {
    if !is_empty {
        wanted(headers, &[Name::CONTENT_TYPE], found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: 1\r\n";

    /// What is found in a message of that first line, method and further lines.
    fn check(start: &str, method: &str, behind: &str, expected: &[&str]) {
        let text = format!("{start}\r\n{HEAD}CSeq: 1 {method}\r\n{behind}");
        let found: Vec<String> =
            Message::parse(text.clone().into()).unwrap().validate().iter().map(Rejection::to_string).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn requests() {
        let request = |method: &str, lines: &str, expected: &[&str]| {
            check(&format!("{method} sip:b@h SIP/2.0"), method, &format!("Max-Forwards: 70\r\n{lines}"), expected);
        };
        request("OPTIONS", "\r\n", &[]);
        request("INVITE", "m: <sip:a@h>\r\n\r\n", &[]);
        request("INVITE", "\r\n", &["Contact header is missing"]);
        request("NOTIFY", "m: <sip:a@h>\r\n\r\n", &["Event header is missing", "Subscription-State header is missing"]);
        request("REFER", "\r\n", &["Contact header is missing", "Refer-To header is missing"]);
        request("PRACK", "RAck: 1 x\r\n\r\n", &["RAck header is malformed"]);
        request("PUBLISH", "Event: presence\r\n\r\nbody", &["Content-Type header is missing"]);
        request(
            "X",
            "X-Own: \u{1f600}\r\nReplaces: ;\r\nRequire: a,,b\r\n\r\n",
            &["Replaces header is malformed", "Require header is malformed"],
        );
        check("OPTIONS sip:b@h SIP/2.0", "OPTIONS", "\r\n", &["Max-Forwards header is missing"]);
        let malformed = "Max-Forwards: x\r\n\r\n";
        check("OPTIONS sip:b@h SIP/2.0", "OPTIONS", malformed, &["Max-Forwards header is malformed"]);
        check(
            "OPTIONS sip:b@h?x=y SIP/2.0",
            "BYE",
            "Max-Forwards: 256\r\n\r\n",
            &["Request-URI has malformed headers", "Max-Forwards header holds a number that is too large"],
        );
    }

    #[test]
    fn responses() {
        for (status, method, lines, expected) in [
            ("100 Trying", "INVITE", "", &[][..]),
            ("183 Session Progress", "INVITE", "Require: 100rel\r\n", &["RSeq header is missing"]),
            ("200 OK", "BYE", "", &[]),
            ("200 OK", "INVITE", "", &["Contact header is missing"]),
            ("200 OK", "SUBSCRIBE", "m: <sip:b@h>\r\n", &["Expires header is missing"]),
            ("401 Unauthorized", "REGISTER", "", &["WWW-Authenticate header is missing"]),
            ("407 x", "INVITE", "Proxy-Authenticate: Digest\r\n", &["Proxy-Authenticate header is malformed"]),
            ("405 x", "X", "", &["Allow header is missing"]),
            ("420 x", "INVITE", "", &["Unsupported header is missing"]),
            ("421 x", "INVITE", "", &["Require header is missing"]),
            ("422 x", "INVITE", "", &["Min-SE header is missing"]),
            ("423 x", "REGISTER", "Min-Expires: 60\r\n", &[]),
            ("489 x", "SUBSCRIBE", "", &["Allow-Events header is missing"]),
            ("494 x", "REGISTER", "", &["Security-Server header is missing"]),
        ] {
            check(&format!("SIP/2.0 {status}"), method, &format!("{lines}\r\n"), expected);
        }
    }
}
