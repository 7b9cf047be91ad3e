//! How a REGISTER changes bindings: RFC 3261 §10.3 steps 6 and 7, RFC 5626 §6.

use std::time::Duration;

use imscore_hss::PrivateIdentity;
use imscore_sip::ByteString;
use imscore_sip::header::Contact;

use super::record::{Binding, Registration};
use super::request::{Contacts, Wanted};

/// How many bindings there may be, and how long they may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The longest time, which is also that of a phone that names none.
    pub(crate) longest: Duration,
    /// The shortest time.
    pub(crate) shortest: Duration,
    /// How many one set has at most (I6).
    pub(crate) bindings: usize,
}

/// What a REGISTER wants of the bindings of a set.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// Who has authenticated: what another has registered is left alone (I18).
    pub(crate) private_identity: PrivateIdentity,
    pub(crate) call_id: ByteString,
    pub(crate) cseq: u32,
    /// The URIs of Path, first hop first.
    pub(crate) path: Vec<ByteString>,
    /// The edge supports flows: `reg-id` counts (RFC 5626 §6).
    pub(crate) has_flows: bool,
    pub(crate) contacts: Contacts,
}

/// Why bindings stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChangeError {
    /// A later REGISTER of the same series was there first.
    #[error("the REGISTER is out of order")]
    OutOfOrder,
    /// More than [`Terms::bindings`].
    #[error("too many bindings")]
    TooMany,
    /// A Contact asks for less than the shortest time.
    #[error("a binding holds for {shortest:?} at least")]
    TooBrief {
        /// [`Terms::shortest`].
        shortest: Duration,
    },
}

impl Terms {
    /// The time that a Contact gets; none takes it away.
    fn grant(&self, requested: Option<u32>) -> Result<Duration, ChangeError> {
        match requested.map(|seconds| Duration::from_secs(seconds.into())) {
            None => Ok(self.longest),
            Some(time) if !time.is_zero() && time < self.shortest => {
                Err(ChangeError::TooBrief { shortest: self.shortest })
            }
            Some(time) => Ok(time.min(self.longest)),
        }
    }
}

impl Change {
    /// Refuses what no set could take.
    pub(crate) fn check(&self, terms: &Terms) -> Result<(), ChangeError> {
        let Contacts::Change(wanted) = &self.contacts else { return Ok(()) };
        let granted: Result<Vec<Duration>, _> = wanted.iter().map(|wanted| terms.grant(wanted.expires)).collect();
        let stay = granted?.iter().filter(|time| !time.is_zero()).count();
        if stay > terms.bindings { Err(ChangeError::TooMany) } else { Ok(()) }
    }

    /// Changes the bindings of a set, all or none.
    pub(crate) fn apply(&self, registration: &mut Registration, terms: &Terms) -> Result<(), ChangeError> {
        let bindings = match &self.contacts {
            Contacts::Fetch => return Ok(()),
            Contacts::RemoveAll => {
                let (own, others): (Vec<_>, Vec<_>) =
                    registration.bindings.iter().cloned().partition(|binding| self.is_own(binding));
                own.iter().try_for_each(|binding| self.check_order(binding))?;
                others
            }
            Contacts::Change(wanted) => self.changed(&registration.bindings, wanted, terms)?,
        };
        registration.set_bindings(bindings);
        Ok(())
    }

    fn changed(&self, bindings: &[Binding], wanted: &[Wanted], terms: &Terms) -> Result<Vec<Binding>, ChangeError> {
        let mut changed = bindings.to_vec();
        for Wanted { contact, expires } in wanted {
            let reg_id = contact.reg_id().filter(|_| self.has_flows).unwrap_or_default();
            let is_it = |binding: &Binding| self.is_own(binding) && is_same(binding, contact, reg_id);
            bindings.iter().filter(|binding| is_it(binding)).try_for_each(|binding| self.check_order(binding))?;
            changed.retain(|binding| !is_it(binding));
            let granted = terms.grant(*expires)?;
            if !granted.is_zero() {
                let mut binding = Binding::new(self.private_identity.clone(), contact, granted);
                binding.path = self.path.clone();
                binding.reg_id = reg_id;
                binding.call_id = self.call_id.clone();
                binding.cseq = self.cseq;
                changed.push(binding);
            }
        }
        if changed.len() > terms.bindings { Err(ChangeError::TooMany) } else { Ok(changed) }
    }

    fn is_own(&self, binding: &Binding) -> bool {
        binding.private_identity == self.private_identity
    }

    fn check_order(&self, binding: &Binding) -> Result<(), ChangeError> {
        let is_late = binding.call_id == self.call_id && binding.cseq >= self.cseq;
        if is_late { Err(ChangeError::OutOfOrder) } else { Ok(()) }
    }
}

/// A phone that says which one it is has one binding for each flow, whatever its address has become; another one is its
/// address (RFC 5626 §6, RFC 3261 §10.3 step 7).
fn is_same(binding: &Binding, contact: &Contact, reg_id: u32) -> bool {
    let Some(bound) = binding.contact() else { return false };
    match (bound.instance(), contact.instance()) {
        (Some(one), Some(other)) => binding.reg_id == reg_id && one.eq_ignore_ascii_case(&other),
        (Some(_), None) | (None, Some(_)) | (None, None) => match (bound.uri(), contact.uri()) {
            (Some(one), Some(other)) => one.equivalent(other),
            (_, _) => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use imscore_hss::{ProfileIdentity, ServiceProfile, UserProfile};
    use imscore_sip::header::TypedHeader;

    use super::*;

    const TERMS: Terms = Terms { longest: Duration::from_secs(3_600), shortest: Duration::from_secs(60), bindings: 10 };

    const BRIEF: ChangeError = ChangeError::TooBrief { shortest: TERMS.shortest };

    fn set() -> Registration {
        let identities = vec![ProfileIdentity::new("sip:alice@ims.example".parse().unwrap())];
        let profile = UserProfile::new("alice".parse().unwrap(), vec![ServiceProfile::new(identities)]);
        Registration::new("sip:scscf.ims.example".parse().unwrap(), &profile)
    }

    /// `private call-id cseq contacts`, contacts with their own `expires`, `!` in front for an edge with flows.
    fn change(text: &str) -> Change {
        let (has_flows, text) = text.strip_prefix('!').map_or((false, text), |text| (true, text));
        let [private, call_id, cseq, contacts] = text.splitn(4, ' ').collect::<Vec<_>>().try_into().unwrap();
        let wanted = |contact: &str| {
            let contact = Contact::decode(&contact.trim().into()).unwrap();
            Wanted { expires: contact.expires(), contact }
        };
        Change {
            private_identity: private.parse().unwrap(),
            call_id: call_id.into(),
            cseq: cseq.parse().unwrap(),
            path: vec!["sip:p;lr".into()],
            has_flows,
            contacts: match contacts {
                "*" => Contacts::RemoveAll,
                "" => Contacts::Fetch,
                list => Contacts::Change(list.split(',').map(wanted).collect()),
            },
        }
    }

    /// What becomes of a set after one REGISTER and another.
    #[track_caller]
    fn check(steps: &[&str], last: Result<(), ChangeError>, expected: &[&str]) {
        let mut registration = set();
        let (end, begin) = steps.split_last().unwrap();
        for step in begin {
            change(step).apply(&mut registration, &TERMS).unwrap();
        }
        assert_eq!(change(end).apply(&mut registration, &TERMS), last, "{steps:?}");
        let bindings: Vec<String> = registration
            .bindings
            .iter()
            .map(|binding| format!("{} {}", binding.contact, binding.remaining.as_secs()))
            .collect();
        assert_eq!(bindings, expected, "{steps:?}");
    }

    #[test]
    fn bindings_come_stay_and_go() {
        check(&["a c 1 <sip:a@1>"], Ok(()), &["<sip:a@1> 3600"]);
        check(&["a c 1 <sip:a@1>;q=0.1;expires=600;x"], Ok(()), &["<sip:a@1>;q=0.1;x 600"]);
        check(&["a c 1 <sip:a@1>;expires=99999"], Ok(()), &["<sip:a@1> 3600"]);
        check(&["a c 1 <sip:a@1>,<sip:a@2>;expires=60"], Ok(()), &["<sip:a@1> 3600", "<sip:a@2> 60"]);
        check(&["a c 1 <sip:a@1>", "a c 2 "], Ok(()), &["<sip:a@1> 3600"]);
        check(&["a c 1 <sip:a@1>", "a c 2 <sip:a@2>"], Ok(()), &["<sip:a@1> 3600", "<sip:a@2> 3600"]);
        check(
            &["a c 1 <sip:a@1>,<sip:a@2>", "a c 2 <sip:a@1>;expires=60"],
            Ok(()),
            &["<sip:a@2> 3600", "<sip:a@1> 60"],
        );
        check(&["a c 1 <sip:a@1>,<sip:a@2>", "a c 2 <sip:a@1>;expires=0"], Ok(()), &["<sip:a@2> 3600"]);
        check(&["a c 1 <sip:a@1>", "a c 2 <sip:a@3>;expires=0"], Ok(()), &["<sip:a@1> 3600"]);
        check(&["a c 1 <sip:a@1>,<sip:a@2>", "a c 2 *"], Ok(()), &[]);
        check(&["a c 1 <sip:%61@1;x=1>", "a c 2 <sip:a@1>"], Ok(()), &["<sip:a@1> 3600"]);
        check(&["a c 1 <sip:a@1>,<sip:a@1>;expires=60"], Ok(()), &["<sip:a@1> 60"]);
    }

    /// RFC 3261 §10.3 steps 6 and 7: all or none.
    #[test]
    fn what_comes_late_changes_nothing() {
        let late = Err(ChangeError::OutOfOrder);
        let (one, both) = (&["<sip:a@1> 3600"][..], &["<sip:a@1> 3600", "<sip:a@2> 3600"][..]);
        check(&["a c 5 <sip:a@1>", "a c 4 <sip:a@1>;expires=0"], late, one);
        check(&["a c 5 <sip:a@1>", "a c 5 <sip:a@1>;expires=0"], late, one);
        check(&["a c 5 <sip:a@1>", "a c 4 *"], late, one);
        check(&["a c 5 <sip:a@1>,<sip:a@2>", "a c 4 <sip:a@3>,<sip:a@2>"], late, both);
        check(&["a c 5 <sip:a@1>", "a d 1 <sip:a@1>;expires=60"], Ok(()), &["<sip:a@1> 60"]);
        check(&["a c 5 <sip:a@1>", "a c 4 <sip:a@2>"], Ok(()), both);
    }

    /// RFC 3261 §10.3 step 7.
    #[test]
    fn a_brief_time_is_refused() {
        check(&["a c 1 <sip:a@1>;expires=59"], Err(BRIEF), &[]);
        check(&["a c 1 <sip:a@1>,<sip:a@2>;expires=1"], Err(BRIEF), &[]);
        check(&["a c 1 <sip:a@1>;expires=60"], Ok(()), &["<sip:a@1> 60"]);
        assert_eq!(change("a c 1 <sip:a@1>;expires=59").check(&TERMS), Err(BRIEF));
        assert_eq!(change("a c 1 <sip:a@1>;expires=0").check(&TERMS), Ok(()));
        assert_eq!(change("a c 1 *").check(&TERMS), Ok(()));
    }

    /// I6.
    #[test]
    fn a_flood_of_bindings_is_refused() {
        let contacts = |count| (0..count).map(|n| format!("<sip:a@{n}>")).collect::<Vec<_>>().join(",");
        let ten = format!("a c 1 {}", contacts(10));
        let eleven = format!("a c 1 {}", contacts(11));
        let mut registration = set();
        assert_eq!(change(&eleven).apply(&mut registration, &TERMS), Err(ChangeError::TooMany));
        assert_eq!(registration.bindings.len(), 0);
        assert_eq!(change(&ten).apply(&mut registration, &TERMS), Ok(()));
        assert_eq!(change("b c 1 <sip:b@1>").apply(&mut registration, &TERMS), Err(ChangeError::TooMany));
        assert_eq!(change("a c 2 <sip:a@0>;expires=0,<sip:a@x>").apply(&mut registration, &TERMS), Ok(()));
        assert_eq!(registration.bindings.len(), 10);
        assert_eq!(change(&ten).check(&TERMS), Ok(()));
        assert_eq!(change(&eleven).check(&TERMS), Err(ChangeError::TooMany));
        assert_eq!(change(&format!("{eleven};expires=0")).check(&TERMS), Ok(()));
    }

    /// I18: nobody touches what another private identity has registered.
    #[test]
    fn others_bindings_are_left_alone() {
        check(&["a c 1 <sip:x@1>", "b d 1 <sip:x@1>;expires=0"], Ok(()), &["<sip:x@1> 3600"]);
        check(&["a c 1 <sip:x@1>", "b d 1 <sip:x@1>"], Ok(()), &["<sip:x@1> 3600", "<sip:x@1> 3600"]);
        check(&["a c 1 <sip:x@1>", "b d 1 *"], Ok(()), &["<sip:x@1> 3600"]);
        let fake = "!b d 1 <sip:y@2>;reg-id=1;+sip.instance=\"<urn:x>\"";
        check(
            &["!a c 1 <sip:x@1>;reg-id=1;+sip.instance=\"<urn:x>\"", fake],
            Ok(()),
            &["<sip:x@1>;reg-id=1;+sip.instance=\"<urn:x>\" 3600", "<sip:y@2>;reg-id=1;+sip.instance=\"<urn:x>\" 3600"],
        );
    }

    /// RFC 5626 §6.
    #[test]
    fn a_phone_keeps_one_binding_for_each_flow() {
        let contact = |at: u8, flow: u8| format!("<sip:x@{at}>;reg-id={flow};+sip.instance=\"<urn:X>\"");
        let (one, two) = (contact(1, 1), contact(2, 2));
        let moved = format!("!a d 1 {}", contact(3, 1).replace("urn:X", "URN:x"));
        let kept = |contact: &str| format!("{contact} 3600");
        let begin = [format!("!a c 1 {one}"), format!("!a c 2 {two}")];
        check(&[&begin[0], &begin[1], &moved], Ok(()), &[&kept(&two), &kept(&contact(3, 1).replace("urn:X", "URN:x"))]);
        // Without flows at the edge the phone is one, wherever it is.
        let (begin, moved) = (format!("a c 1 {one}"), format!("a d 1 {two}"));
        check(&[&begin, &moved], Ok(()), &[&kept(&two)]);
        check(&["a c 1 <sip:x@1>", &begin.replace("c 1", "c 2")], Ok(()), &[&kept(&one)]);
    }
}
