//! Which S-CSCF has whom, and what each question of Cx changes about it. Pure: the lock is outside.
//!
//! Each private identity has a registration of its own. Those of one subscription are at one S-CSCF, and their public
//! identities are registered for as long as one of them is (TS 29.228 §6.1.2.1, §6.1.3.1).

use std::collections::BTreeMap;

use super::assignment::{Assignment, AssignmentState};
use crate::{
    AssignmentType, AuthorizationType, HssError, HssEvent, LocationInfo, LocationInfoRequest, PrivateIdentity,
    PushProfile, Refusal, RegistrationTermination, ServerAssignment, ServerAssignmentRequest, ServerName, Subscription,
    TerminationReason, UserAuthorization, UserAuthorizationRequest,
};

#[derive(Default)]
pub(super) struct Registrations {
    /// Counts changes to the subscriber base: who read a subscription before one decides again.
    pub(super) generation: u64,
    /// Only who has an S-CSCF is here.
    pub(super) assigned: BTreeMap<PrivateIdentity, Registration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registration {
    server_name: ServerName,
    state: State,
    /// The S-CSCF that had the user before a Multimedia-Auth named this one.
    before: Option<ServerName>,
}

/// In the order in which they count where private identities of one subscription differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// An S-CSCF has challenged the user, no more.
    NotRegistered,
    /// An S-CSCF keeps the profile for services of a user that is not registered.
    Unregistered,
    Registered,
}

impl Registrations {
    /// What was kept from an earlier life.
    pub(super) fn new(kept: impl IntoIterator<Item = (PrivateIdentity, Assignment)>) -> Registrations {
        let registration = |kept: Assignment| Registration {
            server_name: kept.server_name,
            state: match kept.state {
                AssignmentState::Registered => State::Registered,
                AssignmentState::Unregistered => State::Unregistered,
            },
            before: kept.before,
        };
        let assigned = kept.into_iter().map(|(user, kept)| (user, registration(kept))).collect();
        Registrations { generation: 0, assigned }
    }

    /// What a subscription has: the registration of a private identity that counts for all of them.
    fn of(&self, subscription: &Subscription) -> Option<&Registration> {
        let registrations = subscription.private_identities().filter_map(|user| self.assigned.get(user));
        registrations.reduce(|one, other| if other.state > one.state { other } else { one })
    }

    fn change_all(&mut self, subscription: &Subscription, mut change: impl FnMut(&PrivateIdentity, &mut Registration)) {
        for user in subscription.private_identities() {
            if let Some(registration) = self.assigned.get_mut(user) {
                change(user, registration);
            }
        }
    }

    /// What of a subscription is to outlive the process.
    pub(super) fn kept_of(&self, subscription: &Subscription) -> Option<Assignment> {
        let users = subscription.private_identities().filter(|user| self.assigned.contains_key(*user));
        let state = |kept: &Assignment| kept.state == AssignmentState::Registered;
        users.filter_map(|user| self.kept(user)).reduce(|one, other| if state(&one) { one } else { other })
    }

    /// What of a user is to outlive the process. Who was only challenged is not kept: a stranger can bring that about as
    /// often as it likes, and the next REGISTER finds a place anew.
    pub(super) fn kept(&self, private_identity: &PrivateIdentity) -> Option<Assignment> {
        let registration = self.assigned.get(private_identity)?;
        let state = match registration.state {
            State::NotRegistered => return None,
            State::Registered => AssignmentState::Registered,
            State::Unregistered => AssignmentState::Unregistered,
        };
        let (server_name, before) = (registration.server_name.clone(), registration.before.clone());
        Some(Assignment { server_name, state, before })
    }

    /// TS 29.228 §6.1.1.1 from step 3 on.
    pub(super) fn authorize(
        &self,
        request: &UserAuthorizationRequest,
        subscription: &Subscription,
    ) -> Result<UserAuthorization, HssError> {
        // Step 3: a barred identity may register where the set has another one that is not.
        if !request.emergency && subscription.default_identity().is_none() {
            return Err(HssError::Forbidden(Refusal::Barred));
        }
        // Step 4: deregistration passes from wherever it comes.
        let may_register = request.emergency || subscription.roaming().allows(&request.visited_network);
        let capabilities = || UserAuthorization::Capabilities(subscription.capabilities().clone());
        let registration = self.of(subscription);
        match request.kind {
            AuthorizationType::Registration | AuthorizationType::RegistrationAndCapabilities if !may_register => {
                Err(HssError::Forbidden(Refusal::RoamingNotAllowed))
            }
            AuthorizationType::RegistrationAndCapabilities => Ok(capabilities()),
            // Step 5. Who was only challenged has a place as well: the answer to the challenge has to go there.
            AuthorizationType::Registration => Ok(match registration {
                Some(registration) => UserAuthorization::Scscf(registration.server_name.clone()),
                None => capabilities(),
            }),
            AuthorizationType::Deregistration => match registration {
                Some(Registration { state: State::Registered | State::Unregistered, server_name, .. }) => {
                    Ok(UserAuthorization::Scscf(server_name.clone()))
                }
                Some(Registration { state: State::NotRegistered, .. }) | None => Err(HssError::NotRegistered),
            },
        }
    }

    /// TS 29.228 §6.1.4.1.
    pub(super) fn locate(
        &self,
        request: &LocationInfoRequest,
        subscription: &Subscription,
    ) -> Result<LocationInfo, HssError> {
        let capabilities = || LocationInfo::Capabilities(subscription.capabilities().clone());
        if request.capabilities {
            return Ok(capabilities());
        }
        let registration = self.of(subscription);
        match registration {
            Some(Registration { state: State::Registered | State::Unregistered, server_name, .. }) => {
                Ok(LocationInfo::Scscf(server_name.clone()))
            }
            Some(Registration { state: State::NotRegistered, .. }) | None
                if !subscription.has_unregistered_services() =>
            {
                Err(HssError::NotRegistered)
            }
            Some(Registration { state: State::NotRegistered, server_name, .. }) => {
                Ok(LocationInfo::Scscf(server_name.clone()))
            }
            None => Ok(capabilities()),
        }
    }

    /// The S-CSCF that challenges is remembered, so that the next REGISTER goes there (TS 29.228 §6.3.1).
    pub(super) fn challenge(
        &mut self,
        subscription: &Subscription,
        private_identity: &PrivateIdentity,
        server_name: &ServerName,
    ) {
        // TS 29.228 §8.1: this command, and no other, takes the user from another S-CSCF.
        self.change_all(subscription, |_, registration| {
            if registration.server_name != *server_name {
                let before = std::mem::replace(&mut registration.server_name, server_name.clone());
                if registration.state != State::NotRegistered {
                    registration.before.get_or_insert(before);
                }
            }
        });
        self.assigned.entry(private_identity.clone()).or_insert_with(|| Registration {
            server_name: server_name.clone(),
            state: State::NotRegistered,
            before: None,
        });
    }

    /// TS 29.228 §6.1.2.1 from step 4 on. Where the request names no private identity it is about all of them.
    pub(super) fn assign(
        &mut self,
        request: &ServerAssignmentRequest,
        subscription: &Subscription,
    ) -> Result<(ServerAssignment, Option<HssEvent>), HssError> {
        let assigned = self.of(subscription);
        let others =
            assigned.map(|registration| &registration.server_name).filter(|name| **name != request.server_name);
        let own = if others.is_none() { assigned } else { None };
        let user = request.private_identity.as_ref().unwrap_or(subscription.private_identity());
        let mut answer = ServerAssignment::new(user.clone());
        if subscription.private_identities().nth(1).is_some() {
            answer.associated = subscription.private_identities().cloned().collect();
        }
        let mut event = None;
        match request.assignment {
            AssignmentType::NoAssignment => {
                own.ok_or(HssError::NotAssigned)?;
                answer.give_profile(request, subscription);
            }
            AssignmentType::Registration | AssignmentType::ReRegistration => {
                refuse_another(others)?;
                event = own.and_then(|registration| registration.before.clone()).map(|before| {
                    let registered = subscription.private_identities().filter(|user| self.has(user));
                    terminate(subscription, registered, before, TerminationReason::NewServerAssigned)
                });
                self.register(user, &request.server_name, subscription);
                answer.give_profile(request, subscription);
            }
            AssignmentType::UnregisteredUser => {
                refuse_another(others)?;
                if own.is_some_and(|registration| registration.state == State::Registered) {
                    return Err(HssError::AssignmentType);
                }
                self.set(user, &request.server_name, State::Unregistered);
                answer.give_profile(request, subscription);
            }
            AssignmentType::TimeoutDeregistration
            | AssignmentType::UserDeregistration
            | AssignmentType::AdministrativeDeregistration
            | AssignmentType::DeregistrationTooMuchData => {
                self.release(request, subscription)?;
            }
            AssignmentType::TimeoutDeregistrationStoreServerName
            | AssignmentType::UserDeregistrationStoreServerName => {
                self.release(request, subscription)?;
                let is_registered =
                    self.of(subscription).is_some_and(|registration| registration.state == State::Registered);
                if !is_registered && subscription.has_unregistered_services() {
                    self.set(user, &request.server_name, State::Unregistered);
                }
                answer.server_name_stored = is_registered || subscription.has_unregistered_services();
            }
            AssignmentType::AuthenticationFailure | AssignmentType::AuthenticationTimeout => {
                self.give_up(user, &request.server_name, subscription);
            }
        }
        Ok((answer, event))
    }

    /// Whether there is more of a private identity than a challenge.
    fn has(&self, user: &PrivateIdentity) -> bool {
        self.assigned.get(user).is_some_and(|registration| registration.state != State::NotRegistered)
    }

    fn set(&mut self, user: &PrivateIdentity, server_name: &ServerName, state: State) {
        let registration = Registration { server_name: server_name.clone(), state, before: None };
        self.assigned.insert(user.clone(), registration);
    }

    /// The S-CSCF has the subscription for good, and no longer for a user that is not registered.
    fn register(&mut self, user: &PrivateIdentity, server_name: &ServerName, subscription: &Subscription) {
        self.change_all(subscription, |_, registration| registration.before = None);
        for other in subscription.private_identities() {
            if self.assigned.get(other).is_some_and(|registration| registration.state == State::Unregistered) {
                self.assigned.remove(other);
            }
        }
        self.set(user, server_name, State::Registered);
    }

    /// Ends what this S-CSCF has registered for the private identity that is named, or for all.
    fn release(&mut self, request: &ServerAssignmentRequest, subscription: &Subscription) -> Result<(), HssError> {
        let counts = match self.of(subscription) {
            None | Some(Registration { state: State::NotRegistered, .. }) => return Err(HssError::NotRegistered),
            Some(registration) if registration.server_name != request.server_name => return Err(HssError::NotAssigned),
            Some(registration) => registration.state,
        };
        let named = |user: &&PrivateIdentity| match (&request.private_identity, counts) {
            (Some(named), State::Registered) => named == *user,
            // For whom an S-CSCF keeps the profile makes no difference: it is one profile.
            (Some(_), State::Unregistered | State::NotRegistered) | (None, _) => true,
        };
        let ended: Vec<_> = subscription.private_identities().filter(named).filter(|user| self.has(user)).collect();
        if ended.is_empty() {
            return Err(HssError::NotRegistered);
        }
        ended.into_iter().for_each(|user| drop(self.assigned.remove(user)));
        Ok(())
    }

    /// The challenge was not met: everything is as it was before it.
    fn give_up(&mut self, user: &PrivateIdentity, server_name: &ServerName, subscription: &Subscription) {
        if self.of(subscription).is_none_or(|registration| registration.server_name != *server_name) {
            return;
        }
        self.change_all(subscription, |_, registration| {
            if let Some(before) = registration.before.take() {
                registration.server_name = before;
            }
        });
        if self.assigned.contains_key(user) && !self.has(user) {
            self.assigned.remove(user);
        }
    }

    /// A subscription was replaced.
    pub(super) fn replaced(&mut self, earlier: &Subscription, later: &Subscription) -> Option<HssEvent> {
        // TS 29.228 §6.5.2.1: the default identity of a registered set is not changed by a new profile.
        if earlier.default_identity() != later.default_identity() {
            return self.end(earlier, None, TerminationReason::Permanent);
        }
        if (earlier.profile(), earlier.charging()) == (later.profile(), later.charging()) {
            return None;
        }
        let user = earlier.private_identities().find(|user| self.has(user))?;
        let mut push = PushProfile::new(self.assigned.get(user)?.server_name.clone(), later.profile_of(user));
        push.charging = later.charging().cloned();
        Some(HssEvent::PushProfile(push))
    }

    /// The registration of a subscription ends by decision of the HSS: that of one private identity, or all.
    pub(super) fn end(
        &mut self,
        subscription: &Subscription,
        only: Option<&PrivateIdentity>,
        reason: TerminationReason,
    ) -> Option<HssEvent> {
        let users = || subscription.private_identities().filter(|user| only.is_none_or(|only| only == *user));
        let ended: Vec<_> = users().filter(|user| self.has(user)).collect();
        let place = ended.first().and_then(|user| self.assigned.get(user)).map(|it| it.server_name.clone());
        users().for_each(|user| drop(self.assigned.remove(user)));
        Some(terminate(subscription, ended.into_iter(), place?, reason))
    }
}

impl ServerAssignment {
    fn give_profile(&mut self, request: &ServerAssignmentRequest, subscription: &Subscription) {
        if !request.user_data_available {
            self.profile = Some(subscription.profile_of(&self.private_identity));
        }
        self.charging = subscription.charging().cloned();
    }
}

fn refuse_another(others: Option<&ServerName>) -> Result<(), HssError> {
    match others {
        Some(name) => Err(HssError::AlreadyRegistered { assigned: name.clone() }),
        None => Ok(()),
    }
}

/// The end of what `registered`, private identities of a subscription, have at an S-CSCF.
fn terminate<'a>(
    subscription: &'a Subscription,
    mut registered: impl Iterator<Item = &'a PrivateIdentity>,
    server_name: ServerName,
    reason: TerminationReason,
) -> HssEvent {
    let named = registered.next().unwrap_or(subscription.private_identity());
    let public = subscription.public_identities().cloned().collect();
    let mut termination = RegistrationTermination::new(named.clone(), public, server_name, reason);
    termination.associated = registered.cloned().collect();
    HssEvent::RegistrationTermination(termination)
}
