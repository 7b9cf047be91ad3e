//! Who a request is from, as the network has it, and who may know (RFC 3325, TS 24.229 §4.4).

use imscore_hss::{PublicIdentity, Scheme};
use imscore_sip::header::{Name, PAssertedIdentity, PServedUser, Privacy};
use imscore_sip::{Headers, Uri};

/// On whose behalf a request is served in its originating half: P-Served-User, else who is asserted (TS 24.229 §5.4.3.2).
pub(crate) fn served_user(headers: &Headers) -> Option<PublicIdentity> {
    let served = headers.get::<PServedUser>().ok().flatten().map(|header| header.0);
    let asserted = || headers.get::<PAssertedIdentity>().ok().flatten().map(|header| header.0);
    served.or_else(asserted)?.uri().as_str().parse().ok()
}

/// Asserts the other name of the caller beside the one that is asserted: the number of a SIP URI, the SIP URI of a number
/// (TS 24.229 §5.4.3.2). Of the `names` that the caller may be known by, the one with the same digits goes first.
pub(crate) fn assert_other_name<'a>(headers: &mut Headers, names: impl Iterator<Item = &'a PublicIdentity> + Clone) {
    let mut asserted = headers.typed::<PAssertedIdentity>().flatten();
    let (Some(first), None) = (asserted.next(), asserted.next()) else { return };
    drop(asserted);
    let Ok(first) = first.uri().as_str().parse::<PublicIdentity>() else { return };
    let is_number = |identity: &PublicIdentity| identity.scheme() == Scheme::Tel;
    let mut others = names.filter(|name| is_number(name) != is_number(&first));
    let other = others.clone().find(|name| name.user() == first.user()).or_else(|| others.next());
    if let Some(uri) = other.and_then(|name| name.as_str().parse::<Uri>().ok()) {
        headers.push(&PAssertedIdentity::new(uri));
    }
}

/// Takes out what another network is not told: where the phone is, where charging data goes, and, where privacy is asked
/// for, who calls (RFC 3325 §9.3, RFC 7315 §4.4, §4.5).
pub(crate) fn leave_trust_domain(headers: &mut Headers) {
    headers.remove_all(&[
        Name::P_ACCESS_NETWORK_INFO,
        Name::P_CHARGING_FUNCTION_ADDRESSES,
        Name::P_SERVED_USER,
        Name::P_VISITED_NETWORK_ID,
    ]);
    if headers.typed::<Privacy>().flatten().any(|privacy| privacy.contains("id")) {
        headers.remove(Name::P_ASSERTED_IDENTITY);
    }
}

#[cfg(test)]
mod tests {
    use imscore_sip::{Method, Request};

    use super::*;

    fn request(lines: &[(&str, &str)]) -> Request {
        let mut request = Request::new(&Method::Invite, "sip:bob@ims.example");
        lines.iter().for_each(|(name, value)| request.headers.push_raw(name, value.as_bytes()));
        request
    }

    const NAMES: [&str; 4] = ["sip:alice@h", "sip:+1200@h", "tel:+1100", "tel:+1200"];

    /// The asserted identities of a caller whose names are [`NAMES`].
    fn check(asserted: &[&str], expected: &[&str]) {
        let lines: Vec<_> = asserted.iter().map(|identity| ("P-Asserted-Identity", *identity)).collect();
        let mut request = request(&lines);
        let names = NAMES.map(|name| name.parse().unwrap());
        assert_other_name(&mut request.headers, names.iter());
        let found: Vec<String> =
            request.headers.typed::<PAssertedIdentity>().flatten().map(|header| header.to_string()).collect();
        assert_eq!(found, expected, "{asserted:?}");
    }

    /// TS 24.229 §5.4.3.2.
    #[test]
    fn a_caller_is_asserted_by_both_names() {
        check(&["<sip:alice@h>"], &["<sip:alice@h>", "<tel:+1100>"]);
        check(&["\"A\" <sip:+1200@h;user=phone>"], &["\"A\" <sip:+1200@h;user=phone>", "<tel:+1200>"]);
        check(&["<tel:+1200>"], &["<tel:+1200>", "<sip:+1200@h>"]);
        check(&["<tel:+1-100>"], &["<tel:+1-100>", "<sip:alice@h>"]);
        for unchanged in [&["<sip:alice@h>", "<tel:+1200>"][..], &["<sip:alice@h>", "<sip:bob@h>"], &["<urn:x:y>"], &[]]
        {
            check(unchanged, unchanged);
        }
        let mut alone = request(&[("P-Asserted-Identity", "<sip:alice@h>")]);
        assert_other_name(&mut alone.headers, ["sip:alice@h".parse().unwrap()].iter());
        assert_eq!(alone.headers.raw_all("P-Asserted-Identity").count(), 1);
    }

    #[test]
    fn who_is_served() {
        let (served, asserted) = (("P-Served-User", "<sip:S@h>;sescase=orig"), ("P-Asserted-Identity", "<sip:a@h>"));
        let user = |lines: &[(&str, &str)]| served_user(&request(lines).headers).map(|user| user.to_string());
        assert_eq!(user(&[asserted, served]).as_deref(), Some("sip:S@h"));
        assert_eq!(user(&[asserted, ("P-Asserted-Identity", "<tel:+1>")]).as_deref(), Some("sip:a@h"));
        assert_eq!(user(&[("From", "<sip:a@h>;tag=1")]), None);
    }

    /// RFC 3325 §9.3; I17.
    #[test]
    fn another_network_is_not_told_everything() {
        let lines = [
            ("P-Access-Network-Info", "3GPP-E-UTRAN-FDD"),
            ("P-Charging-Function-Addresses", "ccf=c"),
            ("P-Charging-Vector", "icid-value=1"),
            ("P-Asserted-Identity", "<sip:a@h>"),
        ];
        let left = |privacy: &[(&str, &str)]| {
            let mut request = request(&lines.iter().chain(privacy).copied().collect::<Vec<_>>());
            leave_trust_domain(&mut request.headers);
            lines.map(|(name, _)| request.headers.contains(name))
        };
        assert_eq!(left(&[]), [false, false, true, true]);
        assert_eq!(left(&[("Privacy", "none")]), [false, false, true, true]);
        assert_eq!(left(&[("Privacy", "user;ID")]), [false, false, true, false]);
    }
}
