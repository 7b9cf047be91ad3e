//! The side that subscribes, by SUBSCRIBE (RFC 6665 §4.1) or by the REFER that brings a subscription along (RFC 3515 §2.4.4).

use std::time::{Duration, Instant};

use super::UserAgent;
use super::agent::Alarm;
use super::asked::{Outcome, Purpose};
use super::call::{BRANCHES, Call};
use super::event::{Event, Unsubscribed};
use super::names::Way;
use super::usage::{Seat, UsageId, ends_subscription};
use crate::dialog::{Dialog, DialogId, Subscriber};
use crate::header::{self, CSeq, Expires, MinExpires, ReferEventsAt, ReferSub, SubscriptionState};
use crate::message::{Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::table::Id;
use crate::transaction::ServerId;
use crate::transport::Flow;
use crate::uri::Uri;
use crate::wheel::TimerHandle;

/// Names a subscription of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubscriptionHandle(pub(super) Id<Subscribed>);

/// No subscription is refreshed faster, whatever the notifier grants.
const SHORTEST: Duration = Duration::from_secs(2);

pub(super) struct Subscribed {
    flow: Option<Flow>,
    /// The request that began it, as it was sent last.
    begun: Request,
    event: header::Event,
    expires: Duration,
    is_leaving: bool,
    /// The dialog of the call that a REFER was sent in.
    within: Option<Seat>,
    /// It goes where somebody in a call has said (RFC 7614).
    is_named_by_peer: bool,
    names: Vec<UsageId>,
    /// Timer N of the first request: until then NOTIFYs make dialogs (RFC 6665 §4.1.2.4, §4.4.1).
    opens_until: Instant,
    legs: Vec<Leg>,
    timer: Option<TimerHandle>,
}

/// A subscription as one notifier has it; a SUBSCRIBE that was forked makes several.
struct Leg {
    id: DialogId,
    seat: Seat,
    state: Subscriber,
    refresh: Option<Instant>,
    /// Timer N of a refresh.
    unanswered: Option<Instant>,
}

impl Leg {
    fn plan_refresh(&mut self, now: Now) {
        self.refresh = Some(self.state.refresh_at(now.monotonic).max(now.monotonic + SHORTEST));
    }

    /// When it ends unless something comes.
    fn ends(&self) -> Instant {
        self.unanswered.map_or(self.state.until(), |timer_n| timer_n.min(self.state.until()))
    }
}

impl Subscribed {
    fn is_referral(&self) -> bool {
        self.begun.is(&Method::Refer)
    }

    /// How many notifiers have answered it.
    #[cfg(test)]
    pub(super) fn notifiers(&self) -> usize {
        self.legs.len()
    }

    /// The call that it lives in is over, its dialog is not.
    pub(super) fn outlive(&mut self) -> Option<DialogId> {
        self.legs.iter_mut().for_each(|leg| drop(leg.seat.outlive()));
        self.within.as_mut()?.outlive()
    }

    fn due(&self) -> Option<Instant> {
        let legs = self.legs.iter().map(|leg| leg.refresh.map_or(leg.ends(), |refresh| refresh.min(leg.ends())));
        legs.min().or(Some(self.opens_until))
    }
}

impl UserAgent {
    /// Subscribes to a package of events of somebody, and refreshes that until [`UserAgent::unsubscribe`]; with no time at all
    /// it asks for the state once (RFC 6665 §4.4.3). What comes of it are [`Event::Notified`] and [`Event::Unsubscribed`].
    /// `expires` counts in whole seconds.
    pub fn subscribe(
        &mut self,
        target: &Uri,
        event: &header::Event,
        expires: Duration,
        now: Now,
    ) -> SubscriptionHandle {
        let subscribe = Request::new(&Method::Subscribe, target.as_str()).with(event.clone());
        self.subscribe_with(subscribe.with(Expires(expires.as_secs() as u32)), now)
    }

    /// Subscribes with a SUBSCRIBE of the owner's making, Event and Expires included, or with a REFER outside of calls.
    pub fn subscribe_with(&mut self, mut request: Request, now: Now) -> SubscriptionHandle {
        self.complete(&mut request);
        let way = self.way(&request);
        self.begin_subscription(request, way, None, now)
    }

    pub(super) fn begin_subscription(
        &mut self,
        begun: Request,
        way: Option<Way>,
        within: Option<(Id<Call>, DialogId)>,
        now: Now,
    ) -> SubscriptionHandle {
        let implied = header::Event::new(if begun.is(&Method::Refer) { "refer" } else { "" });
        let asked = begun.headers.get::<Expires>().ok().flatten().map_or(3_600, |Expires(seconds)| seconds);
        let flow = way.as_ref().and_then(Way::flow);
        let key = self.subscriptions.insert(Subscribed {
            flow,
            event: begun.headers.first().unwrap_or(implied),
            expires: Duration::from_secs(asked.into()),
            is_leaving: false,
            within: within.map(|(call, dialog)| Seat::Call(call, dialog)),
            is_named_by_peer: false,
            names: Vec::new(),
            opens_until: now.monotonic + self.timers(flow.as_ref()).t1 * 64,
            legs: Vec::new(),
            timer: None,
            begun: begun.clone(),
        });
        self.name_subscription(key);
        self.ask(begun, way, Purpose::Subscribe(key, None), now);
        self.arm_subscription(key);
        SubscriptionHandle(key)
    }

    /// Timer N runs from the last attempt (RFC 6665 §4.1.2.4).
    pub(super) fn subscribe_is_sent(&mut self, key: Id<Subscribed>, dialog: Option<&DialogId>, flow: Flow, now: Now) {
        let timer_n = now.monotonic + self.timers(Some(&flow)).t1 * 64;
        let Some(found) = self.subscriptions.get_mut(key) else { return };
        found.flow = Some(flow);
        match dialog {
            None => found.opens_until = timer_n,
            Some(dialog) => {
                if let Some(leg) = found.legs.iter_mut().find(|leg| leg.id == *dialog) {
                    leg.unanswered = Some(timer_n);
                }
            }
        }
        self.arm_subscription(key);
    }

    /// Ends a subscription. Nothing more is told of it. False: there is none.
    pub fn unsubscribe(&mut self, subscription: SubscriptionHandle, now: Now) -> bool {
        let Some(found) = self.subscriptions.get_mut(subscription.0) else { return false };
        found.is_leaving = true;
        found.expires = Duration::ZERO;
        for dialog in found.legs.iter().map(|leg| leg.id.clone()).collect::<Vec<_>>() {
            self.subscribe_again(subscription.0, &dialog, now);
        }
        self.arm_subscription(subscription.0);
        true
    }

    /// Makes a subscription known by the event of its request: of a REFER within a dialog also by the CSeq, which notifiers
    /// name it by from the second one on (RFC 3515 §2.4.6).
    fn name_subscription(&mut self, key: Id<Subscribed>) {
        let Some(found) = self.subscriptions.get_mut(key) else { return };
        let headers = &found.begun.headers;
        let number = headers.cseq().map_or(0, |cseq| cseq.number).to_string();
        let numbered = found.is_referral().then(|| found.event.clone().with_param("id", number.as_str()));
        let events = [Some(found.event.clone()), numbered];
        let names: Vec<UsageId> =
            events.iter().flatten().filter_map(|event| UsageId::by_from_tag(headers, event)).collect();
        for name in names {
            // The first REFER of a dialog keeps the name without a number.
            if let hashbrown::hash_map::Entry::Vacant(free) = self.subscribed.entry(name.clone()) {
                free.insert(key);
                found.names.push(name);
            }
        }
    }

    /// The request that begins a subscription goes again: answered after a challenge, or for longer after a 423.
    pub(super) fn subscription_begins_with(&mut self, key: Id<Subscribed>, request: &Request) {
        if let Some(found) = self.subscriptions.get_mut(key) {
            found.begun = request.clone();
            self.name_subscription(key);
        }
    }

    /// The CSeq of a SUBSCRIBE or REFER that goes again. `None`: its dialog is gone.
    pub(super) fn next_subscribe_number(
        &mut self,
        key: Id<Subscribed>,
        dialog: Option<&DialogId>,
        last: &Request,
    ) -> Option<u32> {
        let found = self.subscriptions.get_mut(key)?;
        match (dialog, &mut found.within) {
            (Some(dialog), _) => {
                let leg = found.legs.iter_mut().find(|leg| leg.id == *dialog)?;
                Some(leg.seat.dialog(&mut self.calls, &mut self.left)?.next_sequence())
            }
            (None, Some(seat)) => Some(seat.dialog(&mut self.calls, &mut self.left)?.next_sequence()),
            (None, None) => Some(last.headers.cseq().ok()?.number + 1),
        }
    }

    pub(super) fn is_within_call(&self, key: Id<Subscribed>) -> bool {
        self.subscriptions.get(key).is_some_and(|found| found.within.is_some() || found.is_named_by_peer)
    }

    /// A SUBSCRIBE in the dialog of a subscription.
    fn subscribe_again(&mut self, key: Id<Subscribed>, dialog: &DialogId, now: Now) {
        let Some(found) = self.subscriptions.get_mut(key) else { return };
        let wait = found.flow;
        let (event, expires) = (found.event.clone(), found.expires);
        let Some(leg) = found.legs.iter_mut().find(|leg| leg.id == *dialog) else { return };
        leg.refresh = None;
        let Some(own) = leg.seat.dialog(&mut self.calls, &mut self.left) else { return };
        let subscribe = own.request(&Method::Subscribe).with(event).with(Expires(expires.as_secs() as u32));
        let timer_n = now.monotonic + self.timers(wait.as_ref()).t1 * 64;
        if let Some(leg) = self.leg(key, dialog) {
            leg.unanswered = Some(timer_n);
        }
        self.ask_in_dialog(subscribe, wait, Purpose::Subscribe(key, Some(dialog.clone())), now);
    }

    /// Sends a request in the dialog of a subscription, with our Contact (RFC 6665 §4.4.1).
    pub(super) fn ask_in_dialog(&mut self, request: Request, flow: Option<Flow>, purpose: Purpose, now: Now) {
        let way = self.way_within(&request, flow);
        self.ask(request, way, purpose, now);
    }

    fn leg(&mut self, key: Id<Subscribed>, dialog: &DialogId) -> Option<&mut Leg> {
        self.subscriptions.get_mut(key)?.legs.iter_mut().find(|leg| leg.id == *dialog)
    }

    pub(super) fn on_subscribe_outcome(
        &mut self,
        key: Id<Subscribed>,
        request: &Request,
        dialog: Option<DialogId>,
        outcome: Outcome,
        now: Now,
    ) {
        let Some(found) = self.subscriptions.get_mut(key) else { return };
        if let Outcome::Response(response) = &outcome
            && wants_more(response, &mut found.expires)
        {
            return self.subscribe_for_longer(key, request, dialog, now);
        }
        match (dialog, outcome) {
            (None, Outcome::Response(response)) if response.status().is_success() => self.granted(key, &response, now),
            (Some(dialog), Outcome::Response(response)) if response.status().is_success() => {
                let is_silent = response.status() == StatusCode::NO_NOTIFICATION;
                if let Some(leg) = self.leg(key, &dialog) {
                    leg.unanswered = leg.unanswered.filter(|_| !is_silent);
                    self.granted(key, &response, now);
                }
            }
            // Once a notifier has spoken, it has the word.
            (None, outcome) if found.legs.is_empty() => self.end_subscription(key, outcome.into()),
            (None, _) => {}
            (Some(dialog), outcome) => {
                let is_over = found.is_leaving
                    || matches!(&outcome, Outcome::Response(response) if ends_subscription(response.status()));
                if is_over {
                    self.drop_leg(key, &dialog, outcome.into());
                } else if let Some(leg) = self.leg(key, &dialog) {
                    leg.unanswered = None;
                    leg.plan_refresh(now);
                }
            }
        }
        self.arm_subscription(key);
    }

    /// A 423 was answered by asking for more (RFC 6665 §4.1.2.1).
    fn subscribe_for_longer(&mut self, key: Id<Subscribed>, request: &Request, dialog: Option<DialogId>, now: Now) {
        if let Some(dialog) = dialog {
            return self.subscribe_again(key, &dialog, now);
        }
        let Some(number) = self.next_subscribe_number(key, None, request) else { return };
        let Some(found) = self.subscriptions.get(key) else { return };
        let (seconds, flow) = (found.expires.as_secs() as u32, found.flow);
        let mut request = request.clone();
        request.headers.set(&CSeq { number, method: request.method() });
        request.headers.set(&Expires(seconds));
        self.subscription_begins_with(key, &request);
        self.ask(request, flow.map(Way::Flow), Purpose::Subscribe(key, None), now);
    }

    /// A 2xx: it says for how long, and for a REFER whether there is anything to wait for (RFC 4488 §4, RFC 7614).
    fn granted(&mut self, key: Id<Subscribed>, response: &Response, now: Now) {
        let Some(found) = self.subscriptions.get_mut(key) else { return };
        let was_declined = response.headers.get::<ReferSub>().ok().flatten().is_some_and(|wish| !wish.is_true());
        if found.is_referral() && found.begun.headers.requires("explicitsub") {
            return self.subscribe_apart(key, response, now);
        }
        let is_silent = found.begun.headers.requires("nosub") || was_declined;
        if found.is_referral() && is_silent && found.legs.is_empty() {
            return self.end_subscription(key, Unsubscribed::Silent);
        }
        if let (true, Ok(Expires(seconds))) = (found.legs.is_empty(), response.headers.first()) {
            found.expires = found.expires.min(Duration::from_secs(seconds.into()));
        }
        if found.is_leaving {
            // The last NOTIFY is still to come.
            return;
        }
        let is_kept = !found.is_referral();
        if let Some(leg) = DialogId::of_response(response).and_then(|dialog| self.leg(key, &dialog)) {
            leg.state.granted(response, now.monotonic);
            if is_kept {
                leg.plan_refresh(now);
            }
        }
    }

    /// A REFER was taken, and says where to subscribe to what comes of it (RFC 7614). The subscription goes on there.
    fn subscribe_apart(&mut self, key: Id<Subscribed>, response: &Response, now: Now) {
        let Some(found) = self.subscriptions.get_mut(key) else { return };
        let target = response.headers.first::<ReferEventsAt>().map(|at| at.uri().clone());
        let Some(target) = target.ok().filter(|_| !found.is_leaving) else {
            return self.end_subscription(key, Unsubscribed::Silent);
        };
        for name in std::mem::take(&mut found.names) {
            self.subscribed.remove(&name);
        }
        if let Some(Seat::Left(dialog)) = found.within.take() {
            self.left.release(&dialog);
        }
        found.is_named_by_peer = true;
        let seconds = Expires(found.expires.as_secs() as u32);
        let mut subscribe =
            Request::new(&Method::Subscribe, target.as_str()).with(header::Event::new("refer")).with(seconds);
        self.complete(&mut subscribe);
        let way = self.way(&subscribe);
        let flow = way.as_ref().and_then(Way::flow);
        let opens_until = now.monotonic + self.timers(flow.as_ref()).t1 * 64;
        if let Some(found) = self.subscriptions.get_mut(key) {
            found.event = header::Event::new("refer");
            found.opens_until = opens_until;
            found.flow = flow;
        }
        self.subscription_begins_with(key, &subscribe);
        self.ask(subscribe, way, Purpose::Subscribe(key, None), now);
        self.arm_subscription(key);
    }

    /// A NOTIFY (RFC 6665 §4.1.3). False: no subscription of ours waits for it.
    pub(super) fn on_notify(&mut self, id: ServerId, notify: &Request, call: Option<Id<Call>>, now: Now) -> bool {
        let event = notify.headers.get::<header::Event>().ok().flatten();
        let name = event.and_then(|event| UsageId::by_to_tag(&notify.headers, &event));
        let Some(key) = name.and_then(|name| self.subscribed.get(&name)).copied() else { return false };
        let status = match self.notified(key, notify, call, now) {
            Ok(()) => StatusCode::OK,
            Err(status) => status,
        };
        self.refuse(id, notify, status, now);
        self.arm_subscription(key);
        true
    }

    /// Takes a NOTIFY, or says what to refuse it with.
    fn notified(
        &mut self,
        key: Id<Subscribed>,
        notify: &Request,
        call: Option<Id<Call>>,
        now: Now,
    ) -> Result<(), StatusCode> {
        let state: SubscriptionState = notify.headers.first().map_err(|_| StatusCode::BAD_REQUEST)?;
        let id = DialogId::of_request(notify).ok_or(StatusCode::BAD_REQUEST)?;
        let is_first = self.open_leg(key, &id, notify, call, now)?;
        let Some(found) = self.subscriptions.get_mut(key) else { return Ok(()) };
        let (is_leaving, is_referral) = (found.is_leaving, found.is_referral());
        if let Ok(event) = notify.headers.first() {
            found.event = event;
        }
        let Some(leg) = found.legs.iter_mut().find(|leg| leg.id == id) else { return Ok(()) };
        let made_it = matches!(leg.seat, Seat::Own(_));
        if let Some(dialog) = leg.seat.dialog(&mut self.calls, &mut self.left) {
            // Within a call the call has seen to that, and the first one may have made the dialog.
            if call.is_none() && !(is_first && made_it) {
                dialog.receive(notify).map_err(|_| StatusCode::SERVER_INTERNAL_ERROR)?;
            }
            dialog.refresh_target(&notify.headers);
        }
        leg.unanswered = leg.unanswered.filter(|_| is_leaving);
        let is_over = leg.state.notified(&state, now.monotonic).is_some();
        if !is_over && !is_leaving && !is_referral {
            leg.plan_refresh(now);
        }
        if !is_leaving {
            let subscription = SubscriptionHandle(key);
            self.events.push_back(Event::Notified { subscription, notify: notify.clone() });
        }
        if is_over {
            self.drop_leg(key, &id, Unsubscribed::Terminated(state));
        }
        Ok(())
    }

    /// The dialog of a NOTIFY, which the first one of each notifier makes, before or without a 2xx (RFC 6665 §4.4.1). True
    /// where this is the first.
    fn open_leg(
        &mut self,
        key: Id<Subscribed>,
        id: &DialogId,
        notify: &Request,
        call: Option<Id<Call>>,
        now: Now,
    ) -> Result<bool, StatusCode> {
        let Some(found) = self.subscriptions.get_mut(key) else { return Ok(false) };
        if found.legs.iter().any(|leg| leg.id == *id) {
            return Ok(false);
        }
        if found.legs.len() >= BRANCHES || now.monotonic >= found.opens_until {
            return Err(StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST);
        }
        let seat = match (call, &found.within) {
            (Some(call), _) => Seat::Call(call, id.clone()),
            (None, Some(Seat::Left(dialog))) if dialog == id => Seat::Left(id.clone()),
            (None, _) => {
                let number = found.begun.headers.cseq().map_or(1, |cseq| cseq.number);
                Seat::Own(Box::new(Dialog::of_notify(notify, number).map_err(|_| StatusCode::BAD_REQUEST)?))
            }
        };
        let state = Subscriber::new(found.expires, now.monotonic);
        found.legs.push(Leg { id: id.clone(), seat, state, refresh: None, unanswered: None });
        if found.is_leaving {
            self.subscribe_again(key, id, now);
        }
        Ok(true)
    }

    /// The moment of a refresh, or of an end.
    pub(super) fn on_subscription_alarm(&mut self, key: Id<Subscribed>, now: Now) {
        self.put_off(key, now);
        let Some(found) = self.subscriptions.get_mut(key) else { return };
        found.timer = None;
        if found.legs.is_empty() && now.monotonic >= found.opens_until {
            return self.end_subscription(key, Unsubscribed::Expired);
        }
        let is_due = |leg: &&Leg| leg.refresh.is_some_and(|refresh| refresh <= now.monotonic);
        let ended: Vec<DialogId> =
            found.legs.iter().filter(|leg| leg.ends() <= now.monotonic).map(|leg| leg.id.clone()).collect();
        let due: Vec<DialogId> = found.legs.iter().filter(is_due).map(|leg| leg.id.clone()).collect();
        for dialog in &ended {
            self.drop_leg(key, dialog, Unsubscribed::Expired);
        }
        for dialog in due.iter().filter(|dialog| !ended.contains(dialog)) {
            self.subscribe_again(key, dialog, now);
        }
        self.arm_subscription(key);
    }

    /// Timer N and Timer F are over in one moment; where there is another target, it is for that to answer (RFC 3263 §4.3).
    fn put_off(&mut self, key: Id<Subscribed>, now: Now) {
        let under_way: Vec<Option<DialogId>> =
            self.asked.values().filter_map(|asked| asked.subscribes_by_name(key)).collect();
        let Some(found) = self.subscriptions.get_mut(key) else { return };
        let later = now.monotonic + SHORTEST;
        for dialog in under_way {
            match found.legs.iter_mut().find(|leg| Some(&leg.id) == dialog.as_ref()) {
                Some(leg) => leg.unanswered = leg.unanswered.map(|timer_n| timer_n.max(later)),
                None => found.opens_until = found.opens_until.max(later),
            }
        }
    }

    /// One notifier has ended it; with the last one it is over.
    fn drop_leg(&mut self, key: Id<Subscribed>, dialog: &DialogId, by: Unsubscribed) {
        let Some(found) = self.subscriptions.get_mut(key) else { return };
        found.legs.retain(|leg| leg.id != *dialog);
        if found.legs.is_empty() {
            self.end_subscription(key, by);
        }
    }

    fn end_subscription(&mut self, key: Id<Subscribed>, by: Unsubscribed) {
        let Some(found) = self.subscriptions.remove(key) else { return };
        for name in &found.names {
            self.subscribed.remove(name);
        }
        if let Some(Seat::Left(dialog)) = &found.within {
            self.left.release(dialog);
        }
        if let Some(timer) = found.timer {
            self.alarms.cancel(timer);
        }
        if !found.is_leaving {
            self.events.push_back(Event::Unsubscribed { subscription: SubscriptionHandle(key), by });
        }
    }

    fn arm_subscription(&mut self, key: Id<Subscribed>) {
        let Some(found) = self.subscriptions.get_mut(key) else { return };
        if let Some(old) = found.timer.take() {
            self.alarms.cancel(old);
        }
        found.timer = found.due().map(|due| self.alarms.set(due, Alarm::Subscription(key)));
    }
}

/// A 423 that asks for more time than we did.
fn wants_more(response: &Response, expires: &mut Duration) -> bool {
    let Ok(MinExpires(seconds)) = response.headers.first() else { return false };
    let wanted = Duration::from_secs(seconds.into());
    let is_more = response.status() == StatusCode::INTERVAL_TOO_BRIEF && !expires.is_zero() && wanted > *expires;
    if is_more {
        *expires = wanted;
    }
    is_more
}
