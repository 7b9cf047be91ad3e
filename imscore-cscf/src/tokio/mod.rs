//! A node under tokio: workers with sockets and clocks.
//!
//! ```no_run
//! # async fn run(node: imscore_cscf::Node) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! let running = imscore_cscf::tokio::serve(node, 1).await?;
//! for listener in running.listeners() {
//!     println!("{} {}", listener.transport, listener.sent_by);
//! }
//! tokio::signal::ctrl_c().await?;
//! running.stop(Duration::from_secs(30)).await?;
//! # Ok(())
//! # }
//! ```

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use imscore_sip::tokio::{BindError, ListenAddress, Settings, WorkerPanicked, Workers, now, seed};
use imscore_sip::transport::Listener;

use crate::node::{Counters, Drain, Node, Worker};

/// A node at work. Dropping it stops it at once.
///
/// ```
/// use std::time::Duration;
///
/// use imscore_cscf::Node;
/// use imscore_cscf::tokio::{Running, ServeError, serve};
/// use imscore_sip::transport::Side;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let node = Node::default().listen("udp:127.0.0.1:0".parse()?, "pcscf.ims.example", Side::Core);
/// let running: Running = serve(node, 1).await?;
/// assert_eq!(running.listeners().len(), 1);
/// running.stop(Duration::from_secs(1)).await?;
///
/// // An address for documentation is not this machine's.
/// let elsewhere = Node::default().listen("udp:192.0.2.1:5060".parse()?, "pcscf.ims.example", Side::Core);
/// assert!(matches!(serve(elsewhere, 1).await, Err(ServeError::Bind(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct Running {
    workers: Workers,
    counters: Arc<Mutex<Vec<Arc<Counters>>>>,
    drain: Drain,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// One of its addresses cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(io::Error),
}

/// Runs a node with that many workers, on the addresses of [`Node::listen`], with the driver's default limits.
///
/// # Errors
/// An address that cannot be listened on.
pub async fn serve(node: Node, workers: usize) -> Result<Running, ServeError> {
    serve_with(node, workers, Settings::default()).await
}

/// Runs a node with these limits.
///
/// # Errors
/// As [`serve`].
pub async fn serve_with(node: Node, workers: usize, settings: Settings) -> Result<Running, ServeError> {
    let workers = workers.clamp(1, usize::from(u8::MAX));
    let seed = seed().map_err(ServeError::Random)?;
    let drain = node.drain();
    let listen: Vec<ListenAddress> = node
        .listens
        .iter()
        .map(|listen| {
            let address = ListenAddress::new(listen.address.transport, listen.address.socket).side(listen.side);
            match listen.advertised.is_empty() {
                true => address,
                false => address.advertised(listen.advertised.clone()),
            }
        })
        .collect();
    let counters = Arc::<Mutex<Vec<Arc<Counters>>>>::default();
    let (node, all) = (Arc::new(node), counters.clone());
    let make = move |number: usize, listeners: Vec<Listener>| {
        let worker = Worker::new(node.clone(), (number as u8, workers as u8), seed, listeners, now());
        all.lock().unwrap_or_else(PoisonError::into_inner).push(worker.counters());
        worker
    };
    let workers = imscore_sip::tokio::serve(workers, settings, listen, make).await?;
    Ok(Running { workers, counters, drain })
}

impl Running {
    /// What it listens on.
    pub fn listeners(&self) -> &[Listener] {
        self.workers.listeners()
    }

    /// The counters of each worker's node.
    pub fn counters(&self) -> Vec<Arc<Counters>> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The counters of each worker's sockets.
    pub fn transport_counters(&self) -> &[Arc<imscore_sip::tokio::Counters>] {
        self.workers.counters()
    }

    /// Waits until a worker has ended, which without [`Running::stop`] means that it panicked.
    pub async fn ended(&mut self) {
        self.workers.ended().await;
    }

    /// Takes nothing new, waits until nothing is under way, for `grace` at most, and stops.
    ///
    /// # Errors
    /// A worker had panicked.
    pub async fn stop(self, grace: Duration) -> Result<(), WorkerPanicked> {
        self.stop_when(grace, || true).await
    }

    /// As [`Running::stop`], but that `is_quiet` has a say too, for what is between requests, such as the dialogs of a
    /// P-CSCF.
    ///
    /// # Errors
    /// A worker had panicked.
    pub async fn stop_when(self, grace: Duration, is_quiet: impl Fn() -> bool) -> Result<(), WorkerPanicked> {
        self.drain.start();
        let started = Instant::now();
        while started.elapsed() < grace && (self.under_way() > 0 || !is_quiet()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // A role may have timers for ever, so that the engines would not come to rest by themselves.
        self.workers.stop(Duration::ZERO).await
    }

    fn under_way(&self) -> u64 {
        self.counters().iter().map(|counters| counters.contexts.load(std::sync::atomic::Ordering::Relaxed)).sum()
    }
}
