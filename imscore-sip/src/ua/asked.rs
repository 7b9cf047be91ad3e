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
    Allow, AuthenticationInfo, CSeq, CallId, Contact, From, MaxForwards, Name, Route, Supported, To, TypedHeader,
};
use crate::message::{Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::proxy::route;
use crate::table::Id;
use crate::transaction::{Cause, ClientId};
use crate::transport::{Flow, ListenerId};

/// A request of ours that waits for its final response, and for an INVITE for the end of its transaction.
#[derive(Clone)]
pub(super) struct Asked {
    /// As it was sent, but for its Via.
    pub(super) request: Request,
    pub(super) flow: Flow,
    pub(super) purpose: Purpose,
    /// Which challenges it has answered.
    pub(super) answered: Answered,
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
    /// Puts into a request outside of dialogs what it lacks: From, To, Call-ID, CSeq, Max-Forwards, Route, and where it has one
    /// a Contact (RFC 3261 §8.1.1). The way that it goes by; `None`: its next hop is a name.
    pub(super) fn complete(&mut self, request: &mut Request) -> Option<Flow> {
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
        let flow = self.way(request);
        let makes_dialog = [Method::Invite, Method::Subscribe, Method::Refer].iter().any(|method| request.is(method));
        if makes_dialog && !request.headers.contains(Contact::NAME) {
            self.add_contact(request, flow.as_ref());
        }
        flow
    }

    /// Contact, Supported and Allow of a request that sets a dialog up or refreshes it.
    pub(super) fn add_contact(&self, request: &mut Request, flow: Option<&Flow>) {
        if let Some(contact) = flow.and_then(|flow| self.contact(flow)) {
            request.headers.push(&contact);
        }
    }

    /// What an INVITE or UPDATE of ours says of what this side knows.
    pub(super) fn add_abilities(&self, request: &mut Request) {
        self.methods().for_each(|method| request.headers.push(&Allow(method)));
        self.extensions().for_each(|tag| request.headers.push(&Supported::from(tag)));
    }

    /// The way of a request outside of dialogs: its next hop, where that is an address, else the proxy.
    pub(super) fn way(&self, request: &Request) -> Option<Flow> {
        let has_route = request.headers.contains(Route::NAME);
        match self.config.proxy {
            // The proxy stands in front of everything that says no other way.
            Some(proxy) if !has_route => Some(proxy),
            Some(proxy) => Some(self.flow_to(request).unwrap_or(proxy)),
            None => self.flow_to(request),
        }
    }

    /// The way to the next hop of a request, where it is an address.
    pub(super) fn flow_to(&self, request: &Request) -> Option<Flow> {
        let (transport, remote) = route::address(route::next_hop(request)?.as_sip()?)?;
        if let Some(proxy) = self.config.proxy.filter(|proxy| (proxy.transport, proxy.remote) == (transport, remote)) {
            return Some(proxy);
        }
        let listener = self.config.transactions.listeners.iter().position(|it| it.transport == transport)?;
        Some(Flow { transport, listener: ListenerId(listener as u16), remote, connection: None })
    }

    /// Sends a request, with what is known to be asked for. Without a way it fails at once.
    pub(super) fn ask(
        &mut self,
        mut request: Request,
        flow: Option<Flow>,
        purpose: Purpose,
        now: Now,
    ) -> Option<ClientId> {
        match flow {
            Some(flow) => {
                if self.config.answers_in_dialog || !self.is_in_dialog(&purpose) {
                    self.authorize_ahead(&mut request, &flow);
                }
                Some(self.dispatch(Asked { request, flow, purpose, answered: Answered::default() }, now))
            }
            None => {
                self.alarms.set(now.monotonic, Alarm::Unreachable(self.unreachable.insert((request, purpose))));
                None
            }
        }
    }

    fn dispatch(&mut self, mut asked: Asked, now: Now) -> ClientId {
        route::make_strict(&mut asked.request);
        let id = self.transactions.request(asked.request.clone(), asked.flow, None, now);
        self.asked.insert(id, asked);
        id
    }

    pub(super) fn on_response(&mut self, id: ClientId, response: Response, now: Now) {
        if response.check().is_err() {
            return;
        }
        let status = response.status();
        let Some(asked) = self.asked.get(&id) else { return };
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
            let id = self.dispatch(again, now);
            return self.is_asked_again(&purpose, id);
        }
        self.conclude(&asked.request, asked.purpose, Outcome::Response(response), now);
    }

    pub(super) fn on_failed(&mut self, id: ClientId, cause: Cause, now: Now) {
        if let Some(asked) = self.asked.remove(&id) {
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

    /// An INVITE goes under another name now, by which it can be cancelled.
    pub(super) fn is_asked_again(&mut self, purpose: &Purpose, id: ClientId) {
        match purpose {
            Purpose::Invite(key) => {
                if let Some(call) = self.calls.get_mut(*key) {
                    call.stage = Stage::Calling(Some(id));
                }
            }
            Purpose::Within(key, _, Within::Invite) => {
                if let Some(call) = self.calls.get_mut(*key) {
                    call.reinvite = Some(id);
                }
            }
            Purpose::Within(..)
            | Purpose::Bye
            | Purpose::Register(_)
            | Purpose::Subscribe(..)
            | Purpose::Notify(_)
            | Purpose::Own(_) => {}
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
