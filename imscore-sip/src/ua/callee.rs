//! The side that is called.

use std::collections::VecDeque;
use std::time::Instant;

use hashbrown::HashMap;

use super::call::{Answer, Call, Offer, Stage};
use super::{Config, DialogId, Ended, Event};
use crate::engine::{Engine, Output, Ticket};
use crate::hash::Keyed;
use crate::header::{Allow, Contact, Name};
use crate::message::{Message, Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::parse::{ParseError, list};
use crate::proxy::route;
use crate::table::{Id, Table};
use crate::transaction::{self, ServerId, Timers, Transactions};
use crate::transport::{Flow, ListenerId, Side};
use crate::uri::SipUri;
use crate::wheel::Wheel;

/// A user agent that is called: an [`Engine`] over the transaction layer.
///
/// What it does by itself:
/// - checks each request, and answers 400, 405, 420, 481 or 500 where its clause says so (RFC 3261 §8.2, §12.2.2);
/// - gives responses the To tag of the dialog, a Contact where one is due, and an Allow in a 200 to OPTIONS (§11.2);
/// - repeats a 2xx until the ACK comes, also over TCP, and gives the call up with a BYE after 64*T1 (§13.3.1.4);
/// - answers CANCEL and BYE (§9.2, §15.1.2).
///
/// A call that nobody ends lasts: [`Callee::hang_up`] ends it from this side.
pub struct Callee {
    config: Config,
    transactions: Transactions,
    calls: Table<Call>,
    dialogs: HashMap<DialogId, Id<Call>, Keyed>,
    /// INVITEs without a final response.
    invites: HashMap<ServerId, (Id<Call>, Request), Keyed>,
    repetitions: Wheel<Id<Call>>,
    events: VecDeque<Event>,
    /// As of the last input.
    now: Now,
}

impl Callee {
    /// A user agent without calls.
    pub fn new(config: Config, now: Now) -> Callee {
        let keyed = Keyed::from_seed(&config.transactions.seed);
        Callee {
            transactions: Transactions::new(config.transactions.clone(), now),
            calls: Table::default(),
            dialogs: HashMap::with_hasher(keyed),
            invites: HashMap::with_hasher(keyed),
            repetitions: Wheel::new(now.monotonic),
            events: VecDeque::new(),
            config,
            now,
        }
    }

    /// How many calls there are, those that ring among them.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Where this side is reached, on the listener of that flow. `None`: there is no such listener.
    pub fn contact(&self, flow: &Flow) -> Option<Contact> {
        let listener = self.config.transactions.listeners.get(usize::from(flow.listener.0))?;
        let uri: SipUri = format!("sip:{}", listener.sent_by).parse().ok()?;
        let transport = listener.transport.as_str().to_ascii_lowercase();
        Some(Contact::new(uri.with_user(&self.config.user).with_param("transport", transport.as_str())))
    }

    /// Answers a request that an [`Event::Request`] brought, provisionally or for good. To tag and Contact are added
    /// where they are missing.
    pub fn respond(&mut self, id: ServerId, mut response: Response, now: Now) {
        let known = self.invites.get(&id).and_then(|(key, _)| Some((*key, self.calls.get(*key)?)));
        let Some((key, call)) = known else {
            let is_options = response.headers.cseq().is_ok_and(|cseq| cseq.method == Method::Options);
            if is_options && response.status().is_success() && !response.headers.contains(Name::ALLOW) {
                self.methods().for_each(|method| response.headers.push(&Allow(method)));
            }
            return self.answer(id, response, now);
        };
        let Stage::Offered(offer) = call.stage else { return };
        let status = response.status();
        if status != StatusCode::TRYING {
            response.set_to_tag(&call.dialog.local_tag);
        }
        if (101..300).contains(&status.code())
            && !response.headers.contains(Name::CONTACT)
            && let Some(contact) = self.contact(&call.flow)
        {
            response.headers.push(&contact);
        }
        if status.is_success() {
            self.accept(key, offer, Box::new(response.clone()), now.monotonic);
        } else if status.is_final() {
            self.refuse(key, offer);
        }
        self.transactions.respond(id, response, now);
    }

    /// Ends a call with a BYE. False: there is no such call, or it was not answered yet, which takes
    /// [`Callee::respond`].
    pub fn hang_up(&mut self, dialog: &DialogId, now: Now) -> bool {
        let Some(key) = self.dialogs.get(dialog).copied() else { return false };
        let answered = self.calls.get(key).is_some_and(|call| !matches!(call.stage, Stage::Offered(_)));
        answered && self.send_bye(key, now).is_some()
    }

    /// Repeats a 2xx from now on.
    fn accept(&mut self, key: Id<Call>, offer: Offer, response: Box<Response>, now: Instant) {
        self.invites.remove(&offer.id);
        let Timers { t1, .. } = self.timers(key);
        let timer = self.repetitions.set(now + t1, key);
        if let Some(call) = self.calls.get_mut(key) {
            call.stage = Stage::Answered(Answer { offer, response, interval: t1, until: now + t1 * 64, timer });
        }
    }

    /// A final response other than 2xx ends the call, or leaves it as it was before a re-INVITE.
    fn refuse(&mut self, key: Id<Call>, offer: Offer) {
        self.invites.remove(&offer.id);
        if offer.is_first {
            self.forget(key);
        } else if let Some(call) = self.calls.get_mut(key) {
            call.stage = Stage::Confirmed;
        }
    }

    fn forget(&mut self, key: Id<Call>) -> Option<Call> {
        let call = self.calls.remove(key)?;
        self.dialogs.remove(&call.dialog);
        if let Stage::Answered(answer) = &call.stage {
            self.repetitions.cancel(answer.timer);
        }
        Some(call)
    }

    /// Sends a BYE and forgets the call: what becomes of the BYE changes nothing.
    fn send_bye(&mut self, key: Id<Call>, now: Now) -> Option<DialogId> {
        let call = self.forget(key)?;
        let mut bye = call.bye();
        route::make_strict(&mut bye);
        let flow = self.flow_to(&bye).unwrap_or(call.flow);
        self.transactions.request(bye, flow, None, now);
        Some(call.dialog)
    }

    /// The way to the next hop of a request, where it is an address.
    fn flow_to(&self, request: &Request) -> Option<Flow> {
        let (transport, remote) = route::address(route::next_hop(request)?.as_sip()?)?;
        let listener = self.config.transactions.listeners.iter().position(|it| it.transport == transport)?;
        Some(Flow { transport, listener: ListenerId(listener as u16), remote, connection: None })
    }

    fn timers(&self, key: Id<Call>) -> Timers {
        let config = &self.config.transactions;
        let listener = self.calls.get(key).and_then(|call| config.listeners.get(usize::from(call.flow.listener.0)));
        match listener.map(|listener| listener.side) {
            Some(Side::Access) => config.access,
            Some(Side::Core) | None => config.core,
        }
    }

    fn new_tag(&mut self) -> String {
        format!("{:016x}", self.transactions.random())
    }

    /// Answers a request that belongs to no call, or needs no say of the owner.
    fn answer(&mut self, id: ServerId, mut response: Response, now: Now) {
        if response.status() != StatusCode::TRYING {
            response.set_to_tag(&self.new_tag());
        }
        self.transactions.respond(id, response, now);
    }

    fn on_request(&mut self, id: ServerId, request: Request, flow: Flow, now: Now) {
        if let Some(response) = self.refusal(&request) {
            return self.answer(id, response, now);
        }
        let dialog = dialog_of(&request);
        let call = dialog.as_ref().and_then(|dialog| self.dialogs.get(dialog).copied());
        match call {
            Some(call) => self.in_dialog(call, id, request, flow, now),
            // RFC 3261 §12.2.2, §15.1.2.
            None if dialog.is_some() || request.is(&Method::Bye) => {
                self.answer(id, request.reply(StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST), now);
            }
            None if request.is(&Method::Invite) => self.begin(id, request, flow, now),
            None => self.events.push_back(Event::Request { id, request, flow }),
        }
    }

    /// RFC 3261 §8.2.1, §8.2.2.3.
    fn refusal(&self, request: &Request) -> Option<Response> {
        if let Err(rejection) = request.check() {
            let mut response = request.reply(rejection.status());
            response.headers.push_raw("Warning", format!("399 - \"{rejection}\"").as_bytes());
            return Some(response);
        }
        if !self.methods().any(|method| request.is(&method)) {
            let mut response = request.reply(StatusCode::METHOD_NOT_ALLOWED);
            self.methods().for_each(|method| response.headers.push(&Allow(method)));
            return Some(response);
        }
        let supported = |tag: &[u8]| self.config.supported.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(tag));
        let mut response = None;
        for tag in request.headers.raw_all(Name::REQUIRE).flat_map(list::split).filter(|tag| !supported(tag)) {
            let response = response.get_or_insert_with(|| request.reply(StatusCode::BAD_EXTENSION));
            response.headers.push_raw("Unsupported", tag);
        }
        response
    }

    fn methods(&self) -> impl Iterator<Item = Method> {
        let always = [Method::Ack, Method::Bye, Method::Cancel, Method::Invite].into_iter();
        always.chain(self.config.methods.iter().cloned())
    }

    fn begin(&mut self, id: ServerId, request: Request, flow: Flow, now: Now) {
        if self.calls.len() >= self.config.calls {
            return self.answer(id, request.reply(StatusCode::BUSY_HERE), now);
        }
        let tag = self.new_tag();
        // RFC 3261 §8.1.1.8: an INVITE has a Contact.
        let Some(call) = Call::begin(&request, id, flow, &tag) else {
            return self.answer(id, request.reply(StatusCode::BAD_REQUEST), now);
        };
        let dialog = call.dialog.clone();
        let key = self.calls.insert(call);
        self.dialogs.insert(dialog, key);
        self.invites.insert(id, (key, request.clone()));
        self.events.push_back(Event::Request { id, request, flow });
    }

    fn in_dialog(&mut self, key: Id<Call>, id: ServerId, request: Request, flow: Flow, now: Now) {
        let Some(call) = self.calls.get_mut(key) else { return };
        let sequence = request.headers.cseq().map_or(0, |cseq| cseq.number);
        if sequence <= call.sequence {
            // RFC 3261 §12.2.2: it is older than one that was served.
            return self.answer(id, request.reply(StatusCode::SERVER_INTERNAL_ERROR), now);
        }
        call.sequence = sequence;
        if request.is(&Method::Bye) {
            self.answer(id, request.reply(StatusCode::OK), now);
            return self.ended_by_bye(key, now);
        }
        if request.is(&Method::Invite) {
            if !matches!(call.stage, Stage::Confirmed) {
                // RFC 3261 §14.2: one INVITE at a time.
                let mut response = request.reply(StatusCode::SERVER_INTERNAL_ERROR);
                let seconds = self.transactions.random() % 11;
                response.headers.push_raw("Retry-After", seconds.to_string().as_bytes());
                return self.answer(id, response, now);
            }
            call.offer_again(&request, Offer { id, sequence, is_first: false }, flow);
            self.invites.insert(id, (key, request.clone()));
        }
        self.events.push_back(Event::Request { id, request, flow });
    }

    /// RFC 3261 §15.1.2: an INVITE that waits for its answer gets 487.
    fn ended_by_bye(&mut self, key: Id<Call>, now: Now) {
        if let Some(call) = self.calls.get(key)
            && let Stage::Offered(offer) = call.stage
        {
            self.terminate(offer.id, now);
        }
        // For a call that was never answered its 487 was the end.
        if let Some(call) = self.forget(key) {
            self.events.push_back(Event::Ended { dialog: call.dialog, by: Ended::Bye });
        }
    }

    /// Answers an INVITE with 487.
    fn terminate(&mut self, id: ServerId, now: Now) {
        if let Some((_, invite)) = self.invites.get(&id) {
            let response = invite.reply(StatusCode::REQUEST_TERMINATED);
            self.respond(id, response, now);
            self.events.push_back(Event::Cancelled { id });
        }
    }

    fn on_cancel(&mut self, id: ServerId, invite: Option<ServerId>, request: &Request, now: Now) {
        let status = match invite {
            Some(_) => StatusCode::OK,
            None => StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST,
        };
        let mut response = request.reply(status);
        let call = invite.and_then(|invite| self.calls.get(self.invites.get(&invite)?.0));
        if let Some(call) = call {
            // RFC 3261 §9.2: with the tag of the response to the INVITE.
            response.set_to_tag(&call.dialog.local_tag);
        }
        self.answer(id, response, now);
        if let Some(invite) = invite {
            self.terminate(invite, now);
        }
    }

    fn on_ack(&mut self, ack: Request) {
        let Some(key) = dialog_of(&ack).and_then(|dialog| self.dialogs.get(&dialog).copied()) else { return };
        let Some(call) = self.calls.get_mut(key) else { return };
        let Stage::Answered(answer) = &call.stage else { return };
        if ack.headers.cseq().is_ok_and(|cseq| cseq.number == answer.offer.sequence) {
            self.repetitions.cancel(answer.timer);
            call.stage = Stage::Confirmed;
            self.events.push_back(Event::Confirmed { ack, dialog: call.dialog.clone() });
        }
    }

    /// The time of a 2xx without an ACK has come.
    fn repeat(&mut self, key: Id<Call>, now: Now) {
        let Timers { t2, .. } = self.timers(key);
        let Some(call) = self.calls.get_mut(key) else { return };
        let Stage::Answered(answer) = &mut call.stage else { return };
        if now.monotonic >= answer.until {
            if let Some(dialog) = self.send_bye(key, now) {
                self.events.push_back(Event::Ended { dialog, by: Ended::NoAck });
            }
            return;
        }
        answer.interval = (answer.interval * 2).min(t2);
        answer.timer = self.repetitions.set((now.monotonic + answer.interval).min(answer.until), key);
        self.transactions.respond(answer.offer.id, (*answer.response).clone(), now);
    }

    fn on_transaction(&mut self, event: transaction::Event, now: Now) {
        use transaction::Event as Below;
        match event {
            Below::Request { id, request, flow } => self.on_request(id, request, flow, now),
            Below::Ack { request, .. } => self.on_ack(request),
            Below::Cancel { id, invite, request, .. } => self.on_cancel(id, invite, &request, now),
            // A BYE is all that it sends, and its call is forgotten by then.
            Below::Response { .. } | Below::Failed { .. } | Below::ClientEnded { .. } => {}
            Below::Unacknowledged { .. } | Below::Undelivered { .. } | Below::ServerEnded { .. } => {}
        }
    }
}

/// The dialog that a request says it is in.
fn dialog_of(request: &Request) -> Option<DialogId> {
    Some(DialogId {
        local_tag: request.headers.to_tag()?.into(),
        remote_tag: request.headers.from_tag().unwrap_or_default().into(),
        call_id: request.headers.call_id()?.into(),
    })
}

impl Engine for Callee {
    type Event = Event;

    fn handle_message(&mut self, message: Message, flow: Flow, now: Now) {
        self.now = now;
        self.transactions.handle_message(message, flow, now);
    }

    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, flow: Flow, now: Now) {
        self.now = now;
        self.transactions.handle_malformed(bytes, error, flow, now);
    }

    fn handle_flow_lost(&mut self, flow: Flow, now: Now) {
        self.now = now;
        self.transactions.handle_flow_lost(flow, now);
    }

    fn handle_send_failed(&mut self, ticket: Ticket, now: Now) {
        self.now = now;
        self.transactions.handle_send_failed(ticket, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        self.transactions.handle_timeout(now);
        while let Some(key) = self.repetitions.pop(now.monotonic) {
            self.repeat(key, now);
        }
    }

    fn poll_output(&mut self) -> Output<Event> {
        loop {
            let deadline = match self.transactions.poll_output() {
                Output::Transmit(transmit) => return Output::Transmit(transmit),
                Output::Event(event) => {
                    self.on_transaction(event, self.now);
                    continue;
                }
                Output::Wait(deadline) => deadline,
            };
            return match self.events.pop_front() {
                Some(event) => Output::Event(event),
                None => Output::Wait([deadline, self.repetitions.next_deadline()].into_iter().flatten().min()),
            };
        }
    }

    fn owner(&self, message: &Message) -> Option<usize> {
        self.transactions.owner(message)
    }
}
