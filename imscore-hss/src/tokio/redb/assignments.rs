//! Who is at which S-CSCF, and where each S-CSCF is found.
//!
//! A phone that registers waits for the disk. So writes that come while the disk is busy go into one transaction
//! together, which is what carries a registration storm; their order is that of the calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ::redb::{Database, ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use ::tokio::sync::oneshot;
use ::tokio::task::spawn_blocking;
use serde::{Deserialize, Serialize};

use super::{Failure, identity_of};
use crate::diameter::Origin;
use crate::{Assignment, AssignmentState, PrivateIdentity, ServerName, StoreError, Written, lock};

/// Private identity → record.
const ASSIGNMENTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("assignments");
/// Name of an S-CSCF → Origin-Host, Origin-Realm.
const SCSCFS: TableDefinition<'_, &str, (&str, &str)> = TableDefinition::new("scscfs");

/// What waits for the disk.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    waiting: Mutex<Waiting>,
    /// Transactions that were made of them.
    pub(super) transactions: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    writes: Vec<Write>,
    /// Somebody is at it, and looks again before it ends.
    busy: bool,
}

#[derive(Debug)]
struct Write {
    user: PrivateIdentity,
    assignment: Option<Assignment>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    server_name: ServerName,
    registered: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<ServerName>,
}

impl Assignments {
    /// Needs a runtime around it.
    pub(super) fn write(
        self: &Arc<Self>,
        database: &Arc<Database>,
        user: &PrivateIdentity,
        assignment: Option<&Assignment>,
    ) -> Written {
        let (done, written) = oneshot::channel();
        let idle = {
            let mut waiting = lock(&self.waiting);
            waiting.writes.push(Write { user: user.clone(), assignment: assignment.cloned(), done });
            !std::mem::replace(&mut waiting.busy, true)
        };
        if idle {
            let (all, database) = (self.clone(), database.clone());
            spawn_blocking(move || all.write_out(database));
        }
        Box::pin(async {
            let gone = || StoreError::Failed(Arc::new(std::io::Error::other("the process is ending")));
            written.await.unwrap_or_else(|_| Err(gone()))
        })
    }

    fn write_out(&self, database: Arc<Database>) {
        let (mut database, mut writes) = (Some(database), self.take());
        while let Some(base) = database.take() {
            self.transactions.fetch_add(1, Ordering::Relaxed);
            let result = write_together(&base, &writes).map_err(StoreError::from);
            let next = self.take();
            // Whoever is answered may close the base and open it again at once: the last hold on it goes before.
            database = (!next.is_empty()).then_some(base);
            for write in std::mem::replace(&mut writes, next) {
                // Who no longer waits has its write all the same.
                let _ = write.done.send(result.clone());
            }
        }
    }

    /// What waits by now; with nothing, the next write begins anew.
    fn take(&self) -> Vec<Write> {
        let mut waiting = lock(&self.waiting);
        waiting.busy = !waiting.writes.is_empty();
        std::mem::take(&mut waiting.writes)
    }
}

fn write_together(database: &Database, writes: &[Write]) -> Result<(), Failure> {
    let mut transaction = database.begin_write().map_err(::redb::Error::from)?;
    transaction.set_quick_repair(true);
    {
        let mut table = transaction.open_table(ASSIGNMENTS)?;
        for Write { user, assignment, .. } in writes {
            match assignment {
                Some(assignment) => table.insert(user.as_str(), encode(assignment)?.as_slice())?,
                None => table.remove(user.as_str())?,
            };
        }
    }
    transaction.commit().map_err(::redb::Error::from)?;
    Ok(())
}

pub(super) fn create(transaction: &WriteTransaction) -> Result<(), ::redb::Error> {
    transaction.open_table(ASSIGNMENTS)?;
    transaction.open_table(SCSCFS)?;
    Ok(())
}

pub(super) fn forget(transaction: &WriteTransaction, user: &PrivateIdentity) -> Result<(), Failure> {
    transaction.open_table(ASSIGNMENTS)?.remove(user.as_str())?;
    Ok(())
}

/// One that cannot be read is left out: its user registers anew.
pub(super) fn all(transaction: &ReadTransaction) -> Result<Vec<(PrivateIdentity, Assignment)>, Failure> {
    let mut found = Vec::new();
    for entry in transaction.open_table(ASSIGNMENTS)?.iter()? {
        let (user, record) = entry?;
        if let Some(assignment) = decode(record.value()) {
            found.push((identity_of(user.value())?, assignment));
        }
    }
    Ok(found)
}

pub(super) fn keep_scscf(transaction: &WriteTransaction, scscf: &ServerName, node: &Origin) -> Result<(), Failure> {
    transaction.open_table(SCSCFS)?.insert(scscf.as_str(), (node.host.as_str(), node.realm.as_str()))?;
    Ok(())
}

pub(super) fn scscfs(transaction: &ReadTransaction) -> Result<Vec<(ServerName, Origin)>, Failure> {
    let mut found = Vec::new();
    for entry in transaction.open_table(SCSCFS)?.iter()? {
        let (scscf, node) = entry?;
        let (host, realm) = node.value();
        if let Ok(scscf) = scscf.value().parse() {
            found.push((scscf, Origin::new(host, realm)));
        }
    }
    Ok(found)
}

/// A byte of version, then JSON, as subscriptions are written.
fn encode(assignment: &Assignment) -> Result<Vec<u8>, StoreError> {
    let record = Record {
        server_name: assignment.server_name.clone(),
        registered: match assignment.state {
            AssignmentState::Registered => true,
            AssignmentState::Unregistered => false,
        },
        before: assignment.before.clone(),
    };
    let mut bytes = vec![1];
    serde_json::to_writer(&mut bytes, &record).map_err(|error| StoreError::Failed(Arc::new(error)))?;
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Option<Assignment> {
    let (1, json) = bytes.split_first()? else { return None };
    let record: Record = serde_json::from_slice(json).ok()?;
    let state = if record.registered { AssignmentState::Registered } else { AssignmentState::Unregistered };
    Some(Assignment { server_name: record.server_name, state, before: record.before })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first record format, as it will be found on disks: it has to be read for good.
    #[test]
    fn version_one() {
        let read = decode(b"\x01{\"server_name\":\"sip:a\",\"registered\":true,\"of a later version\":1}").unwrap();
        assert_eq!(read, Assignment::new("sip:a".parse().unwrap(), AssignmentState::Registered));
        for damaged in [&b""[..], b"\x01", b"\x02{\"server_name\":\"sip:a\",\"registered\":true}", b"\x01{}"] {
            assert_eq!(decode(damaged), None);
        }
    }
}
