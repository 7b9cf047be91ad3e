//! The records in their store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use imscore_hss::PublicIdentity;
use imscore_hss::state::fields::Unreadable;
use imscore_hss::state::{Claim, Key, Record, StateError, StateStore, Swap, Table, Version, Write};

use super::record::{Entry, Registration};
use crate::ask::ask;
use crate::call::Call;

const TABLE: Table = Table::new("registration");

/// How often a change starts again because another node was faster.
const ATTEMPTS: usize = 16;

/// How much longer than its set an alias lasts: so long that it need not be written with each refresh.
const ALIASES_OUTLIVE: Duration = Duration::from_secs(24 * 60 * 60);

/// The HSS is told again after this long of who has no binding any more, and a set without any is kept until it knows.
const RETRY: Duration = Duration::from_secs(30);

/// For how long work that has fallen due is one node's.
const LEASE: Duration = Duration::from_secs(30);

/// Registrations in a [`StateStore`].
pub(crate) struct Registrations {
    store: Arc<dyn StateStore>,
    /// After this long without an answer the store counts as unreachable.
    timeout: Duration,
}

/// A registration as it was read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) registration: Registration,
    pub(crate) version: Version,
}

/// Why a registration cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Others changed the record all the time.
    #[error("too many changes at once")]
    Contended,
}

impl Registrations {
    pub(crate) fn new(store: Arc<dyn StateStore>, timeout: Duration) -> Registrations {
        Registrations { store, timeout }
    }

    /// The registration that an identity is part of; `None` where it has no binding.
    pub(crate) async fn find(
        &self,
        call: &Call,
        identity: &PublicIdentity,
    ) -> Result<Option<Registration>, StoreError> {
        let found = match self.entry(call, identity).await? {
            Some(Entry::Alias(default)) => self.entry(call, &default).await?,
            other => other,
        };
        Ok(match found {
            Some(Entry::Set(registration)) => {
                let is_part = registration.associated(identity).is_some();
                Some(registration).filter(|registration| is_part && !registration.bindings.is_empty())
            }
            Some(Entry::Alias(_)) | None => None,
        })
    }

    /// Changes the set of a default identity. `change` sees what there is, perhaps several times, and says what is to
    /// be; `None` leaves it. A set that is left without bindings is found no longer, and is given out by
    /// [`Registrations::claim_due`] until [`Registrations::forget`] takes it away.
    pub(crate) async fn change<E: From<StoreError>>(
        &self,
        call: &Call,
        default: &PublicIdentity,
        mut change: impl FnMut(Option<Registration>) -> Result<Option<Registration>, E> + Send,
    ) -> Result<Option<Stored>, E> {
        let key = Key::new(TABLE, default.as_str());
        let mut record = self.get(call, &key).await?;
        for _ in 0..ATTEMPTS {
            let expected = record.as_ref().map(|record| record.version);
            let found = match record.as_ref().map(decode).transpose().map_err(StoreError::from)? {
                Some(Entry::Set(registration)) => Some(registration),
                Some(Entry::Alias(_)) | None => None,
            };
            let Some(mut registration) = change(found)? else { return Ok(None) };
            match self.write(call, &key, expected, &mut registration).await? {
                Ok(version) => return Ok(Some(Stored { registration, version })),
                Err(conflict) => record = conflict,
            }
        }
        Err(StoreError::Contended.into())
    }

    /// Takes a set without bindings away. False: it has bindings again.
    pub(crate) async fn forget(&self, call: &Call, stored: &Stored) -> Result<bool, StoreError> {
        let Some(default) = stored.registration.default_identity() else { return Ok(true) };
        let key = Key::new(TABLE, default.as_str());
        match ask(call, self.timeout, self.store.remove(&key, stored.version)).await? {
            Swap::Done | Swap::Conflict(None) => Ok(true),
            Swap::Conflict(Some(record)) => Ok(match decode(&record)? {
                Entry::Set(registration) => registration.bindings.is_empty(),
                Entry::Alias(_) => true,
            }),
        }
    }

    /// Sets of which a binding has run out, or which have none and nobody told the HSS yet; each is given to one caller.
    pub(crate) async fn claim_due(&self, call: &Call, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let claims = ask(call, self.timeout, self.store.claim_due(TABLE, limit, LEASE)).await?;
        let set = |Claim { record, .. }: Claim| match decode(&record) {
            Ok(Entry::Set(registration)) => Some(Stored { registration, version: record.version }),
            Ok(Entry::Alias(_)) | Err(Unreadable) => None,
        };
        Ok(claims.into_iter().filter_map(set).collect())
    }

    /// Writes what was claimed without what has run out. False: somebody else has changed it.
    pub(crate) async fn settle(&self, call: &Call, stored: &mut Stored) -> Result<bool, StoreError> {
        let Some(default) = stored.registration.default_identity() else { return Ok(false) };
        let key = Key::new(TABLE, default.as_str());
        match self.write(call, &key, Some(stored.version), &mut stored.registration).await? {
            Ok(version) => {
                stored.version = version;
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    async fn entry(&self, call: &Call, identity: &PublicIdentity) -> Result<Option<Entry>, StoreError> {
        let record = self.get(call, &Key::new(TABLE, identity.as_str())).await?;
        Ok(record.as_ref().map(decode).transpose()?)
    }

    async fn get(&self, call: &Call, key: &Key) -> Result<Option<Record>, StoreError> {
        Ok(ask(call, self.timeout, self.store.get(key)).await?)
    }

    async fn swap(
        &self,
        call: &Call,
        key: &Key,
        expected: Option<Version>,
        value: Bytes,
        times: impl FnOnce(Write) -> Write + Send,
    ) -> Result<Result<Version, Option<Record>>, StoreError> {
        let version = Version::new(call.random());
        let write = times(Write::new(version, value));
        match ask(call, self.timeout, self.store.compare_and_swap(key, expected, write)).await? {
            Swap::Done => Ok(Ok(version)),
            Swap::Conflict(record) => Ok(Err(record)),
        }
    }

    async fn write(
        &self,
        call: &Call,
        key: &Key,
        expected: Option<Version>,
        registration: &mut Registration,
    ) -> Result<Result<Version, Option<Record>>, StoreError> {
        if registration.bindings.is_empty() {
            let over = |write: Write| write.expires_in(Duration::from_millis(1)).due_in(RETRY);
            return self.swap(call, key, expected, registration.encode(), over).await;
        }
        let lasts = registration.lasts();
        if registration.aliases_last < lasts {
            // First the ways to the record, then the record: whoever finds it finds it by every name.
            registration.aliases_last = lasts + ALIASES_OUTLIVE;
            self.write_aliases(call, registration).await?;
        }
        let changes_in = registration.changes_in();
        let changes_in = if registration.left.is_empty() { changes_in } else { changes_in.min(RETRY) };
        let times = |write: Write| write.expires_in(lasts).due_in(changes_in);
        self.swap(call, key, expected, registration.encode(), times).await
    }

    async fn write_aliases(&self, call: &Call, registration: &Registration) -> Result<(), StoreError> {
        let Some(default) = registration.default_identity() else { return Ok(()) };
        let others =
            registration.identities.iter().map(|entry| &entry.identity).filter(|identity| *identity != default);
        for identity in others {
            let key = Key::new(TABLE, identity.as_str());
            let mut record = self.get(call, &key).await?;
            for attempt in 0.. {
                if attempt == ATTEMPTS {
                    return Err(StoreError::Contended);
                }
                let expected = record.as_ref().map(|record| record.version);
                let lasts = |write: Write| write.expires_in(registration.aliases_last);
                match self.swap(call, &key, expected, Entry::alias(default), lasts).await? {
                    Ok(_) => break,
                    Err(conflict) => record = conflict,
                }
            }
        }
        Ok(())
    }
}

fn decode(record: &Record) -> Result<Entry, Unreadable> {
    Entry::decode(&record.value, record.expires_in)
}

#[cfg(test)]
mod tests {
    use imscore_hss::state::MemoryState;
    use imscore_hss::{ProfileIdentity, ServiceProfile, UserProfile};
    use imscore_sip::header::{Contact, TypedHeader};

    use super::*;
    use crate::registration::Binding;
    use crate::trial::Trial;

    struct Bench {
        trial: Trial,
        state: Arc<MemoryState>,
        registrations: Registrations,
    }

    impl Bench {
        fn new() -> Bench {
            let trial = Trial::new();
            let state = Arc::new(MemoryState::new(trial.clock.clone(), 7));
            let registrations = Registrations::new(state.clone(), Duration::from_secs(2));
            Bench { trial, state, registrations }
        }

        /// The identities under which a binding of alice is found.
        fn found(&mut self) -> Vec<&'static str> {
            let is_found = |identity: &&str| {
                let call = self.trial.call("");
                let identity = identity.parse().unwrap();
                self.trial.run(self.registrations.find(&call, &identity)).unwrap().is_some()
            };
            ["sip:001@h", "sip:alice@h", "tel:+1", "tel:+2"].into_iter().filter(is_found).collect()
        }

        /// Puts bindings of these seconds in place of all that there are.
        fn bind(&mut self, identities: &[&str], seconds: &[u64]) -> Stored {
            let (profile, default, call) = (profile(identities), DEFAULT.parse().unwrap(), self.trial.call(""));
            let change = self.registrations.change(&call, &default, |found| {
                let mut next = found.unwrap_or_else(|| Registration::new("sip:s".parse().unwrap(), &profile));
                next.set_profile(&profile);
                next.bindings = seconds.iter().map(|seconds| binding(*seconds)).collect();
                Ok::<_, StoreError>(Some(next))
            });
            self.trial.run(change).unwrap().unwrap()
        }

        fn claim(&mut self) -> Vec<Stored> {
            let call = self.trial.call("");
            self.trial.run(self.registrations.claim_due(&call, 10)).unwrap()
        }

        fn forget(&mut self, stored: &Stored) -> bool {
            let call = self.trial.call("");
            self.trial.run(self.registrations.forget(&call, stored)).unwrap()
        }
    }

    const DEFAULT: &str = "sip:alice@h";
    const SET: &[&str] = &["sip:001@h", "sip:alice@h", "tel:+1"];

    fn profile(identities: &[&str]) -> UserProfile {
        let identity = |text: &&str| match *text {
            "sip:001@h" => ProfileIdentity::barred("sip:001@h".parse().unwrap()),
            other => ProfileIdentity::new(other.parse().unwrap()),
        };
        let profiles = vec![ServiceProfile::new(identities.iter().map(identity).collect())];
        UserProfile::new("alice".parse().unwrap(), profiles)
    }

    fn binding(seconds: u64) -> Binding {
        let contact = Contact::decode(&"<sip:a@192.0.2.1>".into()).unwrap();
        Binding::new("alice".parse().unwrap(), &contact, Duration::from_secs(seconds))
    }

    #[test]
    fn a_set_is_found_by_each_of_its_identities() {
        let mut bench = Bench::new();
        assert_eq!(bench.found(), [""; 0]);
        bench.bind(SET, &[60]);
        assert_eq!(bench.found(), SET);
        bench.trial.pass(Duration::from_secs(60));
        assert_eq!(bench.found(), [""; 0]);
    }

    #[test]
    fn aliases_are_written_seldom_and_last_long_enough() {
        let mut bench = Bench::new();
        let mut changes = bench.state.subscribe(TABLE);
        for _ in 0..23 {
            bench.bind(SET, &[3_600]);
            bench.trial.pass(Duration::from_secs(3_500));
            assert_eq!(bench.found(), SET);
        }
        let mut written = 0;
        while std::pin::pin!(changes.next())
            .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
            .is_ready()
        {
            written += 1;
        }
        assert_eq!(written, 23 + 2);
        for _ in 0..10 {
            bench.bind(SET, &[3_600]);
            bench.trial.pass(Duration::from_secs(3_500));
            assert_eq!(bench.found(), SET);
        }
    }

    #[test]
    fn an_identity_that_is_no_longer_of_the_set_does_not_lead_there() {
        let mut bench = Bench::new();
        bench.bind(SET, &[60]);
        bench.bind(&["sip:alice@h", "tel:+2"], &[60]);
        assert_eq!(bench.found(), ["sip:alice@h", "tel:+2"]);
    }

    #[test]
    fn what_has_run_out_is_given_to_one() {
        let mut bench = Bench::new();
        bench.bind(SET, &[60, 90]);
        assert_eq!(bench.claim(), []);
        bench.trial.pass(Duration::from_secs(60));
        let mut claimed = bench.claim();
        assert_eq!(bench.claim(), []);
        let [stored] = claimed.as_mut_slice() else { panic!("{claimed:?}") };
        assert_eq!((stored.registration.bindings.len(), stored.registration.expired.len()), (1, 1));
        let call = bench.trial.call("");
        assert!(bench.trial.run(bench.registrations.settle(&call, stored)).unwrap());
        assert_eq!(bench.found(), SET);

        bench.trial.pass(Duration::from_secs(30));
        let claimed = bench.claim();
        assert_eq!((claimed[0].registration.bindings.len(), claimed[0].registration.expired.len()), (0, 1));
        assert!(bench.forget(&claimed[0]));
        bench.trial.pass(Duration::from_secs(3_600));
        assert_eq!(bench.claim(), []);
    }

    #[test]
    fn work_that_nobody_finished_comes_again() {
        let mut bench = Bench::new();
        bench.bind(SET, &[60]);
        bench.trial.pass(Duration::from_secs(60));
        assert_eq!(bench.claim().len(), 1);
        bench.trial.pass(LEASE);
        assert_eq!(bench.claim().len(), 1);
    }

    #[test]
    fn a_set_without_bindings_is_kept_until_it_is_forgotten() {
        let mut bench = Bench::new();
        bench.bind(SET, &[60]);
        let ending = bench.bind(SET, &[]);
        assert_eq!(bench.found(), [""; 0]);
        bench.trial.pass(RETRY);
        assert_eq!(bench.claim(), std::slice::from_ref(&ending));
        assert!(bench.forget(&ending));

        let ending = bench.bind(SET, &[]);
        bench.bind(SET, &[60]);
        assert!(!bench.forget(&ending), "the user is back");
        assert_eq!(bench.found(), SET);
    }

    #[test]
    fn changes_of_two_nodes_do_not_get_lost() {
        let mut bench = Bench::new();
        bench.bind(SET, &[60]);
        let (state, call, default) = (bench.state.clone(), bench.trial.call(""), DEFAULT.parse().unwrap());
        let key = Key::new(TABLE, DEFAULT);
        let mut rounds = 0;
        let change = bench.registrations.change(&call, &default, |found| {
            rounds += 1;
            if rounds < 3 {
                // Another node is faster.
                let record = futures_now(state.get(&key)).unwrap().unwrap();
                let mut other = match decode(&record).unwrap() {
                    Entry::Set(registration) => registration,
                    Entry::Alias(_) => panic!("an alias"),
                };
                other.bindings.push(binding(60));
                let write = Write::new(Version::new(rounds), other.encode()).expires_in(Duration::from_secs(60));
                assert_eq!(futures_now(state.compare_and_swap(&key, Some(record.version), write)), Ok(Swap::Done));
            }
            let mut registration = found.unwrap();
            registration.bindings.push(binding(60));
            Ok::<_, StoreError>(Some(registration))
        });
        assert_eq!(bench.trial.run(change).unwrap().unwrap().registration.bindings.len(), 4);
        assert_eq!(rounds, 3);
    }

    /// The value of a future that waits for nothing.
    fn futures_now<T>(future: impl Future<Output = T>) -> T {
        match std::pin::pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(value) => value,
            std::task::Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn a_store_that_is_full_says_so() {
        let mut bench = Bench::new();
        let full = Arc::new(MemoryState::new(bench.trial.clock.clone(), 7).with_limit(1));
        bench.registrations = Registrations::new(full, Duration::from_secs(2));
        let (call, default) = (bench.trial.call(""), DEFAULT.parse().unwrap());
        let change = bench.registrations.change(&call, &default, |_| {
            let mut registration = Registration::new("sip:s".parse().unwrap(), &profile(SET));
            registration.bindings.push(binding(60));
            Ok::<_, StoreError>(Some(registration))
        });
        assert_eq!(bench.trial.run(change), Err(StoreError::State(StateError::Full)));
    }
}
