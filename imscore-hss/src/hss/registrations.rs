//! Which S-CSCF has whom, and what each question of Cx changes about it. Pure: the lock is outside.

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// An S-CSCF has challenged the user, no more.
    NotRegistered,
    Registered,
    /// An S-CSCF keeps the profile for services of a user that is not registered.
    Unregistered,
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
        if !request.emergency && subscription.profile().default_identity().is_none() {
            return Err(HssError::Forbidden(Refusal::Barred));
        }
        // Step 4: deregistration passes from wherever it comes.
        let may_register = request.emergency || subscription.roaming().allows(&request.visited_network);
        let capabilities = || UserAuthorization::Capabilities(subscription.capabilities().clone());
        let registration = self.assigned.get(subscription.private_identity());
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
        let registration = self.assigned.get(subscription.private_identity());
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
    pub(super) fn challenge(&mut self, subscription: &Subscription, server_name: &ServerName) {
        let registration = self.assigned.entry(subscription.private_identity().clone()).or_insert_with(|| {
            Registration { server_name: server_name.clone(), state: State::NotRegistered, before: None }
        });
        // TS 29.228 §8.1: this command, and no other, takes the user from another S-CSCF.
        if registration.server_name != *server_name {
            let before = std::mem::replace(&mut registration.server_name, server_name.clone());
            if registration.state != State::NotRegistered {
                registration.before.get_or_insert(before);
            }
        }
    }

    /// TS 29.228 §6.1.2.1 from step 4 on.
    pub(super) fn assign(
        &mut self,
        request: &ServerAssignmentRequest,
        subscription: &Subscription,
    ) -> Result<(ServerAssignment, Option<HssEvent>), HssError> {
        let private_identity = subscription.private_identity();
        let assigned = self.assigned.get(private_identity);
        let others =
            assigned.map(|registration| &registration.server_name).filter(|name| **name != request.server_name);
        let own = if others.is_none() { assigned } else { None };
        let mut answer = ServerAssignment::new(private_identity.clone());
        let mut event = None;
        match request.assignment {
            AssignmentType::NoAssignment => {
                own.ok_or(HssError::NotAssigned)?;
                answer.give_profile(request, subscription);
            }
            AssignmentType::Registration | AssignmentType::ReRegistration => {
                refuse_another(others)?;
                event = own
                    .and_then(|registration| registration.before.clone())
                    .map(|before| terminate(subscription, before, TerminationReason::NewServerAssigned));
                self.set(private_identity, &request.server_name, State::Registered);
                answer.give_profile(request, subscription);
            }
            AssignmentType::UnregisteredUser => {
                refuse_another(others)?;
                if own.is_some_and(|registration| registration.state == State::Registered) {
                    return Err(HssError::AssignmentType);
                }
                self.set(private_identity, &request.server_name, State::Unregistered);
                answer.give_profile(request, subscription);
            }
            AssignmentType::TimeoutDeregistration
            | AssignmentType::UserDeregistration
            | AssignmentType::AdministrativeDeregistration
            | AssignmentType::DeregistrationTooMuchData => {
                self.release(request, subscription)?;
                self.assigned.remove(private_identity);
            }
            AssignmentType::TimeoutDeregistrationStoreServerName
            | AssignmentType::UserDeregistrationStoreServerName => {
                self.release(request, subscription)?;
                answer.server_name_stored = subscription.has_unregistered_services();
                if answer.server_name_stored {
                    self.set(private_identity, &request.server_name, State::Unregistered);
                } else {
                    self.assigned.remove(private_identity);
                }
            }
            AssignmentType::AuthenticationFailure | AssignmentType::AuthenticationTimeout => {
                self.give_up(request, subscription);
            }
        }
        Ok((answer, event))
    }

    fn set(&mut self, private_identity: &PrivateIdentity, server_name: &ServerName, state: State) {
        let registration = Registration { server_name: server_name.clone(), state, before: None };
        self.assigned.insert(private_identity.clone(), registration);
    }

    /// Whether this S-CSCF has a registration to end.
    fn release(&self, request: &ServerAssignmentRequest, subscription: &Subscription) -> Result<(), HssError> {
        match self.assigned.get(subscription.private_identity()) {
            None | Some(Registration { state: State::NotRegistered, .. }) => Err(HssError::NotRegistered),
            Some(registration) if registration.server_name != request.server_name => Err(HssError::NotAssigned),
            Some(_) => Ok(()),
        }
    }

    /// The challenge was not met: everything is as it was before it.
    fn give_up(&mut self, request: &ServerAssignmentRequest, subscription: &Subscription) {
        let private_identity = subscription.private_identity();
        let Some(registration) = self.assigned.get_mut(private_identity) else { return };
        if registration.server_name != request.server_name {
            return;
        }
        match registration.state {
            State::NotRegistered => {
                self.assigned.remove(private_identity);
            }
            State::Registered | State::Unregistered => {
                if let Some(before) = registration.before.take() {
                    registration.server_name = before;
                }
            }
        }
    }

    /// A subscription was replaced.
    pub(super) fn replaced(&mut self, earlier: &Subscription, later: &Subscription) -> Option<HssEvent> {
        // TS 29.228 §6.5.2.1: the default identity of a registered set is not changed by a new profile.
        if earlier.profile().default_identity() != later.profile().default_identity() {
            return self.end(earlier, TerminationReason::Permanent);
        }
        if (earlier.profile(), earlier.charging()) == (later.profile(), later.charging()) {
            return None;
        }
        let registration = self.assigned.get(later.private_identity())?;
        match registration.state {
            State::NotRegistered => None,
            State::Registered | State::Unregistered => {
                let mut push = PushProfile::new(registration.server_name.clone(), later.profile().clone());
                push.charging = later.charging().cloned();
                Some(HssEvent::PushProfile(push))
            }
        }
    }

    /// The registration of a subscription ends by decision of the HSS.
    pub(super) fn end(&mut self, subscription: &Subscription, reason: TerminationReason) -> Option<HssEvent> {
        let registration = self.assigned.remove(subscription.private_identity())?;
        match registration.state {
            State::NotRegistered => None,
            State::Registered | State::Unregistered => Some(terminate(subscription, registration.server_name, reason)),
        }
    }
}

impl ServerAssignment {
    fn give_profile(&mut self, request: &ServerAssignmentRequest, subscription: &Subscription) {
        if !request.user_data_available {
            self.profile = Some(subscription.profile().clone());
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

fn terminate(subscription: &Subscription, server_name: ServerName, reason: TerminationReason) -> HssEvent {
    HssEvent::RegistrationTermination(RegistrationTermination::new(
        subscription.private_identity().clone(),
        subscription.public_identities().cloned().collect(),
        server_name,
        reason,
    ))
}
