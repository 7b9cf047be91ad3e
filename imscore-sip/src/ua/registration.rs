//! Registrations: in time, again after a failure, and what the registrar says (RFC 3261 §10.2, RFC 3608, RFC 5626, RFC 5627).

use std::time::Duration;

use super::UserAgent;
use super::agent::Alarm;
use super::asked::{Outcome, Purpose};
use super::event::Event;
use super::names::Way;
use crate::dialog::before_end;
use crate::header::{CSeq, CallId, Contact, Expires, From, MinExpires, RetryAfter, Route, ServiceRoute, Supported, To};
use crate::message::{Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::table::Id;
use crate::transport::Flow;
use crate::transport::keep_alive::Interval;
use crate::uri::{SipUri, Uri};
use crate::wheel::TimerHandle;

/// Names a registration of a [`UserAgent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegistrationHandle(pub(super) Id<Registration>);

/// What to register.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Binding {
    /// The Request-URI: the domain, or a registrar.
    pub registrar: Uri,
    /// How long it is to hold, in whole seconds.
    pub expires: Duration,
    /// The way; `None` for the agent's proxy.
    pub flow: Option<Flow>,
    /// Which of several flows of this phone, from 1 (RFC 5626 §4.2). It takes an instance.
    pub reg_id: Option<u32>,
}

impl Binding {
    /// An hour at the domain of that identity, by the agent's proxy, on one flow.
    pub fn of(identity: &Uri) -> Binding {
        let domain = identity.as_sip().map(|uri| format!("sip:{}", uri.host()));
        Binding::new(domain.and_then(|domain| domain.parse().ok()).unwrap_or_else(|| identity.clone()))
    }

    /// An hour at that registrar, by the agent's proxy, on one flow.
    pub fn new(registrar: Uri) -> Binding {
        Binding { registrar, expires: Duration::from_secs(3_600), flow: None, reg_id: None }
    }
}

pub(super) struct Registration {
    binding: Binding,
    call_id: CallId,
    from: From,
    sequence: u32,
    state: State,
    timer: Option<TimerHandle>,
    /// Attempts in a row that failed, since the last that did not.
    failures: u32,
    service_route: Vec<Route>,
    gruu: Option<SipUri>,
    /// The way that it holds on: the one that the last 2xx came.
    flow: Option<Flow>,
}

/// Where a registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A REGISTER waits for its response.
    Registering,
    /// It holds.
    Registered,
    /// It failed, and is tried again.
    Waiting,
    /// It is being taken back.
    Leaving,
}

/// RFC 5626 §4.5: the first wait where all flows have failed, that where some hold, and the longest.
const ALL_FAILED: Duration = Duration::from_secs(30);
const SOME_HOLD: Duration = Duration::from_secs(90);
const LONGEST: Duration = Duration::from_secs(1_800);

/// No registration is refreshed faster, whatever the registrar grants.
const SHORTEST: Duration = Duration::from_secs(2);

impl Registration {
    /// The way that it holds on.
    pub(super) fn flow(&self) -> Option<Flow> {
        self.flow
    }

    pub(super) fn next_sequence(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence
    }
}

impl UserAgent {
    /// Registers the identity, and keeps it registered until [`UserAgent::unregister`]. What comes of it are
    /// [`Event::Registered`] and [`Event::Unregistered`].
    pub fn register(&mut self, binding: Binding, now: Now) -> RegistrationHandle {
        let call_id = CallId::new(format!("{:016x}{:016x}", self.transactions.random(), self.transactions.random()));
        let from = From(self.config.address()).with_tag(&self.new_tag());
        let key = self.registrations.insert(Registration {
            binding,
            call_id,
            from,
            sequence: 0,
            state: State::Registering,
            timer: None,
            failures: 0,
            service_route: Vec::new(),
            gruu: None,
            flow: None,
        });
        self.send_register(key, now);
        RegistrationHandle(key)
    }

    /// Takes a registration back (RFC 3261 §10.2.2). False: there is none.
    pub fn unregister(&mut self, registration: RegistrationHandle, now: Now) -> bool {
        let Some(found) = self.registrations.get_mut(registration.0) else { return false };
        found.state = State::Leaving;
        if let Some(timer) = found.timer.take() {
            self.alarms.cancel(timer);
        }
        self.send_register(registration.0, now);
        true
    }

    /// The way that the registrar wants requests of ours to take (RFC 3608 §6.1).
    pub(super) fn service_route(&self) -> Vec<Route> {
        self.holding().map(|found| found.service_route.clone()).unwrap_or_default()
    }

    /// The GRUU that the registrar gave this phone.
    pub(super) fn gruu(&self) -> Option<&SipUri> {
        self.holding()?.gruu.as_ref()
    }

    fn holding(&self) -> Option<&Registration> {
        self.registrations.iter().find(|found| found.state == State::Registered || found.gruu.is_some())
    }

    fn send_register(&mut self, key: Id<Registration>, now: Now) {
        let instance = self.config.instance.clone();
        let Some(found) = self.registrations.get_mut(key) else { return };
        let sequence = found.next_sequence();
        let is_leaving = found.state == State::Leaving;
        let seconds = if is_leaving { 0 } else { found.binding.expires.as_secs() as u32 };
        let mut register = Request::new(&Method::Register, found.binding.registrar.as_str())
            .with(found.from.clone())
            .with(To(found.from.0.without_param("tag")))
            .with(found.call_id.clone())
            .with(CSeq { number: sequence, method: Method::Register })
            .with(Expires(seconds));
        let flow = found.binding.flow;
        for tag in ["path"].into_iter().chain(instance.iter().flat_map(|_| ["gruu", "outbound"])) {
            register.headers.push(&Supported::from(tag));
        }
        self.complete(&mut register);
        let way = flow.map(Way::Flow).or_else(|| self.way(&register));
        self.ask(register, way, Purpose::Register(key), now);
    }

    /// The Contact of a REGISTER that goes by that flow (RFC 5626 §4.2.1).
    pub(super) fn binding_of(&self, key: Id<Registration>, flow: &Flow) -> Option<Contact> {
        let reg_id = self.registrations.get(key)?.binding.reg_id;
        let address = self.address(flow)?;
        let contact = Contact::new(if reg_id.is_some() { address.with_param("ob", None) } else { address });
        let Some(instance) = &self.config.instance else { return Some(contact) };
        let contact = contact.with_param("+sip.instance", format!("<{instance}>").as_str());
        Some(match reg_id {
            Some(reg_id) => contact.with_param("reg-id", reg_id.to_string().as_str()),
            None => contact,
        })
    }

    /// The moment of a refresh, or of another attempt.
    pub(super) fn register_again(&mut self, key: Id<Registration>, now: Now) {
        if let Some(found) = self.registrations.get_mut(key) {
            found.timer = None;
            found.state = State::Registering;
            self.send_register(key, now);
        }
    }

    pub(super) fn on_register_outcome(&mut self, key: Id<Registration>, outcome: Outcome, now: Now) {
        let Some(found) = self.registrations.get_mut(key) else { return };
        let registration = RegistrationHandle(key);
        if found.state == State::Leaving {
            self.registrations.remove(key);
            self.forget_flows();
            let response = outcome.response();
            return self.events.push_back(Event::Unregistered { registration, response, again: None });
        }
        match outcome {
            Outcome::Response(response) if response.status().is_success() => self.registered(key, response, now),
            Outcome::Response(response) if is_too_brief(&response, &mut found.binding.expires) => {
                // RFC 3261 §10.2.8: with what was asked for.
                self.send_register(key, now);
            }
            Outcome::Response(response) if is_for_good(response.status()) => {
                self.registrations.remove(key);
                self.forget_flows();
                let response = Some(response);
                self.events.push_back(Event::Unregistered { registration, response, again: None });
            }
            outcome @ (Outcome::Response(_) | Outcome::Failed(_)) => {
                let response = outcome.response();
                let again = self.recover(key, response.as_ref(), now);
                self.events.push_back(Event::Unregistered { registration, response, again });
            }
        }
    }

    fn registered(&mut self, key: Id<Registration>, response: Response, now: Now) {
        let (instance, heard) = (self.config.instance.clone(), self.heard);
        let contacts: Vec<Contact> = response.headers.typed().flatten().take(64).collect();
        let own = self.own_contact(key, &contacts);
        let Some(found) = self.registrations.get_mut(key) else { return };
        let seconds = own.as_ref().and_then(|contact| contact.expires());
        let seconds = seconds.or(response.headers.get::<Expires>().ok().flatten().map(|expires| expires.0));
        let expires = seconds.map_or(found.binding.expires, |seconds| Duration::from_secs(seconds.into()));
        found.state = State::Registered;
        found.failures = 0;
        found.flow = heard;
        found.service_route =
            response.headers.typed::<ServiceRoute>().flatten().map(|hop| Route(hop.0)).take(70).collect();
        found.gruu =
            own.filter(|_| instance.is_some()).and_then(|contact| contact.param("pub-gruu")?.parse::<SipUri>().ok());
        let timer = self.alarms.set(now.monotonic + before_end(expires).max(SHORTEST), Alarm::Registration(key));
        if let Some(old) = self.registrations.get_mut(key).and_then(|found| found.timer.replace(timer)) {
            self.alarms.cancel(old);
        }
        if self.config.keep_alive
            && let Some(flow) = heard
            && let Some(interval) = Interval::asked_for(&response, flow.transport)
        {
            self.keep_alive(flow, interval, now);
        }
        self.forget_flows();
        self.events.push_back(Event::Registered { registration: RegistrationHandle(key), expires, response });
    }

    /// Our binding among those that the registrar lists.
    fn own_contact(&self, key: Id<Registration>, contacts: &[Contact]) -> Option<Contact> {
        let found = self.registrations.get(key)?;
        let flow = self.heard;
        let address: Option<Uri> = flow.as_ref().and_then(|flow| self.address(flow)).map(Uri::from);
        let is_own = |contact: &&Contact| match (contact.instance(), &self.config.instance) {
            (Some(theirs), Some(ours)) => theirs == ours.as_ref() as &str && contact.reg_id() == found.binding.reg_id,
            (_, _) => contact.uri().zip(address.as_ref()).is_some_and(|(theirs, ours)| theirs.equivalent(ours)),
        };
        contacts.iter().find(is_own).or(contacts.first()).cloned()
    }

    /// Tries again later: at the time that the registrar names, else with the back-off of RFC 5626 §4.5.
    fn recover(&mut self, key: Id<Registration>, response: Option<&Response>, now: Now) -> Option<Duration> {
        let random = self.transactions.random();
        self.registrations.get_mut(key)?.state = State::Waiting;
        let others_hold = self.registrations.iter().any(|found| found.state == State::Registered);
        let found = self.registrations.get_mut(key)?;
        found.flow = None;
        let base = if others_hold { SOME_HOLD } else { ALL_FAILED };
        let longest = (base * 2u32.pow(found.failures.min(8))).min(LONGEST);
        found.failures += 1;
        // Between half and all of it, so that phones that fail together come back apart.
        let drawn = longest / 2 + (longest / 2).mul_f64((random % 1_000) as f64 / 1_000.0);
        let named = response
            .and_then(|response| response.headers.first().ok())
            .map(|RetryAfter(seconds)| Duration::from_secs(seconds.into()));
        let after = named.map_or(drawn, |named| named.max(SHORTEST).min(LONGEST * 2));
        let timer = self.alarms.set(now.monotonic + after, Alarm::Registration(key));
        if let Some(old) = found.timer.replace(timer) {
            self.alarms.cancel(old);
        }
        Some(after)
    }

    /// RFC 5626 §4.4.1, §4.5: a flow is gone, and with it the registrations on it.
    pub(super) fn on_flow_lost(&mut self, flow: &Flow, now: Now) {
        let is_on = |found: &Registration| found.state == State::Registered && found.flow == Some(*flow);
        for key in
            self.registrations.ids().filter(|key| self.registrations.get(*key).is_some_and(is_on)).collect::<Vec<_>>()
        {
            let again = self.recover(key, None, now);
            let registration = RegistrationHandle(key);
            self.events.push_back(Event::Unregistered { registration, response: None, again });
        }
        self.forget_flows();
    }
}

/// A 423 asks for more time than we did (RFC 3261 §10.2.8); it is asked for from now on.
fn is_too_brief(response: &Response, expires: &mut Duration) -> bool {
    let Ok(MinExpires(seconds)) = response.headers.first() else { return false };
    let wanted = Duration::from_secs(seconds.into());
    let is_more = response.status() == StatusCode::INTERVAL_TOO_BRIEF && wanted > *expires;
    if is_more {
        *expires = wanted;
    }
    is_more
}

/// What another attempt would not change.
fn is_for_good(status: StatusCode) -> bool {
    let passing = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::FLOW_FAILED,
        StatusCode::TEMPORARILY_UNAVAILABLE,
        StatusCode::FIRST_HOP_LACKS_OUTBOUND_SUPPORT,
    ];
    !(passing.contains(&status) || (500..600).contains(&status.code()))
}
