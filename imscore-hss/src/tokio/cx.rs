//! Cx over Diameter: an HSS elsewhere as a [`HssCache`], and a [`HssCache`] as an HSS for others.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::tokio::runtime::Handle;
use ::tokio::sync::{Semaphore, watch};
use ::tokio::task::{JoinHandle, JoinSet};
use ::tokio::time::timeout;
use async_trait::async_trait;
use bytes::Bytes;

use super::diameter::{AskError, Asked, Diameter, Requests};
use crate::cx::question::{self, Asker};
use crate::cx::{announcement, server};
use crate::diameter::dictionary as avp;
use crate::diameter::{CommandCode, Message, Origin};
use crate::peer::{NoPeer, Obstacle, SendError};
use crate::state::{Clock, MemoryState, StateStore};
use crate::{
    AssignmentType, HssCache, HssError, HssEvent, HssEventSource, HssEvents, LocationInfo, LocationInfoRequest,
    MultimediaAuth, MultimediaAuthRequest, ProfileCache, ProfileTimes, ScscfNodes, ServerAssignment,
    ServerAssignmentRequest, ServerName, UserAuthorization, UserAuthorizationRequest, lock,
};

/// Requests that are worked on at once.
const AT_ONCE: usize = 1024;

/// How an HSS elsewhere is asked.
#[derive(Clone)]
#[non_exhaustive]
pub struct CxSettings {
    /// The realm of the HSS.
    pub realm: String,
    /// The HSS itself, where it is to be no other.
    pub host: Option<String>,
    /// The S-CSCF that its announcements are for.
    pub scscf: ServerName,
    /// How long an answer may take; 5 s.
    pub timeout: Duration,
    /// Where profiles are remembered, for the whole pool of an S-CSCF; in process where there is none.
    pub state: Option<Arc<dyn StateStore>>,
    /// For how long they are.
    pub profiles: ProfileTimes,
}

impl CxSettings {
    /// Asks whatever HSS of the realm.
    pub fn new(realm: impl Into<String>, scscf: ServerName) -> CxSettings {
        CxSettings {
            realm: realm.into(),
            host: None,
            scscf,
            timeout: Duration::from_secs(5),
            state: None,
            profiles: ProfileTimes::default(),
        }
    }
}

/// An HSS elsewhere.
///
/// ```no_run
/// use imscore_hss::diameter::{ApplicationId, Origin, dictionary::TGPP};
/// use imscore_hss::peer::{PeerSettings, Settings};
/// use imscore_hss::tokio::{CxHss, CxSettings, Diameter};
///
/// # async fn connect() -> Result<CxHss, Box<dyn std::error::Error>> {
/// let hss = PeerSettings::connect("hss.ims.example", "ims.example", "192.0.2.1:3868");
/// let origin = Origin::new("scscf.ims.example", "ims.example");
/// let (node, requests) = Diameter::start(Settings::new(origin, vec![(TGPP, ApplicationId::CX)], vec![hss]), None).await?;
/// Ok(CxHss::new(node, requests, CxSettings::new("ims.example", "sip:scscf.ims.example".parse()?)))
/// # }
/// ```
///
/// Profiles are remembered, and a refresh is told to the HSS only now and then: see [`ProfileCache`].
///
/// Questions that are the same, change nothing and are under way at the same time are asked once. A question that others
/// may have joined is asked to its end, even where nobody waits any more.
#[derive(Clone)]
pub struct CxHss {
    shared: Arc<Shared>,
}

struct Shared {
    node: Diameter,
    asker: Asker,
    timeout: Duration,
    profiles: Arc<ProfileCache>,
    events: Arc<HssEventSource>,
    runtime: Handle,
    /// Answers under way, by the question without its session.
    under_way: Mutex<BTreeMap<Bytes, watch::Receiver<Answer>>>,
    sessions: Sessions,
    /// What runs beside: who listens, and time for a store in process.
    tasks: Vec<JoinHandle<()>>,
}

type Answer = Option<Result<Message, HssError>>;

impl CxHss {
    /// Asks over `node`, and takes what the HSS says unasked from `requests`. Needs a runtime around it.
    pub fn new(node: Diameter, requests: Requests, settings: CxSettings) -> CxHss {
        let events = Arc::new(HssEventSource::default());
        let mut asker = Asker::new(node.origin().clone(), settings.realm);
        asker.host = settings.host;
        let mut tasks = Vec::new();
        let state = settings.state.unwrap_or_else(|| {
            let clock = Clock::new(super::wall_clock());
            tasks.push(::tokio::spawn(super::keep_time(clock.clone())));
            Arc::new(MemoryState::new(clock, random()))
        });
        let profiles = Arc::new(ProfileCache::new(state, settings.profiles, random()));
        let sessions = Sessions::new(&node.origin().host);
        let listener = Listener {
            node: node.clone(),
            profiles: profiles.clone(),
            timeout: settings.timeout,
            events: events.clone(),
            scscf: settings.scscf,
        };
        tasks.push(::tokio::spawn(listener.run(requests)));
        CxHss {
            shared: Arc::new(Shared {
                node,
                asker,
                timeout: settings.timeout,
                profiles,
                events,
                runtime: Handle::current(),
                under_way: Mutex::default(),
                sessions,
                tasks,
            }),
        }
    }

    /// Asks, once where others ask the same.
    async fn ask_together(&self, write: impl Fn(&str) -> Result<Message, HssError>) -> Result<Message, HssError> {
        let key = write("-")?.bytes().clone();
        let mut answer = {
            let mut under_way = lock(&self.shared.under_way);
            match under_way.get(&key) {
                Some(answer) => answer.clone(),
                None => {
                    let request = write(&self.shared.sessions.next())?;
                    let (done, answer) = watch::channel(None);
                    under_way.insert(key.clone(), answer.clone());
                    let shared = self.shared.clone();
                    self.shared.runtime.spawn(async move {
                        let result = shared.ask(request).await;
                        lock(&shared.under_way).remove(&key);
                        let _ = done.send(Some(result));
                    });
                    answer
                }
            }
        };
        let answer = answer.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone());
        answer.unwrap_or(Err(HssError::Unreachable))
    }
}

impl Shared {
    async fn ask(&self, request: Message) -> Result<Message, HssError> {
        self.node.ask(request, self.timeout).await.map_err(|error| hss_error(&error))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// An HSS that asks for less is busy; one that is not there is not.
fn hss_error(error: &AskError) -> HssError {
    let overloaded =
        |no_peer: &NoPeer| no_peer.peers.iter().any(|(_, obstacle)| matches!(obstacle, Obstacle::Overloaded(_)));
    match error {
        AskError::NotSent(SendError::NoPeer(no_peer)) if overloaded(no_peer) => HssError::Busy { retry_after: None },
        AskError::NotSent(SendError::TooMany) => HssError::Busy { retry_after: None },
        AskError::NotSent(SendError::NoPeer(_)) | AskError::NotAnswered(_) | AskError::Stopped => HssError::Unreachable,
    }
}

#[async_trait]
impl HssCache for CxHss {
    async fn user_authorization(&self, request: &UserAuthorizationRequest) -> Result<UserAuthorization, HssError> {
        let asker = &self.shared.asker;
        let answer = self.ask_together(|session| asker.user_authorization(session, request)).await?;
        question::user_authorization(&answer)
    }

    async fn multimedia_auth(&self, request: &MultimediaAuthRequest) -> Result<MultimediaAuth, HssError> {
        let session = self.shared.sessions.next();
        let asked = self.shared.asker.multimedia_auth(&session, request)?;
        question::multimedia_auth(&self.shared.ask(asked).await?, request)
    }

    async fn server_assignment(&self, request: &ServerAssignmentRequest) -> Result<ServerAssignment, HssError> {
        let ask = async {
            let question = |session: &str| self.shared.asker.server_assignment(session, request);
            // To join one that changes something would be to miss what has happened since it was asked.
            let answer = match request.assignment {
                AssignmentType::NoAssignment | AssignmentType::UnregisteredUser => self.ask_together(question).await?,
                AssignmentType::Registration
                | AssignmentType::ReRegistration
                | AssignmentType::TimeoutDeregistration
                | AssignmentType::UserDeregistration
                | AssignmentType::TimeoutDeregistrationStoreServerName
                | AssignmentType::UserDeregistrationStoreServerName
                | AssignmentType::AdministrativeDeregistration
                | AssignmentType::AuthenticationFailure
                | AssignmentType::AuthenticationTimeout
                | AssignmentType::DeregistrationTooMuchData => {
                    self.shared.ask(question(&self.shared.sessions.next())?).await?
                }
            };
            question::server_assignment(&answer, request)
        };
        self.shared.profiles.server_assignment(request, ask).await
    }

    async fn location_info(&self, request: &LocationInfoRequest) -> Result<LocationInfo, HssError> {
        let asker = &self.shared.asker;
        let answer = self.ask_together(|session| asker.location_info(session, request)).await?;
        question::location_info(&answer)
    }

    fn events(&self) -> HssEvents {
        self.shared.events.subscribe()
    }
}

/// Announces what the HSS says unasked, and answers it.
struct Listener {
    node: Diameter,
    profiles: Arc<ProfileCache>,
    timeout: Duration,
    events: Arc<HssEventSource>,
    scscf: ServerName,
}

impl Listener {
    async fn run(self, mut requests: Requests) {
        while let Some(Asked { ticket, request, .. }) = requests.next().await {
            let (heard, answer) = announcement::announced(&request, &self.scscf, self.node.origin());
            if let Some(event) = heard {
                // A store that does not answer keeps nobody from hearing of it.
                let completed = timeout(self.timeout, self.profiles.heard(event.clone())).await;
                let events = completed.unwrap_or_else(|_| vec![event]);
                events.iter().for_each(|event| self.events.announce(event));
            }
            if let Ok(answer) = Message::parse(answer) {
                self.node.answer(ticket, answer).await;
            }
        }
    }
}

/// Answers the requests of CSCFs from an HSS, and tells them what it says unasked, until the node is stopped.
///
/// An S-CSCF is told at the Diameter node that last asked under its name: `scscfs` has it, that of the HSS
/// ([`Hss::scscf_nodes`](crate::Hss::scscf_nodes)) over a restart.
pub async fn serve_cx<H: HssCache + 'static>(node: Diameter, mut requests: Requests, hss: H, scscfs: ScscfNodes) {
    let hss = Arc::new(hss);
    let mut tasks = JoinSet::new();
    let telling = tasks.spawn(tell(node.clone(), hss.events(), scscfs.clone()));
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(Asked { ticket, request, .. }) = requests.next().await {
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let (hss, node, scscfs) = (hss.clone(), node.clone(), scscfs.clone());
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            learn(&scscfs, &request).await;
            let answer = server::answer(&*hss, &request, node.origin()).await;
            if let Ok(answer) = Message::parse(answer) {
                node.answer(ticket, answer).await;
            }
            drop(place);
        });
    }
    telling.abort();
    while tasks.join_next().await.is_some() {}
}

/// A name that cannot be kept is known until the process ends; the answer need not wait for a better store.
async fn learn(scscfs: &ScscfNodes, request: &Message) {
    let command = request.header().command;
    if command != CommandCode::SERVER_ASSIGNMENT && command != CommandCode::MULTIMEDIA_AUTH {
        return;
    }
    let names = (request.text(&avp::SERVER_NAME), request.text(&avp::ORIGIN_HOST), request.text(&avp::ORIGIN_REALM));
    if let (Some(scscf), Some(host), Some(realm)) = names
        && let Ok(scscf) = scscf.parse()
    {
        let _ = scscfs.learn(scscf, Origin::new(host, realm)).await;
    }
}

async fn tell(node: Diameter, mut events: HssEvents, scscfs: ScscfNodes) {
    let sessions = Sessions::new(&node.origin().host);
    while let Some(event) = events.next().await {
        let Some(to) = scscfs.get(event.server_name()) else {
            lost(&scscfs, &event, &"it has never asked");
            continue;
        };
        let request = announcement::announce(&event, &sessions.next(), node.origin(), (&to.host, &to.realm));
        let request = match request.map(Message::parse) {
            Ok(Ok(request)) => request,
            Ok(Err(error)) => {
                lost(&scscfs, &event, &error);
                continue;
            }
            Err(error) => {
                lost(&scscfs, &event, &error);
                continue;
            }
        };
        let (node, scscfs) = (node.clone(), scscfs.clone());
        ::tokio::spawn(async move {
            if let Err(error) = node.ask(request, Duration::from_secs(10)).await {
                lost(&scscfs, &event, &error);
            }
        });
    }
}

/// Names the S-CSCF, and no user.
fn lost(scscfs: &ScscfNodes, event: &HssEvent, why: &dyn fmt::Display) {
    scscfs.lose();
    let command = match event {
        HssEvent::RegistrationTermination(_) => "Registration-Termination",
        HssEvent::PushProfile(_) => "Push-Profile",
    };
    let scscf = event.server_name();
    tracing::warn!("a {command} did not reach {scscf}: {why}; what it keeps of the user is out of date until it asks");
}

/// Session-Ids that are unique over restarts: name, time of the start, a number (RFC 6733 §8.8).
#[derive(Debug)]
struct Sessions {
    start: String,
    next: AtomicU64,
}

impl Sessions {
    fn new(host: &str) -> Sessions {
        Sessions { start: format!("{host};{}", super::wall_clock() / 1000), next: AtomicU64::new(0) }
    }

    fn next(&self) -> String {
        format!("{};{}", self.start, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// A number that no other process has.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl fmt::Debug for CxSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CxSettings")
            .field("realm", &self.realm)
            .field("host", &self.host)
            .field("scscf", &self.scscf)
            .field("timeout", &self.timeout)
            .field("profiles", &self.profiles)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CxHss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CxHss").field("asker", &self.shared.asker).finish_non_exhaustive()
    }
}
