//! [`Call`]: what a procedure has in its hands. It owns all of it, so that the procedure's future borrows nothing of the
//! node and can be kept and polled by it.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_channel::oneshot;
use imscore_sip::transport::{Flow, Listener, ListenerId, Side};
use imscore_sip::{ByteString, Now, Request, Response};

use crate::node::shared::{CallShared, Effect, Shared, Sleep};
use crate::role::{Target, Targets};

/// One request in the hands of one role, or one event.
pub struct Call {
    pub(crate) origin: Origin,
    pub(crate) route: Option<ByteString>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) own: Arc<CallShared>,
    pub(crate) kept: Option<Box<dyn Any + Send + Sync>>,
    pub(crate) branch: usize,
}

/// Where a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a peer over the network.
    Peer {
        /// By this way.
        flow: Flow,
        /// The side of the listener that it came in on.
        side: Side,
    },
    /// From a role of the same node, by its name.
    Role(ByteString),
    /// From the node itself: events and background work.
    Node,
}

impl Call {
    pub(crate) fn new(origin: Origin, route: Option<ByteString>, shared: Arc<Shared>) -> Call {
        Call { origin, route, shared, own: Arc::default(), kept: None, branch: 0 }
    }

    /// Where the request came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The flow that the request came in on, if it came over the network.
    pub fn flow(&self) -> Option<Flow> {
        match self.origin {
            Origin::Peer { flow, .. } => Some(flow),
            Origin::Role(_) | Origin::Node => None,
        }
    }

    /// One of the node's listeners, as it was bound.
    pub fn listener(&self, id: ListenerId) -> Option<&Listener> {
        self.shared.listeners.get(usize::from(id.0))
    }

    /// The URI of the Route that named this role, without its brackets; the engine has taken it off the request.
    pub fn route(&self) -> Option<&ByteString> {
        self.route.as_ref()
    }

    /// Which branch the response in hand came by: all targets of a call are counted from 0, in the order in which they
    /// were named.
    pub fn branch(&self) -> usize {
        self.branch
    }

    /// The time, as of the last input of the node.
    pub fn now(&self) -> Now {
        self.shared.now()
    }

    /// Sixty-four bits of the node's seeded generator: tags, nonces, versions.
    pub fn random(&self) -> u64 {
        self.shared.random()
    }

    /// Done after a time, by the node's clock.
    pub fn after(&self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        Sleep::new(self.shared.clone(), time)
    }

    /// The answer of `ask`, unless it takes longer than `time`. Giving up does not undo what was asked.
    ///
    /// # Errors
    /// [`Elapsed`] when the time is over.
    pub async fn within<T>(&self, time: Duration, ask: impl Future<Output = T> + Send) -> Result<T, Elapsed> {
        let mut ask = pin!(ask);
        let mut sleep = pin!(self.after(time));
        poll_fn(|cx| match ask.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Ok(answer)),
            Poll::Pending => sleep.as_mut().poll(cx).map(|()| Err(Elapsed)),
        })
        .await
    }

    /// True when the caller has given up: what the procedure decides later is discarded.
    pub fn is_cancelled(&self) -> bool {
        self.own.is_cancelled()
    }

    /// Done when the caller gives up.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + use<> {
        let own = self.own.clone();
        poll_fn(move |cx| own.poll_cancelled(cx))
    }

    /// Sends a provisional response of the role's own to the caller.
    pub fn provisional(&self, response: Response) {
        self.own.push(Effect::Provisional(response));
    }

    /// Sends a request on while the procedure, or what it left waiting, goes on.
    pub fn fork(&self, request: Request, targets: Targets) {
        self.own.push(Effect::Fork(request, targets));
    }

    /// Cancels all branches that have no final response yet.
    pub fn stop(&self) {
        self.own.push(Effect::Stop);
    }

    /// Calls [`Role::on_timer`](crate::Role::on_timer) after a time, while the call lasts. A timer of the same name is put
    /// off.
    pub fn set_timer(&self, name: &'static str, after: Duration) {
        self.own.push(Effect::Timer(name, after));
    }

    /// Sends a request of the role's own, outside the call: NOTIFY, third-party REGISTER, BYE. The future is the final
    /// response; it need not be awaited.
    pub fn send(
        &self,
        request: Request,
        target: Target,
    ) -> impl Future<Output = Result<Response, SendError>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        self.own.push(Effect::Send(request, target, answer));
        async move { answered.await.unwrap_or(Err(SendError::Unreachable)) }
    }

    /// Keeps a value of the role's own for the later events of this call.
    pub fn keep<T: Any + Send + Sync>(&mut self, value: T) {
        self.kept = Some(Box::new(value));
    }

    /// The value that the role kept.
    pub fn kept<T: Any + Send + Sync>(&mut self) -> Option<&mut T> {
        self.kept.as_mut()?.downcast_mut()
    }
}

/// A time was over before the answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer in time")]
pub struct Elapsed;

/// Why a request of a role's own got no final response.
///
/// ```
/// use imscore_cscf::{Call, SendError, Target};
/// use imscore_sip::{Method, Request, StatusCode};
///
/// /// Whether somebody answers an OPTIONS.
/// async fn is_there(call: &Call, uri: &str) -> bool {
///     let options = Request::new(&Method::Options, uri);
///     match call.send(options, Target::default()).await {
///         Ok(response) => response.status().is_success(),
///         Err(SendError::Timeout | SendError::Unreachable | _) => false,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No response within 64*T1 (RFC 3261 §17.1).
    #[error("no response")]
    Timeout,
    /// There is no way to the target, or the connection broke.
    #[error("the target cannot be reached")]
    Unreachable,
}
