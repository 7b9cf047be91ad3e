//! What History-Info (RFC 7044) and Diversion (RFC 5806) say of the way that a call has taken, and what Refer-To (RFC 3515)
//! asks for beside an address. As values all three are addresses with parameters.

use std::borrow::Cow;

use super::{Diversion, HistoryInfo, Privacy, Reason, ReferTo, Replaces, TypedHeader};

/// How a target came to be that of a request, and from which entry (RFC 7044 §5).
///
/// ```
/// use imscore_sip::ByteString;
/// use imscore_sip::header::{HistoryInfo, Retarget, TypedHeader};
///
/// let text = "<sip:bob@ims.example?Reason=SIP%3Bcause%3D302>;index=1.1;mp=1";
/// let entry = HistoryInfo::decode(&ByteString::from(text))?;
/// assert_eq!((entry.index(), entry.retarget()), (Some("1.1"), Some(Retarget::Mapped("1"))));
/// assert_eq!(entry.reason().and_then(|reason| reason.cause()), Some(302));
/// assert_eq!(entry.index_below(2).as_deref(), Some("1.1.2"));
/// # Ok::<(), imscore_sip::header::HeaderError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retarget<'a> {
    /// It is a contact of the target there: `rc`.
    Contact(&'a str),
    /// It is another user than the target there: `mp`.
    Mapped(&'a str),
    /// It is the target there, sent on: `np`.
    Unchanged(&'a str),
}

impl HistoryInfo {
    /// Where in the tree of targets the entry stands, `1.2.1`. `None`: not said, or in a way that is no index.
    pub fn index(&self) -> Option<&str> {
        self.params().get("index").filter(|index| is_index(index))
    }

    /// The index of the `nth` target, from 1, that is tried in place of this one.
    pub fn index_below(&self, nth: u32) -> Option<String> {
        self.index().map(|index| format!("{index}.{nth}"))
    }

    /// How the target came to be one.
    pub fn retarget(&self) -> Option<Retarget<'_>> {
        let found = |name: &str| self.0.params().get(name).filter(|index| is_index(index));
        let (contact, mapped) = (found("rc").map(Retarget::Contact), found("mp").map(Retarget::Mapped));
        contact.or(mapped).or_else(|| found("np").map(Retarget::Unchanged))
    }

    /// Why the target was left: the Reason in the URI.
    pub fn reason(&self) -> Option<Reason> {
        let text = self.sip()?.header_field("Reason")?;
        Reason::decode(&text.into()).ok()
    }

    /// True where the entry is to be kept from others: a Privacy with `history` in the URI (RFC 7044 §10.1).
    pub fn is_private(&self) -> bool {
        let text = self.sip().and_then(|uri| uri.header_field("Privacy"));
        text.and_then(|text| Privacy::decode(&text.into()).ok()).is_some_and(|privacy| privacy.contains("history"))
    }
}

/// `index-val`: numbers with dots between them.
fn is_index(text: &str) -> bool {
    text.split('.').all(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

impl Diversion {
    /// Why the call was diverted: `user-busy`, `no-answer`, `unconditional`, `unavailable` …
    pub fn reason(&self) -> Option<Cow<'_, str>> {
        self.param("reason")
    }

    /// How many diversions the entry stands for: 1 where it does not say; none for what is no number.
    pub fn counter(&self) -> Option<u32> {
        self.params().get("counter").map_or(Some(1), |counter| counter.parse().ok())
    }

    /// How much of the entry is to be kept from others: `full`, `name`, `uri` or `off`.
    pub fn privacy(&self) -> Option<Cow<'_, str>> {
        self.param("privacy")
    }
}

impl ReferTo {
    /// The method of the request that is asked for; INVITE where it does not say (RFC 3515 §2.1).
    pub fn method(&self) -> &str {
        self.sip().and_then(|uri| uri.param("method")).unwrap_or("INVITE")
    }

    /// The dialog that the call which is asked for is to take the place of: an attended transfer (RFC 3891).
    pub fn replaces(&self) -> Option<Replaces> {
        let text = self.sip()?.header_field("Replaces")?;
        Replaces::decode(&text.into()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::CallId;
    use crate::uri::SipUri;

    #[test]
    fn entries_of_a_history() {
        for (text, index, retarget, cause, private) in [
            ("<sip:bob@h>;index=1", Some("1"), None, None, false),
            (
                "<sip:b@h?Reason=SIP%3Bcause%3D486&Privacy=history>;index=1.1;rc=1",
                Some("1.1"),
                Some(Retarget::Contact("1")),
                Some(486),
                true,
            ),
            (
                "<sip:b@h?privacy=id>;index=10.20.30;np=10.20",
                Some("10.20.30"),
                Some(Retarget::Unchanged("10.20")),
                None,
                false,
            ),
            ("<tel:+1>;mp=1;index=", None, None, None, false),
            ("<tel:+1>;mp=1.;index=1..2", None, None, None, false),
            ("<tel:+1>;index=.1;mp=1", None, Some(Retarget::Mapped("1")), None, false),
            ("<sip:b@h?Reason=SIP%3Bcause%3D%0d%0aX>;index=a", None, None, None, false),
        ] {
            let Ok(entry) = HistoryInfo::decode(&text.into()) else {
                assert!(text.ends_with("index="), "{text}");
                continue;
            };
            assert_eq!((entry.index(), entry.retarget()), (index, retarget), "{text}");
            assert_eq!(
                (entry.reason().and_then(|reason| reason.cause()), entry.is_private()),
                (cause, private),
                "{text}"
            );
            assert_eq!(entry.index_below(3), index.map(|index| format!("{index}.3")));
        }
    }

    #[test]
    fn diversions() {
        let text = "<tel:+15550100>;reason=no-answer;counter=2;privacy=\"full\"";
        let diversion = Diversion::decode(&text.into()).unwrap();
        assert_eq!((diversion.reason().as_deref(), diversion.counter()), (Some("no-answer"), Some(2)));
        assert_eq!(diversion.privacy().as_deref(), Some("full"));
        assert_eq!(Diversion::decode(&"<tel:+1>".into()).unwrap().counter(), Some(1));
        assert_eq!(Diversion::decode(&"<tel:+1>;counter=x".into()).unwrap().counter(), None);
    }

    #[test]
    fn transfers() {
        let replaced = Replaces::new(&CallId::new("12@h"), "a", "b");
        let target: SipUri = "sip:carol@h;method=INVITE".parse().unwrap();
        let refer = ReferTo::new(target.with_header_field("Replaces", replaced.as_str()));
        let read = ReferTo::decode(&refer.to_string().into()).unwrap();
        assert_eq!((read.method(), read.replaces()), ("INVITE", Some(replaced)));
        assert_eq!(ReferTo::decode(&"<sip:h;method=BYE>".into()).unwrap().method(), "BYE");
        let plain = ReferTo::decode(&"tel:+1".into()).unwrap();
        assert_eq!((plain.method(), plain.replaces()), ("INVITE", None));
    }
}
