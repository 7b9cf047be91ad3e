//! Filter criteria, compiled: each is looked at in its order, against the request as it stands by then.

use std::cell::OnceCell;

use imscore_hss::{
    ApplicationServer, Condition, InitialFilterCriteria, NormalForm, ProfilePart, RegistrationType,
    ServicePointTrigger, SessionCase, TriggerPoint,
};
use imscore_sip::header::Name;
use imscore_sip::sdp::SessionDescription;
use imscore_sip::{Method, Request, mime};

use crate::pattern::{Pattern, PatternError};

/// Terms of one condition, and groups that they are in: a profile with more is a mistake, or worse.
const MOST_TERMS: usize = 256;

/// The filter criteria of a service profile, lowest priority number first.
#[derive(Debug, Default)]
pub struct Services {
    criteria: Vec<Criterion>,
}

/// One of them.
#[derive(Debug)]
pub struct Criterion {
    priority: u32,
    server: ApplicationServer,
    part: Option<ProfilePart>,
    trigger: Option<Trigger>,
}

/// What a criterion says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The request goes by its application server.
    Applies,
    /// It is for users who are registered, and this one is not, or the other way round.
    OtherPart,
    /// Its condition is not met.
    Unmet,
}

/// Why a criterion is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CriteriaError {
    /// This text is no regular expression.
    #[error("{0} ({1:?})")]
    Pattern(PatternError, String),
    /// Its condition has more than 256 terms, or they are in more groups.
    #[error("more than {MOST_TERMS} terms or groups")]
    TooMany,
}

/// A request, and whose it is.
#[derive(Debug)]
pub struct Subject<'a> {
    request: &'a Request,
    case: SessionCase,
    registration: Option<RegistrationType>,
    session: OnceCell<Option<SessionDescription>>,
}

#[derive(Debug)]
struct Trigger {
    form: NormalForm,
    terms: Vec<Term>,
    /// Places of terms.
    groups: Vec<Vec<usize>>,
}

#[derive(Debug)]
struct Term {
    is_negated: bool,
    test: Test,
}

#[derive(Debug)]
enum Test {
    RequestUri(Pattern),
    Method(String, Vec<RegistrationType>),
    Header(HeaderName, Option<Pattern>),
    Case(SessionCase),
    Session(Pattern, Option<Pattern>),
}

/// Mostly a name; an expression may match several.
#[derive(Debug)]
enum HeaderName {
    One(String),
    Several(Pattern),
}

impl Services {
    /// Compiles criteria. What cannot be compiled is left out and named, so that one mistake does not cost a user the
    /// rest.
    pub fn compile<'a>(
        criteria: impl IntoIterator<Item = &'a InitialFilterCriteria>,
    ) -> (Services, Vec<(u32, CriteriaError)>) {
        let (mut compiled, mut left_out) = (Vec::new(), Vec::new());
        for criterion in criteria {
            match Criterion::compile(criterion) {
                Ok(criterion) => compiled.push(criterion),
                Err(error) => left_out.push((criterion.priority, error)),
            }
        }
        // Those of one priority keep the order of the HSS.
        compiled.sort_by_key(|criterion| criterion.priority);
        (Services { criteria: compiled }, left_out)
    }

    /// The first criterion from that place on that applies, and its place.
    pub fn next(&self, from: usize, subject: &Subject<'_>) -> Option<(usize, &Criterion)> {
        let rest = self.criteria.iter().enumerate().skip(from);
        rest.into_iter().find(|(_, criterion)| criterion.outcome(subject) == Outcome::Applies)
    }

    /// All of them, in order.
    pub fn criteria(&self) -> &[Criterion] {
        &self.criteria
    }
}

impl Criterion {
    fn compile(criterion: &InitialFilterCriteria) -> Result<Criterion, CriteriaError> {
        Ok(Criterion {
            priority: criterion.priority,
            server: criterion.application_server.clone(),
            part: criterion.profile_part,
            trigger: criterion.trigger_point.as_ref().map(Trigger::compile).transpose()?,
        })
    }

    /// Its priority in the profile; lower comes first.
    pub fn priority(&self) -> u32 {
        self.priority
    }

    /// Who is asked where it applies.
    pub fn server(&self) -> &ApplicationServer {
        &self.server
    }

    /// What it says of a request.
    pub fn outcome(&self, subject: &Subject<'_>) -> Outcome {
        let is_part = match self.part {
            None => true,
            Some(ProfilePart::Registered) => subject.is_registered(),
            Some(ProfilePart::Unregistered) => !subject.is_registered(),
        };
        if !is_part {
            return Outcome::OtherPart;
        }
        match &self.trigger {
            Some(trigger) if !trigger.is_met(subject) => Outcome::Unmet,
            Some(_) | None => Outcome::Applies,
        }
    }
}

impl<'a> Subject<'a> {
    /// A request from or for a user.
    pub fn new(request: &'a Request, case: SessionCase) -> Subject<'a> {
        Subject { request, case, registration: None, session: OnceCell::new() }
    }

    /// A REGISTER, and what it does.
    pub fn register(request: &'a Request, registration: RegistrationType) -> Subject<'a> {
        let case = SessionCase::OriginatingRegistered;
        Subject { request, case, registration: Some(registration), session: OnceCell::new() }
    }

    fn is_registered(&self) -> bool {
        match self.case {
            SessionCase::OriginatingRegistered
            | SessionCase::TerminatingRegistered
            // Whoever diverts has a profile of the registered part unless it says otherwise.
            | SessionCase::OriginatingCdiv => true,
            SessionCase::OriginatingUnregistered | SessionCase::TerminatingUnregistered => false,
        }
    }

    fn session(&self) -> Option<&SessionDescription> {
        let read = || {
            let body = self.request.body();
            let content = mime::content(&self.request.headers, body, "application/sdp").ok().flatten()?;
            SessionDescription::parse(content).ok()
        };
        self.session.get_or_init(read).as_ref()
    }
}

impl Trigger {
    fn compile(point: &TriggerPoint) -> Result<Trigger, CriteriaError> {
        let terms = point.triggers.iter().map(Term::compile).collect::<Result<Vec<_>, _>>()?;
        let mut numbers: Vec<u32> = point.triggers.iter().flat_map(|term| &term.groups).copied().collect();
        if terms.len().max(numbers.len()) > MOST_TERMS {
            return Err(CriteriaError::TooMany);
        }
        numbers.sort_unstable();
        numbers.dedup();
        let members = |number: &u32| {
            let terms = point.triggers.iter().enumerate();
            terms.filter(|(_, term)| term.groups.contains(number)).map(|(place, _)| place).collect()
        };
        Ok(Trigger { form: point.form, groups: numbers.iter().map(members).collect(), terms })
    }

    /// TS 29.228 annex C.
    fn is_met(&self, subject: &Subject<'_>) -> bool {
        let holds = |place: &usize| self.terms[*place].holds(subject);
        match self.form {
            NormalForm::Conjunctive => self.groups.iter().all(|group| group.iter().any(holds)),
            NormalForm::Disjunctive => self.groups.iter().any(|group| group.iter().all(holds)),
        }
    }
}

impl Term {
    fn compile(trigger: &ServicePointTrigger) -> Result<Term, CriteriaError> {
        let test = match &trigger.condition {
            Condition::RequestUri(expression) => Test::RequestUri(pattern(expression)?),
            Condition::Method(method) => Test::Method(method.clone(), trigger.registration_types.clone()),
            Condition::SipHeader { header, content } => {
                Test::Header(HeaderName::compile(header)?, content.as_deref().map(pattern).transpose()?)
            }
            Condition::SessionCase(case) => Test::Case(*case),
            Condition::SessionDescription { line, content } => {
                Test::Session(pattern(line)?, content.as_deref().map(pattern).transpose()?)
            }
        };
        Ok(Term { is_negated: trigger.negated, test })
    }

    fn holds(&self, subject: &Subject<'_>) -> bool {
        self.test.holds(subject) != self.is_negated
    }
}

impl Test {
    fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Test::RequestUri(pattern) => pattern.matches(subject.request.target().as_bytes()),
            // A kind of REGISTER says something of REGISTER alone (TS 29.228 annex F).
            Test::Method(method, kinds) => {
                let is_it = subject.request.method().as_str() == method;
                let is_free = kinds.is_empty() || !subject.request.is(&Method::Register);
                is_it && (is_free || subject.registration.is_some_and(|kind| kinds.contains(&kind)))
            }
            Test::Header(name, content) => name.values(subject.request).any(|value| matches(content.as_ref(), value)),
            Test::Case(case) => subject.case == *case,
            Test::Session(line, content) => subject.session().is_some_and(|session| {
                let mut lines = session.lines();
                lines.any(|(kind, value)| {
                    line.matches(kind.encode_utf8(&mut [0; 4]).as_bytes()) && matches(content.as_ref(), value)
                })
            }),
        }
    }
}

impl HeaderName {
    fn compile(text: &str) -> Result<HeaderName, CriteriaError> {
        if Name::find(text.as_bytes()).is_some()
            || text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Ok(HeaderName::One(text.to_owned()));
        }
        let compiled = Pattern::of_names(text);
        compiled.map(HeaderName::Several).map_err(|error| CriteriaError::Pattern(error, text.to_owned()))
    }

    fn values<'a>(&'a self, request: &'a Request) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
        match self {
            HeaderName::One(name) => Box::new(request.headers.raw_all(name.as_str())),
            HeaderName::Several(pattern) => {
                let canonical = |name: &'a [u8]| Name::find(name).map_or(name, |name| name.as_str().as_bytes());
                let lines = request.headers.iter();
                Box::new(lines.filter(move |(name, _)| pattern.matches(canonical(name))).map(|(_, value)| value))
            }
        }
    }
}

fn pattern(expression: &(impl AsRef<str> + ?Sized)) -> Result<Pattern, CriteriaError> {
    let expression = expression.as_ref();
    Pattern::new(expression).map_err(|error| CriteriaError::Pattern(error, expression.to_owned()))
}

fn matches(content: Option<&Pattern>, value: &[u8]) -> bool {
    content.is_none_or(|pattern| pattern.matches(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite() -> Request {
        let mut request = Request::new(&Method::Invite, "sip:bob@ims.example;user=phone");
        request.headers.push_raw("Accept-Contact", b"*;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\"");
        request.headers.push_raw("f", b"<sip:alice@ims.example>;tag=1");
        request.headers.push_raw("X-Two", b"one");
        request.headers.push_raw("X-Two", b"other");
        let body = "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n";
        request.with_body("application/sdp", body)
    }

    fn term(group: u32, condition: Condition) -> ServicePointTrigger {
        ServicePointTrigger::new(group, condition)
    }

    fn header(name: &str, content: Option<&str>) -> Condition {
        Condition::SipHeader { header: name.into(), content: content.map(Into::into) }
    }

    fn session(line: &str, content: Option<&str>) -> Condition {
        Condition::SessionDescription { line: line.into(), content: content.map(Into::into) }
    }

    fn criteria(form: NormalForm, triggers: Vec<ServicePointTrigger>) -> InitialFilterCriteria {
        let server = ApplicationServer::new("sip:as.ims.example");
        InitialFilterCriteria::new(0, server).with_trigger_point(TriggerPoint::new(form, triggers))
    }

    fn outcome(criteria: &InitialFilterCriteria, subject: &Subject<'_>) -> Outcome {
        let (services, left_out) = Services::compile([criteria]);
        assert_eq!(left_out, []);
        services.criteria()[0].outcome(subject)
    }

    /// Each kind of term (TS 29.228 annex F), as it is and negated.
    #[test]
    fn every_kind_of_term() {
        let request = invite();
        let subject = Subject::new(&request, SessionCase::OriginatingRegistered);
        for (condition, expected) in [
            (Condition::RequestUri("^sip:bob@".into()), true),
            (Condition::RequestUri("user=phone$".into()), true),
            (Condition::RequestUri("^tel:".into()), false),
            (Condition::Method("INVITE".into()), true),
            (Condition::Method("invite".into()), false),
            (Condition::Method("MESSAGE".into()), false),
            (header("accept-contact", None), true),
            (header("Accept-Contact", Some("mmtel")), true),
            (header("Accept-Contact", Some("smsip")), false),
            (header("From", Some("alice@")), true),
            (header("X-Two", Some("^other$")), true),
            (header("X-Two", Some("^one,")), false),
            (header("X-Three", None), false),
            (header("X-(Two|Three)", Some("^other$")), true),
            (header("F.*m", Some("alice")), true),
            (header("X-T", None), false),
            (Condition::SessionCase(SessionCase::OriginatingRegistered), true),
            (Condition::SessionCase(SessionCase::TerminatingRegistered), false),
            (session("m", None), true),
            (session("m", Some("^audio")), true),
            (session("m", Some("video")), false),
            (session("a", Some("sendrecv")), true),
            (session("[ma]", Some("sendrecv")), true),
            (session("b", None), false),
        ] {
            for negated in [false, true] {
                let mut term = term(0, condition.clone());
                term.negated = negated;
                let found = outcome(&criteria(NormalForm::Conjunctive, vec![term]), &subject);
                assert_eq!(found == Outcome::Applies, expected != negated, "{condition:?} {negated}");
            }
        }
    }

    #[test]
    fn a_session_description_that_is_not_there() {
        let bare = Request::new(&Method::Invite, "sip:bob@ims.example");
        let odd = {
            let request = Request::new(&Method::Invite, "sip:bob@ims.example");
            request.with_body("application/sdp", "m=audio")
        };
        for request in [bare, odd] {
            let subject = Subject::new(&request, SessionCase::TerminatingRegistered);
            let term = term(0, session("m", None));
            assert_eq!(outcome(&criteria(NormalForm::Disjunctive, vec![term]), &subject), Outcome::Unmet);
        }
    }

    /// TS 29.228 annex C: (a or b) and c; (a and b) or c. A term may be in several groups.
    #[test]
    fn normal_forms() {
        let request = invite();
        let subject = Subject::new(&request, SessionCase::OriginatingRegistered);
        let is = |truth: bool| Condition::Method(if truth { "INVITE" } else { "BYE" }.into());
        for bits in 0..8 {
            let [a, b, c] = [1, 2, 4].map(|bit| bits & bit != 0);
            let terms = || vec![term(7, is(a)), term(7, is(b)), term(3, is(c))];
            let met = |form| outcome(&criteria(form, terms()), &subject) == Outcome::Applies;
            assert_eq!(met(NormalForm::Conjunctive), (a || b) && c, "{bits}");
            assert_eq!(met(NormalForm::Disjunctive), (a && b) || c, "{bits}");
            let mut shared = terms();
            shared[2].groups = vec![3, 7];
            let met = |form| outcome(&criteria(form, shared.clone()), &subject) == Outcome::Applies;
            assert_eq!(met(NormalForm::Conjunctive), [a, b, c].contains(&true) && c, "{bits}");
            assert_eq!(met(NormalForm::Disjunctive), [a, b, c] == [true; 3] || c, "{bits}");
        }
    }

    #[test]
    fn kinds_of_register() {
        let register = Request::new(&Method::Register, "sip:ims.example");
        let mut method = term(0, Condition::Method("REGISTER".into()));
        let types = [RegistrationType::Initial, RegistrationType::ReRegistration, RegistrationType::DeRegistration];
        let met = |method: &ServicePointTrigger| {
            let criteria = criteria(NormalForm::Conjunctive, vec![method.clone()]);
            types.map(|kind| outcome(&criteria, &Subject::register(&register, kind)) == Outcome::Applies)
        };
        assert_eq!(met(&method), [true; 3]);
        method.registration_types = vec![RegistrationType::Initial, RegistrationType::DeRegistration];
        assert_eq!(met(&method), [true, false, true]);
    }

    #[test]
    fn parts_of_a_profile() {
        let request = invite();
        let mut criteria = InitialFilterCriteria::new(0, ApplicationServer::new("sip:as.ims.example"));
        for (part, case, expected) in [
            (None, SessionCase::TerminatingUnregistered, Outcome::Applies),
            (Some(ProfilePart::Registered), SessionCase::TerminatingRegistered, Outcome::Applies),
            (Some(ProfilePart::Registered), SessionCase::TerminatingUnregistered, Outcome::OtherPart),
            (Some(ProfilePart::Unregistered), SessionCase::OriginatingUnregistered, Outcome::Applies),
            (Some(ProfilePart::Unregistered), SessionCase::OriginatingRegistered, Outcome::OtherPart),
        ] {
            criteria.profile_part = part;
            assert_eq!(outcome(&criteria, &Subject::new(&request, case)), expected, "{part:?} {case:?}");
        }
    }

    #[test]
    fn in_order_of_priority() {
        let request = invite();
        let subject = Subject::new(&request, SessionCase::OriginatingRegistered);
        let of = |priority, name: &str| InitialFilterCriteria::new(priority, ApplicationServer::new(name));
        let never = TriggerPoint::new(NormalForm::Conjunctive, vec![term(0, Condition::Method("BYE".into()))]);
        let broken = TriggerPoint::new(NormalForm::Conjunctive, vec![term(0, Condition::RequestUri("(".into()))]);
        let all = [
            of(InitialFilterCriteria::LOWEST_PRIORITY, "sip:last"),
            of(5, "sip:second"),
            of(5, "sip:third"),
            of(1, "sip:never").with_trigger_point(never),
            of(2, "sip:broken").with_trigger_point(broken),
            of(0, "sip:first"),
        ];
        let (services, left_out) = Services::compile(&all);
        assert_eq!(left_out, [(2, CriteriaError::Pattern(PatternError::Syntax, "(".into()))]);
        let (mut from, mut asked) = (0, Vec::new());
        while let Some((place, criterion)) = services.next(from, &subject) {
            asked.push(criterion.server().server_name.as_str());
            from = place + 1;
        }
        assert_eq!(asked, ["sip:first", "sip:second", "sip:third", "sip:last"]);
    }

    #[test]
    fn terms_without_end() {
        let many = vec![term(0, Condition::Method("INVITE".into())); MOST_TERMS + 1];
        let mut wide = vec![term(0, Condition::Method("INVITE".into()))];
        wide[0].groups = (0..=MOST_TERMS as u32).collect();
        for triggers in [many, wide] {
            let (services, left_out) = Services::compile(&[criteria(NormalForm::Disjunctive, triggers)]);
            assert_eq!((services.criteria().len(), left_out), (0, vec![(0, CriteriaError::TooMany)]));
        }
    }
}
