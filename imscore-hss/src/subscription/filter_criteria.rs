//! Initial filter criteria: which requests go by which application server (TS 29.228 §B.2.2, §B.2.3).
//!
//! As the HSS says them. To match requests against them is the S-CSCF's affair.

/// Requests that match go by an application server.
///
/// ```
/// use imscore_hss::{
///     ApplicationServer, Condition, DefaultHandling, InitialFilterCriteria, NormalForm, ProfilePart,
///     RegistrationType, ServicePointTrigger, SessionCase, TriggerPoint,
/// };
///
/// // Calls of a registered user, and registrations but not refreshes, go to an application server.
/// let calls = ServicePointTrigger::new(0, Condition::Method("INVITE".into()));
/// let placed = ServicePointTrigger::new(0, Condition::SessionCase(SessionCase::OriginatingRegistered));
/// let mut registers = ServicePointTrigger::new(1, Condition::Method("REGISTER".into()));
/// registers.registration_types = vec![RegistrationType::Initial, RegistrationType::DeRegistration];
///
/// let mut server = ApplicationServer::new("sip:as.ims.example");
/// server.default_handling = DefaultHandling::SessionTerminated;
/// let point = TriggerPoint::new(NormalForm::Disjunctive, vec![calls, placed, registers]);
/// let mut criteria = InitialFilterCriteria::new(10, server).with_trigger_point(point);
/// criteria.profile_part = Some(ProfilePart::Registered);
/// assert_eq!(criteria.trigger_point.map(|point| point.triggers.len()), Some(3));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct InitialFilterCriteria {
    /// 0 comes first, [`LOWEST_PRIORITY`](Self::LOWEST_PRIORITY) last.
    pub priority: u32,
    /// What it takes; without one every request matches.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub trigger_point: Option<TriggerPoint>,
    /// Who is asked.
    pub application_server: ApplicationServer,
    /// Whether it is for the registered or the unregistered user; else for both.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub profile_part: Option<ProfilePart>,
}

/// ProfilePartIndicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ProfilePart {
    /// While the user is registered.
    Registered,
    /// While it is not.
    Unregistered,
}

/// A condition in a normal form (TS 29.228 annex C).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct TriggerPoint {
    /// ConditionTypeCNF: what groups are.
    pub form: NormalForm,
    /// Its terms, at least one.
    pub triggers: Vec<ServicePointTrigger>,
}

/// How the terms of a condition hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum NormalForm {
    /// Terms of one group are alternatives; each group must match.
    Conjunctive,
    /// Terms of one group must all match; groups are alternatives.
    Disjunctive,
}

/// SPT: one term of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct ServicePointTrigger {
    /// ConditionNegated: it matches where the condition does not.
    #[cfg_attr(feature = "serde", serde(default))]
    pub negated: bool,
    /// The groups that it is in, at least one.
    pub groups: Vec<u32>,
    /// What is looked at.
    pub condition: Condition,
    /// Kinds of REGISTER that match, where the condition is a method; none given: all.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub registration_types: Vec<RegistrationType>,
}

/// What a term looks at. Texts but for the method and the session case are regular expressions (TS 29.228 annex F).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Condition {
    /// The Request-URI matches.
    RequestUri(String),
    /// The method is this one.
    Method(String),
    /// A header is there.
    SipHeader {
        /// Its name.
        header: String,
        /// What its value matches; any where there is none.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        content: Option<String>,
    },
    /// Whom the request is from or for.
    SessionCase(SessionCase),
    /// The session description has a line.
    SessionDescription {
        /// Its type: `m`.
        line: String,
        /// What it matches; anything where there is none.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        content: Option<String>,
    },
}

/// Whom a request is from or for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum SessionCase {
    /// From the user, who is registered.
    OriginatingRegistered,
    /// For the user, who is registered.
    TerminatingRegistered,
    /// For the user, who is not registered.
    TerminatingUnregistered,
    /// From the user, who is not registered.
    OriginatingUnregistered,
    /// Diverted by the user.
    OriginatingCdiv,
}

/// What a REGISTER does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum RegistrationType {
    /// INITIAL_REGISTRATION.
    Initial,
    /// RE-REGISTRATION.
    ReRegistration,
    /// DE-REGISTRATION.
    DeRegistration,
}

/// An application server, and how it is asked (TS 29.228 §B.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct ApplicationServer {
    /// Its SIP URI.
    pub server_name: String,
    /// What becomes of the request where it does not answer.
    #[cfg_attr(feature = "serde", serde(default))]
    pub default_handling: DefaultHandling,
    /// What it is told in a third-party REGISTER.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub service_info: Option<String>,
    /// IncludeRegisterRequest: a third-party REGISTER has the user's within.
    #[cfg_attr(feature = "serde", serde(default))]
    pub include_register_request: bool,
    /// IncludeRegisterResponse: a third-party REGISTER has the answer to the user's within.
    #[cfg_attr(feature = "serde", serde(default))]
    pub include_register_response: bool,
}

/// What becomes of a request whose application server does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum DefaultHandling {
    /// It goes on without.
    #[default]
    SessionContinued,
    /// It is refused.
    SessionTerminated,
}

impl InitialFilterCriteria {
    /// What comes after all else.
    pub const LOWEST_PRIORITY: u32 = i32::MAX as u32;

    /// Every request goes by this server.
    pub fn new(priority: u32, application_server: ApplicationServer) -> Self {
        Self { priority, trigger_point: None, application_server, profile_part: None }
    }

    /// Only those requests that match.
    #[must_use]
    pub fn with_trigger_point(mut self, trigger_point: TriggerPoint) -> Self {
        self.trigger_point = Some(trigger_point);
        self
    }
}

impl TriggerPoint {
    /// A condition of these terms.
    pub fn new(form: NormalForm, triggers: Vec<ServicePointTrigger>) -> Self {
        Self { form, triggers }
    }
}

impl ServicePointTrigger {
    /// A term of one group.
    pub fn new(group: u32, condition: Condition) -> Self {
        Self { negated: false, groups: vec![group], condition, registration_types: Vec::new() }
    }
}

impl ApplicationServer {
    /// The server of this SIP URI; where it does not answer, requests go on without.
    pub fn new(server_name: impl Into<String>) -> Self {
        Self {
            server_name: server_name.into(),
            default_handling: DefaultHandling::default(),
            service_info: None,
            include_register_request: false,
            include_register_response: false,
        }
    }
}
