//! Several engines that share their listeners, each in a thread of its own.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::gate::Gate;
use super::listen::{self, BindError, Bound, ListenAddress};
use super::mail::Post;
use super::{Counters, Endpoint, Settings, Shutdown};
use crate::engine::Engine;
use crate::transport::Listener;

/// Engines at work.
///
/// Dropping it stops them at once and does not wait for them.
///
/// ```
/// use std::time::Duration;
///
/// use imscore_sip::tokio::{Counter, Counters, Settings, WorkerPanicked, Workers, serve};
/// use imscore_sip::transaction::{Config, Transactions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let build = |_worker, listeners| Transactions::new(Config::new([7; 32], listeners), imscore_sip::tokio::now());
/// let workers: Workers = serve(1, Settings::default(), ["udp:127.0.0.1:0".parse()?], build).await?;
/// let counters: &Counters = &workers.counters()[0];
/// let malformed: &Counter = &counters.malformed;
/// assert_eq!(malformed.total(), 0);
/// let stopped: Result<(), WorkerPanicked> = workers.stop(Duration::from_secs(1)).await;
/// assert_eq!(stopped, Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct Workers {
    listeners: Vec<Listener>,
    counters: Vec<Arc<Counters>>,
    shutdown: Shutdown,
    threads: Vec<JoinHandle<()>>,
    ended: mpsc::UnboundedReceiver<()>,
}

/// A worker's thread panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a worker panicked")]
pub struct WorkerPanicked;

/// Runs as many engines as there are workers, at least one. Each has its own thread with a `current_thread` runtime,
/// its own sockets (`SO_REUSEPORT`: the kernel spreads flows over them) and its own connections; nothing is shared on
/// the way of a message. What comes in at one and belongs to another ([`Engine::owner`]) goes there by a bounded
/// queue, and so do bytes for a connection that another holds.
///
/// `make` is called in the worker's thread with its number and what it listens on. Events of the engines are dropped.
///
/// # Errors
/// An address that cannot be listened on, or a thread or runtime that cannot be had.
pub async fn serve<E: Engine + 'static>(
    workers: usize,
    settings: Settings,
    listen: impl IntoIterator<Item = ListenAddress>,
    make: impl Fn(usize, Vec<Listener>) -> E + Send + Sync + 'static,
) -> Result<Workers, BindError> {
    let workers = workers.max(1);
    let listen: Vec<ListenAddress> = listen.into_iter().collect();
    let (listeners, sockets) = listen::bind(&listen, workers, &settings)?;
    let gate = Gate::new(settings.connections, settings.connections_per_address);
    let posts = Post::offices(workers, settings.handover);
    let (settings, make) = (Arc::new(settings), Arc::new(make));
    let (ended, ends) = mpsc::unbounded_channel();
    let mut all = Workers {
        listeners: listeners.clone(),
        counters: Vec::with_capacity(workers),
        shutdown: Shutdown::new(),
        threads: Vec::with_capacity(workers),
        ended: ends,
    };
    for (sockets, post) in sockets.into_iter().zip(posts) {
        let counters = Arc::<Counters>::default();
        all.counters.push(counters.clone());
        let (started, starts) = oneshot::channel();
        let worker = post.worker;
        let (make, shutdown, ended) = (make.clone(), all.shutdown.clone(), Ended(ended.clone()));
        let part = Part {
            listeners: listeners.clone(),
            sockets,
            post,
            gate: gate.clone(),
            settings: settings.clone(),
            counters,
        };
        let name = format!("sip-{worker}");
        let thread = thread::Builder::new().name(name).spawn(move || {
            let _ended = ended;
            part.work(|listeners| make(worker, listeners), shutdown, started);
        });
        all.threads.push(thread.map_err(BindError::Runtime)?);
        match starts.await {
            Ok(result) => result.map_err(BindError::Runtime)?,
            // Its panic has been written to the standard error.
            Err(_) => return Err(BindError::Runtime(io::Error::other(WorkerPanicked))),
        }
    }
    Ok(all)
}

impl Workers {
    /// What the engines listen on.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The counters of each worker.
    pub fn counters(&self) -> &[Arc<Counters>] {
        &self.counters
    }

    /// Waits until a worker has ended, which without [`stop`](Workers::stop) means that it panicked.
    pub async fn ended(&mut self) {
        self.ended.recv().await;
    }

    /// Stops all workers: each accepts nothing new and has `grace` for what it is at.
    ///
    /// # Errors
    /// A worker had panicked.
    pub async fn stop(mut self, grace: Duration) -> Result<(), WorkerPanicked> {
        self.shutdown.start(grace);
        let threads = std::mem::take(&mut self.threads);
        while self.ended.recv().await.is_some() {}
        // All are at their end, so that this waits for no more than the last steps of a thread.
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| WorkerPanicked))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shutdown.start(Duration::ZERO);
    }
}

/// What a worker is made of.
struct Part {
    listeners: Vec<Listener>,
    sockets: Vec<Bound>,
    post: Post,
    gate: Arc<Gate>,
    settings: Arc<Settings>,
    counters: Arc<Counters>,
}

impl Part {
    fn work<E: Engine>(
        self,
        make: impl FnOnce(Vec<Listener>) -> E,
        shutdown: Shutdown,
        started: oneshot::Sender<io::Result<()>>,
    ) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        runtime.block_on(async {
            let Part { listeners, sockets, post, gate, settings, counters } = self;
            match Endpoint::start(listeners, sockets, post, gate, settings, counters, make) {
                Ok(endpoint) => {
                    let _ = started.send(Ok(()));
                    endpoint.run(shutdown).await;
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        });
    }
}

/// Tells, when dropped, that a worker is at its end.
#[derive(Debug)]
struct Ended(mpsc::UnboundedSender<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}
