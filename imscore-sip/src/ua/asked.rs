//! Requests of ours: by which way they go, and what comes of them (RFC 3261 §8.1.2).

use super::UserAgent;
use super::agent::Alarm;
use super::call::{Call, Stage};
use super::challenges::Answered;
use super::event::{Event, RequestHandle, Unsubscribed};
use super::notifier::Watcher;
use super::registration::Registration;
use super::subscriber::Subscribed;
use crate::dialog::DialogId;
use crate::header::{
    Allow, AuthenticationInfo, CSeq, CallId, Contact, From, MaxForwards, Name, Supported, To, TypedHeader,
};
use crate::message::{Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::resolve::{Course, fails_over};
use crate::table::Id;
use crate::transaction::{Cause, ClientId};
use crate::transport::{Flow, Peer};

/// Requests that set a dialog up or refresh it, and say where we are.
const WITH_CONTACT: [Method; 5] = [Method::Invite, Method::Notify, Method::Refer, Method::Subscribe, Method::Update];

/// A request of ours that waits for its final response, and for an INVITE for the end of its transaction.
#[derive(Clone)]
pub(super) struct Asked {
    /// As it was sent, but for its Via.
    pub(super) request: Request,
    pub(super) peer: Peer,
    pub(super) purpose: Purpose,
    /// Which challenges it has answered.
    pub(super) answered: Answered,
    /// Of a request to a name: what else may be tried.
    pub(super) course: Option<Box<Course>>,
    /// Its Contact says from where it goes.
    pub(super) has_own_contact: bool,
}

impl Asked {
    /// The dialog of a SUBSCRIBE to a name for this subscription; of its first one there is none.
    pub(super) fn subscribes_by_name(&self, subscription: Id<Subscribed>) -> Option<Option<DialogId>> {
        match &self.purpose {
            Purpose::Subscribe(key, dialog) if *key == subscription && self.course.is_some() => Some(dialog.clone()),
            Purpose::Invite(_)
            | Purpose::Within(..)
            | Purpose::Bye
            | Purpose::Register(_)
            | Purpose::Subscribe(..)
            | Purpose::Notify(_)
            | Purpose::Own(_) => None,
        }
    }
}

/// What a request of ours is for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// To begin a call.
    Invite(Id<Call>),
    /// Something in a dialog of a call.
    Within(Id<Call>, DialogId, Within),
    /// To end a dialog that nobody here knows any more.
    Bye,
    /// To register.
    Register(Id<Registration>),
    /// To subscribe, or in its dialog to refresh that or take it back.
    Subscribe(Id<Subscribed>, Option<DialogId>),
    /// To notify.
    Notify(Id<Watcher>),
    /// The owner's own.
    Own(RequestHandle),
}

/// What a request in a dialog is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// A re-INVITE.
    Invite,
    /// An UPDATE.
    Update,
    /// A PRACK.
    Prack,
    /// The owner's own.
    Own(RequestHandle),
}

/// What came of a request.
#[allow(clippy::large_enum_variant)]
pub(super) enum Outcome {
    Response(Response),
    Failed(Cause),
}

impl Outcome {
    pub(super) fn response(self) -> Option<Response> {
        match self {
            Outcome::Response(response) => Some(response),
            Outcome::Failed(_) => None,
        }
    }

    /// A 481 or 408, or as good as one: the other side no longer knows the dialog (RFC 3261 §12.2.1.2).
    pub(super) fn ends_dialog(&self) -> bool {
        match self {
            Outcome::Response(response) => {
                let status = response.status();
                status == StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST || status == StatusCode::REQUEST_TIMEOUT
            }
            Outcome::Failed(_) => true,
        }
    }
}

impl std::convert::From<Outcome> for Unsubscribed {
    fn from(outcome: Outcome) -> Unsubscribed {
        match outcome {
            Outcome::Response(response) => Unsubscribed::Refused(Box::new(response)),
            Outcome::Failed(cause) => Unsubscribed::Failed(cause),
        }
    }
}

impl UserAgent {
    /// Puts into a request outside of dialogs what it lacks: From, To, Call-ID, CSeq, Max-Forwards, Route (RFC 3261 §8.1.1).
    pub(super) fn complete(&mut self, request: &mut Request) {
        let tag = self.new_tag();
        let from: From = request.headers.first().unwrap_or_else(|_| From(self.config.address()));
        if from.tag().is_none() {
            request.headers.set(&from.with_tag(&tag));
        }
        if !request.headers.contains(Name::TO)
            && let Ok(target) = request.uri()
        {
            request.headers.push(&To::new(target));
        }
        if !request.headers.contains(Name::CALL_ID) {
            let call_id = format!("{:016x}{:016x}", self.transactions.random(), self.transactions.random());
            request.headers.push(&CallId::new(call_id));
        }
        if !request.headers.contains(Name::CSEQ) {
            request.headers.push(&CSeq { number: 1, method: request.method() });
        }
        if !request.headers.contains(Name::MAX_FORWARDS) {
            request.headers.push(&MaxForwards(70));
        }
        if !request.headers.contains(Name::ROUTE) && !request.is(&Method::Register) {
            self.service_route().iter().for_each(|hop| request.headers.push(hop));
        }
    }

    /// Our Contact in a request that registers, sets a dialog up or refreshes it, where it has none yet. True: it has one now.
    pub(super) fn add_contact(&self, request: &mut Request, purpose: &Purpose, flow: &Flow) -> bool {
        if request.headers.contains(Contact::NAME) {
            return false;
        }
        let contact = match purpose {
            Purpose::Register(key) => self.binding_of(*key, flow),
            Purpose::Invite(_)
            | Purpose::Within(..)
            | Purpose::Bye
            | Purpose::Subscribe(..)
            | Purpose::Notify(_)
            | Purpose::Own(_) => {
                let takes_one = WITH_CONTACT.iter().any(|method| request.is(method));
                takes_one.then(|| self.contact(flow)).flatten()
            }
        };
        if let Some(contact) = &contact {
            request.headers.push(contact);
        }
        contact.is_some()
    }

    /// What an INVITE or UPDATE of ours says of what this side knows.
    pub(super) fn add_abilities(&self, request: &mut Request) {
        self.methods().for_each(|method| request.headers.push(&Allow(method)));
        self.extensions().for_each(|tag| request.headers.push(&Supported::from(tag)));
    }

    /// A request has no way to go.
    pub(super) fn is_unreachable(&mut self, request: Request, purpose: Purpose, now: Now) {
        self.alarms.set(now.monotonic, Alarm::Unreachable(self.unreachable.insert((request, purpose))));
    }

    pub(super) fn dispatch(&mut self, asked: Asked, now: Now) {
        let id = self.transactions.request(asked.request.clone(), asked.peer.clone(), None, now);
        self.is_sent(&asked.purpose, id, asked.peer.flow, now);
        self.asked.insert(id, asked);
    }

    pub(super) fn on_response(&mut self, id: ClientId, response: Response, now: Now) {
        if response.check().is_err() {
            return;
        }
        let status = response.status();
        let Some(asked) = self.asked.get(&id) else { return };
        if let Some(course) = asked.course.as_deref().filter(|_| !fails_over(status)) {
            self.names.worked(course);
        }
        let is_invite = asked.request.is(&Method::Invite);
        if status.is_provisional() {
            if let Purpose::Invite(key) = asked.purpose {
                self.on_progress(key, id, response, now);
            }
            return;
        }
        if response.headers.contains(AuthenticationInfo::NAME) {
            let request = asked.request.clone();
            self.take_next_nonce(&request, &response);
        }
        if is_invite && status.is_success() {
            // There may be more of them, until the transaction ends.
            return self.on_invite_success(id, response, now);
        }
        let Some(asked) = self.asked.remove(&id) else { return };
        if let Some(again) = self.authorized(&asked, &response) {
            let purpose = again.purpose.clone();
            if let Purpose::Subscribe(key, None) = &purpose {
                self.subscription_begins_with(*key, &again.request);
            }
            return self.dispatch(again, now);
        }
        let asked = match fails_over(status) {
            true => self.fails_over(asked, now),
            false => Some(asked),
        };
        let Some(asked) = asked else { return };
        self.conclude(&asked.request, asked.purpose, Outcome::Response(response), now);
    }

    pub(super) fn on_failed(&mut self, id: ClientId, cause: Cause, now: Now) {
        if let Some(asked) = self.asked.remove(&id)
            && let Some(asked) = self.fails_over(asked, now)
        {
            self.conclude(&asked.request, asked.purpose, Outcome::Failed(cause), now);
        }
    }

    /// The CSeq of a request that goes again.
    pub(super) fn next_number(&mut self, asked: &Asked) -> Option<u32> {
        match &asked.purpose {
            Purpose::Within(call, dialog, _) => Some(self.calls.get_mut(*call)?.leg_of(dialog)?.dialog.next_sequence()),
            Purpose::Register(key) => Some(self.registrations.get_mut(*key)?.next_sequence()),
            Purpose::Subscribe(key, dialog) => self.next_subscribe_number(*key, dialog.as_ref(), &asked.request),
            Purpose::Notify(key) => self.next_notify_number(*key),
            // A call that was hung up is not made anew.
            Purpose::Invite(key) if self.calls.get(*key).is_none() => None,
            Purpose::Bye => match self.left.of_request(&asked.request) {
                Some(dialog) => Some(dialog.next_sequence()),
                None => Some(asked.request.headers.cseq().ok()?.number + 1),
            },
            Purpose::Invite(_) | Purpose::Own(_) => Some(asked.request.headers.cseq().ok()?.number + 1),
        }
    }

    /// A request is on its way: under this name an INVITE can be cancelled.
    fn is_sent(&mut self, purpose: &Purpose, id: ClientId, flow: Flow, now: Now) {
        match purpose {
            Purpose::Invite(key) => {
                if let Some(call) = self.calls.get_mut(*key) {
                    call.stage = Stage::Calling(Some(id));
                    call.flow = Some(flow);
                }
            }
            Purpose::Within(key, _, Within::Invite) => {
                if let Some(call) = self.calls.get_mut(*key) {
                    call.reinvite = Some(id);
                }
            }
            Purpose::Subscribe(key, dialog) => self.subscribe_is_sent(*key, dialog.as_ref(), flow, now),
            Purpose::Within(..) | Purpose::Bye | Purpose::Register(_) | Purpose::Notify(_) | Purpose::Own(_) => {}
        }
    }

    /// A final response other than 2xx to INVITE, or none.
    pub(super) fn conclude(&mut self, request: &Request, purpose: Purpose, outcome: Outcome, now: Now) {
        match purpose {
            Purpose::Invite(key) => self.on_invite_failure(key, request, outcome, now),
            Purpose::Within(key, dialog, Within::Invite) => self.on_reinvite_failure(key, &dialog, outcome, now),
            Purpose::Within(key, dialog, Within::Update) => self.on_update_outcome(key, &dialog, request, outcome, now),
            Purpose::Within(key, dialog, Within::Prack) => self.on_prack_outcome(key, &dialog, outcome),
            Purpose::Within(_, _, Within::Own(handle)) | Purpose::Own(handle) => self.tell_outcome(handle, outcome),
            Purpose::Register(key) => self.on_register_outcome(key, outcome, now),
            Purpose::Subscribe(key, dialog) => self.on_subscribe_outcome(key, request, dialog, outcome, now),
            Purpose::Notify(key) => self.on_notify_outcome(key, &outcome),
            Purpose::Bye => {}
        }
    }

    fn tell_outcome(&mut self, request: RequestHandle, outcome: Outcome) {
        self.events.push_back(match outcome {
            Outcome::Response(response) => Event::Response { request, response },
            Outcome::Failed(cause) => Event::Failed { request, cause },
        });
    }
}
