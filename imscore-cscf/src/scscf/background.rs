//! What ends without a REGISTER: bindings and challenges that run out, flows that are gone, what the HSS says
//! (TS 24.229 §5.4.1.5, TS 29.228 §6.1.3, §6.2.2).

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use imscore_hss::state::Version;
use imscore_hss::{
    AssignmentType, HssEvent, PrivateIdentity, PublicIdentity, PushProfile, RegistrationTermination,
    ServerAssignmentRequest,
};

use super::challenges::Challenges;
use super::{Failure, Scscf};
use crate::call::Call;
use crate::registration::{Binding, Registration, Stored};

/// How often one looks for what has run out.
const TICK: Duration = Duration::from_secs(1);

/// How much is dealt with at once.
const BATCH: usize = 64;

/// Flows that wait to be taken out; what comes when there are more is found out again by the next call.
const MOST_LOST_FLOWS: usize = 10_000;

/// Bindings whose flow is gone, until the background work takes them out: who finds out may not wait for a store.
#[derive(Default)]
pub(super) struct LostFlows(Mutex<VecDeque<(PublicIdentity, Binding)>>);

impl LostFlows {
    pub(super) fn push(&self, default: PublicIdentity, binding: Binding) {
        let mut flows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if flows.len() < MOST_LOST_FLOWS {
            flows.push_back((default, binding));
        }
    }

    fn take(&self, most: usize) -> Vec<(PublicIdentity, Binding)> {
        let mut flows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = most.min(flows.len());
        flows.drain(..most).collect()
    }
}

impl Scscf {
    pub(super) async fn run_background(&self, call: &Call) {
        let mut events = self.hss.events();
        let mut tick = call.now().monotonic + TICK;
        let mut hears = true;
        loop {
            let left = tick.saturating_duration_since(call.now().monotonic);
            if left.is_zero() {
                self.sweep(call).await;
                tick = call.now().monotonic + TICK;
            } else if hears {
                match call.within(left, events.next()).await {
                    Ok(Some(event)) => self.obey(call, event).await,
                    // The HSS is gone; what there is still runs out.
                    Ok(None) => hears = false,
                    Err(_) => {}
                }
            } else {
                call.after(left).await;
            }
        }
    }

    /// Deals with all that has fallen due. What the store or the HSS does not answer comes again.
    async fn sweep(&self, call: &Call) {
        loop {
            let flows = self.lost_flows.take(BATCH);
            let due = self.registrations.claim_due(call, BATCH).await.unwrap_or_default();
            let challenges = self.challenges.claim_due(call, BATCH).await.unwrap_or_default();
            let more = [flows.len(), due.len(), challenges.len()].contains(&BATCH);
            let flows = flows.into_iter().map(|(default, binding)| work(self.drop_flow(call, default, binding)));
            let due = due.into_iter().map(|stored| work(self.expire(call, stored)));
            let challenges = challenges.into_iter().map(|(due, version)| work(self.time_out(call, due, version)));
            all(flows.chain(due).chain(challenges).collect()).await;
            if !more {
                return;
            }
        }
    }

    /// Bindings have run out (TS 24.229 §5.4.1.4.1).
    async fn expire(&self, call: &Call, mut stored: Stored) {
        if stored.registration.bindings.is_empty() || !stored.registration.left.is_empty() {
            self.end(call, stored, AssignmentType::TimeoutDeregistration).await;
        } else {
            // Where this fails the lease brings it back.
            let _ = self.registrations.settle(call, &mut stored).await;
        }
    }

    /// A flow is gone, and with it its binding, unless the phone has registered again since (RFC 5626 §5.3).
    async fn drop_flow(&self, call: &Call, default: PublicIdentity, lost: Binding) {
        let is_it = |binding: &Binding| {
            let series = |binding: &Binding| (binding.call_id.clone(), binding.cseq, binding.reg_id);
            binding.contact == lost.contact && series(binding) == series(&lost)
        };
        let _ = self.remove(call, &default, is_it, Some(AssignmentType::TimeoutDeregistration)).await;
    }

    /// A challenge was not answered (TS 24.229 §5.4.1.2.3).
    async fn time_out(&self, call: &Call, mut challenges: Challenges, version: Version) {
        if let Some(public_identity) = challenges.expire() {
            let request = ServerAssignmentRequest::new(
                challenges.private_identity.clone(),
                public_identity,
                challenges.server_name.clone(),
                AssignmentType::AuthenticationTimeout,
            );
            let _ = self.ask(call, self.hss.server_assignment(&request)).await;
        }
        let _ = self.challenges.settle(call, &challenges, version).await;
    }

    /// Does what the HSS says, where it says it to this S-CSCF.
    pub(super) async fn obey(&self, call: &Call, event: HssEvent) {
        if *event.server_name() != self.server_name {
            return;
        }
        // Credentials may have changed with the rest.
        for user in event.private_identities() {
            let _ = self.challenges.forget(call, user).await;
        }
        match event {
            HssEvent::RegistrationTermination(termination) => self.deregister(call, termination).await,
            HssEvent::PushProfile(push) => self.take_profile(call, push).await,
            _ => {}
        }
    }

    /// Registration-Termination-Request (TS 24.229 §5.4.1.5).
    pub(super) async fn deregister(&self, call: &Call, termination: RegistrationTermination) {
        let is_it = |binding: &Binding| termination.private_identities().any(|user| *user == binding.private_identity);
        for identity in &termination.public_identities {
            let Ok(Some(registration)) = self.registrations.find(call, identity).await else { continue };
            // Another S-CSCF may have the user by now, with the same record.
            if registration.server_name != termination.server_name {
                continue;
            }
            if let Some(default) = registration.default_identity() {
                let _ = self.remove(call, default, is_it, None).await;
            }
        }
    }

    /// Push-Profile-Request (TS 29.228 §6.2.2.1). What it does not carry stays as it is.
    async fn take_profile(&self, call: &Call, push: PushProfile) {
        let Some(profile) = &push.profile else { return };
        let Some(default) = profile.default_identity() else { return };
        let change = self.registrations.change(call, default, |found| {
            let is_ours = |registration: &Registration| registration.server_name == push.server_name;
            let Some(mut registration) = found.filter(is_ours) else { return Ok::<_, Failure>(None) };
            registration.set_profile(profile);
            if push.charging.is_some() {
                registration.charging.clone_from(&push.charging);
            }
            Ok(Some(registration))
        });
        let _ = change.await;
    }

    /// Takes bindings out of a set. The HSS is told who has none left, unless it was the HSS that said so.
    async fn remove(
        &self,
        call: &Call,
        default: &PublicIdentity,
        is_it: impl Fn(&Binding) -> bool + Send + Sync,
        told: Option<AssignmentType>,
    ) -> Result<(), Failure> {
        let change = self.registrations.change(call, default, |found| {
            let Some(mut registration) = found else { return Ok(None) };
            let (gone, stay): (Vec<_>, Vec<_>) = registration.bindings.iter().cloned().partition(&is_it);
            registration.set_bindings(stay);
            if told.is_none() {
                let is_known = |user: &PrivateIdentity| gone.iter().any(|binding| binding.private_identity == *user);
                registration.left.retain(|user| !is_known(user));
            }
            Ok::<_, Failure>((!gone.is_empty()).then_some(registration))
        });
        let Some(stored) = change.await? else { return Ok(()) };
        let Stored { registration, .. } = &stored;
        match told {
            Some(assignment) if !registration.left.is_empty() => self.end(call, stored, assignment).await,
            None if registration.bindings.is_empty() && registration.left.is_empty() => {
                self.registrations.forget(call, &stored).await?;
            }
            Some(_) | None => {}
        }
        Ok(())
    }
}

type Work<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

fn work<'a>(future: impl Future<Output = ()> + Send + 'a) -> Work<'a> {
    Box::pin(future)
}

/// Done when all are. They are few, so each wake polls all that are left.
async fn all(mut works: Vec<Work<'_>>) {
    poll_fn(|cx| {
        works.retain_mut(|work| work.as_mut().poll(cx).is_pending());
        if works.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
