//! A peer that says what it is told to say and remembers what it heard.

mod dialog;
mod drafts;
mod memory;
mod persistence;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use self::dialog::{Dialog, branch, values};
use self::persistence::Persistence;
use super::draft::identity;
use super::{Bind, Draft};
use crate::engine::{Engine, Output, Ticket, Transmit};
use crate::header::Name;
use crate::message::{Message, Request, Response};
use crate::now::Now;
use crate::parse::ParseError;
use crate::transport::{Address, Flow, Listener, ListenerId, Transport};

pub(super) use self::dialog::{cseq_method, values as header_values};
pub use self::drafts::NothingToSend;

/// A scripted peer: a phone, or a server that stands in for one.
///
/// What it sends goes out once, unless it is [persistent](Phone::persistent), and nothing is answered unless the test or
/// a behaviour ([`Phone::behaving`]) answers. What it keeps is what a message of the next step needs: Call-ID, tags, CSeq, the route
/// sets of its dialogs, their targets, its registration. So [`Phone::next`] can write an ACK, PRACK or BYE without being
/// told more.
pub struct Phone {
    name: String,
    identity: String,
    listeners: Vec<Listener>,
    numbers: u64,
    outbox: VecDeque<Transmit>,
    heard: Vec<Heard>,
    /// Requests that came, ACK apart.
    incoming: Vec<Incoming>,
    /// Branch and method of all that came, to know what comes again.
    seen: BTreeSet<(String, String)>,
    /// Requests that were sent.
    outgoing: Vec<Outgoing>,
    /// The one spoken in last stands last.
    dialogs: Vec<Dialog>,
    registration: Option<Registration>,
    service_route: Vec<String>,
    /// The last challenge, and how many answers it was given.
    challenge: Option<(Response, u32)>,
    persistence: Option<Persistence>,
    behaviour: Option<Behaviour>,
}

type Behaviour = Box<dyn FnMut(&mut Phone, &Message, Now)>;

/// What a phone was told.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When.
    pub at: Now,
    /// What.
    pub what: News,
}

/// What a phone can be told.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum News {
    /// A message came.
    Message(Message, Flow),
    /// Bytes came that are no message.
    Malformed(Bytes, ParseError),
    /// A connection is gone.
    FlowLost(Flow),
}

struct Incoming {
    request: Request,
    branch: String,
    method: String,
    flow: Flow,
    /// To tag of all responses to it.
    tag: String,
    /// RSeq of the last reliable provisional response to it.
    reliable: u32,
    is_answered: bool,
    /// The last response to it.
    reply: Option<(Bytes, Flow)>,
}

/// What one REGISTER hands on to the next (RFC 3261 §10.2).
struct Registration {
    call_id: String,
    from: String,
    sequence: u32,
}

struct Outgoing {
    draft: Draft,
    method: String,
    sequence: u32,
    call_id: String,
    branch: String,
    flow: Flow,
    /// The last response to it.
    response: Option<Response>,
}

impl Phone {
    /// A phone of `sip:NAME@ims.example`. Its branches, tags and Call-IDs begin with its name.
    pub fn new(name: &str, listeners: Vec<Listener>) -> Phone {
        Phone {
            name: name.to_string(),
            identity: identity(name),
            listeners,
            numbers: 0,
            outbox: VecDeque::new(),
            heard: Vec::new(),
            incoming: Vec::new(),
            seen: BTreeSet::new(),
            outgoing: Vec::new(),
            dialogs: Vec::new(),
            registration: None,
            service_route: Vec::new(),
            challenge: None,
            persistence: None,
            behaviour: None,
        }
    }

    /// Another public identity: a user of the home network, or a whole URI.
    #[must_use]
    pub fn identity(mut self, who: &str) -> Phone {
        self.identity = identity(who);
        self
    }

    /// What it does by itself at each message, after it has taken note of it.
    ///
    /// ```
    /// use imscore_sip::Message;
    /// use imscore_sip::testing::{Network, Phone};
    ///
    /// let mut network = Network::new(0);
    /// let bob = network.add("bob", ["udp:192.0.2.2:5060"], |listeners| {
    ///     Phone::new("bob", listeners).behaving(|phone, message, _| {
    ///         if let Message::Request(_) = message {
    ///             let ok = phone.response(200, None).expect("a request was heard");
    ///             phone.reply(ok);
    ///         }
    ///     })
    /// });
    /// let alice = network.add("alice", ["udp:192.0.2.1:5060"], |listeners| Phone::new("alice", listeners));
    /// network.with(alice, |phone, _| {
    ///     let options = phone.request("OPTIONS", "sip:bob@ims.example");
    ///     phone.send(options, "udp:192.0.2.2:5060");
    /// });
    /// network.settle();
    /// assert!(network.engine(alice).last_response().is_some_and(|response| response.status().is_success()));
    /// # let _ = bob;
    /// ```
    #[must_use]
    pub fn behaving(mut self, behaviour: impl FnMut(&mut Phone, &Message, Now) + 'static) -> Phone {
        self.behaviour = Some(Box::new(behaviour));
        self
    }

    /// Everything that it was told, in order.
    pub fn heard(&self) -> &[Heard] {
        &self.heard
    }

    /// The messages that came, in order.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.heard.iter().filter_map(|heard| match &heard.what {
            News::Message(message, _) => Some(message),
            News::Malformed(..) | News::FlowLost(_) => None,
        })
    }

    /// The last request that came.
    pub fn last_request(&self) -> Option<&Request> {
        self.messages().rev().find_map(|message| match message {
            Message::Request(request) => Some(request),
            Message::Response(_) => None,
        })
    }

    /// The last response that came.
    pub fn last_response(&self) -> Option<&Response> {
        self.messages().rev().find_map(|message| match message {
            Message::Response(response) => Some(response),
            Message::Request(_) => None,
        })
    }

    /// Forgets what it heard, and the requests that are done with; dialogs and the registration stay.
    pub fn forget(&mut self) {
        self.heard.clear();
        self.seen.clear();
        self.incoming.retain(|incoming| !incoming.is_answered);
        self.outgoing.retain(|sent| sent.response.as_ref().is_none_or(|response| response.status().is_provisional()));
    }

    /// Sends a request to an address, from the first of its own that speaks the same transport.
    ///
    /// # Panics
    /// Where it has none that does.
    #[track_caller]
    pub fn send(&mut self, draft: Draft, to: impl Into<Bind>) {
        let Address { transport, socket: remote } = to.into().address;
        let listener = self.listeners.iter().position(|listener| listener.transport == transport);
        let listener = listener.unwrap_or_else(|| panic!("{} does not speak {transport}", self.name));
        let own = &self.listeners[listener];
        let draft = if listener > 0 { draft.via(&format!("{} {}", own.transport, own.sent_by)) } else { draft };
        let listener = ListenerId(listener as u16);
        self.send_by(draft, Flow { transport, listener, remote, connection: None });
    }

    /// Sends a request by a flow, say that of a message which came before.
    pub fn send_by(&mut self, draft: Draft, flow: Flow) {
        let bytes = draft.bytes();
        if let Ok(Message::Request(request)) = Message::parse(bytes.clone()) {
            self.note_request(&request, draft, flow);
            self.repeat_request(&request, bytes.clone(), flow);
        }
        self.send_bytes(bytes, flow);
    }

    /// Sends the last request of a method again, as it was.
    ///
    /// # Errors
    /// Where there is none.
    pub fn send_again(&mut self, method: &str) -> Result<(), NothingToSend> {
        let last = self.outgoing.iter().rev().find(|sent| sent.method == method);
        let (bytes, flow) = last.map(|sent| (sent.draft.bytes(), sent.flow)).ok_or(NothingToSend::NoRequest)?;
        self.send_bytes(bytes, flow);
        Ok(())
    }

    /// Sends a response: over a connection by that of its request, over UDP to where its top Via says (RFC 3261
    /// §18.2.2, RFC 3581 §4).
    ///
    /// # Panics
    /// Where no request with its branch has come.
    #[track_caller]
    pub fn reply(&mut self, draft: Draft) {
        let Message::Response(response) = draft.message() else { panic!("no response:\n{draft}") };
        let (branch, method) = (branch(&response.headers), cseq_method(&response.headers));
        let asked = self.incoming.iter_mut().rev().find(|asked| asked.branch == branch && asked.method == method);
        let Some(asked) = asked else { panic!("{} was not asked for\n{draft}", self.name) };
        let mut flow = asked.flow;
        if flow.transport == Transport::Udp {
            flow.remote = reply_address(&response).unwrap_or(flow.remote);
        }
        asked.is_answered |= response.status().is_final();
        asked.reply = Some((draft.bytes(), flow));
        let request = asked.request.clone();
        self.note_reply(&request, &response);
        self.repeat_reply(&response, draft.bytes(), flow);
        self.send_bytes(draft.bytes(), flow);
    }

    /// True where a response with that top Via and CSeq answers something the phone has sent.
    pub(super) fn has_asked(&self, response: &Response) -> bool {
        let (branch, method) = (branch(&response.headers), cseq_method(&response.headers));
        self.outgoing.iter().rev().any(|sent| sent.branch == branch && sent.method == method)
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: Bytes, flow: Flow) {
        self.outbox.push_back(Transmit { flow, domain: None, bytes, ticket: None });
    }

    fn unique(&mut self) -> String {
        self.numbers += 1;
        format!("{}-{}", self.name, self.numbers)
    }
}

/// Where a response goes over UDP by its top Via; `None`: to where the request came from.
fn reply_address(response: &Response) -> Option<SocketAddr> {
    let via = values(&response.headers, Name::VIA).into_iter().next()?;
    let mut parameters = via.split(';').map(str::trim);
    let sent_by = parameters.next()?.split_whitespace().nth(1)?.to_string();
    if parameters.any(|parameter| parameter.starts_with("rport")) {
        return None;
    }
    let bare = || sent_by.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 5060));
    sent_by.parse().or_else(|_| bare()).ok()
}

impl Engine for Phone {
    type Event = ();

    fn handle_message(&mut self, message: Message, flow: Flow, now: Now) {
        match &message {
            Message::Request(request) => self.hear_request(request, flow),
            Message::Response(response) => self.hear_response(response),
        }
        if self.is_new(&message)
            && let Some(mut behaviour) = self.behaviour.take()
        {
            behaviour(self, &message, now);
            self.behaviour = Some(behaviour);
        }
        self.heard.push(Heard { at: now, what: News::Message(message, flow) });
    }

    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, _flow: Flow, now: Now) {
        self.heard.push(Heard { at: now, what: News::Malformed(Bytes::copy_from_slice(bytes), error) });
    }

    fn handle_flow_lost(&mut self, flow: Flow, now: Now) {
        self.heard.push(Heard { at: now, what: News::FlowLost(flow) });
    }

    fn handle_send_failed(&mut self, _ticket: Ticket, _now: Now) {}

    fn handle_timeout(&mut self, _now: Now) {
        self.say_again();
    }

    fn poll_output(&mut self) -> Output<()> {
        self.outbox.pop_front().map_or_else(|| Output::Wait(self.next_repeat()), Output::Transmit)
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({}, {} messages, {} dialogs)", self.identity, self.heard.len(), self.dialogs.len())
    }
}
