//! [`Role`]: a network function as code that reads from top to bottom.
//!
//! A role sees requests that are addressed to it and says what becomes of them; RFC 3261 §16 is the engine's: validation,
//! Via, Max-Forwards, transactions, forking, the choice among responses, CANCEL, Timer C. A role may await the HSS, a
//! store or a timer: the [node](crate::Node) polls it, under tokio in production and in virtual time in tests.
//!
//! ```
//! use async_trait::async_trait;
//! use imscore_cscf::{Call, Decision, Refused, Role};
//! use imscore_sip::{Method, Request, StatusCode};
//!
//! /// Screens calls: nobody calls Mallory.
//! struct Screening;
//!
//! #[async_trait]
//! impl Role for Screening {
//!     async fn on_request(&self, _call: &mut Call, request: Request) -> Result<Decision, Refused> {
//!         if request.is(&Method::Invite) && request.target().contains("mallory@") {
//!             return Err(Refused::new(StatusCode::DECLINE));
//!         }
//!         Ok(Decision::forward(request))
//!     }
//! }
//! ```

use async_trait::async_trait;
use imscore_sip::transport::Flow;
use imscore_sip::{ByteString, Now, Request, Response, StatusCode};
use smallvec::{SmallVec, smallvec};

use crate::call::Call;

/// A network function behind a [node](crate::Node).
///
/// A procedure that has begun runs to its end: it is not dropped when the caller gives up, since between a write at the
/// HSS and one in a store there is no safe place to stop. After the node's deadline the caller gets 504 and the procedure
/// goes on without it.
///
/// ```
/// use std::time::Duration;
///
/// use async_trait::async_trait;
/// use imscore_cscf::{Call, Decision, Elapsed, Event, Origin, Refused, Role, Target, Verdict};
/// use imscore_sip::{Request, Response, StatusCode};
///
/// /// Sends calls to a voice mail when nobody is there, and looks the caller up before.
/// struct Divert;
///
/// # async fn look_up(_: Request) -> bool { true }
/// #[async_trait]
/// impl Role for Divert {
///     async fn on_request(&self, call: &mut Call, request: Request) -> Result<Decision, Refused> {
///         if matches!(call.origin(), Origin::Node) {
///             return Ok(Decision::Done);
///         }
///         let looked_up = call.within(Duration::from_millis(500), look_up(request.clone())).await;
///         match looked_up {
///             Ok(true) => Ok(Decision::forward(request)),
///             Ok(false) => Err(StatusCode::NOT_FOUND.into()),
///             Err(Elapsed) => Err(Refused::new(StatusCode::SERVER_TIMEOUT)),
///         }
///     }
///
///     fn on_response(&self, _call: &mut Call, response: Response) -> Verdict {
///         match response.status() {
///             StatusCode::TEMPORARILY_UNAVAILABLE => Verdict::Resume(response),
///             _ => Verdict::Pass(response),
///         }
///     }
///
///     async fn on_event(&self, _call: &mut Call, event: Event) {
///         if let Event::FlowLost(flow) = event {
///             println!("a phone is gone: {flow}");
///         }
///     }
/// }
///
/// let voice_mail = Target::route("sip:voicemail.ims.example;lr");
/// assert_eq!(voice_mail.routes, ["sip:voicemail.ims.example;lr"]);
/// ```
#[async_trait]
pub trait Role: Send + Sync {
    /// A request outside a dialog whose next hop is this role.
    async fn on_request(&self, call: &mut Call, request: Request) -> Result<Decision, Refused>;

    /// A request inside a dialog, ACK among them, that came by a Route of this role, [`Call::route`]. It never waits, so
    /// that requests keep their order; what it needs is in that Route.
    fn on_dialog_request(&self, _call: &mut Call, request: Request) -> Result<Decision, Refused> {
        Ok(Decision::forward(request))
    }

    /// A response to what this role forwarded, each branch's, 100 excepted. It never waits.
    fn on_response(&self, _call: &mut Call, response: Response) -> Verdict {
        Verdict::Pass(response)
    }

    /// What [`Verdict::Resume`] goes on with: the failure of a branch that needs another question before one knows what to
    /// try next. The context stays open meanwhile.
    async fn on_resume(&self, _call: &mut Call, failure: Response) -> Result<Decision, Refused> {
        Ok(Decision::Reply(failure))
    }

    /// The caller gave up. Its branches are cancelled by the engine.
    fn on_cancel(&self, _call: &mut Call) {}

    /// A timer that was set with [`Call::set_timer`].
    fn on_timer(&self, _call: &mut Call, _timer: &'static str) {}

    /// Something happened that belongs to no request.
    async fn on_event(&self, _call: &mut Call, _event: Event) {}

    /// Whether the peer of a flow has proved to this role who it is: its connection may be idle for long.
    fn knows(&self, _flow: &Flow, _now: Now) -> bool {
        false
    }

    /// Work of the role's own, begun with the node and dropped with it: announcements of the HSS, bindings that run out. One
    /// worker of a node runs it.
    async fn run(&self, _call: &mut Call) {}
}

/// What becomes of a request.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Decision {
    /// It goes on to these targets at once; the first success wins (RFC 3261 §16.7).
    Forward(Request, Targets),
    /// It is answered.
    Reply(Response),
    /// It is dealt with: by [`Call::fork`], or no answer is due.
    Done,
}

impl Decision {
    /// On to where its Route or Request-URI says.
    pub fn forward(request: Request) -> Decision {
        Decision::Forward(request, smallvec![Target::default()])
    }

    /// On to one target.
    pub fn forward_to(request: Request, target: Target) -> Decision {
        Decision::Forward(request, smallvec![target])
    }
}

/// Where a request goes; mostly one.
pub type Targets = SmallVec<[Target; 1]>;

/// One place that a request goes to. The default is wherever its Route, else its Request-URI, says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The Request-URI, where it changes.
    pub uri: Option<ByteString>,
    /// Route values that go in front of those which the request has, first hop first: a Path, a Service-Route, the name of
    /// another role.
    pub routes: Vec<ByteString>,
    /// The flow that the request goes down, whatever Route and Request-URI say (RFC 5626 §5.3).
    pub flow: Option<Flow>,
}

impl Target {
    /// To another server: `uri` goes into the Route.
    pub fn route(uri: impl Into<ByteString>) -> Target {
        Target { routes: vec![uri.into()], ..Target::default() }
    }
}

/// What becomes of a response.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Verdict {
    /// It takes its course: RFC 3261 §16.7.
    Pass(Response),
    /// It is not passed on. A branch whose final response is dropped counts for nothing.
    Drop,
    /// In place of this failure, these targets are tried.
    Retry(Request, Targets),
    /// In place of this failure, [`Role::on_resume`] decides.
    Resume(Response),
}

/// Something that belongs to no request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A connection is gone, and what was reached by it with it.
    FlowLost(Flow),
}

/// A request that a role does not serve, and the answer to it.
///
/// ```
/// use imscore_cscf::Refused;
/// use imscore_sip::{Method, Request, StatusCode};
///
/// let refused = Refused::new(StatusCode::SERVICE_UNAVAILABLE).with("Retry-After", "30");
/// let invite = Request::new(&Method::Invite, "sip:bob@ims.example");
/// assert_eq!(refused.reply(&invite).headers.raw("Retry-After"), Some(&b"30"[..]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}")]
pub struct Refused {
    /// The answer's status.
    pub status: StatusCode,
    /// Headers of the answer: name and value.
    pub headers: Vec<(&'static str, String)>,
}

impl Refused {
    /// With a bare status.
    pub fn new(status: StatusCode) -> Refused {
        Refused { status, headers: Vec::new() }
    }

    /// With a header more, such as `Retry-After` or `Warning`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Refused {
        self.headers.push((name, value.into()));
        self
    }

    /// The answer to `request`.
    pub fn reply(&self, request: &Request) -> Response {
        let mut response = request.reply(self.status);
        for (name, value) in &self.headers {
            response.headers.push_raw(name, value.as_bytes());
        }
        response
    }
}

impl From<StatusCode> for Refused {
    fn from(status: StatusCode) -> Refused {
        Refused::new(status)
    }
}
