//! What goes on within a call: requests both ways, offers, refreshes, its end (RFC 3261 §12.2, §14, §15; RFC 3311; RFC 4028 §10).

use std::time::Instant;

use super::UserAgent;
use super::agent;
use super::asked::{Outcome, Purpose, Within};
use super::body::{SDP, description};
use super::call::{Alarm, Call, CallHandle, Leg, Stage};
use super::event::{Ended, Event, NotSent, RequestHandle};
use crate::dialog::{DialogId, Refreshes, SessionTimer, glare};
use crate::message::{Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::sdp::{Carrier, SessionDescription, Side};
use crate::table::Id;
use crate::transaction::ServerId;
use crate::transport::Flow;

impl UserAgent {
    /// Answers the offer that is open in a call, whatever brought it: an INVITE, re-INVITE or UPDATE (with a 200), a 2xx to our
    /// INVITE (with the ACK), a reliable provisional response (with its PRACK). An INVITE without an offer gets this one.
    ///
    /// # Errors
    /// Nothing was sent: there is no offer, or the answer does not go with it.
    pub fn answer(&mut self, call: CallHandle, answer: &SessionDescription, now: Now) -> Result<(), NotSent> {
        let key = call.0;
        if let Some((id, request)) = self.open_request(key) {
            return self.respond(id, request.reply(StatusCode::OK).with_body(SDP, answer.to_bytes()), now);
        }
        let leg = self.calls.get_mut(key).and_then(Call::leg).ok_or(NotSent::Gone)?;
        let dialog = leg.dialog.id().clone();
        if let Some(invite) = leg.unacknowledged.clone() {
            leg.exchange.on(Side::Local, Carrier::Ack, Some(answer.clone()))?;
            self.send_first_ack(key, &dialog, &invite, Some(answer), now);
        } else if let Some(acknowledged) = leg.unanswered.clone() {
            leg.exchange.on(Side::Local, Carrier::Prack, Some(answer.clone()))?;
            leg.unanswered = None;
            self.send_prack(key, &dialog, acknowledged, Some(answer), now);
        } else {
            return Err(NotSent::Gone);
        }
        Ok(())
    }

    /// Makes an offer within a call: by re-INVITE, or by UPDATE while it rings (RFC 3311 §5.1). What comes of it is
    /// [`Event::Agreed`] or [`Event::OfferRefused`]; after a 491 it is made again by itself.
    ///
    /// # Errors
    /// Nothing was sent: another exchange is going on, or the offer does not go on from the last.
    pub fn offer(&mut self, call: CallHandle, offer: &SessionDescription, now: Now) -> Result<(), NotSent> {
        let key = call.0;
        let is_up = match self.calls.get(key).ok_or(NotSent::Gone)?.stage {
            Stage::Up => true,
            Stage::Calling(_) | Stage::Offered(_) => false,
            Stage::Answered(_) => return Err(NotSent::Gone),
        };
        let terms = self.calls.get(key).and_then(|call| call.terms).or(self.config.session_timer);
        let leg = self.calls.get_mut(key).and_then(Call::leg).ok_or(NotSent::Gone)?;
        let (method, carrier, within) = match is_up {
            true => (Method::Invite, Carrier::Invite, Within::Invite),
            false => (Method::Update, Carrier::Update, Within::Update),
        };
        leg.exchange.on(Side::Local, carrier, Some(offer.clone()))?;
        leg.retry = Some(offer.clone());
        let dialog = leg.dialog.id().clone();
        let mut request = leg.dialog.request(&method);
        request.set_body(SDP, offer.to_bytes());
        if let Some(terms) = terms.filter(|_| is_up).or(leg.timer.map(|_| crate::dialog::Terms::new(0, 0))) {
            terms.ask(&mut request, leg.timer);
        }
        self.ask_within(key, &dialog, request, within, now);
        Ok(())
    }

    /// Sends a request of the owner's own within a call: INFO, MESSAGE, REFER. `build` puts into it what it is to hold. What comes of
    /// it is [`Event::Response`] or [`Event::Failed`]. `None`: there is no such call, or no dialog yet.
    pub fn request_within(
        &mut self,
        call: CallHandle,
        method: &Method,
        build: impl FnOnce(&mut Request),
        now: Now,
    ) -> Option<RequestHandle> {
        let key = call.0;
        let leg = self.calls.get_mut(key)?.leg()?;
        let dialog = leg.dialog.id().clone();
        let mut request = leg.dialog.request(method);
        build(&mut request);
        let handle = self.new_handle();
        self.ask_within(key, &dialog, request, Within::Own(handle), now);
        Some(handle)
    }

    /// Ends a call from this side: an answered one with a BYE, ours that rings with a CANCEL, theirs that rings with 480. Nothing
    /// more is told of it. False: there is no such call.
    pub fn hang_up(&mut self, call: CallHandle, now: Now) -> bool {
        let found = self.calls.get(call.0).is_some();
        self.end_call(call.0, now);
        found
    }

    pub(super) fn end_call(&mut self, key: Id<Call>, now: Now) {
        let Some(call) = self.calls.get_mut(key) else { return };
        match &mut call.stage {
            Stage::Calling(id) => {
                if let Some(id) = *id {
                    self.transactions.cancel(id, now);
                }
                self.forget(key);
            }
            // RFC 3261 §15: not before the ACK, or the end of its time.
            Stage::Answered(answer) => answer.is_given_up = true,
            Stage::Offered(offer) => {
                let offer = *offer;
                if let Some((_, invite)) = self.waiting.get(&offer.id) {
                    let response = invite.reply(StatusCode::TEMPORARILY_UNAVAILABLE);
                    // It waits, as was just seen.
                    let _ = self.respond(offer.id, response, now);
                }
                if !offer.is_first {
                    self.send_bye(key, now);
                }
            }
            Stage::Up => self.send_bye(key, now),
        }
    }

    /// Sends a BYE and forgets the call: what becomes of the BYE changes nothing.
    pub(super) fn send_bye(&mut self, key: Id<Call>, now: Now) {
        let Some(mut call) = self.forget(key) else { return };
        let Some(leg) = call.leg() else { return };
        let bye = leg.dialog.request(&Method::Bye);
        let way = self.way_within(&bye, call.flow);
        self.ask(bye, way, Purpose::Bye, now);
    }

    /// Takes a call off the tables, with its timers and the requests that waited for the owner.
    pub(super) fn forget(&mut self, key: Id<Call>) -> Option<Call> {
        let mut call = self.calls.remove(key)?;
        self.report_to(call.reports_to.take().as_ref(), StatusCode::REQUEST_TERMINATED, self.last_input());
        let (watching, watchers) = (std::mem::take(&mut call.watching), std::mem::take(&mut call.watchers));
        let ours = watching.into_iter().filter_map(|key| self.subscriptions.get_mut(key)?.outlive());
        let theirs = watchers.into_iter().filter_map(|key| self.watchers.get_mut(key)?.seat.outlive());
        for dialog in ours.chain(theirs) {
            if let Some(leg) = call.leg_of(&dialog) {
                self.left.keep(&leg.dialog);
            }
        }
        for leg in &call.legs {
            self.dialogs.remove(leg.dialog.id());
        }
        if let Some((dialog, _)) = &call.began_with {
            self.dialogs.remove(&DialogId { local_tag: Default::default(), ..dialog.clone() });
        }
        for timer in call.alarms.iter().flatten() {
            self.alarms.cancel(*timer);
        }
        if let Some(id) = call.reinvite {
            self.transactions.cancel(id, self.last_input());
        }
        for id in &call.open {
            if let Some((_, request)) = self.waiting.remove(id) {
                let response = request.reply(StatusCode::REQUEST_TERMINATED);
                self.transactions.respond(*id, response, self.last_input());
            }
        }
        Some(call)
    }

    pub(super) fn arm(&mut self, key: Id<Call>, which: Alarm, at: Instant) {
        let handle = self.alarms.set(at, agent::Alarm::Call(key, which));
        match self.calls.get_mut(key) {
            Some(call) => {
                if let Some(old) = call.alarms[which as usize].replace(handle) {
                    self.alarms.cancel(old);
                }
            }
            None => drop(self.alarms.cancel(handle)),
        }
    }

    pub(super) fn disarm(&mut self, key: Id<Call>, which: Alarm) {
        if let Some(old) = self.calls.get_mut(key).and_then(|call| call.alarms[which as usize].take()) {
            self.alarms.cancel(old);
        }
    }

    /// The request of a call that waits for the owner: the last.
    fn open_request(&self, key: Id<Call>) -> Option<(ServerId, Request)> {
        let mut open = self.calls.get(key)?.open.iter().rev();
        open.find_map(|id| self.waiting.get(id).map(|(_, request)| (*id, request.clone())))
    }

    pub(super) fn on_request_within(&mut self, key: Id<Call>, id: ServerId, request: Request, flow: Flow, now: Now) {
        let Some(dialog) = DialogId::of_request(&request) else { return };
        let Some(leg) = self.calls.get_mut(key).and_then(|call| call.leg_of(&dialog)) else { return };
        if leg.dialog.receive(&request).is_err() {
            // RFC 3261 §12.2.2: it is older than one that was served.
            return self.refuse(id, &request, StatusCode::SERVER_INTERNAL_ERROR, now);
        }
        match request.method() {
            Method::Bye => {
                self.refuse(id, &request, StatusCode::OK, now);
                self.on_bye(key, &dialog, now);
            }
            Method::Invite => self.on_reinvite(key, id, request, flow, now),
            Method::Update => self.on_update(key, &dialog, id, request, flow, now),
            Method::Prack => self.on_prack(key, id, request, now),
            Method::Notify => {
                if !self.on_notify(id, &request, Some(key), now) {
                    self.on_unknown_notify(id, request, flow, Some(key), now);
                }
            }
            Method::Refer => self.on_refer(id, request, flow, Some(key), now),
            Method::Subscribe if self.takes_subscribe() => self.on_subscribe(id, request, flow, Some(key), now),
            Method::Ack
            | Method::Cancel
            | Method::Info
            | Method::Message
            | Method::Options
            | Method::Publish
            | Method::Register
            | Method::Subscribe
            | Method::Extension(_) => self.pass_on(id, request, flow, Some(CallHandle(key))),
        }
    }

    /// RFC 3261 §15.1.2: an INVITE that waits for its answer gets 487. A BYE of one branch ends that branch.
    fn on_bye(&mut self, key: Id<Call>, dialog: &DialogId, now: Now) {
        let Some(call) = self.calls.get_mut(key) else { return };
        match &call.stage {
            Stage::Calling(_) => {
                call.legs.retain(|leg| leg.dialog.id() != dialog);
                self.dialogs.remove(dialog);
                return;
            }
            Stage::Offered(offer) => {
                let id = offer.id;
                self.terminate(id, now);
            }
            Stage::Answered(answer) if answer.is_given_up => drop(self.forget(key)),
            Stage::Answered(_) | Stage::Up => {}
        }
        // For a call that was never answered its 487 was the end.
        self.end_with(key, Ended::Bye);
    }

    pub(super) fn on_reinvite_success(
        &mut self,
        key: Id<Call>,
        dialog: &DialogId,
        request: &Request,
        response: &Response,
        now: Now,
    ) {
        let Some(leg) = self.calls.get_mut(key).and_then(|call| call.leg_of(dialog)) else { return };
        leg.dialog.refresh_target(&response.headers);
        leg.timer = SessionTimer::of_response(&response.headers);
        let was_offered = leg.retry.take().is_some();
        leg.is_refreshing = false;
        if self.acknowledge(key, dialog, request, response, now) {
            self.arm_session(key, now);
            if was_offered {
                self.events.push_back(Event::Agreed { call: CallHandle(key) });
            }
        }
    }

    pub(super) fn on_reinvite_failure(&mut self, key: Id<Call>, dialog: &DialogId, outcome: Outcome, now: Now) {
        if let Some(leg) = self.calls.get_mut(key).and_then(|call| call.leg_of(dialog)) {
            leg.exchange.failed(Side::Local, Carrier::Invite);
            self.on_offer_failure(key, dialog, outcome, now);
        }
    }

    pub(super) fn on_update_outcome(
        &mut self,
        key: Id<Call>,
        dialog: &DialogId,
        request: &Request,
        outcome: Outcome,
        now: Now,
    ) {
        let Some(leg) = self.calls.get_mut(key).and_then(|call| call.leg_of(dialog)) else { return };
        let response = match &outcome {
            Outcome::Response(response) if response.status().is_success() => response,
            Outcome::Response(_) | Outcome::Failed(_) => {
                leg.exchange.failed(Side::Local, Carrier::Update);
                return self.on_offer_failure(key, dialog, outcome, now);
            }
        };
        let described = description(&response.headers, response.body()).unwrap_or_default();
        let taken = leg.exchange.on(Side::Remote, Carrier::UpdateSuccess, described);
        leg.dialog.refresh_target(&response.headers);
        leg.is_refreshing = false;
        if leg.timer.is_some() {
            leg.timer = SessionTimer::of_response(&response.headers);
        }
        let was_offered = leg.retry.take().is_some() && !request.body().is_empty();
        match taken {
            Ok(_) if was_offered => self.events.push_back(Event::Agreed { call: CallHandle(key) }),
            Ok(_) => {}
            Err(_) => {
                leg.exchange.failed(Side::Local, Carrier::Update);
                let response = outcome.response();
                self.events.push_back(Event::OfferRefused { call: CallHandle(key), response });
            }
        }
        self.arm_session(key, now);
    }

    /// An offer of ours, or a refresh, has failed: what was agreed before holds on, unless the other side no longer knows of it
    /// (RFC 3261 §12.2.1.2, §14.1).
    fn on_offer_failure(&mut self, key: Id<Call>, dialog: &DialogId, outcome: Outcome, now: Now) {
        let is_up = self.calls.get(key).is_some_and(Call::is_up);
        if outcome.ends_dialog() && is_up {
            self.send_bye(key, now);
            return self.events.push_back(Event::Ended { call: CallHandle(key), by: Ended::Expired });
        }
        let random = self.transactions.random();
        let Some(leg) = self.calls.get_mut(key).and_then(|call| call.leg_of(dialog)) else { return };
        let is_glare =
            matches!(&outcome, Outcome::Response(response) if response.status() == StatusCode::REQUEST_PENDING);
        let again = now.monotonic + glare::wait(leg.dialog.is_caller(), random);
        let was_refreshing = std::mem::take(&mut leg.is_refreshing);
        if is_glare && (leg.retry.is_some() || was_refreshing) {
            return self.arm(key, if was_refreshing { Alarm::Session } else { Alarm::Retry }, again);
        }
        if leg.retry.take().is_some() {
            let response = outcome.response();
            self.events.push_back(Event::OfferRefused { call: CallHandle(key), response });
        } else if was_refreshing {
            // The session lives to its end; whoever refreshes it then is late.
            leg.is_refreshing = true;
        }
    }

    /// The time after a 491 is over.
    pub(super) fn offer_again(&mut self, key: Id<Call>, now: Now) {
        let Some(offer) = self.calls.get_mut(key).and_then(Call::leg).and_then(|leg| leg.retry.take()) else { return };
        if self.offer(CallHandle(key), &offer, now).is_err() {
            self.events.push_back(Event::OfferRefused { call: CallHandle(key), response: None });
        }
    }

    /// RFC 4028 §10: refreshes the session, or ends it.
    pub(super) fn on_session_timer(&mut self, key: Id<Call>, now: Now) {
        let Some(leg) = self.calls.get_mut(key).and_then(Call::leg) else { return };
        let Some(timer) = leg.timer else { return };
        if timer.refreshes == Refreshes::Them || leg.is_refreshing {
            self.send_bye(key, now);
            return self.events.push_back(Event::Ended { call: CallHandle(key), by: Ended::Expired });
        }
        self.refresh(key, timer, now);
        let rest = SessionTimer { refreshes: Refreshes::Them, ..timer }.acts_after().saturating_sub(timer.acts_after());
        self.arm(key, Alarm::Session, now.monotonic + rest);
    }

    /// A refresh is an UPDATE without an offer, or the last description again (RFC 4028 §7.4).
    fn refresh(&mut self, key: Id<Call>, timer: SessionTimer, now: Now) {
        let terms = self.calls.get(key).and_then(|call| call.terms).unwrap_or_else(|| self.terms());
        let Some(leg) = self.calls.get_mut(key).and_then(Call::leg) else { return };
        let Leg { dialog, exchange, is_refreshing, takes_update, .. } = leg;
        *is_refreshing = true;
        let id = dialog.id().clone();
        let (mut request, within) = if *takes_update {
            (dialog.request(&Method::Update), Within::Update)
        } else {
            let description = exchange.agreed().map(|agreed| agreed.local.clone());
            let body = description.as_ref().map(SessionDescription::to_bytes);
            if exchange.on(Side::Local, Carrier::Invite, description).is_err() {
                // Another exchange refreshes the session as well.
                return;
            }
            let mut invite = dialog.request(&Method::Invite);
            if let Some(body) = body {
                invite.set_body(SDP, body);
            }
            (invite, Within::Invite)
        };
        terms.ask(&mut request, Some(timer));
        self.ask_within(key, &id, request, within, now);
    }
}
