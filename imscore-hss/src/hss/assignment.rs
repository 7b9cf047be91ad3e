//! What outlives the process: at which S-CSCF a user is, and where that S-CSCF is found.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::diameter::Origin;
use crate::{ServerName, StoreError, SubscriberStore, lock};

/// S-CSCFs whose Diameter node is remembered, at most.
const MAX_SCSCFS: usize = 1024;

/// The S-CSCF of a user.
///
/// ```
/// use imscore_hss::{Assignment, AssignmentState, MemorySubscribers, ScscfNodes, SubscriberStore};
///
/// # futures_executor::block_on(async {
/// // What outlives the process: which S-CSCF a user is at.
/// let store = MemorySubscribers::default();
/// let assignment = Assignment::new("sip:scscf.ims.example".parse()?, AssignmentState::Registered);
/// store.assign(&"alice@ims.example".parse()?, Some(&assignment)).await?;
/// assert_eq!(store.assignments().await?.len(), 0, "nobody has that name");
///
/// // And where an S-CSCF is, as a Diameter node.
/// let nodes = ScscfNodes::default();
/// assert_eq!(nodes.get(&assignment.server_name), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assignment {
    /// Its name.
    pub server_name: ServerName,
    /// For what it has the user.
    pub state: AssignmentState,
    /// The S-CSCF that had the user before, while this one has challenged it and not yet registered it.
    pub before: Option<ServerName>,
}

/// For what an S-CSCF has a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssignmentState {
    /// The user is registered.
    Registered,
    /// The S-CSCF keeps the profile for services of a user that is not registered.
    Unregistered,
}

impl Assignment {
    /// Nobody had the user before.
    pub fn new(server_name: ServerName, state: AssignmentState) -> Assignment {
        Assignment { server_name, state, before: None }
    }
}

/// The Diameter node of each S-CSCF, as its requests have named it: where an announcement goes. Clones are the same.
#[derive(Clone, Default)]
pub struct ScscfNodes {
    nodes: Arc<Mutex<BTreeMap<ServerName, Origin>>>,
    /// Where they are kept; nowhere by default.
    store: Option<Arc<dyn SubscriberStore>>,
    lost: Arc<AtomicU64>,
}

impl ScscfNodes {
    pub(super) fn new(kept: Vec<(ServerName, Origin)>, store: Arc<dyn SubscriberStore>) -> ScscfNodes {
        ScscfNodes { nodes: Arc::new(Mutex::new(kept.into_iter().collect())), store: Some(store), lost: Arc::default() }
    }

    /// The node of an S-CSCF, where it has ever asked.
    pub fn get(&self, scscf: &ServerName) -> Option<Origin> {
        lock(&self.nodes).get(scscf).cloned()
    }

    /// Remembers a node, and keeps it if it is another one than before. Of 1,024 S-CSCFs at most: peers have few, and a
    /// name costs one nothing.
    ///
    /// # Errors
    /// The subscriber base failed; it is remembered all the same.
    pub async fn learn(&self, scscf: ServerName, node: Origin) -> Result<(), StoreError> {
        {
            let mut nodes = lock(&self.nodes);
            let known = nodes.get(&scscf);
            if known == Some(&node) || known.is_none() && nodes.len() >= MAX_SCSCFS {
                return Ok(());
            }
            nodes.insert(scscf.clone(), node.clone());
        }
        match &self.store {
            Some(store) => store.keep_scscf(&scscf, &node).await,
            None => Ok(()),
        }
    }

    /// Announcements, of those that `tokio::serve_cx` carries, that did not reach their S-CSCF: it has
    /// never asked, is not connected, or has not answered. Nobody says them again.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for ScscfNodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScscfNodes")
            .field("nodes", &*lock(&self.nodes))
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;

    #[test]
    fn a_node_is_learnt_once_and_changed_and_there_is_an_end_of_them() {
        let nodes = ScscfNodes::default();
        let name = |n: usize| format!("sip:scscf{n}.ims.example").parse::<ServerName>().unwrap();
        let learn = |n, host: &str| block_on(nodes.learn(name(n), Origin::new(host, "ims.example"))).unwrap();
        for n in 0..MAX_SCSCFS + 1 {
            learn(n, "a");
        }
        assert_eq!(nodes.get(&name(MAX_SCSCFS - 1)), Some(Origin::new("a", "ims.example")));
        assert_eq!(nodes.get(&name(MAX_SCSCFS)), None);
        learn(0, "b");
        assert_eq!(nodes.get(&name(0)), Some(Origin::new("b", "ims.example")), "one that is known may move");
    }
}
