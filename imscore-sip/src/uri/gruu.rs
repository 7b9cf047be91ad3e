//! GRUUs: SIP URIs of one phone of a user (RFC 5627). What is in one but its `gr` is its maker's own business.

use super::SipUri;

impl SipUri {
    /// True for a GRUU: a URI with a `gr` parameter (RFC 5627 §4.5).
    pub fn is_gruu(&self) -> bool {
        self.params().contains("gr")
    }

    /// Which phone of the user a public GRUU is of, `urn:uuid:…`, as it stands; `None` for a temporary one, whose user
    /// part says it to its maker alone, and for what is no GRUU.
    pub fn gruu_instance(&self) -> Option<&str> {
        self.param("gr").filter(|instance| !instance.is_empty())
    }

    /// True where both are the same GRUU. Since a parameter that one side has alone is passed over, a public GRUU is
    /// [`equivalent`](SipUri::equivalent) to the address of record too (RFC 5627 §5.4), which names every phone of the
    /// user.
    pub fn is_same_gruu(&self, other: &SipUri) -> bool {
        self.is_gruu() && other.is_gruu() && self.equivalent(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gruus() {
        let uri = |text: &str| text.parse::<SipUri>().unwrap();
        let public = uri("sip:alice@ims.example;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
        let temporary = uri("sip:tgruu.7hs==jd7vnzga5w7fajsc7@ims.example;gr");
        let record = uri("sip:alice@ims.example");
        assert!(public.is_gruu() && temporary.is_gruu() && !record.is_gruu());
        assert_eq!(public.gruu_instance(), Some("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"));
        assert_eq!((temporary.gruu_instance(), record.gruu_instance()), (None, None));
        assert!(public.equivalent(&record) && !public.is_same_gruu(&record) && !record.is_same_gruu(&record));
        assert!(
            public.is_same_gruu(&uri("sip:%61lice@IMS.example;GR=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6;x"))
        );
        assert!(!public.is_same_gruu(&uri("sip:alice@ims.example;gr=urn:uuid:other")));
        assert!(!public.is_same_gruu(&uri("sip:alice@ims.example;gr")));
        assert!(!temporary.is_same_gruu(&uri("sip:tgruu.other@ims.example;gr")));
    }
}
