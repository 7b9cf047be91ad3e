//! Where transactions stand, written down for whoever traces them.

use std::collections::VecDeque;

use bytestring::ByteString;

use super::{client_invite, client_non_invite, server_invite, server_non_invite};
use crate::message::Method;

/// Which end of a transaction an engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// It sent the request.
    Client,
    /// It got the request.
    Server,
}

/// The states of the four machines of RFC 3261 §17, with Accepted of RFC 6026.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Standing {
    Calling,
    Trying,
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
    /// It is over, or was given up by its owner.
    Terminated,
}

impl Standing {
    /// As the figures of the RFC have it, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Calling => "calling",
            Standing::Trying => "trying",
            Standing::Proceeding => "proceeding",
            Standing::Completed => "completed",
            Standing::Confirmed => "confirmed",
            Standing::Accepted => "accepted",
            Standing::Terminated => "terminated",
        }
    }
}

impl From<client_invite::State> for Standing {
    fn from(state: client_invite::State) -> Standing {
        match state {
            client_invite::State::Calling { .. } => Standing::Calling,
            client_invite::State::Proceeding { .. } => Standing::Proceeding,
            client_invite::State::Accepted => Standing::Accepted,
            client_invite::State::Completed => Standing::Completed,
            client_invite::State::Terminated => Standing::Terminated,
        }
    }
}

impl From<client_non_invite::State> for Standing {
    fn from(state: client_non_invite::State) -> Standing {
        match state {
            client_non_invite::State::Trying { .. } => Standing::Trying,
            client_non_invite::State::Proceeding => Standing::Proceeding,
            client_non_invite::State::Completed => Standing::Completed,
            client_non_invite::State::Terminated => Standing::Terminated,
        }
    }
}

impl From<server_invite::State> for Standing {
    fn from(state: server_invite::State) -> Standing {
        match state {
            server_invite::State::Proceeding => Standing::Proceeding,
            server_invite::State::Completed { .. } => Standing::Completed,
            server_invite::State::Confirmed => Standing::Confirmed,
            server_invite::State::Accepted => Standing::Accepted,
            server_invite::State::Terminated => Standing::Terminated,
        }
    }
}

impl From<server_non_invite::State> for Standing {
    fn from(state: server_non_invite::State) -> Standing {
        match state {
            server_non_invite::State::Trying => Standing::Trying,
            server_non_invite::State::Proceeding => Standing::Proceeding,
            server_non_invite::State::Completed => Standing::Completed,
            server_non_invite::State::Terminated => Standing::Terminated,
        }
    }
}

/// A transaction began, or came to another state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Which end of it this is.
    pub end: End,
    /// The branch of its request, `None` for a sender of RFC 2543.
    pub branch: Option<ByteString>,
    /// The method of its request.
    pub method: Method,
    /// Where it stands now.
    pub standing: Standing,
}

/// What transactions did, in order, for a trace to take from
/// [`Engine::transitions`](crate::Engine::transitions). Nothing is kept before [`Transitions::keep`] was called.
///
/// ```
/// use std::time::Instant;
///
/// use imscore_sip::transaction::{Config, End, Standing, Transactions, Transition, Transitions};
/// use imscore_sip::transport::{Flow, Listener, ListenerId, Side, Transport};
/// use imscore_sip::{Engine, Method, Now, Request};
///
/// let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
/// let listener = Listener { transport: Transport::Udp, sent_by: "192.0.2.2:5060".into(), side: Side::Core };
/// let mut layer = Transactions::new(Config::new([7; 32], vec![listener]), now);
/// layer.transitions().map(Transitions::keep);
/// let remote = "192.0.2.1:5060".parse()?;
/// let flow = Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None };
/// layer.request(Request::new(&Method::Invite, "sip:alice@192.0.2.1"), flow, None, now);
/// let begun: Option<Transition> = layer.transitions().and_then(Transitions::take);
/// assert!(begun.is_some_and(|begun| begun.end == End::Client && begun.standing == Standing::Calling));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Transitions(Option<VecDeque<Transition>>);

impl Transitions {
    /// Keeps them from now on; whoever calls this takes them after each input, or they pile up.
    pub fn keep(&mut self) {
        self.0.get_or_insert_default();
    }

    /// The oldest that was not taken yet.
    pub fn take(&mut self) -> Option<Transition> {
        self.0.as_mut()?.pop_front()
    }

    /// Makes one where somebody wants it.
    pub(super) fn note(&mut self, make: impl FnOnce() -> Transition) {
        if let Some(kept) = &mut self.0 {
            kept.push_back(make());
        }
    }
}
