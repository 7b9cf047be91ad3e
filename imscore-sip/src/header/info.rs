//! What belongs to a call, an alert or an error and stands elsewhere: Alert-Info, Call-Info and Error-Info (RFC 3261
//! §20.4, §20.9, §20.18).

use std::borrow::Cow;

use super::address::{BARE, addresses};

addresses! {
    /// What a phone is to ring with, or be rung back with (RFC 3261 §20.4).
    AlertInfo ALERT_INFO list: true bare: !BARE, nameless: true;
    /// More about whoever calls or is called (RFC 3261 §20.9).
    ///
    /// ```
    /// use imscore_sip::header::{AlertInfo, CallInfo, ErrorInfo, TypedHeader};
    ///
    /// let info = CallInfo::decode(&"<https://ims.example/alice.jpg>;purpose=icon".into())?;
    /// assert_eq!(info.purpose().as_deref(), Some("icon"));
    /// assert_eq!(AlertInfo::decode(&"<urn:alert:service:normal>".into())?.uri().as_str(), "urn:alert:service:normal");
    /// assert!(ErrorInfo::decode(&"<sip:busy@announce.example>".into())?.sip().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    CallInfo CALL_INFO list: true bare: !BARE, nameless: true;
    /// More about an error (RFC 3261 §20.18).
    ErrorInfo ERROR_INFO list: true bare: !BARE, nameless: true;
}

impl CallInfo {
    /// What stands at the URI: `icon`, `info`, `card`, or a word of an extension.
    pub fn purpose(&self) -> Option<Cow<'_, str>> {
        self.param("purpose")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    #[test]
    fn links() {
        let icon = CallInfo::decode(&"<https://pictures.example/a;b,c.png> ;purpose=icon".into()).unwrap();
        assert_eq!(icon.uri().as_str(), "https://pictures.example/a;b,c.png");
        assert_eq!(icon.purpose().as_deref(), Some("icon"));
        let tone = AlertInfo::new("urn:alert:service:call-waiting".parse::<crate::Uri>().unwrap());
        assert_eq!(tone.to_string(), "<urn:alert:service:call-waiting>");
        assert_eq!(AlertInfo::decode(&tone.to_string().into()).unwrap(), tone);
        for text in
            ["", "https://h/x", "<>", "<https://h/x", "<https://h/x>;", "X <https://h/x>", "\"X\" <https://h/x>"]
        {
            assert!(ErrorInfo::decode(&text.into()).is_err(), "{text}");
        }
    }
}
