//! Headers that are an address and no more: each is a [`NameAddr`] with a name.

/// Whether an address may stand without angle brackets.
pub(super) const BARE: bool = true;

/// Defines header types that are an address with parameters. `bare`: whether it may stand without angle brackets.
/// `nameless`: no display name may stand in front of them.
macro_rules! addresses {
    ($($(#[$doc:meta])* $type:ident $name:ident list: $list:literal bare: $bare:expr $(, nameless: $nameless:literal)?;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $type(pub $crate::header::NameAddr);

        impl $type {
            /// `<uri>`, without display name and parameters.
            pub fn new(uri: impl Into<$crate::Uri>) -> $type {
                $type($crate::header::NameAddr::new(uri))
            }

            /// The same with the parameter in place of any of its name.
            #[must_use]
            pub fn with_param<'a>(&self, name: &str, value: impl Into<Option<&'a str>>) -> $type {
                $type(self.0.with_param(name, value))
            }
        }

        impl $crate::header::TypedHeader for $type {
            const NAME: $crate::header::Name = $crate::header::Name::$name;
            const LIST: bool = $list;

            fn read(value: bytestring::ByteString) -> Result<$type, $crate::header::Cause> {
                let address = $crate::header::NameAddr::read(value, $bare, $crate::header::name_addr::Single::Tag)?;
                $(if $nameless && address.display_name().is_some() {
                    return Err($crate::header::Cause::Malformed);
                })?
                Ok($type(address))
            }
        }

        impl $crate::header::Checked for $type {
            fn check(value: &[u8]) -> Result<(), $crate::header::Cause> {
                $crate::header::NameAddr::check(value, $bare, $crate::header::name_addr::Single::Tag)
            }
        }

        impl std::ops::Deref for $type {
            type Target = $crate::header::NameAddr;

            fn deref(&self) -> &$crate::header::NameAddr {
                &self.0
            }
        }

        impl std::convert::From<$crate::header::NameAddr> for $type {
            fn from(address: $crate::header::NameAddr) -> $type {
                $type(address)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    )*};
}

pub(super) use addresses;

addresses! {
    /// Who sent a request, by its own word (RFC 3261 §20.20).
    From FROM list: false bare: BARE;
    /// Whom a request is for, by its sender's word (RFC 3261 §20.39).
    To TO list: false bare: BARE;
    /// A hop that a request is to take (RFC 3261 §20.34).
    Route ROUTE list: true bare: !BARE;
    /// A hop that wants to stay on the way of a dialog (RFC 3261 §20.30).
    ///
    /// ```
    /// use imscore_sip::header::{Path, RecordRoute, Route, ServiceRoute};
    /// use imscore_sip::uri::SipUri;
    /// use imscore_sip::{Method, Request};
    ///
    /// let pcscf: SipUri = "sip:pcscf.ims.example;lr".parse()?;
    /// let mut register = Request::new(&Method::Register, "sip:ims.example");
    /// register.headers.push_front(&Path::new(pcscf.clone()));
    /// assert_eq!(register.headers.raw("Path"), Some(&b"<sip:pcscf.ims.example;lr>"[..]));
    ///
    /// let mut invite = Request::new(&Method::Invite, "sip:bob@ims.example");
    /// invite.headers.push_raw("Route", b"<sip:pcscf.ims.example;lr>, <sip:scscf.ims.example;lr>");
    /// assert!(invite.headers.pop_front::<Route>());
    /// assert_eq!(invite.headers.all::<Route>()?.len(), 1);
    /// invite.headers.push_front(&RecordRoute::new(pcscf));
    /// // What the S-CSCF says in its 200 is the Route of the phone's requests.
    /// let service_route = ServiceRoute::new("sip:orig@scscf.ims.example;lr".parse::<SipUri>()?);
    /// assert!(service_route.sip().is_some_and(|hop| hop.is_lr()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    RecordRoute RECORD_ROUTE list: true bare: !BARE;
    /// A hop between a registrar and a registered phone (RFC 3327 §4).
    Path PATH list: true bare: !BARE;
    /// A hop that requests of a registered phone are to take (RFC 3608 §5).
    ServiceRoute SERVICE_ROUTE list: true bare: !BARE;
    /// Who sent a request, by the word of the trust domain (RFC 3325 §9.1).
    ///
    /// ```
    /// use imscore_sip::header::{PAssertedIdentity, PAssociatedUri, PCalledPartyId, PPreferredIdentity};
    /// use imscore_sip::{Method, Request, Uri};
    ///
    /// let alice: Uri = "sip:alice@ims.example".parse()?;
    /// let mut invite = Request::new(&Method::Invite, "sip:bob@ims.example").with(PPreferredIdentity::new(alice));
    /// // A P-CSCF puts in who it is, and takes out what the phone wishes.
    /// let wish: PPreferredIdentity = invite.headers.first()?;
    /// invite.headers.set(&PAssertedIdentity(wish.0));
    /// invite.headers.remove("P-Preferred-Identity");
    /// assert_eq!(invite.headers.raw("P-Asserted-Identity"), Some(&b"<sip:alice@ims.example>"[..]));
    ///
    /// let number: Uri = "tel:+12015550123".parse()?;
    /// assert_eq!(PAssociatedUri::new(number.clone()).to_string(), "<tel:+12015550123>");
    /// assert_eq!(PCalledPartyId::new(number.clone()).uri(), &number);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    PAssertedIdentity P_ASSERTED_IDENTITY list: true bare: BARE;
    /// As whom a phone wants to be asserted (RFC 3325 §9.2).
    PPreferredIdentity P_PREFERRED_IDENTITY list: true bare: BARE;
    /// A public identity that is registered along with another (RFC 7315 §4.1).
    PAssociatedUri P_ASSOCIATED_URI list: true bare: !BARE;
    /// The identity that a request was for before it was retargeted to a contact (RFC 7315 §4.2).
    PCalledPartyId P_CALLED_PARTY_ID list: false bare: !BARE;
    /// Whom a request is served for, and in which half of the call (RFC 5502 §6).
    ///
    /// ```
    /// use imscore_sip::Uri;
    /// use imscore_sip::header::{PServedUser, SessionCase};
    ///
    /// let user = PServedUser::new("sip:bob@ims.example".parse::<Uri>()?).with_session(SessionCase::Terminating, true);
    /// assert_eq!(user.to_string(), "<sip:bob@ims.example>;sescase=term;regstate=reg");
    /// assert_eq!((user.session_case(), user.is_registered()), (Some(SessionCase::Terminating), Some(true)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    PServedUser P_SERVED_USER list: false bare: BARE;
    /// Whom to call (RFC 3515 §2.1).
    ///
    /// ```
    /// use imscore_sip::Uri;
    /// use imscore_sip::header::{ReferTo, ReferredBy, ReplyTo, TypedHeader};
    ///
    /// let refer_to = ReferTo::decode(&"<sip:carol@ims.example?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>".into())?;
    /// assert_eq!(refer_to.method(), "INVITE");
    /// assert_eq!(refer_to.replaces().and_then(|replaces| replaces.to_tag().map(str::to_owned)).as_deref(), Some("b"));
    /// let alice: Uri = "sip:alice@ims.example".parse()?;
    /// assert_eq!(ReferredBy::new(alice.clone()).to_string(), "<sip:alice@ims.example>");
    /// assert_eq!(ReplyTo::new(alice).to_string(), "<sip:alice@ims.example>");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ReferTo REFER_TO list: false bare: BARE;
    /// Who asked for the call (RFC 3892 §3).
    ReferredBy REFERRED_BY list: false bare: BARE;
    /// Where to answer (RFC 3261 §20.31).
    ReplyTo REPLY_TO list: false bare: BARE;
    /// A target that a request had (RFC 7044 §5).
    HistoryInfo HISTORY_INFO list: true bare: !BARE;
    /// Who diverted a call (RFC 5806).
    ///
    /// ```
    /// use imscore_sip::Uri;
    /// use imscore_sip::header::{Diversion, To, TypedHeader};
    ///
    /// let diversion = Diversion::decode(&"<sip:bob@ims.example>;reason=user-busy;counter=2".into())?;
    /// assert_eq!((diversion.reason().as_deref(), diversion.counter()), (Some("user-busy"), Some(2)));
    /// let to = To::new("sip:bob@ims.example".parse::<Uri>()?).with_tag("314");
    /// assert_eq!(to.tag(), Some("314"));
    /// assert_eq!(to.uri(), diversion.uri());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Diversion DIVERSION list: true bare: !BARE;
}

macro_rules! tagged {
    ($($type:ident),*) => {$(
        impl $type {
            /// The tag: which end of a dialog this is (RFC 3261 §19.3).
            pub fn tag(&self) -> Option<&str> {
                self.params().get("tag")
            }

            /// The same with a tag in place of any that it has.
            #[must_use]
            pub fn with_tag(&self, tag: &str) -> $type {
                self.with_param("tag", tag)
            }
        }
    )*};
}

tagged!(From, To);

/// Which half of a call a server is in (RFC 5502 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionCase {
    /// The half of whoever calls: `sescase=orig`.
    Originating,
    /// The half of whoever is called: `sescase=term`.
    Terminating,
    /// The call that a called party's diversion makes: `orig-cdiv` (RFC 8498 §6.2).
    Diverted,
}

impl PServedUser {
    /// In which half of the call.
    pub fn session_case(&self) -> Option<SessionCase> {
        if self.params().contains("orig-cdiv") {
            return Some(SessionCase::Diverted);
        }
        let case = self.params().get("sescase")?;
        [("orig", SessionCase::Originating), ("term", SessionCase::Terminating)]
            .into_iter()
            .find_map(|(word, value)| case.eq_ignore_ascii_case(word).then_some(value))
    }

    /// True for a user that is registered, false for one that is not; none where nothing is said.
    pub fn is_registered(&self) -> Option<bool> {
        let state = self.params().get("regstate")?;
        [("reg", true), ("unreg", false)]
            .into_iter()
            .find_map(|(word, value)| state.eq_ignore_ascii_case(word).then_some(value))
    }

    /// The same with another session case and registration state; a diversion has no registration state.
    #[must_use]
    pub fn with_session(&self, case: SessionCase, registered: bool) -> PServedUser {
        let user = self.0.without_param("sescase").without_param("regstate").without_param("orig-cdiv");
        let state = if registered { "reg" } else { "unreg" };
        PServedUser(match case {
            SessionCase::Originating => user.with_param("sescase", "orig").with_param("regstate", state),
            SessionCase::Terminating => user.with_param("sescase", "term").with_param("regstate", state),
            SessionCase::Diverted => user.with_param("orig-cdiv", None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{Cause, TypedHeader};

    #[test]
    fn tags() {
        let long = format!("<sip:a@h>;tag={}", "t".repeat(257));
        for (text, expected) in [
            ("<sip:a@h;tag=no>;tag=1", Ok(Some("1"))),
            ("sip:a@h;TAG = 1", Ok(Some("1"))),
            ("<sip:a@h>", Ok(None)),
            ("<sip:a@h>;tag=", Err(Cause::Malformed)),
            ("<sip:a@h>;tag", Err(Cause::Malformed)),
            ("<sip:a@h>;tag=1;Tag=2", Err(Cause::Repeated)),
            (&long, Err(Cause::Limit)),
        ] {
            let to = To::decode(&text.into()).map_err(|error| error.cause);
            assert_eq!(to.as_ref().map(|to| to.tag()), expected.as_ref().map(|tag| *tag), "{text}");
        }
        assert!(From::decode(&format!("<sip:a@h>;tag={}", "t".repeat(256)).into()).is_ok());
        assert_eq!(To::decode(&"<sip:a@h>;tag=1".into()).unwrap().with_tag("2").to_string(), "<sip:a@h>;tag=2");
    }

    /// RFC 5502 §6, RFC 8498 §6.2.
    #[test]
    fn served_users() {
        let user = PServedUser::decode(&"<sip:a@h>; sescase=Term;regstate=unreg;x".into()).unwrap();
        assert_eq!((user.session_case(), user.is_registered()), (Some(SessionCase::Terminating), Some(false)));
        let calling = user.with_session(SessionCase::Originating, true);
        assert_eq!(calling.to_string(), "<sip:a@h>;x;sescase=orig;regstate=reg");
        assert_eq!((calling.session_case(), calling.is_registered()), (Some(SessionCase::Originating), Some(true)));
        let diverted = calling.with_session(SessionCase::Diverted, true);
        assert_eq!(diverted.to_string(), "<sip:a@h>;x;orig-cdiv");
        assert_eq!((diverted.session_case(), diverted.is_registered()), (Some(SessionCase::Diverted), None));
        assert_eq!(PServedUser::decode(&"sip:a@h;sescase=no".into()).unwrap().session_case(), None);
    }

    /// RFC 3261 §20.34: a route is a name-addr.
    #[test]
    fn routes_stand_in_angle_brackets() {
        assert!(Route::decode(&"sip:h;lr".into()).is_err());
        assert!(Route::decode(&"<sip:h;lr>;x".into()).unwrap().sip().unwrap().is_lr());
    }
}
