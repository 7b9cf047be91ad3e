//! HTTP of the core: subscribers, health and metrics.
//!
//! | request | answer |
//! | --- | --- |
//! | `PUT /v1/subscribers/{private identity}` | 201, or 200 where there was one; 409 where a public identity is somebody else's |
//! | `GET /v1/subscribers/{private identity}` | 200 without secrets, or 404 |
//! | `DELETE /v1/subscribers/{private identity}` | 204, or 404 |
//! | `GET /v1/subscribers?limit=&after=` | 200, a page in the order of the private identities |
//! | `GET /health` | 200, or 503 while the core drains |
//! | `GET /metrics` | 200, text for Prometheus |
//!
//! Every error is a problem document (RFC 9457). Nobody is asked who he is: it listens on loopback unless told otherwise.
//!
//! ```text
//! curl -X PUT http://127.0.0.1:8080/v1/subscribers/carol%40ims.example -d '{
//!   "public_identities": ["sip:carol@ims.example", "tel:+12015550123"],
//!   "authentication": { "scheme": "digest", "password": "secret" } }'
//! ```

mod problem;
mod server;
mod subscribers;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use imscore_cscf::Drain;
use imscore_hss::Hss;
use serde_json::json;

pub use problem::Problem;
pub use server::{Limits, serve};

use crate::metrics::Metrics;

/// What the requests work on.
#[derive(Clone, Debug)]
pub struct Api {
    /// Whose subscribers they are.
    pub hss: Hss,
    /// Realm of the Digest secrets that are made of passwords.
    pub realm: Arc<str>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// Says when no new calls are taken.
    pub drain: Drain,
}

/// The service.
pub fn router(api: Api, limits: Limits) -> Router {
    Router::new()
        .route("/v1/subscribers", get(subscribers::list))
        .route(
            "/v1/subscribers/{private_identity}",
            get(subscribers::get).put(subscribers::put).delete(subscribers::delete),
        )
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the Allow header names the methods of this path")
        })
        .layer(from_fn_with_state(limits, server::whole_body))
        .with_state(api)
}

async fn health(State(api): State<Api>) -> Result<impl IntoResponse, Problem> {
    if api.drain.is_started() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the core is being stopped and takes no new calls"));
    }
    Ok(Json(json!({ "status": "ok" })))
}

async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], api.metrics.render())
}
