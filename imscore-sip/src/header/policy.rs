//! Session policies: where they are to be had, and by which a session was made (RFC 6794).

use std::borrow::Cow;

use super::address::{BARE, addresses};

addresses! {
    /// Where the policies of a network stand (RFC 6794).
    ///
    /// ```
    /// use imscore_sip::header::{PolicyContact, PolicyId, TypedHeader};
    ///
    /// assert!(PolicyContact::decode(&"<sip:policy.ims.example>;non-cacheable".into())?.is_for_once());
    /// let id = PolicyId::decode(&"<sip:policy.ims.example>;token=7".into())?;
    /// assert_eq!(id.token().as_deref(), Some("7"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    PolicyContact POLICY_CONTACT list: true bare: BARE;
    /// The policy that a request or response was made by (RFC 6794).
    PolicyId POLICY_ID list: true bare: BARE;
}

impl PolicyContact {
    /// True where the address is for this request only: `non-cacheable`.
    pub fn is_for_once(&self) -> bool {
        self.params().contains("non-cacheable")
    }
}

impl PolicyId {
    /// What the server told the policy's version by.
    pub fn token(&self) -> Option<Cow<'_, str>> {
        self.param("token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    #[test]
    fn policies() {
        let contact = PolicyContact::decode(&"sip:policy@b.example;non-cacheable".into()).unwrap();
        assert!(contact.is_for_once());
        let id = PolicyId::decode(&"<sip:policy@b.example>;token=8u7e3".into()).unwrap();
        assert_eq!((id.sip().map(|uri| uri.host()), id.token().as_deref()), (Some("b.example"), Some("8u7e3")));
        assert_eq!(
            PolicyId::decode(&id.with_param("token", "a b").to_string().into()).unwrap().token().unwrap(),
            "a b"
        );
        for text in ["", "policy", "<sip:h>;token="] {
            assert!(PolicyId::decode(&text.into()).is_err(), "{text}");
        }
    }
}
