//! Feature-Caps (RFC 6809): what a hop on the way of a registration or call can do, `+g.3gpp.srvcc`.

use super::parameterised::parameterised;
use crate::parse::grammar;

parameterised! {
    /// What one hop can do.
    ///
    /// ```
    /// use imscore_sip::header::FeatureCaps;
    ///
    /// let caps = FeatureCaps::default().with_param("+g.3gpp.srvcc", None);
    /// assert!(caps.has("+g.3gpp.srvcc"));
    /// assert_eq!(caps.to_string(), "*;+g.3gpp.srvcc");
    /// ```
    FeatureCaps FEATURE_CAPS list: true head: grammar::star;
}

impl Default for FeatureCaps {
    /// Nothing yet: `*`.
    fn default() -> FeatureCaps {
        FeatureCaps::of("*", "")
    }
}

impl FeatureCaps {
    /// True for a hop that has that capability; its name has a plus sign in front.
    pub fn has(&self, capability: &str) -> bool {
        self.params().contains(capability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    #[test]
    fn capabilities() {
        let text = "*;+g.3gpp.atcf=\"<tel:+4722000000>\";+g.3gpp.srvcc-alerting";
        let caps = FeatureCaps::decode(&text.into()).unwrap();
        assert!(caps.has("+g.3gpp.SRVCC-alerting") && !caps.has("+g.3gpp.srvcc"));
        assert_eq!(caps.param("+g.3gpp.atcf").as_deref(), Some("<tel:+4722000000>"));
        let built = FeatureCaps::default().with_param("+g.3gpp.trf", "<sip:trf.example>").with_param("+sip.x", None);
        assert_eq!(built.to_string(), "*;+g.3gpp.trf=\"<sip:trf.example>\";+sip.x");
        for text in ["", "+g.3gpp.srvcc", "*;", "*;;x", "*, *"] {
            assert!(FeatureCaps::decode(&text.into()).is_err(), "{text}");
        }
    }
}
