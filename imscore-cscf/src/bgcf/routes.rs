//! Ways out of the network: by the number that is called, or by its domain.

use std::collections::BTreeMap;

use imscore_sip::uri::{SipUri, TelUri};
use imscore_sip::{ByteString, Uri};

use crate::routing::number_of;

/// Digits of a prefix: those of the longest number (ITU-T E.164 §6), and room for a routing number.
const LONGEST: usize = 24;
/// Ways of one prefix or domain.
const MOST_WAYS: usize = 64;

/// The table of a [`Bgcf`](super::Bgcf): which ways lead to a number or to a domain.
///
/// ```
/// use imscore_cscf::bgcf::{RouteError, Routes, Way};
///
/// let [one, two, peer] =
///     ["sip:gw1.ims.example;lr", "sip:gw2.ims.example;lr", "sip:ibcf.partner.example;lr"].map(str::parse);
/// let routes = Routes::default()
///     .with_number("+44", [Way::new(one?), Way::new(two?).with_priority(2)])?
///     .with_domain("*.partner.example", [Way::new(peer?)])?;
/// let ways = routes.find(&"tel:+44-20-7946-0123".parse()?).expect("a prefix of it is there");
/// assert_eq!(ways.len(), 2);
/// assert!(routes.find(&"tel:+1201".parse()?).is_none());
/// assert_eq!(routes.with_number("+44", []), Err(RouteError::Ways("+44".into())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    numbers: BTreeMap<ByteString, Vec<Way>>,
    /// In lower case; `*.` in front stands for all that is below, `*` for all.
    domains: BTreeMap<ByteString, Vec<Way>>,
}

/// One way: a server, or several in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Way {
    /// Route values, first hop first.
    pub hops: Vec<SipUri>,
    /// Lower comes first.
    pub priority: u16,
    /// Its share among those of its priority; one of 0 gets what no other of them can take.
    pub weight: u16,
}

/// Why a table is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// Not digits, with or without `+` in front, of 24 at most.
    #[error("{0:?} is no prefix of a number: digits, with `+` in front for a global one")]
    Number(String),
    /// Not a domain, `*.` and a domain, or `*`.
    #[error("{0:?} is no domain: a name, `*.` and a name, or `*`")]
    Domain(String),
    /// No way, or more than 64.
    #[error("{0:?} has no way, or more than {MOST_WAYS}")]
    Ways(String),
    /// It stands in the table already.
    #[error("{0:?} stands there twice")]
    Twice(String),
}

impl Way {
    /// By one server, of priority 0 and weight 1.
    pub fn new(hop: SipUri) -> Way {
        Way { hops: vec![hop], priority: 0, weight: 1 }
    }

    /// On by another server after the others.
    #[must_use]
    pub fn by(mut self, hop: SipUri) -> Way {
        self.hops.push(hop);
        self
    }

    /// With this priority; lower comes first.
    #[must_use]
    pub fn with_priority(mut self, priority: u16) -> Way {
        self.priority = priority;
        self
    }

    /// With this share among those of its priority.
    #[must_use]
    pub fn with_weight(mut self, weight: u16) -> Way {
        self.weight = weight;
        self
    }
}

impl Routes {
    /// Numbers with this prefix go these ways; the longest prefix of a number counts. The empty prefix is that of every
    /// number.
    ///
    /// # Errors
    /// No prefix of a number, one that is there already, or no ways.
    pub fn with_number(mut self, prefix: &str, ways: impl Into<Vec<Way>>) -> Result<Routes, RouteError> {
        let digits = prefix.strip_prefix('+').unwrap_or(prefix);
        let is_prefix = prefix.len() <= LONGEST && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_prefix {
            return Err(RouteError::Number(prefix.to_owned()));
        }
        put(&mut self.numbers, prefix, ways.into())?;
        Ok(self)
    }

    /// What is for this domain goes these ways: a name, all names below one (`*.partner.example`), or all (`*`). The
    /// longest that fits counts.
    ///
    /// # Errors
    /// No domain, one that is there already, or no ways.
    pub fn with_domain(mut self, domain: &str, ways: impl Into<Vec<Way>>) -> Result<Routes, RouteError> {
        let name = domain.strip_prefix("*.").unwrap_or(domain);
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if domain != "*" && !name.split('.').all(is_label) {
            return Err(RouteError::Domain(domain.to_owned()));
        }
        put(&mut self.domains, &domain.to_ascii_lowercase(), ways.into())?;
        Ok(self)
    }

    /// The ways to whom a URI names: by the number that it is, its routing number first (RFC 4694 §5), else by its
    /// domain.
    pub fn find(&self, uri: &Uri) -> Option<&[Way]> {
        match uri {
            Uri::Tel(tel) => self.to_number(tel),
            Uri::Sip(sip) => number_of(sip).and_then(|tel| self.to_number(&tel)).or_else(|| self.to_domain(sip.host())),
            Uri::Other(_) => None,
        }
    }

    fn to_number(&self, tel: &TelUri) -> Option<&[Way]> {
        let routing = tel.param("rn").filter(|number| !number.is_empty());
        let is_digit = |character: &char| character.is_ascii_digit() || *character == '+';
        let number: String = routing.unwrap_or(tel.number()).chars().filter(is_digit).take(LONGEST).collect();
        (0..=number.len()).rev().find_map(|length| self.numbers.get(&number[..length])).map(Vec::as_slice)
    }

    fn to_domain(&self, host: &str) -> Option<&[Way]> {
        let host = host.to_ascii_lowercase();
        let above = std::iter::successors(host.split_once('.'), |(_, above)| above.split_once('.'));
        let wildcards = above.map(|(_, above)| format!("*.{above}")).chain(["*".to_owned()]);
        let found = self.domains.get(host.as_str());
        found.or_else(|| wildcards.into_iter().find_map(|name| self.domains.get(name.as_str()))).map(Vec::as_slice)
    }
}

fn put(table: &mut BTreeMap<ByteString, Vec<Way>>, name: &str, ways: Vec<Way>) -> Result<(), RouteError> {
    let has_hops = ways.iter().all(|way| !way.hops.is_empty());
    if ways.is_empty() || ways.len() > MOST_WAYS || !has_hops {
        return Err(RouteError::Ways(name.to_owned()));
    }
    match table.insert(name.into(), ways) {
        None => Ok(()),
        Some(_) => Err(RouteError::Twice(name.to_owned())),
    }
}

/// The ways in the order in which they are tried: by priority, then by chance, each as often first as its weight says
/// (the scheme of RFC 2782).
pub(super) fn in_order(ways: &[Way], mut random: impl FnMut() -> u64) -> Vec<&Way> {
    let mut left: Vec<&Way> = ways.iter().collect();
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(priority) = left.iter().map(|way| way.priority).min() {
        let mut equals: Vec<&Way> = left.iter().copied().filter(|way| way.priority == priority).collect();
        left.retain(|way| way.priority != priority);
        // Those without a share are at the front, where only a draw of 0 finds them.
        equals.sort_by_key(|way| way.weight != 0);
        while !equals.is_empty() {
            let total: u64 = equals.iter().map(|way| u64::from(way.weight)).sum();
            let mut drawn = random() % (total + 1);
            let place = equals.iter().position(|way| match drawn.checked_sub(u64::from(way.weight)) {
                None | Some(0) => true,
                Some(rest) => {
                    drawn = rest;
                    false
                }
            });
            ordered.push(equals.remove(place.unwrap_or(0)));
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(host: &str) -> Way {
        Way::new(format!("sip:{host};lr").parse().unwrap())
    }

    fn host<'a>(ways: impl IntoIterator<Item = &'a Way>) -> String {
        let hosts = ways.into_iter().map(|way| way.hops[0].host());
        hosts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_longest_prefix_and_the_nearest_domain() {
        let routes = Routes::default()
            .with_number("", [way("any")])
            .and_then(|routes| routes.with_number("+4", [way("four")]))
            .and_then(|routes| routes.with_number("+4420", [way("london")]))
            .and_then(|routes| routes.with_number("0", [way("local")]))
            .and_then(|routes| routes.with_domain("Partner.example", [way("partner")]))
            .and_then(|routes| routes.with_domain("*.partner.example", [way("below")]))
            .and_then(|routes| routes.with_domain("*", [way("rest")]))
            .unwrap();
        for (uri, expected) in [
            ("tel:+44-20-7946", "london"),
            ("tel:+44(20)7946", "london"),
            ("tel:+4421", "four"),
            ("tel:+1", "any"),
            ("tel:0123;phone-context=ims.example", "local"),
            ("tel:+4420;rn=+1", "any"),
            ("tel:+1;npdi;rn=+44-20", "london"),
            ("tel:+4420;rn", "london"),
            ("sip:+442079@ims.example;user=phone", "london"),
            ("sip:+442079@partner.example", "partner"),
            ("sip:bob@PARTNER.example", "partner"),
            ("sip:bob@a.b.partner.example", "below"),
            ("sip:bob@xpartner.example", "rest"),
            ("sip:bob@192.0.2.1", "rest"),
        ] {
            assert_eq!(routes.find(&uri.parse().unwrap()).map(host), Some(expected.into()), "{uri}");
        }
        let bare = Routes::default();
        for uri in ["tel:+1", "sip:a@b", "urn:service:sos", "mailto:a@b"] {
            assert_eq!(bare.find(&uri.parse().unwrap()), None, "{uri}");
        }
        assert_eq!(routes.find(&"urn:service:sos".parse().unwrap()), None);
    }

    #[test]
    fn what_is_no_table() {
        let routes = Routes::default();
        for prefix in ["+44x", "44+", "++4", "tel:+44", &"1".repeat(LONGEST + 1)] {
            assert_eq!(routes.clone().with_number(prefix, [way("a")]), Err(RouteError::Number(prefix.into())));
        }
        for domain in ["", "*.", "**", "a..b", "a b", "*.*.a", "sip:a"] {
            assert_eq!(routes.clone().with_domain(domain, [way("a")]), Err(RouteError::Domain(domain.into())));
        }
        assert_eq!(routes.clone().with_number("+1", []), Err(RouteError::Ways("+1".into())));
        let many = vec![way("a"); MOST_WAYS + 1];
        assert_eq!(routes.clone().with_domain("a", many), Err(RouteError::Ways("a".into())));
        let hopless = Way { hops: Vec::new(), ..way("a") };
        assert_eq!(routes.clone().with_domain("a", [hopless]), Err(RouteError::Ways("a".into())));
        let twice = routes.with_domain("a.b", [way("a")]).and_then(|routes| routes.with_domain("A.B", [way("c")]));
        assert_eq!(twice, Err(RouteError::Twice("a.b".into())));
    }

    /// Every draw once: each way is first as often as its weight says, and all ways come.
    #[test]
    fn shares_follow_the_weights() {
        let ways =
            [way("a").with_weight(1), way("b").with_weight(2), way("z").with_weight(0), way("c").with_priority(9)];
        let mut first = BTreeMap::new();
        for draw in 0..4 {
            let mut draws = [draw, 0, 0, 0].into_iter();
            let ordered = host(in_order(&ways, || draws.next().unwrap()));
            assert!(ordered.ends_with(" c") && ordered.len() == 7, "{ordered}");
            *first.entry(ordered[..1].to_owned()).or_insert(0) += 1;
        }
        assert_eq!(first.into_iter().collect::<Vec<_>>(), [("a".into(), 1), ("b".into(), 2), ("z".into(), 1)]);
    }
}
