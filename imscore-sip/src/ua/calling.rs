//! The side that calls: INVITE, its branches, PRACK, ACK, CANCEL (RFC 3261 §9.1, §13.2).

use super::UserAgent;
use super::asked::{Outcome, Purpose, Within};
use super::body::{SDP, description};
use super::call::{BRANCHES, Call, CallHandle, Leg, Stage};
use super::event::{Ended, Event};
use super::names::Way;
use crate::dialog::{Dialog, DialogId, SessionTimer};
use crate::header::{CSeq, Name, RAck};
use crate::message::{Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::sdp::{Carrier, SessionDescription, Side, Step};
use crate::table::Id;
use crate::transaction::{Cause, ClientId};
use crate::transport::Flow;
use crate::uri::Uri;

impl UserAgent {
    /// Calls somebody, with an offer, or without one to get the other side's. What comes of it are [`Event::Progress`],
    /// [`Event::Answered`] and [`Event::Ended`].
    pub fn invite(&mut self, target: &Uri, offer: Option<&SessionDescription>, now: Now) -> CallHandle {
        let mut invite = Request::new(&Method::Invite, target.as_str());
        if let Some(offer) = offer {
            invite.set_body(SDP, offer.to_bytes());
        }
        self.invite_with(invite, now)
    }

    /// Calls with an INVITE of the owner's making, as [`UserAgent::request`] completes it.
    pub fn invite_with(&mut self, mut invite: Request, now: Now) -> CallHandle {
        self.complete(&mut invite);
        self.add_abilities(&mut invite);
        if let Some(terms) = self.config.session_timer {
            terms.ask(&mut invite, None);
        }
        let way = self.way(&invite);
        let mut call = Call::new(None, Stage::Calling(None));
        call.terms = self.config.session_timer;
        // What cannot be read is passed on as it is, and its answer is not judged.
        let offer = description(&invite.headers, invite.body()).ok().flatten();
        let _ = call.offered.on(Side::Local, Carrier::Invite, offer);
        let key = self.calls.insert(call);
        self.ask(invite, way, Purpose::Invite(key), now);
        CallHandle(key)
    }

    /// A provisional response to our INVITE.
    pub(super) fn on_progress(&mut self, key: Id<Call>, id: ClientId, response: Response, now: Now) {
        let Some(dialog) = DialogId::of_response(&response).filter(|_| response.status() != StatusCode::TRYING) else {
            return;
        };
        let Some(leg) = self.branch(key, id, &dialog, &response) else { return };
        let is_reliable = response.headers.requires("100rel");
        let acknowledged = leg.received.next(&response);
        if is_reliable && acknowledged.is_none() {
            // Seen before, or out of order (RFC 3262 §4).
            return;
        }
        leg.dialog.refresh_target(&response.headers);
        leg.takes_update |= response.headers.allows(&Method::Update);
        let carrier = if is_reliable { Carrier::Reliable } else { Carrier::Provisional };
        // A description that does not fit is passed over; the 2xx will tell (RFC 3261 §13.2.1).
        let described = description(&response.headers, response.body()).unwrap_or_default();
        let step = leg.exchange.on(Side::Remote, carrier, described);
        match acknowledged {
            Some(acknowledged) if step == Ok(Step::Offer) => leg.unanswered = Some(acknowledged),
            Some(acknowledged) => self.send_prack(key, &dialog, acknowledged, None, now),
            None => {}
        }
        self.report(key, response.status(), now);
        self.events.push_back(Event::Progress { call: CallHandle(key), response });
    }

    /// The dialog of a branch that has answered, which becomes the last one. `None`: it is none that could be kept.
    fn branch(&mut self, key: Id<Call>, id: ClientId, dialog: &DialogId, response: &Response) -> Option<&mut Leg> {
        let request = &self.asked.get(&id)?.request;
        let call = self.calls.get_mut(key)?;
        if !matches!(call.stage, Stage::Calling(_)) {
            return None;
        }
        match call.legs.iter().position(|leg| leg.dialog.id() == dialog) {
            Some(at) => {
                let leg = call.legs.remove(at);
                call.legs.push(leg);
            }
            None if call.legs.len() < BRANCHES => {
                let made = Dialog::of_response(request, response).ok()?;
                let random = self.transactions.random();
                call.legs.push(Leg::new(made, call.offered.clone(), random));
                self.dialogs.insert(dialog.clone(), key);
            }
            None => return None,
        }
        call.legs.last_mut()
    }

    pub(super) fn send_prack(
        &mut self,
        key: Id<Call>,
        dialog: &DialogId,
        acknowledged: RAck,
        answer: Option<&SessionDescription>,
        now: Now,
    ) {
        let Some(leg) = self.calls.get_mut(key).and_then(|call| call.leg_of(dialog)) else { return };
        let mut prack = leg.dialog.prack(acknowledged);
        if let Some(answer) = answer {
            prack.set_body(SDP, answer.to_bytes());
        }
        self.ask_within(key, dialog, prack, Within::Prack, now);
    }

    pub(super) fn on_prack_outcome(&mut self, key: Id<Call>, dialog: &DialogId, outcome: Outcome) {
        let Some(leg) = self.calls.get_mut(key).and_then(|call| call.leg_of(dialog)) else { return };
        let is_success = matches!(&outcome, Outcome::Response(response) if response.status().is_success());
        // Ours brings answers only, so there is nothing to take.
        if !is_success {
            leg.exchange.failed(Side::Local, Carrier::Prack);
        }
    }

    /// A 2xx to an INVITE of ours, the first or another one.
    pub(super) fn on_invite_success(&mut self, id: ClientId, response: Response, now: Now) {
        let Some(asked) = self.asked.get(&id) else { return };
        let (request, purpose, flow) = (asked.request.clone(), asked.purpose.clone(), asked.peer.flow);
        let Some(dialog) = DialogId::of_response(&response) else { return };
        let key = match purpose {
            Purpose::Invite(key) | Purpose::Within(key, _, Within::Invite) => key,
            Purpose::Within(..)
            | Purpose::Bye
            | Purpose::Register(_)
            | Purpose::Subscribe(..)
            | Purpose::Notify(_)
            | Purpose::Own(_) => return,
        };
        if self.acknowledge_again(key, &dialog, &request, now) {
            return;
        }
        match purpose {
            Purpose::Invite(_) if self.branch(key, id, &dialog, &response).is_some() => {
                self.answered(key, &dialog, &request, response, now);
            }
            Purpose::Within(..) => self.on_reinvite_success(key, &dialog, &request, &response, now),
            // Of a call that is over, or of another branch than the one that was first (RFC 3261 §13.2.2.4).
            Purpose::Invite(_)
            | Purpose::Bye
            | Purpose::Register(_)
            | Purpose::Subscribe(..)
            | Purpose::Notify(_)
            | Purpose::Own(_) => {
                self.end_unwanted(&request, &response, Some(flow), now);
            }
        }
    }

    /// True where the 2xx was seen before; its ACK goes again, if it went already.
    fn acknowledge_again(&mut self, key: Id<Call>, dialog: &DialogId, request: &Request, now: Now) -> bool {
        let Some(call) = self.calls.get_mut(key) else { return false };
        let flow = call.flow;
        let Some(leg) = call.leg_of(dialog) else { return false };
        let number = |request: &Request| request.headers.cseq().map(|cseq| cseq.number).ok();
        if leg.unacknowledged.as_ref().is_some_and(|invite| number(invite) == number(request)) {
            return true;
        }
        let Some(ack) = leg.ack.clone().filter(|ack| number(ack) == number(request)) else { return false };
        self.send_ack(*ack, flow, now);
        true
    }

    /// The first 2xx: its branch is the call from now on.
    fn answered(&mut self, key: Id<Call>, dialog: &DialogId, request: &Request, response: Response, now: Now) {
        let others: Vec<DialogId> = match self.calls.get_mut(key) {
            Some(call) => {
                let kept = call.legs.pop();
                let others = call.legs.drain(..).map(|leg| leg.dialog.id().clone()).collect();
                call.legs.extend(kept);
                call.stage = Stage::Up;
                others
            }
            None => return,
        };
        for other in &others {
            self.dialogs.remove(other);
        }
        let Some(leg) = self.calls.get_mut(key).and_then(Call::leg) else { return };
        // Without a way that can be read, by the one that was known.
        let _ = leg.dialog.confirm(&response);
        leg.takes_update |= response.headers.allows(&Method::Update);
        leg.timer = SessionTimer::of_response(&response.headers);
        if self.acknowledge(key, dialog, request, &response, now) {
            self.arm_session(key, now);
            self.report(key, response.status(), now);
            self.events.push_back(Event::Answered { call: CallHandle(key), response });
        }
    }

    /// Takes the description of a 2xx to an INVITE and sends the ACK, unless that is to bring our answer. False: it does not go
    /// with ours, and the call was ended.
    pub(super) fn acknowledge(
        &mut self,
        key: Id<Call>,
        dialog: &DialogId,
        request: &Request,
        response: &Response,
        now: Now,
    ) -> bool {
        let Some(leg) = self.calls.get_mut(key).and_then(|call| call.leg_of(dialog)) else { return false };
        let described = description(&response.headers, response.body());
        // What our side could not read of its own offer, it does not hold against the answer.
        let is_judged = leg.exchange.offer().is_some() || request.body().is_empty();
        let step = described.ok().map(|described| leg.exchange.on(Side::Remote, Carrier::InviteSuccess, described));
        match step {
            Some(Ok(Step::Offer)) => {
                leg.unacknowledged = Some(Box::new(request.clone()));
                return true;
            }
            Some(Ok(Step::Answer | Step::Preview | Step::Repeated | Step::Nothing)) => {
                self.send_first_ack(key, dialog, request, None, now)
            }
            Some(Err(_)) | None => {
                self.send_first_ack(key, dialog, request, None, now);
                if is_judged {
                    self.send_bye(key, now);
                    self.events.push_back(Event::Ended { call: CallHandle(key), by: Ended::Disagreed });
                    return false;
                }
            }
        }
        true
    }

    pub(super) fn send_first_ack(
        &mut self,
        key: Id<Call>,
        dialog: &DialogId,
        invite: &Request,
        answer: Option<&SessionDescription>,
        now: Now,
    ) {
        let Some(call) = self.calls.get_mut(key) else { return };
        let flow = call.flow;
        let Some(leg) = call.leg_of(dialog) else { return };
        let mut ack = leg.dialog.ack(invite);
        if let Some(answer) = answer {
            ack.set_body(SDP, answer.to_bytes());
        }
        leg.unacknowledged = None;
        leg.ack = Some(Box::new(ack.clone()));
        self.send_ack(ack, flow, now);
    }

    /// Acknowledges a 2xx that came too late, and ends its dialog.
    fn end_unwanted(&mut self, request: &Request, response: &Response, flow: Option<Flow>, now: Now) {
        let Ok(mut dialog) = Dialog::of_response(request, response) else { return };
        self.send_ack(dialog.ack(request), flow, now);
        let bye = dialog.request(&Method::Bye);
        let way = self.way_within(&bye, flow);
        self.ask(bye, way, Purpose::Bye, now);
    }

    /// A final response to our first INVITE that is no 2xx, or none.
    pub(super) fn on_invite_failure(&mut self, key: Id<Call>, request: &Request, outcome: Outcome, now: Now) {
        let Some(call) = self.calls.get_mut(key).filter(|call| matches!(call.stage, Stage::Calling(_))) else { return };
        let flow = call.flow;
        if let (Outcome::Response(response), Some(terms)) = (&outcome, &mut call.terms)
            && response.status() == StatusCode::SESSION_INTERVAL_TOO_SMALL
            && terms.raise(response)
            && let Ok(cseq) = request.headers.cseq()
        {
            // RFC 4028 §7.3: the same again, with what was asked for.
            let mut request = request.clone();
            terms.ask(&mut request, None);
            request.headers.set(&CSeq { number: cseq.number + 1, method: Method::Invite });
            return self.ask(request, flow.map(Way::Flow), Purpose::Invite(key), now);
        }
        let status = match &outcome {
            Outcome::Response(response) => response.status(),
            Outcome::Failed(Cause::Timeout) => StatusCode::REQUEST_TIMEOUT,
            Outcome::Failed(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        self.report(key, status, now);
        self.end_with(
            key,
            match outcome {
                Outcome::Response(response) => Ended::Refused(Box::new(response)),
                Outcome::Failed(cause) => Ended::Failed(cause),
            },
        );
    }

    /// Forgets a call and says how it ended.
    pub(super) fn end_with(&mut self, key: Id<Call>, by: Ended) {
        if self.forget(key).is_some() {
            self.events.push_back(Event::Ended { call: CallHandle(key), by });
        }
    }

    /// Sends a request within a call.
    pub(super) fn ask_within(
        &mut self,
        key: Id<Call>,
        dialog: &DialogId,
        mut request: Request,
        what: Within,
        now: Now,
    ) {
        let way = self.way_within(&request, self.calls.get(key).and_then(|call| call.flow));
        let refreshes = request.is(&Method::Invite) || request.is(&Method::Update);
        if refreshes && !request.headers.contains(Name::CONTACT) {
            self.add_abilities(&mut request);
        }
        self.ask(request, way, Purpose::Within(key, dialog.clone(), what), now);
    }
}
