//! What a client may take: connections, time, bytes.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::select;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::Problem;
use crate::{seconds, settings};

/// What clients may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; more of them wait to be accepted.
    pub connections: usize,
    /// How long a connection may be without a request, and a request's headers, and then its body, may take.
    pub request: Duration,
    /// Bytes of a request's body.
    pub body: usize,
}

impl From<&settings::Http> for Limits {
    fn from(settings: &settings::Http) -> Limits {
        Limits {
            connections: settings.connections as usize,
            request: seconds(settings.request_seconds),
            body: settings.body as usize,
        }
    }
}

/// A service at work.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens where the settings say, and serves.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(settings: &settings::Http, router: Router) -> Result<Server> {
        let listen = settings.listen;
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("{listen}: HTTP cannot listen there; stop what does (`ss -ltnp` shows it), or use --http")
        })?;
        let (address, limits) = (listener.local_addr()?, Limits::from(settings));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move { serve(listener, router, limits, async { drop(stopped.await) }).await });
        Ok(Server { address, stop, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections, and ends.
    ///
    /// # Errors
    /// It had panicked.
    pub async fn stop(self) -> Result<()> {
        // It listens as long as its other end is there.
        let _ = self.stop.send(());
        self.task.await.context("HTTP has ended by a defect; its panic is above")
    }
}

/// Serves until `stop`, then closes all connections.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = select! {
            // The semaphore is never closed.
            accepted = async { (room.clone().acquire_owned().await, listener.accept().await) } => accepted,
            () = &mut stop => break,
        };
        while connections.try_join_next().is_some() {}
        let stream = match accepted {
            (_, Ok((stream, _))) => stream,
            (_, Err(error)) => {
                give_way(&error).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        connections.spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(limits.request).max_buf_size(64 << 10);
            // A client that breaks off, or takes too long, has its connection closed; that is all.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(accepted.0);
        });
    }
    connections.shutdown().await;
}

/// Lets a request through once its body is here as a whole.
pub(super) async fn whole_body(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let problem = match timeout(limits.request, to_bytes(body, limits.body)).await {
        Ok(Ok(body)) => return next.run(Request::from_parts(head, Body::from(body))).await,
        Ok(Err(_)) => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has at most {} bytes", limits.body)),
        Err(_) => Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
    };
    problem.into_response()
}

/// Without file descriptors accepting fails at once, again and again: leave others the time to close some.
async fn give_way(error: &io::Error) {
    tracing::warn!(%error, "no HTTP connection can be accepted");
    sleep(Duration::from_millis(100)).await;
}
