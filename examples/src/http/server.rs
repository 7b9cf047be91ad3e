//! What a client may take: connections, time, bytes.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

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
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Problem;

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
