//! What a user agent tells its owner.

use std::time::Duration;

use super::{CallHandle, RegistrationHandle, SubscriptionHandle, WatcherHandle};
use crate::dialog::Again;
use crate::header::{RetryAfter, SubscriptionState};
use crate::message::{Request, Response};
use crate::sdp::{ExchangeError, SdpError};
use crate::transaction::{Cause, ServerId};
use crate::transport::Flow;

/// Names a request of the owner's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestHandle(pub(super) u64);

/// What a [`UserAgent`](super::UserAgent) tells its owner.
///
/// ```
/// use imscore_sip::ua::{CallHandle, Ended, Event};
///
/// /// Which call is over, and whether the other side hung up.
/// fn ended(event: Event) -> Option<(CallHandle, bool)> {
///     match event {
///         Event::Ended { call, by } => Some((call, matches!(by, Ended::Bye))),
///         _ => None,
///     }
/// }
/// ```
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// A request that waits for [`UserAgent::respond`](super::UserAgent::respond): an INVITE, which begins a call; a re-INVITE
    /// or UPDATE with an offer, which goes on with one; a SUBSCRIBE for one of [`Config::events`](super::Config::events), which
    /// [`UserAgent::admit`](super::UserAgent::admit) takes; a REFER, which [`UserAgent::follow`](super::UserAgent::follow) does;
    /// or another of [`Config::methods`](super::Config::methods).
    Request {
        /// Its transaction.
        id: ServerId,
        /// The request.
        request: Request,
        /// The way that it came.
        flow: Flow,
        /// The call that it begins or belongs to.
        call: Option<CallHandle>,
        /// The call that an INVITE is to take the place of, which ends with its 2xx (RFC 3891).
        replaces: Option<CallHandle>,
    },
    /// The caller gave up before there was an answer. It has got 487.
    Cancelled {
        /// The transaction of its INVITE.
        id: ServerId,
        /// The call that it began or belongs to.
        call: CallHandle,
    },
    /// A provisional response other than 100 to our INVITE; the To tag says of which branch. Where it brings an offer,
    /// [`UserAgent::answer`](super::UserAgent::answer) is due.
    Progress {
        /// The call.
        call: CallHandle,
        /// The response.
        response: Response,
    },
    /// Our call was answered. Where the 2xx brings an offer, [`UserAgent::answer`](super::UserAgent::answer) is due.
    Answered {
        /// The call.
        call: CallHandle,
        /// The 2xx.
        response: Response,
    },
    /// The ACK came: the call is up, or goes on after a re-INVITE.
    Confirmed {
        /// The call.
        call: CallHandle,
        /// The ACK, with the answer in it where the offer was in our 2xx.
        ack: Request,
    },
    /// Our offer within the call was answered.
    Agreed {
        /// The call.
        call: CallHandle,
    },
    /// Our offer within the call was refused, and what was agreed before holds on.
    OfferRefused {
        /// The call.
        call: CallHandle,
        /// With what; `None` where no response came.
        response: Option<Response>,
    },
    /// A call is over, other than by [`UserAgent::hang_up`](super::UserAgent::hang_up).
    Ended {
        /// The call.
        call: CallHandle,
        /// How it came to its end.
        by: Ended,
    },
    /// The final response to a request of the owner's own.
    Response {
        /// The request.
        request: RequestHandle,
        /// The response.
        response: Response,
    },
    /// No final response came to a request of the owner's own.
    Failed {
        /// The request.
        request: RequestHandle,
        /// Why not.
        cause: Cause,
    },
    /// A notifier tells what it was asked for.
    Notified {
        /// Which of our subscriptions.
        subscription: SubscriptionHandle,
        /// The NOTIFY, which has been answered. Where the SUBSCRIBE was forked, its From tag tells who notifies.
        notify: Request,
    },
    /// A subscription of ours is over, other than by [`UserAgent::unsubscribe`](super::UserAgent::unsubscribe).
    Unsubscribed {
        /// Which.
        subscription: SubscriptionHandle,
        /// How it came to its end.
        by: Unsubscribed,
    },
    /// A subscriber has refreshed its subscription, or taken it back: a NOTIFY is due
    /// ([`UserAgent::notify`](super::UserAgent::notify); RFC 6665 §4.2.1.2).
    Watched {
        /// Which.
        watcher: WatcherHandle,
    },
    /// The subscription of somebody else is over: its time is, or it could not be notified any more (RFC 6665 §4.2.2).
    WatcherGone {
        /// Which.
        watcher: WatcherHandle,
    },
    /// A registration holds, or was refreshed.
    Registered {
        /// Which.
        registration: RegistrationHandle,
        /// For how long; the agent refreshes it in time.
        expires: Duration,
        /// The 2xx.
        response: Response,
    },
    /// A registration was taken back, or failed.
    Unregistered {
        /// Which.
        registration: RegistrationHandle,
        /// The refusal, where there is one.
        response: Option<Response>,
        /// When the agent tries again by itself. `None`: it does not, and forgets the registration.
        again: Option<Duration>,
    },
}

/// How a call came to its end.
#[derive(Debug)]
pub enum Ended {
    /// By a BYE of the other side, which was answered.
    Bye,
    /// No ACK came within 64*T1 of our 2xx; a BYE was sent (RFC 3261 §13.3.1.4).
    NoAck,
    /// Our INVITE was refused.
    Refused(Box<Response>),
    /// No final response came to our INVITE.
    Failed(Cause),
    /// Nobody refreshed the session in time (RFC 4028 §10), or the other side no longer knows it (RFC 3261 §12.2.1.2).
    Expired,
    /// The other side's description does not go with ours; a BYE was sent.
    Disagreed,
    /// Another call took its place (RFC 3891).
    Replaced,
}

/// How a subscription of ours came to its end.
///
/// ```
/// use imscore_sip::dialog::Again;
/// use imscore_sip::header::SubscriptionState;
/// use imscore_sip::ua::Unsubscribed;
///
/// let by = Unsubscribed::Terminated(SubscriptionState::terminated("noresource"));
/// assert_eq!(by.again(), Again::Never);
/// ```
#[derive(Debug)]
pub enum Unsubscribed {
    /// The SUBSCRIBE or REFER was refused.
    Refused(Box<Response>),
    /// No final response came.
    Failed(Cause),
    /// The notifier has ended it.
    Terminated(SubscriptionState),
    /// No NOTIFY came in its time: none at first (Timer N, RFC 6665 §4.1.2.4), or none after a refresh.
    Expired,
    /// The REFER was taken, and nothing will be told of it, as we asked for (RFC 4488 §4, RFC 7614).
    Silent,
}

impl Unsubscribed {
    /// When to subscribe again (RFC 6665 §4.1.3).
    pub fn again(&self) -> Again {
        match self {
            Unsubscribed::Terminated(state) => Again::of(state),
            Unsubscribed::Expired => Again::Now,
            Unsubscribed::Refused(response) => match response.headers.first() {
                Ok(RetryAfter(seconds)) => Again::After(Duration::from_secs(seconds.into())),
                Err(_) => Again::Never,
            },
            Unsubscribed::Failed(_) | Unsubscribed::Silent => Again::Never,
        }
    }
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSent {
    /// There is no such call, or nothing that waits for this.
    #[error("nothing waits for it")]
    Gone,
    /// The REFER asks for something else than a call.
    #[error("it asks for no call")]
    NoCall,
    /// The description comes at the wrong time, or does not go with the one before.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The body is no session description.
    #[error(transparent)]
    Description(#[from] SdpError),
}
