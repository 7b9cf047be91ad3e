//! By which way requests of ours go (RFC 3261 §8.1.2, §12.2.1.1), and what is tried when a name is part of it (RFC 3263 §4).
//!
//! ```text
//!   ask ──▶ Way::Flow ──────────────────────▶ client transaction ─▶ outcome
//!      └──▶ Way::Name ─▶ lookup ─▶ targets ─▶        │     ▲
//!                                     ▲              ▼     │
//!                                     └── 503, time-out, transport error: the next one, with a branch of its own
//! ```

use std::fmt;
use std::str::FromStr;

use super::UserAgent;
use super::asked::{Asked, Outcome, Purpose};
use super::call::Stage;
use super::challenges::Answered;
use crate::engine::Output;
use crate::header::Name;
use crate::message::Request;
use crate::now::Now;
use crate::proxy::route;
use crate::resolve::{Course, Destination, Found, Target};
use crate::transaction::Cause;
use crate::transport::{Address, Flow, Peer, Transport};
use crate::uri::{SipUri, UriError};

/// Where an agent sends what begins outside of dialogs.
///
/// ```
/// use imscore_sip::ua::OutboundProxy;
///
/// let proxy: OutboundProxy = "tcp:pcscf.ims.example".parse()?;
/// assert_eq!(proxy.to_string(), "sip:pcscf.ims.example;transport=tcp");
/// # Ok::<(), imscore_sip::uri::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)]
pub enum OutboundProxy {
    /// By this way.
    Flow(Flow),
    /// To the host of this URI, which may be a name: to one of its targets after the other, until one does not fail.
    Uri(SipUri),
}

impl From<Flow> for OutboundProxy {
    fn from(flow: Flow) -> OutboundProxy {
        OutboundProxy::Flow(flow)
    }
}

impl From<SipUri> for OutboundProxy {
    fn from(uri: SipUri) -> OutboundProxy {
        OutboundProxy::Uri(uri)
    }
}

impl From<Address> for OutboundProxy {
    fn from(address: Address) -> OutboundProxy {
        let uri = format!("sip:{};transport={}", address.socket, address.transport.as_str().to_ascii_lowercase());
        OutboundProxy::Uri(uri.parse().expect("an address is a host and a port"))
    }
}

impl FromStr for OutboundProxy {
    type Err = UriError;

    /// A URI, a name, a host and a port, or one of these with its transport in front: `sip:ims.example`, `ims.example`,
    /// `udp:192.0.2.9:5060`.
    fn from_str(text: &str) -> Result<OutboundProxy, UriError> {
        let uri = match text.split_once(':') {
            Some((scheme, _)) if ["sip", "sips"].iter().any(|it| scheme.eq_ignore_ascii_case(it)) => text.to_owned(),
            Some((transport, host)) if Transport::find(transport).is_some() => {
                format!("sip:{host};transport={}", transport.to_ascii_lowercase())
            }
            Some(_) | None => format!("sip:{text}"),
        };
        uri.parse().map(OutboundProxy::Uri)
    }
}

impl fmt::Display for OutboundProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutboundProxy::Flow(flow) => flow.fmt(f),
            OutboundProxy::Uri(uri) => uri.fmt(f),
        }
    }
}

/// The way of a request.
#[derive(Clone, Debug)]
pub(super) enum Way {
    Flow(Flow),
    /// To where a name leads; where it leads nowhere, by the flow.
    Name(Box<Destination>, Option<Flow>),
}

impl Way {
    /// Where it is known already.
    pub(super) fn flow(&self) -> Option<Flow> {
        match self {
            Way::Flow(flow) => Some(*flow),
            Way::Name(..) => None,
        }
    }
}

/// Who waits for a lookup.
pub(super) enum Waiting {
    Request(Box<Request>, Purpose, Option<Flow>),
    /// An ACK for a 2xx, which has no transaction.
    Ack(Box<Request>, Option<Flow>),
}

impl UserAgent {
    /// The way of a request outside of dialogs: its Route, where that is an address, else the proxy, else its next hop.
    pub(super) fn way(&self, request: &Request) -> Option<Way> {
        let Some(proxy) = &self.config.proxy else { return self.way_within(request, None) };
        // The proxy stands in front of everything that says no other way.
        if request.headers.contains(Name::ROUTE)
            && let Some(Way::Flow(flow)) = self.way_within(request, None)
        {
            return Some(Way::Flow(flow));
        }
        self.way_to_proxy(proxy)
    }

    /// The way of a request in a dialog: its next hop; where that cannot be found, the flow of the dialog.
    pub(super) fn way_within(&self, request: &Request, flow: Option<Flow>) -> Option<Way> {
        let next = route::next_hop(request);
        let way = next.as_ref().and_then(|next| self.way_to(next.as_sip()?, flow));
        way.or(flow.map(Way::Flow))
    }

    fn way_to_proxy(&self, proxy: &OutboundProxy) -> Option<Way> {
        match proxy {
            OutboundProxy::Flow(flow) => Some(Way::Flow(*flow)),
            OutboundProxy::Uri(uri) => self.way_to(uri, None),
        }
    }

    fn way_to(&self, uri: &SipUri, flow: Option<Flow>) -> Option<Way> {
        if uri.maddr().is_none()
            && let Some((transport, remote)) = route::address(uri)
        {
            if let Some(OutboundProxy::Flow(proxy)) = self.config.proxy
                && (proxy.transport, proxy.remote) == (transport, remote)
            {
                return Some(Way::Flow(proxy));
            }
            return self.names.flow_at(transport, remote).map(Way::Flow);
        }
        Some(Way::Name(Box::new(Destination::of(uri)?), flow))
    }

    /// Sends a request. Without a way it fails.
    pub(super) fn ask(&mut self, mut request: Request, way: Option<Way>, purpose: Purpose, now: Now) {
        route::make_strict(&mut request);
        match way {
            Some(Way::Flow(flow)) => self.send(request, flow.into(), purpose, None, now),
            Some(Way::Name(destination, flow)) => {
                self.is_told(now);
                self.names.look_up(*destination, Waiting::Request(Box::new(request), purpose, flow), now);
            }
            None => self.is_unreachable(request, purpose, now),
        }
    }

    /// Sends the ACK for a 2xx. It waits for nothing that is known.
    pub(super) fn send_ack(&mut self, ack: Request, flow: Option<Flow>, now: Now) {
        match self.way_within(&ack, flow) {
            Some(Way::Flow(flow)) => self.acknowledge_by(ack, flow.into()),
            Some(Way::Name(destination, flow)) => {
                self.is_told(now);
                self.names.look_up(*destination, Waiting::Ack(Box::new(ack), flow), now);
            }
            None => {}
        }
    }

    fn acknowledge_by(&mut self, mut ack: Request, peer: Peer) {
        route::make_strict(&mut ack);
        self.transactions.send_stateless(ack, peer);
    }

    fn send(&mut self, mut request: Request, peer: Peer, purpose: Purpose, course: Option<Box<Course>>, now: Now) {
        let has_own_contact = self.add_contact(&mut request, &purpose, &peer.flow);
        if self.config.answers_in_dialog || !self.is_in_dialog(&purpose) {
            self.authorize_ahead(&mut request, &peer.flow);
        }
        let answered = Answered::default();
        self.dispatch(Asked { request, peer, purpose, answered, course, has_own_contact }, now);
    }

    /// What the resolver wants done, as far as others have to do it.
    pub(super) fn drain_names(&mut self) -> Option<Output<super::Event>> {
        let now = self.last_input();
        while let Some(found) = self.names.poll() {
            match found {
                Found::Ask(question) => return Some(Output::Ask(question)),
                Found::Targets(Waiting::Request(request, purpose, flow), targets) => {
                    self.found(*request, purpose, flow, targets, now);
                }
                Found::Targets(Waiting::Ack(ack, flow), targets) => {
                    let mut course = self.course(targets, flow, now);
                    if let Some(peer) = self.names.next(&mut course).or(flow.map(Peer::from)) {
                        self.acknowledge_by(*ack, peer);
                    }
                }
            }
        }
        None
    }

    /// The targets of a request that waits for them.
    fn found(&mut self, request: Request, purpose: Purpose, flow: Option<Flow>, targets: Vec<Target>, now: Now) {
        if !self.is_wanted(&purpose) {
            return;
        }
        let mut course = self.course(targets, flow, now);
        match (self.names.next(&mut course), flow) {
            (Some(peer), _) => self.send(request, peer, purpose, Some(Box::new(course)), now),
            (None, Some(flow)) => self.send(request, flow.into(), purpose, None, now),
            (None, None) => self.conclude(&request, purpose, Outcome::Failed(Cause::Transport), now),
        }
    }

    /// First the target that the dialog or a registration has already gone to.
    fn course(&self, mut targets: Vec<Target>, flow: Option<Flow>, now: Now) -> Course {
        let used: Vec<Flow> =
            flow.into_iter().chain(self.registrations.iter().filter_map(|found| found.flow())).collect();
        self.names.prefer(&mut targets, &used, now);
        Course::new(targets)
    }

    /// A request has failed, by 503, in time or by its transport: it goes to the next target of its name, with a branch of its own
    /// (RFC 3263 §4.3). `Some`: there is none, or nobody wants it any more.
    pub(super) fn fails_over(&mut self, mut asked: Asked, now: Now) -> Option<Asked> {
        let Some(course) = asked.course.as_deref_mut() else { return Some(asked) };
        self.names.failed(course, now);
        let Some(peer) = self.names.next(course) else { return Some(asked) };
        if !self.is_wanted(&asked.purpose) {
            return Some(asked);
        }
        if asked.has_own_contact {
            asked.request.headers.remove(Name::CONTACT);
            self.add_contact(&mut asked.request, &asked.purpose, &peer.flow);
        }
        self.dispatch(Asked { peer, ..asked }, now);
        None
    }

    /// Whether a request is still to be sent.
    fn is_wanted(&self, purpose: &Purpose) -> bool {
        match purpose {
            Purpose::Invite(key) => self.calls.get(*key).is_some_and(|call| matches!(call.stage, Stage::Calling(_))),
            Purpose::Within(key, ..) => self.calls.get(*key).is_some(),
            Purpose::Register(key) => self.registrations.get(*key).is_some(),
            Purpose::Subscribe(key, _) => self.subscriptions.get(*key).is_some(),
            // A last NOTIFY outlives its subscription.
            Purpose::Notify(_) | Purpose::Bye | Purpose::Own(_) => true,
        }
    }
}
