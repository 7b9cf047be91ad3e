//! Subscribers on disk, for one machine: what [`put`](SubscriberStore::put) has returned from is there after a crash of
//! the process or of the machine.

mod assignments;

use std::{error::Error, fmt, fs, io, ops::Bound, path::Path, sync::Arc};

use ::redb::backends::FileBackend;
use ::redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, StorageError, Table,
    TableDefinition, TableError, WriteTransaction,
};
use ::tokio::task::spawn_blocking;
use async_trait::async_trait;
use thiserror::Error;

use self::assignments::Assignments;
use super::record::{self, Record};
use crate::diameter::Origin;
use crate::store::provision::{self, Base, leave};
use crate::{
    Assignment, Listed, MAX_PAGE, PrivateIdentity, Provision, PublicIdentity, Put, ServerName, StoreError,
    SubscriberStore, Subscription, Written,
};

/// Private identity → record: of the subscription that it holds, or of whose it shares.
const SUBSCRIPTIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("subscriptions");
/// Public identity → private identity, that of the holder.
const OWNERS: TableDefinition<'_, &str, &str> = TableDefinition::new("owners");

/// Private identity → sequence number, of those who have been challenged by AKA.
const SEQUENCES: TableDefinition<'_, &str, u64> = TableDefinition::new("sequences");

/// Memory for pages of the file, in bytes.
const CACHE: usize = 64 << 20;

/// A [`SubscriberStore`] in one file. Its futures have to be polled within a tokio runtime, whose threads for blocking
/// work do the reading and writing. A write takes as long as the disk takes to make it durable.
///
/// Keys stand in it as they are, so on Unix it is readable and writable by its owner alone.
///
/// ```
/// use imscore_hss::SubscriberStore;
/// use imscore_hss::tokio::{OpenError, RedbSubscribers};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let folder = tempfile::tempdir()?;
/// let store = RedbSubscribers::open(folder.path().join("subscribers.redb"))?;
/// assert!(store.list(10, None).await?.is_empty());
/// let second = RedbSubscribers::open(folder.path().join("subscribers.redb"));
/// assert!(matches!(second, Err(OpenError::InUse)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RedbSubscribers {
    database: Arc<Database>,
    assignments: Arc<Assignments>,
}

/// Why the file could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    #[error("the subscriber base is in use by another process")]
    InUse,
    /// It cannot be created or read.
    #[error("the subscriber base cannot be opened")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl RedbSubscribers {
    /// Opens the file, or creates it where there is none; its folder has to be there. Blocks while it does.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let failed = |error: ::redb::Error| OpenError::Failed(error.into());
        let file = private_file(path.as_ref()).map_err(|error| OpenError::Failed(error.into()))?;
        let database =
            FileBackend::new(file).and_then(|file| Builder::new().set_cache_size(CACHE).create_with_backend(file));
        let database = match database {
            Ok(database) => database,
            Err(DatabaseError::DatabaseAlreadyOpen) => return Err(OpenError::InUse),
            Err(error) => return Err(failed(error.into())),
        };
        let base = Self { database: Arc::new(database), assignments: Arc::default() };
        base.create_tables().map_err(failed)?;
        Ok(base)
    }

    /// Later reads need not ask whether the tables are there.
    fn create_tables(&self) -> Result<(), ::redb::Error> {
        let transaction = self.database.begin_write()?;
        transaction.open_table(SUBSCRIPTIONS)?;
        transaction.open_table(OWNERS)?;
        transaction.open_table(SEQUENCES)?;
        assignments::create(&transaction)?;
        transaction.commit()?;
        Ok(())
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = self.database.clone();
        blocking(move || read(&database.begin_read().map_err(::redb::Error::from)?)).await
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = self.database.clone();
        blocking(move || {
            let mut transaction = database.begin_write().map_err(::redb::Error::from)?;
            // A start after a crash must not have to walk through a file of a million subscribers.
            transaction.set_quick_repair(true);
            // Dropped without commit, a transaction has changed nothing.
            let done = write(&transaction)?;
            transaction.commit().map_err(::redb::Error::from)?;
            Ok(done)
        })
        .await
    }
}

#[async_trait]
impl SubscriberStore for RedbSubscribers {
    async fn get(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        let private_identity = private_identity.clone();
        self.read(move |transaction| record_of(&transaction.open_table(SUBSCRIPTIONS)?, &private_identity)).await
    }

    async fn find(&self, public_identity: &PublicIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        let public_identity = public_identity.clone();
        self.read(move |transaction| match owner_of(&transaction.open_table(OWNERS)?, &public_identity)? {
            Some(owner) => record_of(&transaction.open_table(SUBSCRIPTIONS)?, &owner),
            None => Ok(None),
        })
        .await
    }

    async fn put(&self, provision: Provision) -> Result<Put, StoreError> {
        self.write(move |transaction| Tables::open(transaction)?.put(&provision)).await
    }

    async fn put_all(&self, provisions: Vec<Provision>) -> Result<Vec<Result<Put, StoreError>>, StoreError> {
        self.write(move |transaction| {
            let mut tables = Tables::open(transaction)?;
            let put = |provision: &Provision| match tables.put(provision) {
                Ok(put) => Ok(Ok(put)),
                Err(Failure::Store(error)) => Ok(Err(error)),
                Err(failure) => Err(failure),
            };
            provisions.iter().map(put).collect()
        })
        .await
    }

    async fn delete(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        let private_identity = private_identity.clone();
        self.write(move |transaction| {
            let mut tables = Tables::open(transaction)?;
            transaction.open_table(SEQUENCES)?.remove(private_identity.as_str())?;
            assignments::forget(transaction, &private_identity)?;
            let subscription = tables.subscription(&private_identity)?;
            if let Some(subscription) = &subscription {
                leave(&mut tables, subscription, &private_identity)?;
            }
            Ok(subscription)
        })
        .await
    }

    async fn list(&self, limit: usize, after: Option<&PrivateIdentity>) -> Result<Vec<Listed>, StoreError> {
        let after = after.cloned();
        self.read(move |transaction| {
            let subscriptions = transaction.open_table(SUBSCRIPTIONS)?;
            let start = after.as_ref().map_or(Bound::Unbounded, |after| Bound::Excluded(after.as_str()));
            let mut page = Vec::new();
            for entry in subscriptions.range::<&str>((start, Bound::Unbounded))?.take(limit.min(MAX_PAGE)) {
                let (key, record) = entry?;
                let user = identity_of(key.value())?;
                let subscription = resolve(&subscriptions, &user, record.value())?;
                page.push((user, subscription));
            }
            Ok(page)
        })
        .await
    }

    async fn advance(
        &self,
        private_identity: &PrivateIdentity,
        expected: u64,
        next: u64,
    ) -> Result<Option<u64>, StoreError> {
        let private_identity = private_identity.clone();
        self.write(move |transaction| {
            let user = private_identity.as_str();
            if transaction.open_table(SUBSCRIPTIONS)?.get(user)?.is_none() {
                return Ok(None);
            }
            let mut sequences = transaction.open_table(SEQUENCES)?;
            let found = sequences.get(user)?.map_or(0, |found| found.value());
            if found == expected {
                sequences.insert(user, next)?;
            }
            Ok(Some(found))
        })
        .await
    }

    fn assign(&self, private_identity: &PrivateIdentity, assignment: Option<&Assignment>) -> Written {
        self.assignments.write(&self.database, private_identity, assignment)
    }

    async fn assignments(&self) -> Result<Vec<(PrivateIdentity, Assignment)>, StoreError> {
        self.read(assignments::all).await
    }

    async fn keep_scscf(&self, scscf: &ServerName, node: &Origin) -> Result<(), StoreError> {
        let (scscf, node) = (scscf.clone(), node.clone());
        self.write(move |transaction| assignments::keep_scscf(transaction, &scscf, &node)).await
    }

    async fn scscfs(&self) -> Result<Vec<(ServerName, Origin)>, StoreError> {
        self.read(assignments::scscfs).await
    }
}

/// Opens or makes the file: for its owner alone, also where it was there for others.
fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let file = options.mode(0o600).open(path)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

impl fmt::Debug for RedbSubscribers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbSubscribers").finish_non_exhaustive()
    }
}

/// Why a transaction did not come to its end.
#[derive(Debug)]
enum Failure {
    Store(StoreError),
    Base(::redb::Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<::redb::Error> for Failure {
    fn from(error: ::redb::Error) -> Self {
        Self::Base(error)
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Base(error.into())
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        Self::Base(error.into())
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error,
            Failure::Base(error) => StoreError::Failed(Arc::new(error)),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, StoreError> {
    match spawn_blocking(work).await {
        Ok(done) => done.map_err(StoreError::from),
        Err(error) => Err(StoreError::Failed(Arc::new(error))),
    }
}

/// The tables of subscriptions, within a transaction that writes.
struct Tables<'a> {
    subscriptions: Table<'a, &'static str, &'static [u8]>,
    owners: Table<'a, &'static str, &'static str>,
}

impl<'a> Tables<'a> {
    fn open(transaction: &'a WriteTransaction) -> Result<Self, Failure> {
        Ok(Self { subscriptions: transaction.open_table(SUBSCRIPTIONS)?, owners: transaction.open_table(OWNERS)? })
    }

    fn put(&mut self, provision: &Provision) -> Result<Put, Failure> {
        let user = provision.private_identity();
        let earlier = match self.subscription(user) {
            // The way to repair a damaged record is to write it anew.
            Err(Failure::Store(StoreError::Unreadable { .. })) => {
                self.owners.retain(|_, owner| owner != user.as_str())?;
                self.subscriptions.remove(user.as_str())?;
                None
            }
            earlier => earlier?,
        };
        provision::put(self, earlier, provision)
    }
}

impl Base for Tables<'_> {
    type Error = Failure;

    fn subscription(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, Failure> {
        record_of(&self.subscriptions, private_identity)
    }

    fn owner(&self, public_identity: &PublicIdentity) -> Result<Option<PrivateIdentity>, Failure> {
        owner_of(&self.owners, public_identity)
    }

    fn replace(&mut self, earlier: Option<&Subscription>, later: Option<Arc<Subscription>>) -> Result<(), Failure> {
        if let Some(earlier) = earlier {
            for identity in earlier.public_identities() {
                self.owners.remove(identity.as_str())?;
            }
            for user in earlier.private_identities() {
                self.subscriptions.remove(user.as_str())?;
            }
        }
        let Some(later) = later else { return Ok(()) };
        let holder = later.private_identity();
        for identity in later.public_identities() {
            self.owners.insert(identity.as_str(), holder.as_str())?;
        }
        let record = record::encode(&later).map_err(|error| StoreError::Failed(Arc::new(error)))?;
        self.subscriptions.insert(holder.as_str(), record.as_slice())?;
        for user in later.private_identities().filter(|user| *user != holder) {
            let record = record::encode_share(holder).map_err(|error| StoreError::Failed(Arc::new(error)))?;
            self.subscriptions.insert(user.as_str(), record.as_slice())?;
        }
        Ok(())
    }
}

fn record_of(
    subscriptions: &impl ReadableTable<&'static str, &'static [u8]>,
    private_identity: &PrivateIdentity,
) -> Result<Option<Arc<Subscription>>, Failure> {
    match subscriptions.get(private_identity.as_str())? {
        Some(record) => Ok(Some(resolve(subscriptions, private_identity, record.value())?)),
        None => Ok(None),
    }
}

/// The subscription that a record is of, or the one that it says is shared.
fn resolve(
    subscriptions: &impl ReadableTable<&'static str, &'static [u8]>,
    private_identity: &PrivateIdentity,
    record: &[u8],
) -> Result<Arc<Subscription>, Failure> {
    let unreadable = || StoreError::Unreadable { private_identity: private_identity.clone() };
    let holder = match record::decode(private_identity, record).ok_or_else(unreadable)? {
        Record::Holds(subscription) => return Ok(Arc::new(*subscription)),
        Record::Shares(holder) => holder,
    };
    let shared = subscriptions.get(holder.as_str())?.and_then(|record| record::decode(&holder, record.value()));
    match shared {
        Some(Record::Holds(shared)) if shared.credentials_of(private_identity).is_some() => Ok(Arc::new(*shared)),
        Some(Record::Holds(_) | Record::Shares(_)) | None => Err(unreadable().into()),
    }
}

fn owner_of(
    owners: &impl ReadableTable<&'static str, &'static str>,
    public_identity: &PublicIdentity,
) -> Result<Option<PrivateIdentity>, Failure> {
    match owners.get(public_identity.as_str())? {
        Some(owner) => Ok(Some(identity_of(owner.value())?)),
        None => Ok(None),
    }
}

fn identity_of(text: &str) -> Result<PrivateIdentity, Failure> {
    text.parse().map_err(|_| StorageError::Corrupted("a key is no private identity".to_owned()).into())
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        env,
        io::{BufRead, BufReader},
        process::{Command, Stdio},
    };

    use super::*;
    use crate::vector::{AkaCredentials, Milenage};
    use crate::{
        AssignmentState, Credentials, DigestCredentials, Hss, HssCache, MultimediaAuth, MultimediaAuthRequest,
        store::contract,
    };

    fn subscription(user: &str, identity: &str) -> Arc<Subscription> {
        let user: PrivateIdentity = user.parse().unwrap();
        let digest = DigestCredentials::from_password(&user, "ims.example", "secret").unwrap();
        Arc::new(Subscription::new(user, [identity.parse().unwrap()], Credentials::Digest(digest)).unwrap())
    }

    #[::tokio::test]
    async fn keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        contract::check(&RedbSubscribers::open(folder.path().join("base")).unwrap()).await;
    }

    #[::tokio::test]
    async fn keeps_assignments() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base");
        contract::check_assignments(&RedbSubscribers::open(&path).unwrap()).await;
        let base = RedbSubscribers::open(&path).unwrap();
        assert_eq!(base.scscfs().await.unwrap().len(), 1, "over a restart");
    }

    /// More at a time than one transaction a write would allow, each as it was last called.
    #[::tokio::test]
    async fn assignments_of_one_moment_are_written_together() {
        let folder = tempfile::tempdir().unwrap();
        let base = RedbSubscribers::open(folder.path().join("base")).unwrap();
        let name = |n: usize| format!("sip:scscf{n}.ims.example").parse().unwrap();
        let users: Vec<PrivateIdentity> = (0..2_000).map(|n| format!("user{n}").parse().unwrap()).collect();
        let mut writes = Vec::new();
        for turn in 0..2 {
            for user in &users {
                writes.push(base.assign(user, Some(&Assignment::new(name(turn), AssignmentState::Registered))));
            }
        }
        for write in writes {
            write.await.unwrap();
        }
        let kept = base.assignments().await.unwrap();
        assert_eq!(kept.len(), users.len());
        assert!(kept.iter().all(|(_, kept)| kept.server_name == name(1)));
        let transactions = base.assignments.transactions.load(std::sync::atomic::Ordering::Relaxed);
        assert!(transactions < 100, "{transactions}");
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_for_the_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        drop(RedbSubscribers::open(&path).unwrap());
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        drop(RedbSubscribers::open(&path).unwrap());
        assert_eq!(mode(), 0o600, "one that was there as well");
    }

    #[::tokio::test]
    async fn survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base");
        let alice = subscription("alice", "tel:+1");
        let base = RedbSubscribers::open(&path).unwrap();
        assert!(base.put(alice.clone().into()).await.is_ok());
        assert!(matches!(RedbSubscribers::open(&path), Err(OpenError::InUse)));
        drop(base);
        let base = RedbSubscribers::open(&path).unwrap();
        assert_eq!(base.find(&"tel:+1".parse().unwrap()).await.unwrap(), Some(alice));
    }

    #[test]
    fn what_cannot_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base");
        std::fs::write(&path, "something else").unwrap();
        assert!(matches!(RedbSubscribers::open(&path), Err(OpenError::Failed(_))));
        assert!(matches!(RedbSubscribers::open(folder.path().join("no/folder")), Err(OpenError::Failed(_))));
    }

    #[::tokio::test]
    async fn damaged_record_can_be_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let base = RedbSubscribers::open(folder.path().join("base")).unwrap();
        assert!(base.put(subscription("alice", "tel:+1").into()).await.is_ok());
        let damage = base.write(|transaction| {
            transaction.open_table(SUBSCRIPTIONS)?.insert("alice", &b"\xff"[..])?;
            Ok(())
        });
        damage.await.unwrap();
        let alice: PrivateIdentity = "alice".parse().unwrap();
        for error in [
            base.get(&alice).await.unwrap_err(),
            base.find(&"tel:+1".parse().unwrap()).await.unwrap_err(),
            base.delete(&alice).await.unwrap_err(),
            base.list(1, None).await.unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::Unreadable { private_identity } if private_identity == alice));
        }
        assert_eq!(base.put(subscription("alice", "tel:+2").into()).await.unwrap(), Put::Created);
        assert_eq!(base.put(subscription("bob", "tel:+1").into()).await.unwrap(), Put::Created, "no longer of Alice");
    }

    const CHILD: &str = "IMSCORE_HSS_TEST_BASE";
    const ACKNOWLEDGED: usize = 20;

    /// Starts this same test as another process, which writes subscribers and says so after each, and kills it while it
    /// does.
    #[test]
    fn survives_kill_nine() {
        if let Ok(path) = env::var(CHILD) {
            return write_for_ever(&path);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base");
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "tokio::redb::tests::survives_kill_nine", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = lines.map(Result::unwrap).filter(|line| line.contains("wrote")).take(ACKNOWLEDGED).count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(acknowledged, ACKNOWLEDGED);

        let base = RedbSubscribers::open(&path).unwrap();
        let runtime = ::tokio::runtime::Builder::new_current_thread().build().unwrap();
        for number in 0..acknowledged {
            let identity = format!("tel:+{number}").parse().unwrap();
            let found = runtime.block_on(base.find(&identity)).unwrap();
            assert_eq!(found, Some(subscription(&format!("user{number}"), &format!("tel:+{number}"))));
        }
    }

    const HSS: &str = "IMSCORE_HSS_TEST_VECTORS";

    /// Starts this same test as another process, which challenges one user for ever, kills it between a reservation and
    /// the end of its block, and does it again. A challenge that came twice would be of a sequence number used twice.
    #[test]
    fn no_sequence_number_comes_again_after_kill_nine() {
        if let Ok(path) = env::var(HSS) {
            return challenge_for_ever(&path);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base");
        let credentials = Credentials::Aka(AkaCredentials::new(Milenage::new(&[1; 16], &[2; 16]), [0x80, 0]));
        let alice = Subscription::new("alice".parse().unwrap(), ["tel:+1".parse().unwrap()], credentials).unwrap();
        let runtime = ::tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(RedbSubscribers::open(&path).unwrap().put(alice.into())).unwrap();
        let mut challenges = BTreeSet::new();
        for turn in 1..=3 {
            let mut child = Command::new(env::current_exe().unwrap())
                .args(["--exact", "tokio::redb::tests::no_sequence_number_comes_again_after_kill_nine", "--nocapture"])
                .env(HSS, &path)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
            challenges.extend(lines.filter(|line| line.starts_with("challenge")).take(50));
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(challenges.len(), turn * 50);
        }
    }

    #[test]
    fn no_sequence_number_is_given_to_two_threads() {
        let folder = tempfile::tempdir().unwrap();
        let base = RedbSubscribers::open(folder.path().join("base")).unwrap();
        let runtime = || ::tokio::runtime::Builder::new_current_thread().build().unwrap();
        let hss = runtime().block_on(Hss::open(base, [0; 32])).unwrap();
        let credentials = Credentials::Aka(AkaCredentials::new(Milenage::new(&[1; 16], &[2; 16]), [0x80, 0]));
        let alice = Subscription::new("alice".parse().unwrap(), ["tel:+1".parse().unwrap()], credentials).unwrap();
        runtime().block_on(hss.put(alice)).unwrap();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let hss = hss.clone();
                std::thread::spawn(move || {
                    let scscf = "sip:scscf.ims.example".parse().unwrap();
                    let mut request =
                        MultimediaAuthRequest::new("alice".parse().unwrap(), "tel:+1".parse().unwrap(), scscf);
                    request.count = 3;
                    let ask = |_| runtime().block_on(hss.multimedia_auth(&request)).unwrap();
                    (0..20).map(ask).collect::<Vec<_>>()
                })
            })
            .collect();
        let answers = threads.into_iter().flat_map(|thread| thread.join().unwrap());
        let challenges: Vec<_> = answers
            .flat_map(|answer| match answer {
                MultimediaAuth::Aka(vectors) => vectors.into_iter().map(|vector| vector.rand),
                MultimediaAuth::Digest(_) => panic!("vectors"),
            })
            .collect();
        let distinct: BTreeSet<_> = challenges.iter().collect();
        assert_eq!((challenges.len(), distinct.len()), (8 * 20 * 3, 8 * 20 * 3));
    }

    fn challenge_for_ever(path: &str) {
        let runtime = ::tokio::runtime::Builder::new_current_thread().build().unwrap();
        let hss = runtime.block_on(Hss::open(RedbSubscribers::open(path).unwrap(), [0; 32])).unwrap();
        let (private, scscf) = ("alice".parse().unwrap(), "sip:scscf.ims.example".parse().unwrap());
        let request = MultimediaAuthRequest::new(private, "tel:+1".parse().unwrap(), scscf);
        for _ in 0..10_000 {
            let MultimediaAuth::Aka(vectors) = runtime.block_on(hss.multimedia_auth(&request)).unwrap() else {
                panic!("vectors");
            };
            println!("\nchallenge {:?}", vectors[0].rand);
        }
    }

    fn write_for_ever(path: &str) {
        let base = RedbSubscribers::open(path).unwrap();
        let runtime = ::tokio::runtime::Builder::new_current_thread().build().unwrap();
        for number in 0..10_000 {
            let subscription = subscription(&format!("user{number}"), &format!("tel:+{number}"));
            runtime.block_on(base.put(subscription.into())).unwrap();
            println!("\nwrote {number}");
        }
    }
}
