//! What an INFO is about and which of them are taken: Info-Package and Recv-Info (RFC 6086).

use super::parameterised::{parameterised, token_headed};
use crate::parse::grammar;

parameterised! {
    /// The package that an INFO belongs to (RFC 6086).
    ///
    /// ```
    /// use imscore_sip::header::{InfoPackage, RecvInfo};
    ///
    /// let package = InfoPackage::new("g.3gpp.ussd");
    /// assert_eq!(RecvInfo::new("g.3gpp.ussd").package(), package.package());
    /// ```
    InfoPackage INFO_PACKAGE list: false head: grammar::token;
    /// A package that the sender takes INFO requests of (RFC 6086). An empty header says that it takes none.
    RecvInfo RECV_INFO list: true head: grammar::token;
}

token_headed! {
    InfoPackage:
    /// The package; compared with regard to case.
    package;
    RecvInfo:
    /// The package; compared with regard to case.
    package;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;
    use crate::message::Message;

    #[test]
    fn packages() {
        let text = "INFO sip:b@h SIP/2.0\r\nInfo-Package: g.3gpp.mid-call\r\nRecv-Info: a;x=1, b\r\nRecv-Info:\r\n\r\n";
        let message = Message::parse(text.into()).unwrap();
        assert_eq!(message.headers().first::<InfoPackage>().unwrap().package(), "g.3gpp.mid-call");
        let taken: Vec<RecvInfo> = message.headers().all().unwrap();
        assert_eq!(taken.iter().map(RecvInfo::package).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(RecvInfo::new("a b").with_param("x", "1").to_string(), "ab;x=1");
        for text in ["", "a b", "a;", "a, b"] {
            assert!(InfoPackage::decode(&text.into()).is_err(), "{text}");
        }
    }
}
