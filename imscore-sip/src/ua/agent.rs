//! The engine of a user agent.

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};

use super::asked::{Asked, Outcome, Purpose};
use super::call::{self, Call, CallHandle};
use super::challenges::Space;
use super::event::{Event, NotSent, RequestHandle};
use super::flows::Kept;
use super::names::Waiting;
use super::notifier::{Watcher, Wish};
use super::referral::Referral;
use super::registration::Registration;
use super::subscriber::Subscribed;
use super::usage::{Left, UsageId};
use super::{Config, OutboundProxy, body};
use crate::dialog::{Dialog, DialogId};
use crate::engine::{Engine, Output, Ticket};
use crate::hash::Keyed;
use crate::header::Contact;
use crate::message::{Message, Method, Request};
use crate::now::Now;
use crate::parse::ParseError;
use crate::resolve::{Answer, Guide, Question};
use crate::sdp::Agreed;
use crate::table::{Id, Table};
use crate::transaction::{self, Cause, ServerId, Timers, Transactions};
use crate::transport::keep_alive::Reply;
use crate::transport::{Flow, Side};
use crate::uri::SipUri;
use crate::wheel::Wheel;

/// A user agent: an [`Engine`] over the transaction layer.
///
/// What it does by itself, as a *caller*: it keeps an early dialog for each branch of a forked INVITE, acknowledges reliable
/// provisional responses, repeats the ACK, and ends what answers too late or twice. As the *called*: it checks each request, and
/// answers 400, 405, 415, 420, 422, 481, 482, 488, 491 or 500 where its clause says so (RFC 3261 §8.2, §12.2.2, §14.2); it
/// makes provisional responses reliable where the caller wants it, and repeats a 2xx until its ACK comes, for 64*T1
/// (§13.3.1.4). On *both* sides: To tags, Contacts, CSeq, offers and answers, session timers, 491 and the next attempt, CANCEL,
/// BYE. It *subscribes* and *notifies* (RFC 6665), and *refers* and is referred (RFC 3515). *Registered*: it refreshes in time,
/// keeps its flow alive as the registrar asks, and comes back after a failure. It answers *challenges* of its realms, by password
/// and by USIM, the strongest of several, twice at most for each realm, and not again what was rejected (RFC 3261 §22); what it
/// does not answer the owner is told.
///
/// A call that nobody ends lasts: [`UserAgent::hang_up`] ends it from this side.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use imscore_sip::ua::{
///     Binding, Config, NotSent, RegistrationHandle, RequestHandle, SubscriptionHandle, UserAgent,
/// };
/// use imscore_sip::{Method, Now, Request, sdp::SessionDescription, transaction};
///
/// let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
/// # let listener = imscore_sip::transport::Listener {
/// #     transport: imscore_sip::transport::Transport::Udp,
/// #     sent_by: "192.0.2.1:5060".into(),
/// #     side: Default::default(),
/// # };
/// # let config = Config::new(transaction::Config::new([7; 32], vec![listener]));
/// let mut alice = UserAgent::new(config.with_proxy("udp:192.0.2.9:5060".parse().ok()), now);
/// let registration: RegistrationHandle = alice.register(Binding::new("sip:ims.example".parse()?), now);
/// let message = Request::new(&Method::Message, "sip:bob@ims.example").with_body("text/plain", "at eight?");
/// let sent: RequestHandle = alice.request(message, now);
/// let event = imscore_sip::header::Event::new("presence");
/// let hour = Duration::from_secs(3_600);
/// let presence: SubscriptionHandle = alice.subscribe(&"sip:bob@ims.example".parse()?, &event, hour, now);
///
/// let call = alice.invite(&"sip:bob@ims.example".parse()?, None, now);
/// let sound = SessionDescription::audio("192.0.2.1:4000".parse()?);
/// assert_eq!(alice.offer(call, &sound, now), Err(NotSent::Gone), "nobody has answered yet");
/// assert_eq!(alice.calls(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UserAgent {
    pub(super) config: Config,
    pub(super) transactions: Transactions,
    pub(super) calls: Table<Call>,
    pub(super) dialogs: HashMap<DialogId, Id<Call>, Keyed>,
    pub(super) left: Left,
    /// Requests of calls that wait for the owner.
    pub(super) waiting: HashMap<ServerId, (Id<Call>, Request), Keyed>,
    /// Other requests that wait for the owner.
    pub(super) open: HashSet<ServerId, Keyed>,
    /// Subscriptions of ours, and of others here, by what they are known by.
    pub(super) subscriptions: Table<Subscribed>,
    pub(super) subscribed: HashMap<UsageId, Id<Subscribed>, Keyed>,
    pub(super) watchers: Table<Watcher>,
    pub(super) watched: HashMap<UsageId, Id<Watcher>, Keyed>,
    /// SUBSCRIBE and REFER that wait for the owner.
    pub(super) wishes: HashMap<ServerId, Wish, Keyed>,
    /// REFERs that were taken, of which others may want to know what comes.
    pub(super) referrals: Table<Referral>,
    /// Requests of ours that wait for their responses.
    pub(super) asked: HashMap<transaction::ClientId, Asked, Keyed>,
    pub(super) unreachable: Table<(Request, Purpose)>,
    pub(super) names: Guide<Waiting>,
    pub(super) registrations: Table<Registration>,
    pub(super) spaces: Vec<Space>,
    pub(super) alarms: Wheel<Alarm>,
    pub(super) events: VecDeque<Event>,
    pub(super) kept: Table<Kept>,
    /// What this layer itself wants of the driver.
    pub(super) below: VecDeque<Output<Event>>,
    /// The way that the last message came.
    pub(super) heard: Option<Flow>,
    requests: u64,
    /// As of the last input.
    now: Now,
}

/// What a moment is for.
#[derive(Clone, Copy)]
pub(super) enum Alarm {
    Call(Id<Call>, call::Alarm),
    Registration(Id<Registration>),
    Subscription(Id<Subscribed>),
    Watcher(Id<Watcher>),
    Referral(Id<Referral>),
    KeepAlive(Id<Kept>),
    /// A request had no way to go.
    Unreachable(Id<(Request, Purpose)>),
}

/// Methods that an agent knows by itself.
const METHODS: [Method; 7] =
    [Method::Ack, Method::Bye, Method::Cancel, Method::Invite, Method::Notify, Method::Prack, Method::Update];

/// Extensions that it knows by itself, and those of an agent that takes REFER (RFC 4488, RFC 7614).
const EXTENSIONS: [&str; 3] = ["100rel", "replaces", "timer"];
const OF_REFER: [&str; 3] = ["explicitsub", "norefersub", "nosub"];

impl UserAgent {
    /// A user agent without calls.
    pub fn new(mut config: Config, now: Now) -> UserAgent {
        config.transactions.offers_keep_alives = config.keep_alive;
        let keyed = Keyed::from_seed(&config.transactions.seed);
        let mut transactions = Transactions::new(config.transactions.clone(), now);
        UserAgent {
            names: Guide::new(&mut transactions, &config.exits, &config.hosts),
            transactions,
            calls: Table::default(),
            dialogs: HashMap::with_hasher(keyed),
            left: Left::new(keyed),
            waiting: HashMap::with_hasher(keyed),
            open: HashSet::with_hasher(keyed),
            subscriptions: Table::default(),
            subscribed: HashMap::with_hasher(keyed),
            watchers: Table::default(),
            watched: HashMap::with_hasher(keyed),
            wishes: HashMap::with_hasher(keyed),
            referrals: Table::default(),
            asked: HashMap::with_hasher(keyed),
            unreachable: Table::default(),
            registrations: Table::default(),
            spaces: Vec::new(),
            alarms: Wheel::new(now.monotonic),
            events: VecDeque::new(),
            kept: Table::default(),
            below: VecDeque::new(),
            heard: None,
            requests: 0,
            config,
            now,
        }
    }

    /// How many calls there are, those that ring among them.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// How many requests of ours wait for a response or for where to go, and how many moments are waited for beside those of transactions.
    pub fn pending(&self) -> (usize, usize) {
        (self.asked.len() + self.names.waiting(), self.alarms.len())
    }

    /// Sends everything outside of dialogs there from now on.
    pub fn set_proxy(&mut self, proxy: impl Into<OutboundProxy>) {
        self.config.proxy = Some(proxy.into());
    }

    /// The dialog of a call; before our INVITE is answered, that of the branch that spoke last.
    pub fn dialog(&self, call: CallHandle) -> Option<&Dialog> {
        Some(&self.calls.get(call.0)?.legs.last()?.dialog)
    }

    /// What holds in a call, from the first answer on.
    pub fn agreed(&self, call: CallHandle) -> Option<&Agreed> {
        self.calls.get(call.0)?.legs.last()?.exchange.agreed()
    }

    /// Where this side is reached, on the listener of that flow: by its GRUU where a registrar gave it one (RFC 5627 §4.3).
    /// `None`: there is no such listener.
    pub fn contact(&self, flow: &Flow) -> Option<Contact> {
        if let Some(gruu) = self.gruu() {
            return Some(Contact::new(gruu.clone()));
        }
        self.address(flow).map(Contact::new)
    }

    /// Our address on the listener of that flow.
    pub(super) fn address(&self, flow: &Flow) -> Option<SipUri> {
        let listener = self.config.transactions.listeners.get(usize::from(flow.listener.0))?;
        let uri: SipUri = format!("sip:{}", listener.sent_by).parse().ok()?;
        let transport = listener.transport.as_str().to_ascii_lowercase();
        Some(uri.with_user(&self.config.user).with_param("transport", transport.as_str()))
    }

    /// Sends a request outside of any dialog: MESSAGE, OPTIONS. From, To, Call-ID, CSeq, Max-Forwards, Route and Contact are
    /// added where they are missing.
    pub fn request(&mut self, mut request: Request, now: Now) -> RequestHandle {
        let handle = self.new_handle();
        self.complete(&mut request);
        let way = self.way(&request);
        self.ask(request, way, Purpose::Own(handle), now);
        handle
    }

    pub(super) fn new_handle(&mut self) -> RequestHandle {
        self.requests += 1;
        RequestHandle(self.requests)
    }

    pub(super) fn last_input(&self) -> Now {
        self.now
    }

    /// The owner has something done now.
    pub(super) fn is_told(&mut self, now: Now) {
        self.now = now;
    }

    pub(super) fn new_tag(&mut self) -> String {
        format!("{:016x}", self.transactions.random())
    }

    /// A REFER may bring a SUBSCRIBE after it (RFC 7614).
    pub(super) fn takes_subscribe(&self) -> bool {
        !self.config.events.is_empty() || self.config.methods.contains(&Method::Refer)
    }

    pub(super) fn methods(&self) -> impl Iterator<Item = Method> {
        let subscribe = self.takes_subscribe().then_some(Method::Subscribe);
        METHODS.into_iter().chain(subscribe).chain(self.config.methods.iter().cloned())
    }

    pub(super) fn extensions(&self) -> impl Iterator<Item = &str> {
        let of_refer = OF_REFER.iter().filter(|_| self.config.methods.contains(&Method::Refer)).copied();
        EXTENSIONS.into_iter().chain(of_refer).chain(self.config.supported.iter().map(|tag| tag.as_ref()))
    }

    pub(super) fn timers(&self, flow: Option<&Flow>) -> Timers {
        let config = &self.config.transactions;
        let listener = flow.and_then(|flow| config.listeners.get(usize::from(flow.listener.0)));
        match listener.map(|listener| listener.side) {
            Some(Side::Access) => config.access,
            Some(Side::Core) | None => config.core,
        }
    }

    /// The call of a dialog, and which.
    pub(super) fn call_of(&self, dialog: &DialogId) -> Option<Id<Call>> {
        self.dialogs.get(dialog).copied()
    }

    fn on_transaction(&mut self, event: transaction::Event, now: Now) {
        use transaction::Event as Below;
        match event {
            Below::Request { id, request, flow } => self.on_request(id, request, flow, now),
            Below::Ack { request, .. } => self.on_ack(request, now),
            Below::Cancel { id, invite, request, .. } => self.on_cancel(id, invite, &request, now),
            Below::Response { id, response } => self.on_response(id, response, now),
            Below::Failed { id, cause } => self.on_failed(id, cause, now),
            Below::ClientEnded { id } => {
                self.asked.remove(&id);
            }
            Below::ServerEnded { id } => {
                self.open.remove(&id);
                self.wishes.remove(&id);
            }
            Below::Unacknowledged { .. } | Below::Undelivered { .. } => {}
        }
    }

    fn on_alarm(&mut self, alarm: Alarm, now: Now) {
        match alarm {
            Alarm::Call(key, call::Alarm::Repeat) => self.repeat(key, now),
            Alarm::Call(key, call::Alarm::Reliable) => self.repeat_reliable(key, now),
            Alarm::Call(key, call::Alarm::Session) => self.on_session_timer(key, now),
            Alarm::Call(key, call::Alarm::Retry) => self.offer_again(key, now),
            Alarm::KeepAlive(key) => self.on_keep_alive_due(key, now),
            Alarm::Registration(key) => self.register_again(key, now),
            Alarm::Subscription(key) => self.on_subscription_alarm(key, now),
            Alarm::Watcher(key) => self.on_watcher_alarm(key, now),
            Alarm::Referral(key) => drop(self.referrals.remove(key)),
            Alarm::Unreachable(id) => {
                if let Some((request, purpose)) = self.unreachable.remove(id) {
                    self.conclude(&request, purpose, Outcome::Failed(Cause::Transport), now);
                }
            }
        }
    }

    /// The description in the body of a message of the owner.
    pub(super) fn own_description(
        headers: &crate::message::Headers,
        body: bytes::Bytes,
    ) -> Result<Option<crate::sdp::SessionDescription>, NotSent> {
        body::description(headers, body).map_err(NotSent::Description)
    }
}

impl Engine for UserAgent {
    type Event = Event;

    fn handle_message(&mut self, message: Message, flow: Flow, now: Now) {
        self.now = now;
        self.heard = Some(flow);
        self.transactions.handle_message(message, flow, now);
    }

    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, flow: Flow, now: Now) {
        self.now = now;
        self.transactions.handle_malformed(bytes, error, flow, now);
    }

    fn handle_flow_lost(&mut self, flow: Flow, now: Now) {
        self.now = now;
        self.transactions.handle_flow_lost(flow, now);
        self.on_flow_lost(&flow, now);
    }

    fn handle_send_failed(&mut self, ticket: Ticket, now: Now) {
        self.now = now;
        self.transactions.handle_send_failed(ticket, now);
    }

    fn handle_answer(&mut self, question: &Question, answer: Answer, now: Now) {
        self.now = now;
        self.names.handle_answer(question, answer, now);
    }

    fn handle_keep_alive(&mut self, reply: Reply, flow: Flow, now: Now) {
        self.now = now;
        self.on_keep_alive(&reply, &flow, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        self.transactions.handle_timeout(now);
        self.names.handle_timeout(now);
        while let Some(alarm) = self.alarms.pop(now.monotonic) {
            self.on_alarm(alarm, now);
        }
    }

    fn poll_output(&mut self) -> Output<Event> {
        loop {
            if let Some(output) = self.below.pop_front() {
                return output;
            }
            if let Some(output) = self.drain_names() {
                return output;
            }
            let deadline = match self.transactions.poll_output() {
                Output::Transmit(transmit) => return Output::Transmit(transmit),
                Output::Close(flow) => return Output::Close(flow),
                Output::Event(event) => {
                    self.on_transaction(event, self.now);
                    continue;
                }
                Output::Ask(question) => return Output::Ask(question),
                Output::Wait(deadline) => deadline,
            };
            return match self.events.pop_front() {
                Some(event) => Output::Event(event),
                None => {
                    let deadlines = [deadline, self.alarms.next_deadline(), self.names.deadline()];
                    Output::Wait(deadlines.into_iter().flatten().min())
                }
            };
        }
    }

    fn transitions(&mut self) -> Option<&mut transaction::Transitions> {
        self.transactions.transitions()
    }

    fn is_known(&self, flow: &Flow) -> bool {
        self.registrations.iter().any(|found| found.flow() == Some(*flow))
    }

    fn owner(&self, message: &Message) -> Option<usize> {
        self.transactions.owner(message)
    }
}
