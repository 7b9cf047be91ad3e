//! Consent of those whom a list or a translation would send to (RFC 5360), and the list that was refused (RFC 5318).

use std::borrow::Cow;

use super::address::{BARE, addresses};

addresses! {
    /// A recipient that has not given its consent (RFC 5360).
    ///
    /// ```
    /// use imscore_sip::header::{PRefusedUriList, PermissionMissing, TriggerConsent, TypedHeader};
    /// use imscore_sip::Uri;
    ///
    /// let consent = TriggerConsent::decode(&"sip:123@relay.example;target-uri=\"sip:bob@ims.example\"".into())?;
    /// assert_eq!(consent.target_uri().as_deref(), Some("sip:bob@ims.example"));
    /// let bob: Uri = "sip:bob@ims.example".parse()?;
    /// assert_eq!(PermissionMissing::new(bob).to_string(), "<sip:bob@ims.example>");
    /// let refused = PRefusedUriList::decode(&"sip:list@ims.example;members=\"<cid:1@ims.example>\"".into())?;
    /// assert!(refused.members().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    PermissionMissing PERMISSION_MISSING list: true bare: BARE;
    /// Where to ask for the consent of a recipient (RFC 5360).
    TriggerConsent TRIGGER_CONSENT list: true bare: BARE;
    /// A list of recipients that a server refused, and who is on it (RFC 5318).
    PRefusedUriList P_REFUSED_URI_LIST list: true bare: BARE;
}

impl TriggerConsent {
    /// The recipient whose consent is asked for.
    pub fn target_uri(&self) -> Option<Cow<'_, str>> {
        self.param("target-uri")
    }
}

impl PRefusedUriList {
    /// The part of the body that names the members, as its Content-ID.
    pub fn members(&self) -> Option<Cow<'_, str>> {
        let trimmed =
            |value: &str| value.strip_prefix('<').and_then(|value| value.strip_suffix('>')).map(str::to_string);
        self.param("members").map(|members| trimmed(&members).map_or(members, Cow::Owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    #[test]
    fn consents() {
        let trigger = TriggerConsent::decode(&"sip:123@relay.example;target-uri=\"sip:choir@relay.example\"".into());
        assert_eq!(trigger.unwrap().target_uri().as_deref(), Some("sip:choir@relay.example"));
        let missing = PermissionMissing::decode(&"\"C\" <sip:c@h>;x=1".into()).unwrap();
        assert_eq!(missing.sip().and_then(|uri| uri.user()), Some("c"));
        let refused = PRefusedUriList::decode(&"<sip:choir@h>;members=\"<cid:an3bt8jf03@h>\"".into()).unwrap();
        assert_eq!(refused.members().as_deref(), Some("cid:an3bt8jf03@h"));
        let built = PRefusedUriList::new("sip:l@h".parse::<crate::Uri>().unwrap()).with_param("members", "<cid:1@h>");
        assert_eq!(PRefusedUriList::decode(&built.to_string().into()).unwrap().members().as_deref(), Some("cid:1@h"));
        for text in ["", "choir", "<sip:a@h>;members="] {
            assert!(PRefusedUriList::decode(&text.into()).is_err(), "{text}");
        }
    }
}
