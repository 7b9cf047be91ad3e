//! The side that notifies (RFC 6665 §4.2): it takes a SUBSCRIBE, says what changes, and sees to the end.

use std::time::Duration;

use super::UserAgent;
use super::agent::Alarm;
use super::asked::{Outcome, Purpose};
use super::call::{Call, USAGES};
use super::event::{Event, NotSent};
use super::usage::{Seat, UsageId, ends_subscription};
use crate::dialog::{Dialog, DialogId, Notifier, Subscription};
use crate::header::{self, AllowEvents, Expires, Name, RetryAfter, SubscriptionState};
use crate::message::{Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::table::Id;
use crate::transaction::ServerId;
use crate::transport::Flow;
use crate::wheel::TimerHandle;

/// Names a subscription of somebody else, from its acceptance to its last NOTIFY.
///
/// ```
/// use imscore_sip::Now;
/// use imscore_sip::ua::{UserAgent, WatcherHandle};
///
/// /// Tells everybody who watches.
/// fn tell(agent: &mut UserAgent, watchers: &[WatcherHandle], state: &str, now: Now) -> usize {
///     let told = watchers.iter().filter(|watcher| {
///         agent.notify(**watcher, |notify| notify.set_body("text/plain", state.to_string()), now)
///     });
///     told.count()
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WatcherHandle(pub(super) Id<Watcher>);

/// How long the owner may take for the last NOTIFY of a subscription that was taken back, before one goes without a body.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Seconds until somebody who found no room may come again.
const COME_BACK: u32 = 60;

pub(super) struct Watcher {
    pub(super) seat: Seat,
    flow: Flow,
    event: header::Event,
    state: Notifier,
    name: UsageId,
    /// CSeq of the SUBSCRIBE that began it.
    sequence: u32,
    timer: Option<TimerHandle>,
}

/// A SUBSCRIBE or REFER that waits for the owner.
pub(super) struct Wish {
    pub(super) request: Request,
    pub(super) flow: Flow,
    pub(super) call: Option<Id<Call>>,
}

impl UserAgent {
    /// How many subscriptions others hold here.
    pub fn watchers(&self) -> usize {
        self.watchers.len()
    }

    /// True until the last NOTIFY of that subscription has gone.
    pub fn is_watched(&self, watcher: WatcherHandle) -> bool {
        self.watchers.get(watcher.0).is_some()
    }

    /// Takes a SUBSCRIBE that an [`Event::Request`] brought, as pending or active, with 200, and tells the state at once:
    /// `build` puts the body into the NOTIFY (RFC 6665 §4.2.1.2). [`UserAgent::respond`] refuses one.
    ///
    /// # Errors
    /// Nothing was sent: nobody waits for it.
    pub fn admit(
        &mut self,
        id: ServerId,
        state: Subscription,
        build: impl FnOnce(&mut Request),
        now: Now,
    ) -> Result<WatcherHandle, NotSent> {
        if !self.wishes.get(&id).is_some_and(|wish| wish.request.is(&Method::Subscribe)) {
            return Err(NotSent::Gone);
        }
        let wish = self.wishes.remove(&id).ok_or(NotSent::Gone)?;
        let event = wish.request.headers.first().map_err(|_| NotSent::Gone)?;
        let (shortest, longest) = self.config.subscribed_for;
        let handle = self.admit_as(id, wish, event, state, (shortest, longest), now)?;
        self.notify(handle, build, now);
        Ok(handle)
    }

    pub(super) fn admit_as(
        &mut self,
        id: ServerId,
        wish: Wish,
        event: header::Event,
        state: Subscription,
        (shortest, longest): (Duration, Duration),
        now: Now,
    ) -> Result<WatcherHandle, NotSent> {
        let Wish { request, flow, call } = wish;
        let tag = self.new_tag();
        let seat = match (call, DialogId::of_request(&request)) {
            (Some(call), Some(dialog)) => Seat::Call(call, dialog),
            (_, _) => {
                let mut dialog = Dialog::of_request(&request, &tag).map_err(|_| NotSent::Gone)?;
                dialog.confirm_as_callee();
                Seat::Own(Box::new(dialog))
            }
        };
        // Its time was judged when it came.
        let state = Notifier::new(&request, state, shortest, longest, now.monotonic).map_err(|_| NotSent::Gone)?;
        let name = UsageId::by_from_tag(&request.headers, &event).ok_or(NotSent::Gone)?;
        let sequence = request.headers.cseq().map_or(0, |cseq| cseq.number);
        let mut response = request.reply(StatusCode::OK);
        response.set_to_tag(&tag);
        if request.is(&Method::Subscribe) {
            response.headers.push(&Expires(state.left(now.monotonic)));
        }
        if let Some(contact) = self.contact(&flow) {
            response.headers.push(&contact);
        }
        let key = self.watchers.insert(Watcher { seat, flow, event, state, name: name.clone(), sequence, timer: None });
        if let Some(call) = call.and_then(|call| self.calls.get_mut(call)) {
            call.watchers.push(key);
        }
        if let Some(older) = self.watched.insert(name, key) {
            // Whoever begins anew with the same names has forgotten what was before.
            self.forget_watcher(older);
        }
        self.transactions.respond(id, response, now);
        self.arm_watcher(key, now);
        Ok(WatcherHandle(key))
    }

    /// Accepts a subscription that is pending; the next NOTIFY says so. False: there is none.
    pub fn activate(&mut self, watcher: WatcherHandle) -> bool {
        let found = self.watchers.get_mut(watcher.0);
        found.map(|found| found.state.accept()).is_some()
    }

    /// Tells a subscriber the state; `build` puts the body in. The NOTIFY is the last one where the subscription was taken
    /// back. False: there is none.
    pub fn notify(&mut self, watcher: WatcherHandle, build: impl FnOnce(&mut Request), now: Now) -> bool {
        let Some(found) = self.watchers.get_mut(watcher.0) else { return false };
        let state = found.state.report(now.monotonic);
        self.send_notify(watcher.0, state, build, now);
        true
    }

    /// Ends a subscription from this side, with a last NOTIFY that says why and when to come again: `state` is of the form
    /// `terminated;reason=deactivated` (RFC 6665 §4.1.3). False: there is none.
    pub fn terminate_subscription(
        &mut self,
        watcher: WatcherHandle,
        state: SubscriptionState,
        build: impl FnOnce(&mut Request),
        now: Now,
    ) -> bool {
        let Some(found) = self.watchers.get_mut(watcher.0) else { return false };
        found.state.end(&state.reason().unwrap_or_default());
        self.send_notify(watcher.0, state, build, now);
        true
    }

    fn send_notify(&mut self, key: Id<Watcher>, state: SubscriptionState, build: impl FnOnce(&mut Request), now: Now) {
        let Some(found) = self.watchers.get_mut(key) else { return };
        let (flow, event, is_last) = (found.flow, found.event.clone(), state.is_terminated());
        if let Some(dialog) = found.seat.dialog(&mut self.calls, &mut self.left) {
            let mut notify = dialog.request(&Method::Notify).with(event).with(state);
            build(&mut notify);
            self.ask_in_dialog(notify, Some(flow), Purpose::Notify(key), now);
        }
        if is_last {
            self.forget_watcher(key);
        }
    }

    /// The CSeq of a NOTIFY that goes again. `None`: the subscription is over.
    pub(super) fn next_notify_number(&mut self, key: Id<Watcher>) -> Option<u32> {
        Some(self.watchers.get_mut(key)?.seat.dialog(&mut self.calls, &mut self.left)?.next_sequence())
    }

    pub(super) fn on_notify_outcome(&mut self, key: Id<Watcher>, outcome: &Outcome) {
        let is_over = match outcome {
            Outcome::Response(response) => {
                ends_subscription(response.status()) || response.status() == StatusCode::REQUEST_TIMEOUT
            }
            Outcome::Failed(_) => true,
        };
        if is_over && self.watchers.get(key).is_some() {
            self.forget_watcher(key);
            self.events.push_back(Event::WatcherGone { watcher: WatcherHandle(key) });
        }
    }

    /// A SUBSCRIBE (RFC 6665 §4.2.1).
    pub(super) fn on_subscribe(
        &mut self,
        id: ServerId,
        request: Request,
        flow: Flow,
        call: Option<Id<Call>>,
        now: Now,
    ) {
        let event = request.headers.get::<header::Event>().ok().flatten();
        let name = event.as_ref().and_then(|event| UsageId::by_from_tag(&request.headers, event));
        if let Some(key) = name.and_then(|name| self.watched.get(&name)).copied()
            && let Some(response) = self.refreshed(key, &request, flow, call, now)
        {
            return self.reply(id, response, now);
        }
        if call.is_none() && self.is_of_referral(event.as_ref()) {
            return self.on_subscribe_to_referral(id, request, flow, now);
        }
        if let Err(response) = self.judge(&request, event.as_ref(), call) {
            return self.reply(id, *response, now);
        }
        self.wish(id, request, flow, call);
    }

    /// A NOTIFY that no subscription of ours waits for is the owner's, where it wants those (RFC 6665 §4.1.3).
    pub(super) fn on_unknown_notify(
        &mut self,
        id: ServerId,
        request: Request,
        flow: Flow,
        call: Option<Id<Call>>,
        now: Now,
    ) {
        if self.config.methods.contains(&Method::Notify) {
            return self.pass_on(id, request, flow, call.map(super::CallHandle));
        }
        let is_named = request.headers.contains(Name::EVENT);
        let status = if is_named { StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST } else { StatusCode::BAD_EVENT };
        self.refuse(id, &request, status, now);
    }

    /// Leaves a SUBSCRIBE or REFER to the owner.
    pub(super) fn wish(&mut self, id: ServerId, request: Request, flow: Flow, call: Option<Id<Call>>) {
        self.wishes.insert(id, Wish { request: request.clone(), flow, call });
        self.pass_on(id, request, flow, call.map(super::CallHandle));
    }

    /// Whether a SUBSCRIBE may begin a subscription, or the response that refuses it.
    fn judge(
        &self,
        request: &Request,
        event: Option<&header::Event>,
        call: Option<Id<Call>>,
    ) -> Result<(), Box<Response>> {
        let refuse = |status| Box::new(request.reply(status));
        let is_served =
            event.is_some_and(|event| self.config.events.iter().any(|package| **package == *event.package()));
        if !is_served {
            // RFC 6665 §4.2.1.1, §7.2.
            let mut response = refuse(StatusCode::BAD_EVENT);
            let of_refer = self.is_of_referral(Some(&header::Event::new("refer"))).then(|| "refer".into());
            let served = self.config.events.iter().cloned().chain(of_refer).map(AllowEvents);
            served.for_each(|package| response.headers.push(&package));
            return Err(response);
        }
        if call.is_none() && request.headers.to_tag().is_some() {
            return Err(refuse(StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST));
        }
        let (shortest, longest) = self.config.subscribed_for;
        let now = self.last_input().monotonic;
        Notifier::new(request, Subscription::Pending, shortest, longest, now)
            .map_err(|refused| Box::new(refused.reply(request)))?;
        if call.is_none() {
            // RFC 6665 §4.4.1: without a Contact there is nobody to notify.
            Dialog::of_request(request, "").map_err(|_| refuse(StatusCode::BAD_REQUEST))?;
        }
        if self.has_no_room(call) {
            let mut response = refuse(StatusCode::SERVICE_UNAVAILABLE);
            response.headers.push(&RetryAfter(COME_BACK));
            return Err(response);
        }
        Ok(())
    }

    pub(super) fn has_no_room(&self, call: Option<Id<Call>>) -> bool {
        let in_call = call.and_then(|call| self.calls.get(call)).map_or(0, |call| call.watchers.len());
        self.watchers.len() + self.wishes.len() + self.referrals.len() >= self.config.subscriptions || in_call >= USAGES
    }

    /// The answer to a SUBSCRIBE for a subscription that there is: a refresh, its end, or a copy of the first one (RFC 3261
    /// §8.2.2.2). `None`: it begins another one.
    fn refreshed(
        &mut self,
        key: Id<Watcher>,
        request: &Request,
        flow: Flow,
        call: Option<Id<Call>>,
        now: Now,
    ) -> Option<Response> {
        let found = self.watchers.get_mut(key)?;
        let dialog = found.seat.dialog(&mut self.calls, &mut self.left)?;
        let Some(named) = DialogId::of_request(request) else {
            let is_copy = request.headers.cseq().is_ok_and(|cseq| cseq.number == found.sequence);
            return is_copy.then(|| request.reply(StatusCode::LOOP_DETECTED));
        };
        if named != *dialog.id() {
            return Some(request.reply(StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST));
        }
        if call.is_none() && dialog.receive(request).is_err() {
            return Some(request.reply(StatusCode::SERVER_INTERNAL_ERROR));
        }
        dialog.refresh_target(&request.headers);
        let (shortest, longest) = self.config.subscribed_for;
        if let Err(refused) = found.state.refresh(request, shortest, longest, now.monotonic) {
            return Some(refused.reply(request));
        }
        found.flow = flow;
        let mut response = request.reply(StatusCode::OK).with(Expires(found.state.left(now.monotonic)));
        if let Some(contact) = self.contact(&flow) {
            response.headers.push(&contact);
        }
        self.arm_watcher(key, now);
        self.events.push_back(Event::Watched { watcher: WatcherHandle(key) });
        Some(response)
    }

    /// The time of a subscription is over.
    pub(super) fn on_watcher_alarm(&mut self, key: Id<Watcher>, now: Now) {
        let Some(found) = self.watchers.get_mut(key) else { return };
        found.timer = None;
        let state = found.state.report(now.monotonic);
        if !state.is_terminated() {
            return self.arm_watcher(key, now);
        }
        self.send_notify(key, state, |_| {}, now);
        self.events.push_back(Event::WatcherGone { watcher: WatcherHandle(key) });
    }

    pub(super) fn forget_watcher(&mut self, key: Id<Watcher>) {
        let Some(found) = self.watchers.remove(key) else { return };
        if self.watched.get(&found.name) == Some(&key) {
            self.watched.remove(&found.name);
        }
        match &found.seat {
            Seat::Call(call, _) => {
                if let Some(call) = self.calls.get_mut(*call) {
                    call.watchers.retain(|watcher| *watcher != key);
                }
            }
            Seat::Left(dialog) => self.left.release(dialog),
            Seat::Own(_) => {}
        }
        if let Some(timer) = found.timer {
            self.alarms.cancel(timer);
        }
    }

    fn arm_watcher(&mut self, key: Id<Watcher>, now: Now) {
        let Some(found) = self.watchers.get_mut(key) else { return };
        if let Some(old) = found.timer.take() {
            self.alarms.cancel(old);
        }
        let is_over = found.state.state() == Subscription::Over;
        let until = if is_over { now.monotonic + LAST_WORD } else { found.state.until() };
        found.timer = Some(self.alarms.set(until, Alarm::Watcher(key)));
    }
}
