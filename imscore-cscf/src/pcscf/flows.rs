//! Who is registered on which flow: what a P-CSCF learns from the 200 to a REGISTER (TS 24.229 §5.2.2.1).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hashbrown::HashMap;
use imscore_sip::ByteString;
use imscore_sip::hash::Keyed;
use imscore_sip::transport::Flow;
use imscore_sip::uri::Uri;

/// Parts that the table is split into, so that workers do not wait for each other.
const SHARDS: usize = 64;

/// Registrations on one flow; above it the oldest goes. A phone has one, a test tool many.
const USERS_A_FLOW: usize = 10_000;

/// One registered user of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registered {
    /// The identity that was registered, in canonical form.
    pub(super) address_of_record: ByteString,
    /// What the user may call itself, the default identity first: P-Associated-URI.
    pub(super) identities: Vec<Uri>,
    /// The route of its requests, first hop first.
    pub(super) service_route: Vec<ByteString>,
    /// When it is over.
    pub(super) expires: Instant,
}

impl Registered {
    /// The identity of this user that is the same as `uri`.
    pub(super) fn identity(&self, uri: &Uri) -> Option<&Uri> {
        self.identities.iter().find(|identity| identity.address_of_record() == uri.address_of_record())
    }
}

/// All flows with a registration.
pub(super) struct Flows {
    shards: Vec<Mutex<Shard>>,
}

type Shard = HashMap<Flow, Vec<Registered>, Keyed>;

impl Flows {
    pub(super) fn new(keyed: Keyed) -> Flows {
        Flows { shards: (0..SHARDS).map(|_| Mutex::new(HashMap::with_hasher(keyed))).collect() }
    }

    fn shard(&self, flow: Flow) -> MutexGuard<'_, Shard> {
        let port = usize::from(flow.remote.port());
        let connection = flow.connection.map_or(0, |connection| connection.0.get() as usize);
        // No step of a change leaves a shard half written.
        self.shards[(port ^ connection) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a registration in the place of an earlier one of the same identity.
    pub(super) fn put(&self, flow: Flow, registered: Registered, now: Instant) {
        let mut shard = self.shard(flow);
        let users = shard.entry(flow).or_default();
        users.retain(|user| user.expires > now && user.address_of_record != registered.address_of_record);
        if users.len() == USERS_A_FLOW {
            users.remove(0);
        }
        users.push(registered);
    }

    /// The registration is over.
    pub(super) fn remove(&self, flow: Flow, address_of_record: &str) {
        let mut shard = self.shard(flow);
        if let Some(users) = shard.get_mut(&flow) {
            users.retain(|user| user.address_of_record != address_of_record);
            if users.is_empty() {
                shard.remove(&flow);
            }
        }
    }

    /// The flow is gone, and every registration on it.
    pub(super) fn remove_flow(&self, flow: Flow) {
        self.shard(flow).remove(&flow);
    }

    /// Whether anybody is registered on the flow.
    pub(super) fn is_registered(&self, flow: Flow, now: Instant) -> bool {
        self.shard(flow).get(&flow).is_some_and(|users| users.iter().any(|user| user.expires > now))
    }

    /// The user of the flow that `claims` names, first claim first; the last to register where none of them does. `None`:
    /// nobody is registered there.
    pub(super) fn user(&self, flow: Flow, claims: &[&Uri], now: Instant) -> Option<Registered> {
        let shard = self.shard(flow);
        let users = || shard.get(&flow).into_iter().flatten().filter(|user| user.expires > now);
        claims
            .iter()
            .find_map(|claim| users().find(|user| user.identity(claim).is_some()))
            .or_else(|| users().last())
            .cloned()
    }

    /// Forgets what is over.
    pub(super) fn sweep(&self, now: Instant) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, users| {
                users.retain(|user| user.expires > now);
                !users.is_empty()
            });
        }
    }

    /// How many flows there are.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}
