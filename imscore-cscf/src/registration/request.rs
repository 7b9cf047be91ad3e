//! What a REGISTER asks for (RFC 3261 §10.2, §10.3).

use imscore_hss::{IdentityError, PrivateIdentity, PublicIdentity};
use imscore_sip::header::{Authorization, Contact, Expires, HeaderError, To};
use imscore_sip::{Headers, StatusCode};

use crate::role::Refused;

/// Whom a REGISTER is about, and what it wants to change.
#[derive(Clone, Debug)]
pub(crate) struct RegisterRequest {
    /// The URI of To.
    pub(crate) public_identity: PublicIdentity,
    /// The user name of the credentials, or what the public identity makes of it.
    pub(crate) private_identity: PrivateIdentity,
    /// Digest credentials, answered or not.
    pub(crate) credentials: Option<Authorization>,
    /// What becomes of the bindings.
    pub(crate) contacts: Contacts,
}

/// The Contacts of a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Contacts {
    /// None: it wants to know what there is.
    Fetch,
    /// `*`: all bindings go.
    RemoveAll,
    /// These come, stay, or go.
    Change(Vec<Wanted>),
}

/// One Contact and the time that it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) contact: Contact,
    /// Seconds; `None` leaves it to the registrar.
    pub(crate) expires: Option<u32>,
}

/// Why a REGISTER cannot be worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegisterError {
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("To names nobody: {0}")]
    To(IdentityError),
    #[error("the user name is no private identity: {0}")]
    UserName(IdentityError),
    #[error("'*' stands alone, and with Expires 0")]
    Wildcard,
}

impl RegisterRequest {
    pub(crate) fn read(headers: &Headers) -> Result<RegisterRequest, RegisterError> {
        let to: To = headers.first()?;
        let public_identity: PublicIdentity = to.uri().as_str().parse().map_err(RegisterError::To)?;
        let mut credentials = None;
        for authorization in headers.typed::<Authorization>() {
            let authorization = authorization?;
            if credentials.is_none() && authorization.is_digest() {
                credentials = Some(authorization);
            }
        }
        let user_name = credentials.as_ref().and_then(|credentials| credentials.param("username"));
        let private_identity = match user_name {
            Some(name) => name.parse().map_err(RegisterError::UserName)?,
            // TS 24.229 §5.3.1.2, §5.4.1.1.
            None => public_identity.derived_private_identity(),
        };
        Ok(RegisterRequest { public_identity, private_identity, credentials, contacts: Contacts::read(headers)? })
    }
}

impl Contacts {
    fn read(headers: &Headers) -> Result<Contacts, RegisterError> {
        // RFC 3261 §20.19 leaves what a malformed value means to the registrar: nothing.
        let expires = headers.get::<Expires>().ok().flatten().map(|expires| expires.0);
        let contacts: Vec<Contact> = headers.all()?;
        if contacts.is_empty() {
            return Ok(Contacts::Fetch);
        }
        if contacts.iter().any(Contact::is_wildcard) {
            // RFC 3261 §10.3 step 6.
            let allowed = contacts.len() == 1 && expires == Some(0);
            return if allowed { Ok(Contacts::RemoveAll) } else { Err(RegisterError::Wildcard) };
        }
        let wanted = |contact: Contact| Wanted { expires: contact.expires().or(expires), contact };
        Ok(Contacts::Change(contacts.into_iter().map(wanted).collect()))
    }

    /// True where it takes bindings away and leaves or makes none.
    pub(crate) fn is_deregistration(&self) -> bool {
        match self {
            Contacts::Fetch => false,
            Contacts::RemoveAll => true,
            Contacts::Change(wanted) => wanted.iter().all(|wanted| wanted.expires == Some(0)),
        }
    }

    /// True where a Contact is marked as one for emergency calls (TS 24.229 §5.1.6.2).
    pub(crate) fn is_emergency(&self) -> bool {
        match self {
            Contacts::Fetch | Contacts::RemoveAll => false,
            Contacts::Change(wanted) => {
                wanted.iter().any(|wanted| wanted.contact.sip().is_some_and(|uri| uri.params().contains("sos")))
            }
        }
    }
}

impl From<RegisterError> for Refused {
    fn from(error: RegisterError) -> Refused {
        Refused::new(match error {
            RegisterError::To(_) => StatusCode::NOT_FOUND,
            RegisterError::Header(_) | RegisterError::UserName(_) | RegisterError::Wildcard => StatusCode::BAD_REQUEST,
        })
    }
}

#[cfg(test)]
mod tests {
    use imscore_sip::{Method, Request};

    use super::*;

    fn read(lines: &[(&str, &str)]) -> Result<RegisterRequest, StatusCode> {
        let mut request = Request::new(&Method::Register, "sip:ims.example");
        for (name, value) in lines {
            request.headers.push_raw(name, value.as_bytes());
        }
        RegisterRequest::read(&request.headers).map_err(|error| Refused::from(error).status)
    }

    const TO: (&str, &str) = ("To", "Alice <sip:Alice@IMS.example:5060;x=y>;tag=1");

    #[test]
    fn identities() {
        let private = |lines: &[(&str, &str)]| read(lines).map(|register| register.private_identity.to_string());
        assert_eq!(read(&[TO]).unwrap().public_identity.as_str(), "sip:Alice@ims.example");
        assert_eq!(private(&[TO]).as_deref(), Ok("Alice@ims.example"));
        for (credentials, expected) in [
            (r#"Digest username="a\"b", realm="r""#, Ok("a\"b")),
            (r#"Digest realm="r""#, Ok("Alice@ims.example")),
            ("Basic QWxhZGRpbg==", Ok("Alice@ims.example")),
            (r#"Digest username="a b""#, Err(StatusCode::BAD_REQUEST)),
            (r#"Digest username="""#, Err(StatusCode::BAD_REQUEST)),
            (r#"Digest username="a"#, Err(StatusCode::BAD_REQUEST)),
        ] {
            let found = private(&[TO, ("Authorization", credentials)]);
            assert_eq!(found.as_deref().map_err(|status| *status), expected, "{credentials}");
        }
        let two = [TO, ("Authorization", "Basic eA=="), ("Authorization", r#"Digest username="b""#)];
        assert_eq!(private(&two).as_deref(), Ok("b"));
        for (to, status) in [("<urn:service:sos>", 404), ("<sip:ims.example>", 404), ("<sip:a@h", 400)] {
            assert_eq!(read(&[("To", to)]).unwrap_err().code(), status, "{to}");
        }
        assert_eq!(read(&[]).unwrap_err(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn contacts() {
        let check = |lines: &[(&str, &str)], expected: Result<&[Option<u32>], StatusCode>, deregistration: bool| {
            let all: Vec<_> = [TO].into_iter().chain(lines.iter().copied()).collect();
            let contacts = read(&all).map(|register| register.contacts);
            let times = contacts.as_ref().map(|contacts| match contacts {
                Contacts::Fetch => vec![],
                Contacts::RemoveAll => vec![None],
                Contacts::Change(wanted) => wanted.iter().map(|wanted| wanted.expires).collect(),
            });
            assert_eq!(times.as_deref().map_err(|status| **status), expected, "{lines:?}");
            assert_eq!(contacts.is_ok_and(|contacts| contacts.is_deregistration()), deregistration, "{lines:?}");
        };
        check(&[], Ok(&[]), false);
        check(&[("Expires", "0")], Ok(&[]), false);
        check(&[("Contact", "*"), ("Expires", "0")], Ok(&[None]), true);
        for lines in [
            &[("Contact", "*")][..],
            &[("Contact", "*"), ("Expires", "1")],
            &[("Contact", "*, <sip:a@h>"), ("Expires", "0")],
            &[("Contact", "<sip:a@h>"), ("Contact", "*"), ("Expires", "0")],
            &[("Contact", "<sip:a@h")],
        ] {
            check(lines, Err(StatusCode::BAD_REQUEST), false);
        }
        check(&[("Contact", "<sip:a@h>")], Ok(&[None]), false);
        check(&[("Contact", "<sip:a@h>;expires=5, <sip:b@h>"), ("Expires", "7")], Ok(&[Some(5), Some(7)]), false);
        check(&[("Contact", "<sip:a@h>;expires=0, <sip:b@h>"), ("Expires", "7")], Ok(&[Some(0), Some(7)]), false);
        check(&[("Contact", "<sip:a@h>, <sip:b@h>;expires=0"), ("Expires", "0")], Ok(&[Some(0), Some(0)]), true);
        check(&[("Contact", "<sip:a@h>"), ("Expires", "soon")], Ok(&[None]), false);
    }

    #[test]
    fn emergencies() {
        let emergency = |contact| read(&[TO, ("Contact", contact)]).unwrap().contacts.is_emergency();
        assert!(emergency("<sip:a@h>, <sip:a@h;sos>"));
        assert!(!emergency("<sip:a@h>;sos"));
    }
}
