//! REFER: whom somebody asks us to call, and what he is told of it (RFC 3515, RFC 4488, RFC 7614).

use bytestring::ByteString;

use crate::header::{Cause, HeaderError, ReferSub, ReferTo, Replaces, TypedHeader};
use crate::message::{Method, Request, StatusCode};
use crate::uri::Uri;

/// What a REFER asks for.
///
/// ```
/// use imscore_sip::dialog::Refer;
/// use imscore_sip::{Method, Request, StatusCode};
///
/// let mut request = Request::new(&Method::Refer, "sip:bob@ims.example");
/// request.headers.push_raw("Refer-To", b"<sip:carol@ims.example>");
/// let refer = Refer::of_request(&request)?;
/// assert_eq!((refer.target.as_str(), refer.method), ("sip:carol@ims.example", Method::Invite));
/// assert!(refer.subscribes);
/// assert_eq!(Refer::progress(Refer::report(StatusCode::RINGING).as_bytes()), Some(StatusCode::RINGING));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Refer {
    /// Whom to send a request to. Headers in the URI are taken off: nobody's text makes headers of ours.
    pub target: Uri,
    /// Which request: INVITE where the URI does not say.
    pub method: Method,
    /// The dialog that the INVITE is to replace: the one header of the URI that is kept.
    pub replaces: Option<Replaces>,
    /// Whether the REFER makes a subscription, which it does unless it says otherwise (RFC 4488 §4, RFC 7614).
    pub subscribes: bool,
    /// Whether he wants to be told where to subscribe to what comes of it (RFC 7614, `explicitsub`).
    pub is_explicit: bool,
}

impl Refer {
    /// Reads a REFER.
    ///
    /// # Errors
    /// There is no Refer-To, more than one, or one that cannot be read: 400 (RFC 3515 §2.4.2).
    pub fn of_request(refer: &Request) -> Result<Refer, HeaderError> {
        let blame = |cause| HeaderError { name: ReferTo::NAME, cause };
        let to: ReferTo = refer.headers.first()?;
        if refer.headers.raw_all(ReferTo::NAME).count() > 1 {
            return Err(blame(Cause::Repeated));
        }
        let is_explicit = refer.headers.requires("explicitsub") && !refer.headers.requires("nosub");
        let without_subscription = is_explicit
            || refer.headers.requires("nosub")
            || refer.headers.get::<ReferSub>().ok().flatten().is_some_and(|wish| !wish.is_true());
        let mut found = Refer {
            target: to.uri().clone(),
            method: Method::Invite,
            replaces: None,
            subscribes: !without_subscription,
            is_explicit,
        };
        if let Some(uri) = to.sip() {
            if let Some(method) = uri.param("method") {
                found.method = Method::from(method);
            }
            if let Some(text) = uri.header_field("Replaces") {
                found.replaces = Some(Replaces::decode(&ByteString::from(text)).map_err(|_| blame(Cause::Malformed))?);
            }
            found.target = uri.without_headers().without_param("method").into();
        }
        Ok(found)
    }

    /// The address for a Refer-To of ours: that of a target, asked to replace a dialog.
    pub fn to_replace(target: &Uri, replaces: &Replaces) -> ReferTo {
        match target.as_sip() {
            Some(uri) => ReferTo::new(uri.with_header_field("Replaces", &replaces.to_string())),
            None => ReferTo::new(target.clone()),
        }
    }

    /// The body of a NOTIFY, `message/sipfrag`, that says how far the request has come (RFC 3515 §2.4.5).
    pub fn report(status: StatusCode) -> String {
        format!("SIP/2.0 {} {}\r\n", status.code(), status.reason())
    }

    /// How far the request has come, by the body of a NOTIFY. `None`: it is no status line.
    pub fn progress(body: &[u8]) -> Option<StatusCode> {
        let rest = body.strip_prefix(b"SIP/2.0 ")?;
        let digits = rest.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
        let is_ended = rest.get(3).is_none_or(u8::is_ascii_whitespace);
        StatusCode::new(digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'))).filter(|_| is_ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn refer(headers: &[(&str, &str)]) -> Result<Refer, HeaderError> {
        let draft = testing::request("REFER", "sip:bob@ims.example");
        Refer::of_request(&headers.iter().fold(draft, |draft, (name, value)| draft.add(name, *value)).request())
    }

    /// Threat P11: of the headers in a URI, one is read and none is written.
    #[test]
    fn p11_what_is_asked_for() {
        let plain = refer(&[("Refer-To", "<sip:carol@ims.example>")]).unwrap();
        assert_eq!(
            (plain.target.as_str(), plain.method, plain.subscribes),
            ("sip:carol@ims.example", Method::Invite, true)
        );
        let replacing =
            "<sip:carol@192.0.2.3;method=INVITE?Replaces=1%3Bto-tag%3Db%3Bfrom-tag%3Da&P-Asserted-Identity=x>";
        let found = refer(&[("Refer-To", replacing), ("Refer-Sub", "false")]).unwrap();
        assert_eq!((found.target.as_str(), found.subscribes), ("sip:carol@192.0.2.3", false));
        let replaces = found.replaces.unwrap();
        assert_eq!((replaces.call_id(), replaces.to_tag(), replaces.from_tag()), ("1", Some("b"), Some("a")));
        let again = Refer::to_replace(&found.target, &replaces);
        assert_eq!(refer(&[("Refer-To", &again.to_string())]).unwrap().replaces, Some(replaces));
        let tel = refer(&[("Refer-To", "<tel:+15550100>"), ("Require", "nosub")]).unwrap();
        assert_eq!((tel.target.as_str(), tel.subscribes), ("tel:+15550100", false));
        for (required, expected) in [("explicitsub", (false, true)), ("explicitsub, nosub", (false, false))] {
            let found = refer(&[("Refer-To", "<sip:c@h>"), ("Require", required)]).unwrap();
            assert_eq!((found.subscribes, found.is_explicit), expected, "{required}");
        }
        assert_eq!(refer(&[("Refer-To", "<sip:c@h;method=BYE>")]).unwrap().method, Method::Bye);
        assert!(refer(&[]).is_err());
        assert!(refer(&[("Refer-To", "<sip:c@h>"), ("Refer-To", "<sip:d@h>")]).is_err());
        assert!(refer(&[("Refer-To", "<sip:c@h?Replaces=%3B>")]).is_err());
    }

    #[test]
    fn progress() {
        for (body, expected) in [
            ("SIP/2.0 180 Ringing\r\n", Some(180)),
            ("SIP/2.0 200", Some(200)),
            ("SIP/2.0 99 x", None),
            ("SIP/2.0 2000", None),
            ("SIP/2.0 799 x", None),
            ("", None),
        ] {
            assert_eq!(Refer::progress(body.as_bytes()).map(StatusCode::code), expected, "{body}");
        }
        assert_eq!(Refer::progress(Refer::report(StatusCode::BUSY_HERE).as_bytes()), Some(StatusCode::BUSY_HERE));
    }
}
