//! Diameter over TCP, TLS and SCTP: the engine [`Peers`], its sockets and its clock.
//!
//! One task owns the engine; a reader and a writer stand at each connection. Garbage ends its connection and is counted;
//! listener and other peers do not notice.

mod carrier;
mod connection;
mod names;
#[cfg(feature = "sctp")]
mod sctp;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(feature = "tls")]
mod tls;
#[cfg(test)]
#[cfg(feature = "tls")]
mod tls_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::tokio::sync::{mpsc, oneshot, watch};
use ::tokio::task::JoinHandle;
use ::tokio::time::{Instant, timeout_at};
use thiserror::Error;

pub use self::carrier::Carriers;
use self::carrier::{Arrived, Listener, Opened, Stream};
use self::connection::Connection;
pub use self::names::Names;
#[cfg(feature = "tls")]
pub use self::tls::{DiameterTls, TlsError};
use crate::diameter::{Fault, FrameError, Message, Origin, ResultCode};
use crate::peer::discovery::{Discovery, NotFound, Search};
use crate::peer::{
    ConnectionId, Counters, Event, Failure, Output, PeerSettings, PeerStatus, Peers, RequestId, SendError, Settings,
    Ticket, Transport,
};

/// Inputs that wait for the engine: more, and who sends them waits.
const INPUTS: usize = 4096;
/// Requests of peers that wait to be taken: more are answered 3004.
const REQUESTS: usize = 4096;
/// How long peers have to answer our leave.
const LEAVE: Duration = Duration::from_secs(6);

/// A Diameter node. Clones are the same node, which ends with the last of them.
///
/// ```
/// use std::time::Duration;
///
/// use imscore_hss::LocationInfoRequest;
/// use imscore_hss::cx::question::Asker;
/// use imscore_hss::diameter::{ApplicationId, Origin, dictionary::TGPP};
/// use imscore_hss::peer::Settings;
/// use imscore_hss::tokio::{AskError, Asked, Diameter, Requests, Status};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let origin = Origin::new("icscf.ims.example", "ims.example");
/// let settings = Settings::new(origin.clone(), vec![(TGPP, ApplicationId::CX)], vec![]);
/// let (node, mut requests): (Diameter, Requests) = Diameter::start(settings, None).await?;
/// let status: Option<Status> = node.status().await;
/// assert_eq!(status.map(|status| status.connections), Some(0));
///
/// let question = LocationInfoRequest::new("sip:bob@ims.example".parse()?);
/// let message = Asker::new(origin, "ims.example").location_info("icscf.ims.example;1;1", &question)?;
/// let answer = node.ask(message, Duration::from_secs(1)).await;
/// assert!(matches!(answer, Err(AskError::NotSent(_))), "it has no peer");
///
/// node.stop().await;
/// let asked: Option<Asked> = requests.next().await;
/// assert!(asked.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Diameter {
    inputs: mpsc::Sender<Input>,
    up: watch::Receiver<BTreeSet<String>>,
    origin: Arc<Origin>,
    local: Vec<(Transport, SocketAddr)>,
    /// The node's task, to which those that accept belong.
    _task: Arc<Task>,
}

/// Requests that peers send.
#[derive(Debug)]
pub struct Requests(mpsc::Receiver<Asked>);

/// A request of a peer; say [`Diameter::answer`].
#[derive(Debug)]
pub struct Asked {
    /// For the answer.
    pub ticket: Ticket,
    /// Name of the peer that brought it.
    pub peer: String,
    /// The request.
    pub request: Message,
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AskError {
    /// It was not sent.
    #[error(transparent)]
    NotSent(#[from] SendError),
    /// It was sent and not answered.
    #[error(transparent)]
    NotAnswered(#[from] Failure),
    /// The node was stopped.
    #[error("the node is stopped")]
    Stopped,
}

/// How the node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Each peer of the list, and each that was found by name.
    pub peers: Vec<PeerStatus>,
    /// Why none was found by name, where one was looked for.
    pub not_found: Option<NotFound>,
    /// What the engine counted.
    pub counters: Counters,
    /// Connections that were closed because of what came over them.
    pub malformed: u64,
    /// Connections that are open, strangers' among them.
    pub connections: usize,
}

/// What the engine's task is given.
#[derive(Debug)]
enum Input {
    Accepted(Arrived),
    Secured(ConnectionId, io::Result<(Stream, Vec<String>)>),
    Connected(ConnectionId, io::Result<Stream>),
    Message(ConnectionId, Message),
    Lost(ConnectionId, Option<FrameError>),
    Found(Result<Vec<PeerSettings>, NotFound>),
    Ask(Message, Duration, oneshot::Sender<Result<Message, AskError>>),
    Answer(Ticket, Message),
    Status(oneshot::Sender<Status>),
    Stop(oneshot::Sender<()>),
}

impl Diameter {
    /// Starts a node over TCP: connects to its peers, and listens where `listen` says.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(settings: Settings, listen: Option<SocketAddr>) -> io::Result<(Diameter, Requests)> {
        let carriers = Carriers::default();
        let carriers = listen.map_or(carriers.clone(), |address| carriers.listen(Transport::Tcp, address));
        Diameter::start_on(settings, carriers).await
    }

    /// Starts a node: connects to its peers, and listens where `carriers` say.
    ///
    /// # Errors
    /// An address cannot be listened on; TLS without certificates; SCTP where the system has none.
    pub async fn start_on(settings: Settings, carriers: Carriers) -> io::Result<(Diameter, Requests)> {
        Diameter::launch(settings, carriers, None).await
    }

    /// Starts a node that finds peers by name, beside those of the settings (RFC 6733 §5.2).
    ///
    /// # Errors
    /// As [`start_on`](Diameter::start_on). That nobody is found is said by [`Status::not_found`], and to who asks.
    pub async fn find(
        settings: Settings,
        carriers: Carriers,
        search: Search,
        names: Arc<dyn Names>,
    ) -> io::Result<(Diameter, Requests)> {
        Diameter::launch(settings, carriers, Some((search, names))).await
    }

    async fn launch(
        settings: Settings,
        carriers: Carriers,
        search: Option<(Search, Arc<dyn Names>)>,
    ) -> io::Result<(Diameter, Requests)> {
        let (inputs, receiver) = mpsc::channel(INPUTS);
        let (requests, asked) = mpsc::channel(REQUESTS);
        let (up, is_up) = watch::channel(BTreeSet::new());
        let listeners = carriers.listeners().await?;
        let local = listeners.iter().map(|listener| (listener.transport, listener.local)).collect();
        let origin = Arc::new(settings.origin.clone());
        let seed = RandomState::new().build_hasher().finish();
        let accept = |listener: Listener| Task(::tokio::spawn(listener.accept_all(inputs.clone())));
        let find = |(search, names)| {
            let discovery = Discovery::new(search, seed);
            Task(::tokio::spawn(names::find(discovery, names, inputs.clone())))
        };
        let mut peers = Peers::new(settings, seed, super::wall_clock() / 1000);
        if let Some((search, _)) = &search {
            peers.set_found(Err(NotFound::Asking(search.realm.clone())), Duration::ZERO);
        }
        let node = Node {
            _finding: search.map(find),
            accepting: listeners.into_iter().map(accept).collect(),
            peers,
            started: Instant::now(),
            connections: BTreeMap::new(),
            opening: BTreeMap::new(),
            asked: BTreeMap::new(),
            carriers,
            inputs: inputs.clone(),
            requests,
            up,
            origin: origin.clone(),
            malformed: 0,
            deadline: None,
            stopping: None,
        };
        let task = Arc::new(Task(::tokio::spawn(node.run(receiver))));
        Ok((Diameter { inputs, up: is_up, origin, local, _task: task }, Requests(asked)))
    }

    /// Sends a request and waits for its answer, at most for `timeout`.
    ///
    /// # Errors
    /// No peer takes it, or nobody answers.
    pub async fn ask(&self, request: Message, timeout: Duration) -> Result<Message, AskError> {
        let (reply, answer) = oneshot::channel();
        self.inputs.send(Input::Ask(request, timeout, reply)).await.map_err(|_| AskError::Stopped)?;
        answer.await.unwrap_or(Err(AskError::Stopped))
    }

    /// Answers a request.
    pub async fn answer(&self, ticket: Ticket, answer: Message) {
        let _ = self.inputs.send(Input::Answer(ticket, answer)).await;
    }

    /// How the node stands; none once it is stopped.
    pub async fn status(&self) -> Option<Status> {
        let (reply, status) = oneshot::channel();
        self.inputs.send(Input::Status(reply)).await.ok()?;
        status.await.ok()
    }

    /// Waits until a peer of this name can be used; false where the node is stopped before.
    pub async fn until_up(&self, peer: &str) -> bool {
        self.up.clone().wait_for(|up| up.contains(peer)).await.is_ok()
    }

    /// Waits until some peer can be used; false where the node is stopped before.
    pub async fn until_any_up(&self) -> bool {
        self.up.clone().wait_for(|up| !up.is_empty()).await.is_ok()
    }

    /// Waits until a peer of this name cannot be used.
    pub async fn until_down(&self, peer: &str) {
        let _ = self.up.clone().wait_for(|up| !up.contains(peer)).await;
    }

    /// Takes leave of every peer, then ends: the addresses are free for whoever listens next.
    pub async fn stop(&self) {
        let (reply, stopped) = oneshot::channel();
        if self.inputs.send(Input::Stop(reply)).await.is_ok() {
            let _ = stopped.await;
        }
    }

    /// Who we are.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Where the node listens first.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local.first().map(|(_, address)| *address)
    }

    /// Everywhere that it listens.
    pub fn listens(&self) -> &[(Transport, SocketAddr)] {
        &self.local
    }
}

impl Requests {
    /// The next request; none once the node is stopped.
    pub async fn next(&mut self) -> Option<Asked> {
        self.0.recv().await
    }
}

/// A task that ends with what it belongs to.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Task {
    /// Ends it, and waits until what it held is let go.
    async fn end(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The engine with its sockets.
struct Node {
    /// Whoever looks for peers ends with the node.
    _finding: Option<Task>,
    accepting: Vec<Task>,
    peers: Peers,
    started: Instant,
    connections: BTreeMap<ConnectionId, Connection>,
    /// Those that are being opened, or shaken hands with.
    opening: BTreeMap<ConnectionId, Task>,
    asked: BTreeMap<RequestId, oneshot::Sender<Result<Message, AskError>>>,
    carriers: Carriers,
    inputs: mpsc::Sender<Input>,
    requests: mpsc::Sender<Asked>,
    up: watch::Sender<BTreeSet<String>>,
    origin: Arc<Origin>,
    malformed: u64,
    deadline: Option<Duration>,
    stopping: Option<(Instant, oneshot::Sender<()>)>,
}

impl Node {
    async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        self.peers.start(Duration::ZERO);
        self.drain();
        loop {
            let engine = self.deadline.map(|deadline| self.started + deadline);
            let leave = self.stopping.as_ref().map(|(until, _)| *until);
            let input = match engine.into_iter().chain(leave).min() {
                Some(until) => timeout_at(until, inputs.recv()).await.ok(),
                None => Some(inputs.recv().await),
            };
            match input {
                Some(Some(input)) => self.handle(input),
                Some(None) => return,
                None => self.peers.handle_timeout(self.now()),
            }
            self.drain();
            if self.stopping.is_some() {
                for task in self.accepting.drain(..) {
                    task.end().await;
                }
            }
            let over = |(until, _): &(Instant, _)| self.connections.is_empty() || *until <= Instant::now();
            if self.stopping.as_ref().is_some_and(over) {
                return;
            }
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn handle(&mut self, input: Input) {
        let now = self.now();
        match input {
            Input::Accepted(arrived) => self.accepted(arrived, now),
            // The engine may have given it up meanwhile.
            Input::Secured(id, _) | Input::Connected(id, _) if self.opening.remove(&id).is_none() => {}
            Input::Secured(id, Ok((stream, names))) => {
                self.open(id, stream);
                self.peers.handle_secured(id, names);
            }
            Input::Secured(id, Err(_)) => {
                self.malformed += 1;
                self.peers.handle_lost(id, now);
            }
            Input::Connected(id, result) => match result {
                Ok(stream) => {
                    self.open(id, stream);
                    self.peers.handle_connected(id, now);
                }
                Err(error) => self.peers.handle_connect_failed(id, &error.to_string(), now),
            },
            Input::Message(id, message) => self.peers.handle_message(id, message, now),
            Input::Lost(id, error) => {
                if self.connections.remove(&id).is_some() {
                    self.malformed += u64::from(error.is_some());
                    self.peers.handle_lost(id, now);
                }
            }
            Input::Found(found) => self.peers.set_found(found, now),
            Input::Ask(message, timeout, reply) => match self.peers.request(message, timeout, now) {
                Ok(id) => drop(self.asked.insert(id, reply)),
                Err(error) => drop(reply.send(Err(error.into()))),
            },
            Input::Answer(ticket, answer) => self.peers.answer(&ticket, answer),
            Input::Status(reply) => {
                let _ = reply.send(Status {
                    peers: self.peers.status(),
                    not_found: self.peers.not_found().cloned(),
                    counters: self.peers.counters(),
                    malformed: self.malformed,
                    connections: self.connections.len(),
                });
            }
            Input::Stop(reply) => {
                self.peers.stop(now);
                self.stopping = Some((Instant::now() + LEAVE, reply));
            }
        }
    }

    fn accepted(&mut self, arrived: Arrived, now: Duration) {
        let Some(id) = self.peers.handle_accepted(arrived.arrival(), now) else { return };
        match arrived.stream {
            Opened::Ready(stream) => self.open(id, stream),
            Opened::Unsecured(tcp) => {
                let (inputs, carriers) = (self.inputs.clone(), self.carriers.clone());
                let secure = async move {
                    let secured = carriers.secure(tcp).await;
                    let _ = inputs.send(Input::Secured(id, secured)).await;
                };
                self.opening.insert(id, Task(::tokio::spawn(secure)));
            }
        }
    }

    fn open(&mut self, id: ConnectionId, stream: Stream) {
        self.connections.insert(id, Connection::open(id, stream, self.inputs.clone()));
    }

    fn drain(&mut self) {
        loop {
            match self.peers.poll_output() {
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                Output::Connect { connection, transport, address, host } => {
                    let (inputs, carriers) = (self.inputs.clone(), self.carriers.clone());
                    let connect = async move {
                        let stream = carriers.connect(transport, &address, &host).await;
                        let _ = inputs.send(Input::Connected(connection, stream)).await;
                    };
                    self.opening.insert(connection, Task(::tokio::spawn(connect)));
                }
                Output::Transmit { connection, bytes } => {
                    let sent = self.connections.get(&connection).is_some_and(|open| open.send(bytes));
                    // Whoever does not read is not there.
                    if !sent && self.connections.remove(&connection).is_some() {
                        self.peers.handle_lost(connection, self.now());
                    }
                }
                Output::Close(connection) => {
                    self.opening.remove(&connection);
                    self.connections.remove(&connection);
                }
                Output::Event(event) => self.tell(event),
            }
        }
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Answer { request, answer } => self.reply(request, Ok(answer)),
            Event::Failed { request, failure } => self.reply(request, Err(failure.into())),
            Event::Request { ticket, peer, request } => {
                if let Err(error) = self.requests.try_send(Asked { ticket, peer, request }) {
                    let asked = error.into_inner();
                    let fault = Fault::new(ResultCode::TOO_BUSY, "more requests than are worked on");
                    if let Ok(answer) = Message::parse(asked.request.refuse(&fault, &self.origin)) {
                        self.peers.answer(&asked.ticket, answer);
                    }
                }
            }
            Event::Up { peer } => {
                self.up.send_if_modified(|up| up.insert(peer));
            }
            Event::Down { peer, .. } => {
                self.up.send_if_modified(|up| up.remove(&peer));
            }
        }
    }

    fn reply(&mut self, request: RequestId, result: Result<Message, AskError>) {
        if let Some(reply) = self.asked.remove(&request) {
            let _ = reply.send(result);
        }
    }
}
