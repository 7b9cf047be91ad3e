//! REFER: asking the other side to call somebody, and calling whom it asks for (RFC 3515, RFC 4488, RFC 5589, RFC 7614).

use std::time::Duration;

use super::UserAgent;
use super::call::{Call, CallHandle, USAGES};
use super::event::NotSent;
use super::notifier::WatcherHandle;
use super::subscriber::SubscriptionHandle;
use super::usage::UsageId;
use crate::dialog::{Refer, Subscription};
use crate::header::{self, Name, ReferSub, ReferTo, ReferredBy, SubscriptionState, Supported};
use crate::message::{Method, Request, StatusCode};
use crate::now::Now;
use crate::sdp::SessionDescription;
use crate::table::Id;
use crate::transaction::ServerId;
use crate::transport::Flow;

/// How long what comes of a REFER is reported: an INVITE may ring that long (RFC 3515 §2.4.4 leaves it to us).
const REPORTED: Duration = Duration::from_secs(300);

/// The media type of a report (RFC 3420).
const FRAGMENT: &str = "message/sipfrag;version=2.0";

impl UserAgent {
    /// Asks the other side of a call to call somebody: a blind transfer, once it has, and the owner hangs up. What comes of it
    /// are [`Event::Notified`](super::Event::Notified), whose body [`Refer::progress`] reads, and
    /// [`Event::Unsubscribed`](super::Event::Unsubscribed). Where `reports` is false nothing but the answer is wanted (RFC 4488 §4).
    ///
    /// # Errors
    /// There is no such call, or no dialog yet, or too much goes on in it.
    pub fn refer(
        &mut self,
        call: CallHandle,
        to: &ReferTo,
        reports: bool,
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
        if !reports {
            refer.headers.push(&ReferSub::new(false));
            refer.headers.push(&Supported::from("norefersub"));
        }
        let flow = self.flow_to(&refer).or(flow);
        self.add_contact(&mut refer, flow.as_ref());
        let handle = self.begin_subscription(refer, flow, Some((call.0, dialog)), now);
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
        self.refer(call, &refer_to, true, now)
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
            Some(watcher)
        } else {
            let mut response = wish.request.reply(StatusCode::OK);
            if wish.request.headers.contains(Name::REFER_SUB) {
                response.headers.push(&ReferSub::new(false));
            }
            self.reply(id, response, now);
            None
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

    /// Says how far a call has come to whoever asked for it; a final status is the last (RFC 3515 §2.4.4, §2.4.5).
    pub(super) fn report(&mut self, call: Id<Call>, status: StatusCode, now: Now) {
        let Some(found) = self.calls.get_mut(call) else { return };
        let watcher = if status.is_final() { found.reports_to.take() } else { found.reports_to };
        self.report_to(watcher, status, now);
    }

    pub(super) fn report_to(&mut self, watcher: Option<WatcherHandle>, status: StatusCode, now: Now) {
        let Some(watcher) = watcher else { return };
        if status.is_final() {
            let over = SubscriptionState::terminated("noresource");
            self.terminate_subscription(watcher, over, |notify| report(notify, status), now);
        } else {
            self.notify(watcher, |notify| report(notify, status), now);
        }
    }
}

fn report(notify: &mut Request, status: StatusCode) {
    notify.set_body(FRAGMENT, Refer::report(status));
}
