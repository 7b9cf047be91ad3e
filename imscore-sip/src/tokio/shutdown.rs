//! How a driver is told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// A handle that stops whatever runs with a clone of it.
///
/// ```
/// use std::time::Duration;
///
/// use imscore_sip::tokio::{Endpoint, Shutdown};
/// use imscore_sip::transaction::{Config, Transactions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let layer = |listeners| Transactions::new(Config::new([7; 32], listeners), imscore_sip::tokio::now());
/// let endpoint = Endpoint::bind(["udp:127.0.0.1:0".parse()?], layer).await?;
/// let shutdown = Shutdown::new();
/// shutdown.start(Duration::from_secs(1));
/// let layer = endpoint.run(shutdown).await;
/// assert_eq!(layer.server_count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<Option<Duration>>>);

impl Shutdown {
    /// A handle that has not been used yet.
    pub fn new() -> Shutdown {
        Shutdown(Arc::new(watch::Sender::new(None)))
    }

    /// Stops, and gives transactions `grace` to end. The first call counts.
    pub fn start(&self, grace: Duration) {
        self.0.send_if_modified(|started| {
            let first = started.is_none();
            *started = Some(started.unwrap_or(grace));
            first
        });
    }

    /// Waits for [`start`](Shutdown::start), and says what it said.
    pub async fn started(&self) -> Duration {
        let mut started = self.0.subscribe();
        // The sender lives in this handle, so that waiting ends with a value only.
        started.wait_for(Option::is_some).await.ok().and_then(|grace| *grace).unwrap_or_default()
    }
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown::new()
    }
}
