//! Services of a user: which application servers its requests go by, and in which order (TS 24.229 §5.4.3.2, §5.4.3.3;
//! TS 29.228 annexes B, C and F).
//!
//! A service profile is compiled once, [`Services::compile`]; then each [`Subject`], a request from or for the user, is
//! held against it. After an application server has had the request and sent it back, maybe changed, the search goes on
//! behind the criterion that it was found by.
//!
//! ```
//! use imscore_cscf::services::{Services, Subject};
//! use imscore_hss::{
//!     ApplicationServer, Condition, InitialFilterCriteria, NormalForm, ServicePointTrigger, SessionCase, TriggerPoint,
//! };
//! use imscore_sip::{Method, Request};
//!
//! let calls = vec![ServicePointTrigger::new(0, Condition::Method("INVITE".into()))];
//! let criteria = InitialFilterCriteria::new(0, ApplicationServer::new("sip:mmtel.ims.example"))
//!     .with_trigger_point(TriggerPoint::new(NormalForm::Conjunctive, calls));
//! let (services, left_out) = Services::compile([&criteria]);
//! assert!(left_out.is_empty());
//!
//! let invite = Request::new(&Method::Invite, "sip:bob@ims.example");
//! let subject = Subject::new(&invite, SessionCase::OriginatingRegistered);
//! let (place, first) = services.next(0, &subject).expect("a server");
//! assert_eq!(first.server().server_name, "sip:mmtel.ims.example");
//! assert!(services.next(place + 1, &subject).is_none());
//! ```
//!
//! What is said of each criterion, and what is left out:
//!
//! ```
//! use imscore_cscf::services::{CriteriaError, Criterion, Outcome, PatternError, Services, Subject};
//! use imscore_hss::{
//!     ApplicationServer, Condition, InitialFilterCriteria, NormalForm, ServicePointTrigger, SessionCase, TriggerPoint,
//! };
//! use imscore_sip::{Method, Request};
//!
//! let to = |priority, expression: &str| {
//!     let term = ServicePointTrigger::new(0, Condition::RequestUri(expression.into()));
//!     InitialFilterCriteria::new(priority, ApplicationServer::new("sip:as.ims.example"))
//!         .with_trigger_point(TriggerPoint::new(NormalForm::Disjunctive, vec![term]))
//! };
//! let (services, left_out) = Services::compile(&[to(0, "^tel:"), to(1, "bob@"), to(2, "(")]);
//! assert_eq!(left_out, [(2, CriteriaError::Pattern(PatternError::Syntax, "(".into()))]);
//!
//! let invite = Request::new(&Method::Invite, "sip:bob@ims.example");
//! let subject = Subject::new(&invite, SessionCase::TerminatingRegistered);
//! let outcome = |criterion: &Criterion| criterion.outcome(&subject);
//! let outcomes: Vec<Outcome> = services.criteria().iter().map(outcome).collect();
//! assert_eq!(outcomes, [Outcome::Unmet, Outcome::Applies]);
//! ```

mod criteria;

pub use crate::pattern::PatternError;
pub use criteria::{CriteriaError, Criterion, Outcome, Services, Subject};
