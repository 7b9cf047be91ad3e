//! REFER: asking the other side to call somebody, and calling whom it asks for (RFC 3515, RFC 4488, RFC 5589, RFC 7614).

use std::time::{Duration, Instant};

use super::UserAgent;
use super::agent::Alarm;
use super::call::{Call, CallHandle, USAGES};
use super::event::NotSent;
use super::notifier::{WatcherHandle, Wish};
use super::subscriber::SubscriptionHandle;
use super::usage::UsageId;
use crate::dialog::{Dialog, Refer, Subscription};
use crate::header::{self, Name, ReferEventsAt, ReferSub, ReferTo, ReferredBy, Require, SubscriptionState, Supported};
use crate::message::{Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::sdp::SessionDescription;
use crate::table::Id;
use crate::transaction::ServerId;
use crate::transport::Flow;

/// How long what comes of a REFER is reported: an INVITE may ring that long (RFC 3515 §2.4.4 leaves it to us).
const REPORTED: Duration = Duration::from_secs(300);

/// How the other side is to tell what comes of a REFER.
///
/// ```
/// use imscore_sip::Now;
/// use imscore_sip::header::ReferTo;
/// use imscore_sip::ua::{CallHandle, NotSent, Reports, UserAgent};
///
/// fn transfer(agent: &mut UserAgent, call: CallHandle, to: &ReferTo, now: Now) -> Result<(), NotSent> {
///     agent.refer(call, to, Reports::Implicit, now)?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reports {
    /// In the subscription that the REFER makes (RFC 3515 §2.4.4).
    Implicit,
    /// In one that is made apart, to where the answer says: the dialog of the call is not shared. The other side must know that,
    /// else it answers 420 (RFC 7614, `explicitsub`). A challenge to the SUBSCRIBE is answered only with
    /// [`Config::answers_in_dialog`](super::Config::answers_in_dialog): the other side has said where it goes.
    Explicit,
    /// Rather not at all (RFC 4488 §4).
    Unwanted,
    /// Not at all. The other side must know that, else it answers 420 (RFC 7614, `nosub`).
    Never,
}

/// A REFER that was taken, of which others may want to know what comes (RFC 7614).
pub(super) struct Referral {
    /// The user part of where to ask.
    name: String,
    status: StatusCode,
    watchers: Vec<WatcherHandle>,
    until: Instant,
}

#[cfg(test)]
impl Referral {
    pub(super) fn place(&self) -> String {
        format!("sip:{}@192.0.2.1", self.name)
    }
}

/// Who is told how a call goes.
#[derive(Clone, Copy)]
pub(super) enum ReportsTo {
    Watcher(WatcherHandle),
    Referral(Id<Referral>),
}

/// The media type of a report (RFC 3420).
const FRAGMENT: &str = "message/sipfrag;version=2.0";

impl UserAgent {
    /// Asks the other side of a call to call somebody: a blind transfer, once it has, and the owner hangs up. What comes of it
    /// are [`Event::Notified`](super::Event::Notified), whose body [`Refer::progress`] reads, and
    /// [`Event::Unsubscribed`](super::Event::Unsubscribed), as `reports` says.
    ///
    /// # Errors
    /// There is no such call, or no dialog yet, or too much goes on in it.
    pub fn refer(
        &mut self,
        call: CallHandle,
        to: &ReferTo,
        reports: Reports,
        now: Now,
    ) -> Result<SubscriptionHandle, NotSent> {
        let referrer = header::From(self.config.address());
        let found = self.calls.get_mut(call.0).ok_or(NotSent::Gone)?;
        found.watching.retain(|key| self.subscriptions.get(*key).is_some());
        if found.watching.len() >= USAGES {
            return Err(NotSent::Gone);
        }
        let flow = found.flow;
        let leg = found.leg().ok_or(NotSent::Gone)?;
        let dialog = leg.dialog.id().clone();
        let mut refer = leg.dialog.request(&Method::Refer).with(to.clone());
        refer.headers.push(&ReferredBy::new(referrer.0.uri().clone()));
        match reports {
            Reports::Implicit => {}
            Reports::Explicit => refer.headers.push(&Require::from("explicitsub")),
            Reports::Unwanted => {
                refer.headers.push(&ReferSub::new(false));
                refer.headers.push(&Supported::from("norefersub"));
            }
            Reports::Never => refer.headers.push(&Require::from("nosub")),
        }
        let way = self.way_within(&refer, flow);
        let handle = self.begin_subscription(refer, way, Some((call.0, dialog)), now);
        if let Some(found) = self.calls.get_mut(call.0) {
            found.watching.push(handle.0);
        }
        Ok(handle)
    }

    /// Asks the other side of a call to take our place in another one: an attended transfer (RFC 5589 §7).
    ///
    /// # Errors
    /// As [`UserAgent::refer`]; either may be the call that is none.
    pub fn transfer(&mut self, call: CallHandle, to: CallHandle, now: Now) -> Result<SubscriptionHandle, NotSent> {
        let dialog = self.dialog(to).ok_or(NotSent::Gone)?;
        let target = dialog.target().parse().map_err(|_| NotSent::Gone)?;
        let refer_to = Refer::to_replace(&target, &dialog.replaces());
        self.refer(call, &refer_to, Reports::Implicit, now)
    }

    /// A REFER: what cannot be read gets 400 (RFC 3515 §2.4.2), the rest is for the owner.
    pub(super) fn on_refer(&mut self, id: ServerId, request: Request, flow: Flow, call: Option<Id<Call>>, now: Now) {
        if Refer::of_request(&request).is_err() {
            return self.refuse(id, &request, StatusCode::BAD_REQUEST, now);
        }
        if self.has_no_room(call) {
            return self.refuse(id, &request, StatusCode::SERVICE_UNAVAILABLE, now);
        }
        self.wish(id, request, flow, call);
    }

    /// Does what a REFER asks for, with that offer: takes it with 200, calls whom it names, in place of the call that it names,
    /// and reports how that goes, where it is wanted. The call is the owner's. Of a REFER that the owner does not want,
    /// [`UserAgent::respond`] says so; nothing happens by itself.
    ///
    /// # Errors
    /// Nothing was sent: nobody waits for it, or it asks for something else than a call.
    pub fn follow(
        &mut self,
        id: ServerId,
        offer: Option<&SessionDescription>,
        now: Now,
    ) -> Result<CallHandle, NotSent> {
        let wish = self.wishes.get(&id).filter(|wish| wish.request.is(&Method::Refer)).ok_or(NotSent::Gone)?;
        let refer = Refer::of_request(&wish.request).map_err(|_| NotSent::Gone)?;
        if refer.method != Method::Invite {
            return Err(NotSent::NoCall);
        }
        let wish = self.wishes.remove(&id).ok_or(NotSent::Gone)?;
        let mut invite = Request::new(&Method::Invite, refer.target.as_str());
        if let Some(replaces) = &refer.replaces {
            invite.headers.push(replaces);
        }
        if let Ok(Some(by)) = wish.request.headers.get::<ReferredBy>() {
            invite.headers.push(&by);
        }
        if let Some(offer) = offer {
            invite.set_body(super::body::SDP, offer.to_bytes());
        }
        let reports_to = if refer.subscribes {
            let event = self.event_of(&wish.request);
            let watcher = self.admit_as(id, wish, event, Subscription::Active, (Duration::ZERO, REPORTED), now)?;
            self.notify(watcher, |notify| report(notify, StatusCode::TRYING), now);
            Some(ReportsTo::Watcher(watcher))
        } else {
            let mut response = wish.request.reply(StatusCode::OK);
            if wish.request.headers.contains(Name::REFER_SUB) {
                response.headers.push(&ReferSub::new(false));
            }
            let referral =
                if refer.is_explicit { Some(self.open_referral(&mut response, &wish.flow, now)?) } else { None };
            self.reply(id, response, now);
            referral.map(ReportsTo::Referral)
        };
        let call = self.invite_with(invite, now);
        if let Some(found) = self.calls.get_mut(call.0) {
            found.reports_to = reports_to;
        }
        Ok(call)
    }

    /// The event of a REFER: numbered from the second one of a dialog on (RFC 3515 §2.4.6).
    fn event_of(&self, refer: &Request) -> header::Event {
        let event = header::Event::new("refer");
        let is_taken =
            UsageId::by_from_tag(&refer.headers, &event).is_some_and(|name| self.watched.contains_key(&name));
        let number = refer.headers.cseq().map_or(0, |cseq| cseq.number).to_string();
        if is_taken { event.with_param("id", number.as_str()) } else { event }
    }

    /// Keeps what comes of a REFER, and says in its 2xx where to ask for it: at an address that nobody can guess (RFC 7614).
    fn open_referral(&mut self, response: &mut Response, flow: &Flow, now: Now) -> Result<Id<Referral>, NotSent> {
        let name = format!("{:016x}{:016x}", self.transactions.random(), self.transactions.random());
        let address = self.address(flow).ok_or(NotSent::Gone)?;
        response.headers.push(&ReferEventsAt::new(address.with_user(&name)));
        let until = now.monotonic + REPORTED;
        let key = self.referrals.insert(Referral { name, status: StatusCode::TRYING, watchers: Vec::new(), until });
        self.alarms.set(until, Alarm::Referral(key));
        Ok(key)
    }

    /// True for a SUBSCRIBE to what comes of REFERs, where the owner serves none itself.
    pub(super) fn is_of_referral(&self, event: Option<&header::Event>) -> bool {
        self.config.methods.contains(&Method::Refer)
            && event.is_some_and(|event| event.package() == "refer")
            && self.config.events.iter().all(|package| &**package != "refer")
    }

    /// A SUBSCRIBE to what comes of a REFER: it is told what has come of it so far, which may be the end (RFC 7614).
    pub(super) fn on_subscribe_to_referral(&mut self, id: ServerId, request: Request, flow: Flow, now: Now) {
        let target = request.uri().ok();
        let user = target.as_ref().and_then(|uri| uri.as_sip()?.user());
        let is_named = |found: &Referral| user.is_some_and(|user| found.name == user);
        let key = self.referrals.ids().find(|key| self.referrals.get(*key).is_some_and(is_named));
        let Some(key) = key.filter(|_| request.headers.to_tag().is_none()) else {
            let is_new = request.headers.to_tag().is_none();
            let status = if is_new { StatusCode::NOT_FOUND } else { StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST };
            return self.refuse(id, &request, status, now);
        };
        if Dialog::of_request(&request, "").is_err() {
            // RFC 6665 §4.4.1: without a Contact there is nobody to notify.
            return self.refuse(id, &request, StatusCode::BAD_REQUEST, now);
        }
        let Some(found) = self.referrals.get_mut(key) else { return };
        found.watchers.retain(|watcher| self.watchers.get(watcher.0).is_some());
        let (status, left, is_full) = (found.status, found.until - now.monotonic, found.watchers.len() >= USAGES);
        if is_full || self.has_no_room(None) {
            return self.refuse(id, &request, StatusCode::SERVICE_UNAVAILABLE, now);
        }
        let Ok(event) = request.headers.first() else { return };
        let wish = Wish { request, flow, call: None };
        // Everything that could be missing was there.
        let Ok(watcher) = self.admit_as(id, wish, event, Subscription::Active, (Duration::ZERO, left), now) else {
            return;
        };
        if let Some(found) = self.referrals.get_mut(key) {
            found.watchers.push(watcher);
        }
        self.report_to(Some(&ReportsTo::Watcher(watcher)), status, now);
    }

    /// Says how far a call has come to whoever asked for it; a final status is the last (RFC 3515 §2.4.4, §2.4.5).
    pub(super) fn report(&mut self, call: Id<Call>, status: StatusCode, now: Now) {
        let Some(found) = self.calls.get_mut(call) else { return };
        let to = if status.is_final() { found.reports_to.take() } else { found.reports_to };
        self.report_to(to.as_ref(), status, now);
    }

    pub(super) fn report_to(&mut self, to: Option<&ReportsTo>, status: StatusCode, now: Now) {
        let watchers = match to {
            Some(ReportsTo::Watcher(watcher)) => vec![*watcher],
            Some(ReportsTo::Referral(key)) => {
                let Some(found) = self.referrals.get_mut(*key) else { return };
                found.status = status;
                found.watchers.clone()
            }
            None => return,
        };
        for watcher in watchers {
            if status.is_final() {
                let over = SubscriptionState::terminated("noresource");
                self.terminate_subscription(watcher, over, |notify| report(notify, status), now);
            } else {
                self.notify(watcher, |notify| report(notify, status), now);
            }
        }
    }
}

fn report(notify: &mut Request, status: StatusCode) {
    notify.set_body(FRAGMENT, Refer::report(status));
}
