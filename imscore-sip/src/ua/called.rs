//! The side that is called: INVITE, what checks precede it, and the responses to it (RFC 3261 §8.2, §13.3).

use super::UserAgent;
use super::body::{description, is_foreign};
use super::call::{Alarm, Answer, Call, CallHandle, Leg, Offer, QUEUE, Stage};
use super::event::{Ended, Event, NotSent};
use crate::dialog::{Dialog, DialogId, Repetition, SessionTimer, Terms, glare, replaced, replaces};
use crate::header::{Allow, Name};
use crate::message::{Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::parse::list;
use crate::sdp::{Carrier, Exchange, ExchangeError, Refused, Side};
use crate::table::Id;
use crate::transaction::ServerId;
use crate::transport::Flow;

impl UserAgent {
    /// Answers a request that an [`Event::Request`] brought, provisionally or for good. To tag, Contact and, in a 2xx, what the
    /// session timer says are added where they are missing. A provisional response to an INVITE is made reliable where the
    /// caller knows that and it has a body, or the caller insists (RFC 3262 §3); it waits for the PRACK of the one before.
    ///
    /// # Errors
    /// Nothing was sent: nobody waits for it, or its description comes at the wrong time.
    pub fn respond(&mut self, id: ServerId, mut response: Response, now: Now) -> Result<(), NotSent> {
        let Some((key, request)) = self.waiting.get(&id) else {
            let is_options = response.headers.cseq().is_ok_and(|cseq| cseq.method == Method::Options);
            if is_options && response.status().is_success() && !response.headers.contains(Name::ALLOW) {
                self.methods().for_each(|method| response.headers.push(&Allow(method)));
            }
            if !self.open.contains(&id) {
                return Err(NotSent::Gone);
            }
            if response.status().is_final() {
                self.wishes.remove(&id);
                self.open.remove(&id);
            }
            self.reply(id, response, now);
            return Ok(());
        };
        let (key, is_invite) = (*key, request.is(&Method::Invite));
        if is_invite {
            self.respond_to_invite(key, id, response, now)
        } else {
            self.respond_to_update(key, id, response, now)
        }
    }

    /// Answers a request that belongs to no call, or needs no say of the owner.
    pub(super) fn reply(&mut self, id: ServerId, mut response: Response, now: Now) {
        if response.status() != StatusCode::TRYING {
            response.set_to_tag(&self.new_tag());
        }
        self.transactions.respond(id, response, now);
    }

    pub(super) fn refuse(&mut self, id: ServerId, request: &Request, status: StatusCode, now: Now) {
        self.reply(id, request.reply(status), now);
    }

    pub(super) fn on_request(&mut self, id: ServerId, request: Request, flow: Flow, now: Now) {
        if let Some(response) = self.refusal(&request) {
            return self.reply(id, response, now);
        }
        let dialog = DialogId::of_request(&request);
        let is_subscribe = request.is(&Method::Subscribe) && self.takes_subscribe();
        match dialog.as_ref().and_then(|dialog| self.call_of(dialog)) {
            Some(call) => self.on_request_within(call, id, request, flow, now),
            None if request.is(&Method::Notify) && self.on_notify(id, &request, None, now) => {}
            None if request.is(&Method::Notify) => self.on_unknown_notify(id, request, flow, None, now),
            None if is_subscribe => self.on_subscribe(id, request, flow, None, now),
            // RFC 3261 §12.2.2, §15.1.2; RFC 3262 §3, RFC 3311 §5.2.
            None if dialog.is_some() || [Method::Bye, Method::Prack, Method::Update].contains(&request.method()) => {
                self.refuse(id, &request, StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST, now);
            }
            None if request.is(&Method::Invite) => self.on_invite(id, request, flow, now),
            None if request.is(&Method::Refer) => self.on_refer(id, request, flow, None, now),
            None => self.pass_on(id, request, flow, None),
        }
    }

    /// Leaves a request that changes no call to the owner.
    pub(super) fn pass_on(&mut self, id: ServerId, request: Request, flow: Flow, call: Option<CallHandle>) {
        self.open.insert(id);
        self.events.push_back(Event::Request { id, request, flow, call, replaces: None });
    }

    /// RFC 3261 §8.2.1, §8.2.2.3.
    fn refusal(&self, request: &Request) -> Option<Response> {
        if let Some(response) = malformed(request) {
            return Some(response);
        }
        if !self.methods().any(|method| request.is(&method)) {
            let mut response = request.reply(StatusCode::METHOD_NOT_ALLOWED);
            self.methods().for_each(|method| response.headers.push(&Allow(method)));
            return Some(response);
        }
        let supported = |tag: &[u8]| self.extensions().any(|it| it.as_bytes().eq_ignore_ascii_case(tag));
        let mut response = None;
        for tag in request.headers.raw_all(Name::REQUIRE).flat_map(list::split).filter(|tag| !supported(tag)) {
            let response = response.get_or_insert_with(|| request.reply(StatusCode::BAD_EXTENSION));
            response.headers.push_raw("Unsupported", tag);
        }
        response
    }

    /// An INVITE that begins a call.
    fn on_invite(&mut self, id: ServerId, request: Request, flow: Flow, now: Now) {
        let tag = self.new_tag();
        let begun = match self.begin(&request, &tag) {
            Ok(begun) => begun,
            Err(response) => return self.reply(id, *response, now),
        };
        let Beginning { leg, sequence, replaces } = begun;
        let offer = Offer { id, sequence, is_first: true };
        let mut call = Call::new(Some(flow), Stage::Offered(offer));
        let dialog = leg.dialog.id().clone();
        call.began_with = Some((dialog.clone(), sequence));
        call.replaces = replaces;
        call.legs.push(leg);
        let key = self.calls.insert(call);
        self.dialogs.insert(DialogId { local_tag: Default::default(), ..dialog.clone() }, key);
        self.dialogs.insert(dialog, key);
        self.keep_open(key, id, &request);
        let (call, replaces) = (Some(CallHandle(key)), replaces.map(CallHandle));
        self.events.push_back(Event::Request { id, request, flow, call, replaces });
    }

    /// Keeps a request of a call until the owner answers it.
    fn keep_open(&mut self, key: Id<Call>, id: ServerId, request: &Request) {
        self.waiting.insert(id, (key, request.clone()));
        if let Some(call) = self.calls.get_mut(key) {
            call.open.retain(|id| self.waiting.contains_key(id));
            call.open.push(id);
        }
    }

    /// The dialog that an INVITE begins, or the response that refuses it.
    fn begin(&mut self, request: &Request, tag: &str) -> Result<Beginning, Box<Response>> {
        let refuse = |status| Box::new(request.reply(status));
        // RFC 3261 §8.1.1.8: an INVITE has a Contact.
        let dialog = Dialog::of_request(request, tag).map_err(|_| refuse(StatusCode::BAD_REQUEST))?;
        let sequence = request.headers.cseq().map_or(0, |cseq| cseq.number);
        let unanswered = DialogId { local_tag: Default::default(), ..dialog.id().clone() };
        if let Some(twin) = self.call_of(&unanswered).and_then(|key| self.calls.get(key))
            && twin.began_with.as_ref().is_some_and(|(_, number)| *number == sequence)
        {
            // RFC 3261 §8.2.2.2: it has come by two ways.
            return Err(refuse(StatusCode::LOOP_DETECTED));
        }
        if self.calls.len() >= self.config.calls {
            return Err(refuse(StatusCode::BUSY_HERE));
        }
        if is_foreign(&request.headers, &request.body()) {
            let mut response = refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            response.headers.push_raw("Accept", super::body::SDP.as_bytes());
            return Err(response);
        }
        let offered = description(&request.headers, request.body());
        let mut exchange = Exchange::default();
        let taken = offered.map(|offered| exchange.on(Side::Remote, Carrier::Invite, offered));
        if !matches!(taken, Ok(Ok(_))) {
            return Err(refuse(StatusCode::NOT_ACCEPTABLE_HERE));
        }
        self.terms().answer(request).map_err(|too_small| Box::new(too_small.reply(request)))?;
        let replaces = self.replaced_by(request).map_err(refuse)?;
        let mut leg = Leg::new(dialog, exchange, self.transactions.random());
        leg.takes_update = request.headers.allows(&Method::Update);
        Ok(Beginning { leg, sequence, replaces })
    }

    /// The call that an INVITE is to take the place of (RFC 3891 §3).
    fn replaced_by(&self, invite: &Request) -> Result<Option<Id<Call>>, StatusCode> {
        let Some((id, header)) = replaces(invite).map_err(|_| StatusCode::BAD_REQUEST)? else { return Ok(None) };
        let key = self.call_of(&id).filter(|_| !id.local_tag.is_empty());
        let leg = key.and_then(|key| self.calls.get(key)?.legs.iter().find(|leg| *leg.dialog.id() == id));
        replaced(&header, leg.map(|leg| &leg.dialog), false)?;
        Ok(key)
    }

    /// What this side wants of session timers; where it wants none, whatever is asked of it.
    pub(super) fn terms(&self) -> Terms {
        self.config.session_timer.unwrap_or_else(|| Terms::new(1_800, 0))
    }

    fn respond_to_invite(
        &mut self,
        key: Id<Call>,
        id: ServerId,
        mut response: Response,
        now: Now,
    ) -> Result<(), NotSent> {
        let Some((_, request)) = self.waiting.get(&id) else { return Err(NotSent::Gone) };
        let (request, flow) = (request.clone(), self.calls.get(key).and_then(|call| call.flow));
        let contact = flow.and_then(|flow| self.contact(&flow));
        let Some(call) = self.calls.get_mut(key) else { return Err(NotSent::Gone) };
        let Stage::Offered(offer) = call.stage else { return Err(NotSent::Gone) };
        let Some(leg) = call.legs.last_mut() else { return Err(NotSent::Gone) };
        let status = response.status();
        if status != StatusCode::TRYING {
            response.set_to_tag(&leg.dialog.id().local_tag);
        }
        if (101..300).contains(&status.code())
            && !response.headers.contains(Name::CONTACT)
            && let Some(contact) = contact
        {
            response.headers.push(&contact);
        }
        if status.is_final() && !status.is_success() {
            self.transactions.respond(id, response, now);
            self.refused(key, offer);
            return Ok(());
        }
        let has_body = !response.body().is_empty();
        let asks = request.headers.requires("100rel") || has_body && request.headers.supports("100rel");
        let is_reliable = status.is_provisional() && status != StatusCode::TRYING && asks && offer.is_first;
        let waits =
            is_reliable && leg.reliable.waiting().is_some() || status.is_success() && leg.reliable.holds_success();
        if waits {
            if leg.queue.len() >= QUEUE {
                return Err(NotSent::Gone);
            }
            leg.queue.push_back(response);
            return Ok(());
        }
        let carrier = match (status.is_success(), is_reliable) {
            (true, _) => Carrier::InviteSuccess,
            (false, true) => Carrier::Reliable,
            (false, false) => Carrier::Provisional,
        };
        let description = UserAgent::own_description(&response.headers, response.body())?;
        leg.exchange.on(Side::Local, carrier, description)?;
        if status.is_success() {
            self.accept(key, offer, &request, response, now);
        } else if is_reliable {
            self.send_reliable(key, id, &response, now);
        } else {
            self.transactions.respond(id, response, now);
        }
        Ok(())
    }

    /// Sends a 2xx, and repeats it from now on.
    fn accept(&mut self, key: Id<Call>, offer: Offer, request: &Request, mut response: Response, now: Now) {
        self.waiting.remove(&offer.id);
        let terms = self.terms();
        if !response.headers.contains(Name::ALLOW) {
            self.methods().for_each(|method| response.headers.push(&Allow(method)));
        }
        let Some(call) = self.calls.get_mut(key) else { return };
        let replaces = call.replaces.take();
        let flow = call.flow;
        if let Some(leg) = call.legs.last_mut() {
            leg.reliable.stop();
            leg.dialog.confirm_as_callee();
            leg.timer = terms.answer(request).ok().flatten();
            leg.is_refreshing = false;
            if let Some(timer) = leg.timer {
                timer.write(&mut response);
            }
        }
        let timers = self.timers(flow.as_ref());
        let repetition = Repetition::new(timers.t1, Some(timers.t2), now.monotonic);
        let answer = Answer::new(offer, response.clone(), repetition);
        let due = answer.due();
        if let Some(call) = self.calls.get_mut(key) {
            call.stage = Stage::Answered(answer);
        }
        self.disarm(key, Alarm::Reliable);
        self.arm(key, Alarm::Repeat, due);
        self.arm_session(key, now);
        self.transactions.respond(offer.id, response, now);
        if let Some(replaced) = replaces {
            self.end_call(replaced, now);
            self.events.push_back(Event::Ended { call: CallHandle(replaced), by: Ended::Replaced });
        }
    }

    /// RFC 3262 §3.
    fn send_reliable(&mut self, key: Id<Call>, id: ServerId, response: &Response, now: Now) {
        let t1 = self.timers(self.calls.get(key).and_then(|call| call.flow).as_ref()).t1;
        let repetition = Repetition::new(t1, None, now.monotonic);
        let leg = self.calls.get_mut(key).and_then(Call::leg);
        if let Some(reliable) = leg.and_then(|leg| leg.reliable.send(response, repetition)) {
            self.transactions.respond(id, reliable, now);
            self.arm(key, Alarm::Reliable, repetition.due());
        }
    }

    /// The time of a reliable response without a PRACK has come.
    pub(super) fn repeat_reliable(&mut self, key: Id<Call>, now: Now) {
        let Some(call) = self.calls.get_mut(key) else { return };
        let Stage::Offered(offer) = call.stage else { return };
        let Some(leg) = call.legs.last_mut() else { return };
        match leg.reliable.again().cloned() {
            Some(response) => {
                let due = leg.reliable.waiting().map(|(_, repetition)| repetition.due());
                self.transactions.respond(offer.id, response, now);
                if let Some(due) = due {
                    self.arm(key, Alarm::Reliable, due);
                }
            }
            None => {
                if let Some((_, invite)) = self.waiting.get(&offer.id) {
                    let timeout = invite.reply(StatusCode::SERVER_TIMEOUT);
                    // It waits, as was just seen.
                    let _ = self.respond(offer.id, timeout, now);
                }
                self.events.push_back(Event::Ended { call: CallHandle(key), by: Ended::NoAck });
            }
        }
    }

    /// A PRACK (RFC 3262 §3).
    pub(super) fn on_prack(&mut self, key: Id<Call>, id: ServerId, prack: Request, now: Now) {
        let Ok(description) = description(&prack.headers, prack.body()) else {
            return self.refuse(id, &prack, StatusCode::NOT_ACCEPTABLE_HERE, now);
        };
        let Some(leg) = self.calls.get_mut(key).and_then(Call::leg) else { return };
        if !leg.reliable.acknowledge(&prack) {
            return self.refuse(id, &prack, StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST, now);
        }
        let offers = description.is_some();
        let taken = leg.exchange.on(Side::Remote, Carrier::Prack, description);
        let queue = std::mem::take(&mut leg.queue);
        self.disarm(key, Alarm::Reliable);
        match taken {
            Err(error) => self.refuse(id, &prack, error.status(), now),
            Ok(crate::sdp::Step::Offer) if offers => {
                // Asked in the middle of a call's beginning: what was agreed stands.
                if let Some(leg) = self.calls.get_mut(key).and_then(Call::leg) {
                    leg.exchange.failed(Side::Remote, Carrier::Prack);
                }
                self.refuse(id, &prack, StatusCode::NOT_ACCEPTABLE_HERE, now);
            }
            Ok(_) => self.refuse(id, &prack, StatusCode::OK, now),
        }
        for response in queue {
            let Some(Stage::Offered(offer)) = self.calls.get(key).map(|call| &call.stage) else { return };
            // What does not fit any more is not sent.
            let _ = self.respond(offer.id, response, now);
        }
    }

    /// A final response other than 2xx has ended the call, or left it as it was before a re-INVITE.
    fn refused(&mut self, key: Id<Call>, offer: Offer) {
        self.waiting.remove(&offer.id);
        if offer.is_first {
            self.forget(key);
        } else if let Some(call) = self.calls.get_mut(key) {
            call.stage = Stage::Up;
            if let Some(leg) = call.leg() {
                leg.exchange.failed(Side::Remote, Carrier::Invite);
            }
        }
    }

    /// A re-INVITE (RFC 3261 §14.2).
    pub(super) fn on_reinvite(&mut self, key: Id<Call>, id: ServerId, request: Request, flow: Flow, now: Now) {
        if let Err(too_small) = self.terms().answer(&request) {
            return self.reply(id, too_small.reply(&request), now);
        }
        let Some(call) = self.calls.get_mut(key) else { return };
        let taken = match (&call.stage, call.legs.last_mut()) {
            (Stage::Up, Some(leg)) => offered(leg, Carrier::Invite, &request),
            (Stage::Calling(_), _) => Err(Refused::Glare.into()),
            (Stage::Offered(_) | Stage::Answered(_), _) | (Stage::Up, None) => Err(Refused::Pending.into()),
        };
        if let Err(error) = taken {
            return self.refuse_offer(id, &request, error, now);
        }
        let sequence = request.headers.cseq().map_or(0, |cseq| cseq.number);
        call.stage = Stage::Offered(Offer { id, sequence, is_first: false });
        call.flow = Some(flow);
        if let Some(leg) = call.leg() {
            leg.dialog.refresh_target(&request.headers);
        }
        self.keep_open(key, id, &request);
        self.events.push_back(Event::Request { id, request, flow, call: Some(CallHandle(key)), replaces: None });
    }

    /// An UPDATE (RFC 3311 §5.2).
    pub(super) fn on_update(
        &mut self,
        key: Id<Call>,
        dialog: &DialogId,
        id: ServerId,
        request: Request,
        flow: Flow,
        now: Now,
    ) {
        if let Err(too_small) = self.terms().answer(&request) {
            return self.reply(id, too_small.reply(&request), now);
        }
        let Some(leg) = self.calls.get_mut(key).and_then(|call| call.leg_of(dialog)) else { return };
        if let Err(error) = offered(leg, Carrier::Update, &request) {
            return self.refuse_offer(id, &request, error, now);
        }
        leg.dialog.refresh_target(&request.headers);
        let offers = !leg.exchange.state().is_stable();
        self.keep_open(key, id, &request);
        if offers {
            let call = Some(CallHandle(key));
            self.events.push_back(Event::Request { id, request, flow, call, replaces: None });
        } else {
            // Nothing in it that could be refused.
            let _ = self.respond(id, request.reply(StatusCode::OK), now);
        }
    }

    fn respond_to_update(
        &mut self,
        key: Id<Call>,
        id: ServerId,
        mut response: Response,
        now: Now,
    ) -> Result<(), NotSent> {
        let Some((_, request)) = self.waiting.get(&id) else { return Err(NotSent::Gone) };
        let request = request.clone();
        let status = response.status();
        let terms = self.terms();
        let contact = self.calls.get(key).and_then(|call| call.flow).and_then(|flow| self.contact(&flow));
        let dialog = DialogId::of_request(&request).ok_or(NotSent::Gone)?;
        let leg = self.calls.get_mut(key).and_then(|call| call.leg_of(&dialog)).ok_or(NotSent::Gone)?;
        if status.is_success() {
            let description = UserAgent::own_description(&response.headers, response.body())?;
            leg.exchange.on(Side::Local, Carrier::UpdateSuccess, description)?;
            if let Some(contact) = contact.filter(|_| !response.headers.contains(Name::CONTACT)) {
                response.headers.push(&contact);
            }
            if leg.dialog.is_confirmed() || leg.timer.is_some() {
                leg.timer = terms.answer(&request).ok().flatten().or(leg.timer);
                leg.is_refreshing = false;
            }
            if let Some(timer) = leg.timer {
                timer.write(&mut response);
            }
        } else if status.is_final() {
            leg.exchange.failed(Side::Remote, Carrier::Update);
        }
        if status.is_final() {
            self.waiting.remove(&id);
            self.arm_session(key, now);
        }
        self.reply(id, response, now);
        Ok(())
    }

    /// Says why an offer is not taken (RFC 3261 §14.2, RFC 3311 §5.2).
    fn refuse_offer(&mut self, id: ServerId, request: &Request, error: ExchangeError, now: Now) {
        let mut response = request.reply(error.status());
        if response.status() == StatusCode::SERVER_INTERNAL_ERROR {
            let seconds = glare::retry_after(self.transactions.random());
            response.headers.push_raw("Retry-After", seconds.to_string().as_bytes());
        }
        self.reply(id, response, now);
    }

    /// Answers an INVITE with 487.
    pub(super) fn terminate(&mut self, id: ServerId, now: Now) {
        if let Some((key, invite)) = self.waiting.get(&id) {
            let (call, response) = (CallHandle(*key), invite.reply(StatusCode::REQUEST_TERMINATED));
            // It waits, as was just seen.
            let _ = self.respond(id, response, now);
            self.events.push_back(Event::Cancelled { id, call });
        }
    }

    pub(super) fn on_cancel(&mut self, id: ServerId, invite: Option<ServerId>, request: &Request, now: Now) {
        if let Some(response) = malformed(request) {
            return self.reply(id, response, now);
        }
        let status = match invite {
            Some(_) => StatusCode::OK,
            None => StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST,
        };
        let mut response = request.reply(status);
        let call = invite.and_then(|invite| self.calls.get(self.waiting.get(&invite)?.0));
        if let Some(leg) = call.and_then(|call| call.legs.last()) {
            // RFC 3261 §9.2: with the tag of the response to the INVITE.
            response.set_to_tag(&leg.dialog.id().local_tag);
        }
        self.reply(id, response, now);
        if let Some(invite) = invite {
            self.terminate(invite, now);
        }
    }

    pub(super) fn on_ack(&mut self, ack: Request, now: Now) {
        let Some(key) = DialogId::of_request(&ack).and_then(|dialog| self.call_of(&dialog)) else { return };
        let Some(call) = self.calls.get_mut(key) else { return };
        let Stage::Answered(answer) = &call.stage else { return };
        if ack.headers.cseq().is_ok_and(|cseq| cseq.number != answer.offer.sequence) {
            return;
        }
        let is_given_up = answer.is_given_up;
        call.stage = Stage::Up;
        let answered = description(&ack.headers, ack.body());
        let agreed = call.leg().is_some_and(|leg| {
            answered.is_ok_and(|answered| leg.exchange.on(Side::Remote, Carrier::Ack, answered).is_ok())
        });
        self.disarm(key, Alarm::Repeat);
        if is_given_up {
            self.send_bye(key, now);
        } else if !agreed {
            self.send_bye(key, now);
            self.events.push_back(Event::Ended { call: CallHandle(key), by: Ended::Disagreed });
        } else {
            self.events.push_back(Event::Confirmed { call: CallHandle(key), ack });
        }
    }

    /// The time of a 2xx without an ACK has come.
    pub(super) fn repeat(&mut self, key: Id<Call>, now: Now) {
        let Some(call) = self.calls.get_mut(key) else { return };
        let Stage::Answered(answer) = &mut call.stage else { return };
        match answer.repetition.again() {
            Some(due) => {
                let (id, response) = (answer.offer.id, (*answer.response).clone());
                self.arm(key, Alarm::Repeat, due);
                self.transactions.respond(id, response, now);
            }
            None => {
                let is_given_up = answer.is_given_up;
                self.send_bye(key, now);
                if !is_given_up {
                    self.events.push_back(Event::Ended { call: CallHandle(key), by: Ended::NoAck });
                }
            }
        }
    }

    /// Arms the session timer anew, from a 2xx on.
    pub(super) fn arm_session(&mut self, key: Id<Call>, now: Now) {
        let timer = self.calls.get_mut(key).and_then(Call::leg).and_then(|leg| leg.timer);
        match timer.map(|timer: SessionTimer| timer.acts_after()) {
            Some(after) => self.arm(key, Alarm::Session, now.monotonic + after),
            None => self.disarm(key, Alarm::Session),
        }
    }
}

/// What a request gets that cannot be understood (RFC 3261 §8.2, §21.4.1).
fn malformed(request: &Request) -> Option<Response> {
    let rejection = request.check().err()?;
    let mut response = request.reply(rejection.status());
    response.headers.push_raw("Warning", format!("399 - \"{rejection}\"").as_bytes());
    Some(response)
}

/// What an INVITE begins.
struct Beginning {
    leg: Leg,
    sequence: u32,
    replaces: Option<Id<Call>>,
}

/// An offer of the other side within a call, or none.
fn offered(leg: &mut Leg, carrier: Carrier, request: &Request) -> Result<(), ExchangeError> {
    let Ok(description) = description(&request.headers, request.body()) else {
        return Err(ExchangeError::Origin);
    };
    leg.exchange.on(Side::Remote, carrier, description).map(drop)
}
