//! The layer: which transaction a message belongs to, and which begins with it.

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::branch::{Branch, STATELESS, hex_digits};
use super::clients::{Clients, Extra, push_via};
use super::config::{Config, Counters};
use super::event::{ClientId, Event, ServerId};
use super::follow_up;
use super::journal::Transitions;
use super::matching::{Identity, Keys, worker_of};
use super::outlet::{Alarm, Holder, Outlet};
use super::refusals::Refusals;
use super::servers::{Arrival, Servers};
use crate::engine::{Engine, Output, Ticket};
use crate::header::{Name, Via};
use crate::message::{Message, Method, Request, Response, StatusCode, salvage_reply};
use crate::now::Now;
use crate::parse::ParseError;
use crate::transport::{Flow, Peer, ReplyPath, Transport, is_one_peer, stamp};

/// A transaction layer: an [`Engine`] whose events are requests, responses and failures.
pub struct Transactions {
    servers: Servers,
    clients: Clients,
    keys: Keys,
    refusals: Refusals,
    out: Outlet,
}

impl Transactions {
    /// A layer without transactions. No later `now` may be before this one.
    pub fn new(config: Config, now: Now) -> Transactions {
        let mut shared = ChaCha8Rng::from_seed(config.seed);
        // Workers have the streams of their numbers, all of them this one.
        shared.set_stream(u64::MAX);
        let keys = Keys::new(&mut shared);
        Transactions {
            servers: Servers::new(keys.inner),
            clients: Clients::new(keys.inner),
            refusals: Refusals::new(keys.inner),
            keys,
            out: Outlet::new(config, now),
        }
    }

    /// Sends a request in a transaction of its own: our Via is put on top, Content-Length added where a stream needs
    /// it. What is longer than [`Config::path_mtu`] goes over TCP instead of UDP, and over UDP after all when TCP is
    /// refused (RFC 3261 §18.1.1). ACK and CANCEL do not go this way: see [`Transactions::send_stateless`] and [`Transactions::cancel`].
    ///
    /// `loop_key` stands in the branch for [`loop_key`](super::loop_key) to find (RFC 3261 §16.6 step 8).
    pub fn request(&mut self, request: Request, to: impl Into<Peer>, loop_key: Option<u32>, now: Now) -> ClientId {
        let Peer { flow, domain } = to.into();
        let branch = Branch { slot: self.clients.next(), ..self.branch(loop_key) };
        let method = request.method();
        let bytes = self.write(request, &flow, branch);
        let (bytes, (flow, fallback)) = self.fit(bytes, flow, now);
        self.clients.open(branch, method, bytes, (Peer { flow, domain }, fallback), &mut self.out, now)
    }

    /// Sends a request without a transaction, with a Via and branch of its own: an ACK for a 2xx (RFC 3261 §16.11).
    pub fn send_stateless(&mut self, request: Request, to: impl Into<Peer>) {
        let to = to.into();
        let branch = self.branch(None);
        let bytes = self.write(request, &to.flow, branch);
        if self.out.listener(&to.flow).is_some() {
            self.out.transmit(to, bytes, None);
        }
    }

    /// Cancels an INVITE: the CANCEL goes out once a provisional response has come (RFC 3261 §9.1). The final
    /// response comes as for any request, or [`Event::Failed`] 64*T1 later. Other transactions go on.
    pub fn cancel(&mut self, id: ClientId, now: Now) {
        self.clients.cancel(id, &mut self.out, now);
    }

    /// Answers a request: provisional, final, and for an INVITE any number of 2xx until the transaction has ended.
    ///
    /// A 100 is sent for an owner that takes longer than 200 ms for an INVITE, or than a client's Timer E takes to
    /// reach T2 for another request. A 408 to another request is not sent (RFC 4320 §4.2).
    pub fn respond(&mut self, id: ServerId, response: Response, now: Now) {
        self.servers.respond(id, response, &mut self.out, now);
    }

    /// Answers a request finally and keeps nothing of it, as a stateless server does (RFC 3261 §8.2.7): for a challenge
    /// or a refusal, so that strangers take no room. The To tag, where there is none yet, is made of the branch: it is
    /// the same in what the request gets when it is repeated, which the owner is told of as of a new one, and an ACK
    /// that brings it is absorbed. Nothing is told of a response that cannot be sent.
    pub fn respond_statelessly(&mut self, id: ServerId, mut response: Response) {
        let unanswered = self.servers.is_unanswered(id);
        let Some((identity, flow)) = unanswered.then(|| self.servers.take(id, &mut self.out)).flatten() else {
            self.out.counters.withheld += 1;
            return;
        };
        response.set_to_tag(&String::from_utf8_lossy(&hex_digits(self.keys.tag(&identity))));
        self.out.transmit(flow, response.into_bytes(), None);
    }

    /// Forgets a server transaction that will not be answered. No event follows; its request counts as new when it
    /// comes again.
    pub fn abandon(&mut self, id: ServerId) {
        self.servers.abandon(id, &mut self.out);
    }

    /// Forgets a client transaction. No event follows; responses to it are dropped.
    pub fn terminate(&mut self, id: ClientId) {
        self.clients.abandon(id, &mut self.out);
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.out.counters
    }

    /// How many server transactions there are.
    pub fn server_count(&self) -> usize {
        self.servers.len()
    }

    /// How many client transactions there are, those of CANCELs included.
    pub fn client_count(&self) -> usize {
        self.clients.len()
    }

    /// A number that nobody can guess, from the engine's seed: for tags, and for what else an owner draws.
    pub fn random(&mut self) -> u64 {
        self.out.random()
    }

    fn branch(&mut self, loop_key: Option<u32>) -> Branch {
        Branch { worker: self.out.config.worker, slot: STATELESS, random: self.out.random(), loop_key }
    }

    /// RFC 3261 §18.1.1: what is too long for a datagram goes over TCP where there is a way, with UDP to fall back to.
    fn fit(&mut self, bytes: Bytes, flow: Flow, now: Now) -> (Bytes, (Flow, Option<Flow>)) {
        if flow.transport != Transport::Udp || bytes.len() <= self.out.config.path_mtu {
            return (bytes, (flow, None));
        }
        if self.refusals.holds(&flow.remote, now.monotonic) {
            return (bytes, (flow, None));
        }
        let stream = self.out.stream_beside(&flow).and_then(|stream| {
            let sent_by = &self.out.listener(&stream)?.sent_by;
            Some((follow_up::over(&bytes, Transport::Tcp, sent_by, self.out.config.alias)?, stream))
        });
        match stream {
            Some((longer, stream)) => {
                self.out.counters.oversized += 1;
                (longer, (stream, Some(flow)))
            }
            None => (bytes, (flow, None)),
        }
    }

    fn write(&self, mut request: Request, flow: &Flow, branch: Branch) -> Bytes {
        if let Some(listener) = self.out.listener(flow) {
            let Config { offers_keep_alives, alias, .. } = self.out.config;
            let extra = Extra { keep: offers_keep_alives && request.is(&Method::Register), alias };
            push_via(&mut request, flow.transport, &listener.sent_by, branch, extra);
        }
        if flow.transport.is_reliable() && !request.headers.contains(Name::CONTENT_LENGTH) {
            let length = request.body().len().to_string();
            request.headers.push_raw(Name::CONTENT_LENGTH.as_str(), length.as_bytes());
        }
        request.into_bytes()
    }

    fn handle_request(&mut self, mut request: Request, flow: Flow, now: Now) {
        self.out.counters.requests += 1;
        let Ok(via) = request.headers.first::<Via>() else {
            self.out.counters.malformed += 1;
            if request.headers.contains(Name::VIA) {
                self.refuse(&request, StatusCode::BAD_REQUEST, None, flow);
            }
            return;
        };
        let Some(path) = ReplyPath::of(&via, &flow) else {
            self.out.counters.unanswerable += 1;
            return;
        };
        let identity = Identity::of(&request, &via);
        let hash = self.keys.hash(&identity);
        let method = request.method();
        let received = if method == Method::Ack { None } else { Some(request.kept()) };
        stamp(&mut request, &via, flow.remote, self.out.keep_alive_of(&flow));
        let arrival = Arrival { request, flow, identity, hash };
        if let Some(slot) = self.servers.find(&arrival, &method) {
            self.out.counters.absorbed += 1;
            self.servers.again(slot, arrival.request, flow, &mut self.out, now);
            return;
        }
        let Some(received) = received else {
            self.handle_stray_ack(arrival);
            return;
        };
        if !self.has_room(&arrival.request, &method) {
            self.out.counters.refused += 1;
            let tag = self.keys.tag(&arrival.identity);
            self.refuse(&arrival.request, StatusCode::SERVICE_UNAVAILABLE, Some(tag), path.flow);
            return;
        }
        let is_cancel = method == Method::Cancel;
        let invite = if is_cancel { self.servers.cancelled_by(&arrival) } else { None };
        let id = self.servers.open(&arrival, received, path, &mut self.out, now);
        let request = arrival.request;
        self.out.tell(match is_cancel {
            true => Event::Cancel { id, invite, request, flow },
            false => Event::Request { id, request, flow },
        });
    }

    /// An ACK of no transaction is for a 2xx, unless it is for what was refused here: then it has the To tag that was
    /// made of its branch, or none.
    fn handle_stray_ack(&mut self, arrival: Arrival) {
        let tag = hex_digits(self.keys.tag(&arrival.identity));
        let is_ours = match arrival.request.headers.to_tag() {
            Some(found) => found.as_bytes() == tag,
            None => !arrival.identity.is_legacy(),
        };
        if is_ours {
            self.out.counters.absorbed += 1;
        } else {
            self.out.tell(Event::Ack { request: arrival.request, flow: arrival.flow });
        }
    }

    /// The last eighth of the room is for what ends or goes on with a call.
    fn has_room(&self, request: &Request, method: &Method) -> bool {
        let most = self.out.config.max_transactions;
        let goes_on = *method == Method::Cancel || request.headers.to_tag().is_some();
        let limit = if goes_on { most } else { most - most / 8 };
        self.servers.len() + self.clients.len() < limit
    }

    /// Answers without a transaction.
    fn refuse(&mut self, request: &Request, status: StatusCode, tag: Option<u64>, flow: Flow) {
        if request.is(&Method::Ack) || !is_one_peer(&flow.remote) {
            return;
        }
        let mut response = request.reply(status);
        if let Some(tag) = tag {
            response.set_to_tag(&String::from_utf8_lossy(&hex_digits(tag)));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = self.out.random() % 10 + 1;
            response.headers.push_raw(Name::RETRY_AFTER.as_str(), seconds.to_string().as_bytes());
        }
        self.out.transmit(flow, response.into_bytes(), None);
    }
}

impl Engine for Transactions {
    type Event = Event;

    fn handle_message(&mut self, message: Message, flow: Flow, now: Now) {
        match message {
            Message::Request(request) => self.handle_request(request, flow, now),
            Message::Response(response) => {
                self.out.counters.responses += 1;
                if !self.clients.respond(response, &mut self.out, now) {
                    self.out.counters.unmatched += 1;
                }
            }
        }
    }

    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, flow: Flow, _now: Now) {
        self.out.counters.malformed += 1;
        if let Some(reply) = salvage_reply(bytes, &error).filter(|_| is_one_peer(&flow.remote)) {
            self.out.transmit(flow, reply, None);
        }
    }

    fn handle_flow_lost(&mut self, flow: Flow, now: Now) {
        if let Some(connection) = flow.connection {
            self.servers.connection_lost(connection);
        }
        self.clients.flow_lost(&flow, &mut self.out, now);
    }

    fn handle_send_failed(&mut self, ticket: Ticket, now: Now) {
        match Holder::of(ticket) {
            Holder::Client { slot, generation } => {
                if let Some(peer) = self.clients.send_failed(slot, generation, &mut self.out, now) {
                    self.refusals.note(peer, now.monotonic);
                }
            }
            Holder::Server { slot, generation } => self.servers.send_failed(slot, generation, &mut self.out, now),
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some(alarm) = self.out.wheel.pop(now.monotonic) {
            match alarm {
                Alarm::ClientInvite(slot, timer) => self.clients.expired_invite(slot, timer, &mut self.out, now),
                Alarm::ClientOther(slot, timer) => {
                    self.clients.expired_non_invite(slot, timer, &mut self.out, now);
                }
                Alarm::ServerInvite(slot, timer) => self.servers.expired_invite(slot, timer, &mut self.out, now),
                Alarm::ServerOther(slot, timer) => {
                    self.servers.expired_non_invite(slot, timer, &mut self.out, now);
                }
            }
        }
    }

    fn poll_output(&mut self) -> Output<Event> {
        match self.out.outputs.pop_front() {
            Some(output) => output,
            None => Output::Wait(self.out.wheel.next_deadline()),
        }
    }

    fn transitions(&mut self) -> Option<&mut Transitions> {
        Some(&mut self.out.transitions)
    }

    /// A response belongs to the worker whose branch it has, a request to the one that the hash of its branch and
    /// sent-by falls to.
    fn owner(&self, message: &Message) -> Option<usize> {
        match message {
            Message::Request(request) => {
                let via = request.headers.first::<Via>().ok()?;
                let hash = self.keys.hash(&Identity::of(request, &via));
                Some(usize::from(worker_of(hash, self.out.config.workers)))
            }
            Message::Response(response) => {
                let branch = Branch::read(response.headers.branch()?)?;
                (branch.worker < self.out.config.workers).then_some(usize::from(branch.worker))
            }
        }
    }
}
