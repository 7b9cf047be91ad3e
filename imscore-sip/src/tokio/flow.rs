//! The end of a connection, as something to wait for.

use tokio::sync::watch;

use crate::transport::Flow;

/// Watches a connection; [`Endpoint::watch`](super::Endpoint::watch) gives it. It holds nothing open.
///
/// ```
/// use imscore_sip::tokio::FlowHandle;
/// use tokio::time::{Duration, timeout};
///
/// /// True where a connection lasts that long.
/// async fn lasts(mut handle: FlowHandle, time: Duration) -> bool {
///     timeout(time, handle.ended()).await.is_err()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct FlowHandle {
    flow: Flow,
    /// Closed with the connection.
    open: watch::Receiver<()>,
}

impl FlowHandle {
    pub(super) fn new(flow: Flow, open: watch::Receiver<()>) -> FlowHandle {
        FlowHandle { flow, open }
    }

    /// Which.
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// Whether anything can be sent on it.
    pub fn is_open(&self) -> bool {
        self.open.has_changed().is_ok()
    }

    /// Waits for its end: by the peer, by a limit, by the engine ([`Output::Close`](crate::Output::Close)), or with the endpoint.
    /// Dropping the future loses nothing.
    pub async fn ended(&mut self) {
        while self.open.changed().await.is_ok() {}
    }
}
