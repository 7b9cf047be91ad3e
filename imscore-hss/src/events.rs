//! What the HSS announces: a stream for each listener that loses nothing and cannot grow without end.
//!
//! A listener that is slow finds the newest state, not the history: a later event about one subscription takes the place
//! of the earlier one of its kind that was not read yet. So a stream holds at most a few events for each subscription
//! that has an S-CSCF, and a registration termination is never dropped.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll, Waker},
};

use futures_core::Stream;

use crate::{
    PrivateIdentity, PublicIdentity, ServerName, lock,
    subscription::{ChargingAddresses, UserProfile},
};

/// Something the HSS says unasked (TS 29.228 §6.1.3, §6.2.2).
///
/// ```
/// use imscore_hss::{
///     HssEvent, HssEventSource, HssEvents, PushProfile, RegistrationTermination, TerminationReason,
/// };
///
/// # futures_executor::block_on(async {
/// let source = HssEventSource::default();
/// let mut events: HssEvents = source.subscribe();
/// let termination = RegistrationTermination::new(
///     "alice@ims.example".parse()?,
///     vec!["sip:alice@ims.example".parse()?],
///     "sip:scscf.ims.example".parse()?,
///     TerminationReason::Permanent,
/// );
/// source.announce(&HssEvent::RegistrationTermination(termination));
/// let push = PushProfile::empty("sip:scscf.ims.example".parse()?, "alice@ims.example".parse()?);
/// source.announce(&HssEvent::PushProfile(push));
/// let Some(HssEvent::RegistrationTermination(told)) = events.next().await else { panic!("the first") };
/// assert_eq!(told.reason, TerminationReason::Permanent);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HssEvent {
    /// Registration-Termination-Request: the S-CSCF ends the registrations of these identities.
    RegistrationTermination(RegistrationTermination),
    /// Push-Profile-Request: the S-CSCF replaces the profile it has.
    PushProfile(PushProfile),
}

/// Registration-Termination-Request, TS 29.228 table 6.1.3.1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistrationTermination {
    /// Who is no longer registered.
    pub private_identity: PrivateIdentity,
    /// Others of the same subscription who no longer are (Associated-Identities). What nobody here has registered stays.
    pub associated: Vec<PrivateIdentity>,
    /// The identities to deregister, with all that were registered together with them; none named: all that the private
    /// identities have registered, as far as who hears of it knows them.
    pub public_identities: Vec<PublicIdentity>,
    /// The S-CSCF that this is for: a listener of another name leaves it alone.
    pub server_name: ServerName,
    /// Why.
    pub reason: TerminationReason,
}

impl RegistrationTermination {
    /// A termination for one private identity.
    pub fn new(
        private_identity: PrivateIdentity,
        public_identities: Vec<PublicIdentity>,
        server_name: ServerName,
        reason: TerminationReason,
    ) -> Self {
        Self { private_identity, associated: Vec::new(), public_identities, server_name, reason }
    }

    /// All who are no longer registered.
    pub fn private_identities(&self) -> impl Iterator<Item = &PrivateIdentity> {
        std::iter::once(&self.private_identity).chain(&self.associated)
    }
}

/// Reason-Code, TS 29.229 §6.3.17.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TerminationReason {
    /// PERMANENT_TERMINATION: the subscription is gone, or no longer has the identity.
    Permanent,
    /// NEW_SERVER_ASSIGNED: another S-CSCF has the user.
    NewServerAssigned,
    /// SERVER_CHANGE: the user is to register again, at another S-CSCF.
    ServerChange,
    /// REMOVE_S-CSCF: the S-CSCF drops what it keeps of an unregistered user.
    RemoveScscf,
}

/// Push-Profile-Request, TS 29.228 table 6.2.2.1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushProfile {
    /// Whose subscription it is: of several who share it and are registered any one, for it is said once (TS 29.228
    /// §6.2.2.1).
    pub private_identity: PrivateIdentity,
    /// The S-CSCF that this is for: a listener of another name leaves it alone.
    pub server_name: ServerName,
    /// The profile, whole, if it is another one.
    pub profile: Option<Arc<UserProfile>>,
    /// Where charging data goes from now on, if that is another place.
    pub charging: Option<ChargingAddresses>,
}

impl PushProfile {
    /// A new profile for what `server_name` has registered.
    pub fn new(server_name: ServerName, profile: Arc<UserProfile>) -> Self {
        let private_identity = profile.private_identity.clone();
        Self { profile: Some(profile), ..Self::empty(server_name, private_identity) }
    }

    /// The same for another private identity that has the same.
    pub(crate) fn with_private_identity(&self, user: &PrivateIdentity) -> Self {
        let profile = self
            .profile
            .as_ref()
            .map(|profile| Arc::new(UserProfile::new(user.clone(), profile.service_profiles.clone())));
        Self { private_identity: user.clone(), profile, ..self.clone() }
    }

    /// Nothing new yet: something else than the profile has changed.
    pub fn empty(server_name: ServerName, private_identity: PrivateIdentity) -> Self {
        Self { private_identity, server_name, profile: None, charging: None }
    }
}

impl HssEvent {
    /// Whose subscription it is about.
    pub fn private_identity(&self) -> &PrivateIdentity {
        match self {
            Self::RegistrationTermination(termination) => &termination.private_identity,
            Self::PushProfile(push) => &push.private_identity,
        }
    }

    /// All whom it names.
    pub fn private_identities(&self) -> impl Iterator<Item = &PrivateIdentity> {
        let others = match self {
            Self::RegistrationTermination(termination) => &termination.associated[..],
            Self::PushProfile(_) => &[],
        };
        std::iter::once(self.private_identity()).chain(others)
    }

    /// The S-CSCF that it is for.
    pub fn server_name(&self) -> &ServerName {
        match self {
            Self::RegistrationTermination(termination) => &termination.server_name,
            Self::PushProfile(push) => &push.server_name,
        }
    }
}

/// Where events come from: the other end of every [`HssEvents`]. For those who implement
/// [`HssCache`](crate::HssCache).
#[derive(Debug, Default)]
pub struct HssEventSource {
    listeners: Mutex<Vec<Weak<Mutex<Queue>>>>,
}

impl HssEventSource {
    /// A new stream, which gets everything announced from now on. It ends when the source is gone.
    pub fn subscribe(&self) -> HssEvents {
        let queue = Arc::new(Mutex::new(Queue::default()));
        let mut listeners = lock(&self.listeners);
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(Arc::downgrade(&queue));
        HssEvents { queue }
    }

    /// Announces an event to every stream.
    pub fn announce(&self, event: &HssEvent) {
        self.enqueue(event).into_iter().for_each(Waker::wake);
    }

    /// Announces an event and leaves it to the caller to wake the readers, after whatever lock it holds.
    #[must_use]
    pub(crate) fn enqueue(&self, event: &HssEvent) -> Vec<Waker> {
        let listeners: Vec<_> = lock(&self.listeners).iter().filter_map(Weak::upgrade).collect();
        let push = |listener: Arc<Mutex<Queue>>| {
            let mut queue = lock(&listener);
            queue.push(event.clone());
            queue.waker.take()
        };
        listeners.into_iter().filter_map(push).collect()
    }
}

impl Drop for HssEventSource {
    fn drop(&mut self) {
        for listener in lock(&self.listeners).iter().filter_map(Weak::upgrade) {
            let waker = {
                let mut queue = lock(&listener);
                queue.ended = true;
                queue.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// A stream of [`HssEvent`], in order, one for each listener. Names no runtime.
#[derive(Debug)]
pub struct HssEvents {
    queue: Arc<Mutex<Queue>>,
}

impl HssEvents {
    /// A stream that has ended: for a cache that announces nothing.
    pub fn none() -> Self {
        Self { queue: Arc::new(Mutex::new(Queue { ended: true, ..Queue::default() })) }
    }

    /// Waits for the next event; `None` once the source is gone.
    pub async fn next(&mut self) -> Option<HssEvent> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<HssEvent>> {
        let mut queue = lock(&self.queue);
        match queue.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if queue.ended => Poll::Ready(None),
            None => {
                queue.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Stream for HssEvents {
    type Item = HssEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<HssEvent>> {
        self.poll(context)
    }
}

#[derive(Debug, Default)]
struct Queue {
    /// By order of arrival.
    events: BTreeMap<u64, HssEvent>,
    /// Where the event of each slot stands in `events`.
    slots: BTreeMap<Slot, u64>,
    arrived: u64,
    ended: bool,
    waker: Option<Waker>,
}

/// What makes a later event replace an earlier one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Termination(PrivateIdentity, ServerName, TerminationReason),
    /// Pushes of one registration set, which its default identity names.
    Profile(PrivateIdentity, ServerName, Option<PublicIdentity>),
}

impl Slot {
    fn of(event: &HssEvent) -> Self {
        let (private_identity, server_name) = (event.private_identity().clone(), event.server_name().clone());
        match event {
            HssEvent::RegistrationTermination(termination) => {
                Self::Termination(private_identity, server_name, termination.reason)
            }
            HssEvent::PushProfile(push) => {
                let default = push.profile.as_ref().and_then(|profile| profile.default_identity());
                Self::Profile(private_identity, server_name, default.cloned())
            }
        }
    }
}

impl Queue {
    fn push(&mut self, event: HssEvent) {
        let slot = Slot::of(&event);
        let earlier = self.slots.get(&slot).and_then(|place| self.events.get_mut(place));
        match (earlier, event) {
            (Some(HssEvent::RegistrationTermination(earlier)), HssEvent::RegistrationTermination(later)) => {
                for user in later.associated {
                    if !earlier.associated.contains(&user) {
                        earlier.associated.push(user);
                    }
                }
                // All of them are all of them.
                if later.public_identities.is_empty() {
                    earlier.public_identities.clear();
                }
                if earlier.public_identities.is_empty() {
                    return;
                }
                for identity in later.public_identities {
                    if !earlier.public_identities.contains(&identity) {
                        earlier.public_identities.push(identity);
                    }
                }
            }
            (earlier, mut event) => {
                if let (Some(HssEvent::PushProfile(earlier)), HssEvent::PushProfile(later)) = (earlier, &mut event) {
                    later.profile = later.profile.take().or_else(|| earlier.profile.take());
                    later.charging = later.charging.take().or_else(|| earlier.charging.take());
                }
                self.arrived += 1;
                self.events.insert(self.arrived, event);
                if let Some(place) = self.slots.insert(slot, self.arrived) {
                    self.events.remove(&place);
                }
            }
        }
    }

    fn pop(&mut self) -> Option<HssEvent> {
        let (_, event) = self.events.pop_first()?;
        self.slots.remove(&Slot::of(&event));
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;
    use crate::ServiceProfile;

    fn termination(user: &str, identities: &[&str], reason: TerminationReason) -> HssEvent {
        HssEvent::RegistrationTermination(RegistrationTermination::new(
            user.parse().unwrap(),
            identities.iter().map(|text| text.parse().unwrap()).collect(),
            "sip:scscf.ims.example".parse().unwrap(),
            reason,
        ))
    }

    fn push(user: &str, profiles: usize) -> HssEvent {
        let profile = UserProfile::new(user.parse().unwrap(), vec![ServiceProfile::default(); profiles]);
        HssEvent::PushProfile(PushProfile::new("sip:scscf.ims.example".parse().unwrap(), Arc::new(profile)))
    }

    #[test]
    fn slow_listener_finds_the_newest_and_every_termination() {
        let source = HssEventSource::default();
        let mut events = source.subscribe();
        let gone = TerminationReason::Permanent;
        for round in 1..=1000 {
            source.announce(&push("alice", round));
            source.announce(&termination("bob", &["tel:+1"], gone));
        }
        let HssEvent::RegistrationTermination(mut more) = termination("bob", &["tel:+2", "tel:+1"], gone) else {
            unreachable!()
        };
        more.associated = vec!["bob-tablet".parse().unwrap()];
        source.announce(&HssEvent::RegistrationTermination(more.clone()));
        more.public_identities.reverse();
        source.announce(&termination("bob", &["tel:+1"], TerminationReason::ServerChange));
        drop(source);
        let expected = [
            HssEvent::RegistrationTermination(more),
            push("alice", 1000),
            termination("bob", &["tel:+1"], TerminationReason::ServerChange),
        ];
        for event in expected {
            assert_eq!(block_on(events.next()), Some(event));
        }
        assert_eq!(block_on(events.next()), None);
    }

    /// What a push leaves as it is does not undo what an earlier one has changed.
    #[test]
    fn pushes_add_up() {
        let source = HssEventSource::default();
        let mut events = source.subscribe();
        let charging = |name: &str| {
            let HssEvent::PushProfile(whole) = push("alice", 1) else { unreachable!() };
            let mut push = PushProfile::empty(whole.server_name, whole.private_identity);
            push.charging = Some(ChargingAddresses::new([name.to_owned()], []));
            push
        };
        source.announce(&push("alice", 1));
        source.announce(&HssEvent::PushProfile(charging("aaa://one")));
        source.announce(&HssEvent::PushProfile(charging("aaa://two")));
        source.announce(&push("alice", 2));
        let (HssEvent::PushProfile(mut expected), HssEvent::PushProfile(profile)) =
            (HssEvent::PushProfile(charging("aaa://two")), push("alice", 2))
        else {
            unreachable!()
        };
        expected.profile = profile.profile;
        assert_eq!(block_on(events.next()), Some(HssEvent::PushProfile(expected)));
        drop(source);
        assert_eq!(block_on(events.next()), None);
    }

    /// A subscription may have several registration sets, each with a profile.
    #[test]
    fn each_set_has_its_pushes() {
        let source = HssEventSource::default();
        let mut events = source.subscribe();
        let push = |identity: &str| {
            let identities = vec![crate::ProfileIdentity::new(identity.parse().unwrap())];
            let profile = UserProfile::new("alice".parse().unwrap(), vec![ServiceProfile::new(identities)]);
            HssEvent::PushProfile(PushProfile::new("sip:scscf.ims.example".parse().unwrap(), Arc::new(profile)))
        };
        ["tel:+1", "tel:+2", "tel:+1"].iter().for_each(|identity| source.announce(&push(identity)));
        drop(source);
        for identity in ["tel:+2", "tel:+1"] {
            assert_eq!(block_on(events.next()), Some(push(identity)));
        }
        assert_eq!(block_on(events.next()), None);
    }

    /// Whether it comes first or last, a termination of all is not narrowed.
    #[test]
    fn a_termination_of_all() {
        let gone = TerminationReason::Permanent;
        for order in [[&[][..], &["tel:+1"]], [&["tel:+1"], &[]]] {
            let source = HssEventSource::default();
            let mut events = source.subscribe();
            order.iter().for_each(|identities| source.announce(&termination("bob", identities, gone)));
            assert_eq!(block_on(events.next()), Some(termination("bob", &[], gone)));
        }
    }

    #[test]
    fn what_was_read_is_not_added_to() {
        let source = HssEventSource::default();
        let (mut first, mut second) = (source.subscribe(), source.subscribe());
        let (one, two) = (
            termination("bob", &["tel:+1"], TerminationReason::Permanent),
            termination("bob", &["tel:+2"], TerminationReason::Permanent),
        );
        source.announce(&one);
        assert_eq!(block_on(first.next()), Some(one));
        source.announce(&two);
        assert_eq!(block_on(first.next()), Some(two));
        let both = termination("bob", &["tel:+1", "tel:+2"], TerminationReason::Permanent);
        assert_eq!(block_on(second.next()), Some(both));
        assert!(lock(&first.queue).slots.is_empty(), "nothing is kept of what was read");
    }

    #[test]
    fn none_ends_at_once() {
        assert_eq!(block_on(HssEvents::none().next()), None);
    }
}
