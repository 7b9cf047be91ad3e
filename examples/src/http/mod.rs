//! HTTP of the programs: subscribers, health and metrics.
//!
//! | request | answer |
//! | --- | --- |
//! | `PUT /v1/subscribers/{private identity}` | 201, or 200 where there was one; 409 where a public identity is somebody else's |
//! | `GET /v1/subscribers/{private identity}` | 200 without secrets, or 404 |
//! | `DELETE /v1/subscribers/{private identity}` | 204, or 404 |
//! | `GET /v1/subscribers?limit=&after=` | 200, a page in the order of the private identities |
//! | `POST /v1/subscribers:import` | 200 with what became of the lines, NDJSON or CSV, those that were rejected by number |
//! | `GET /v1/registrations/{public identity}` | 200 with the S-CSCF that has the user and for what, or 404 |
//! | `DELETE /v1/registrations/{public identity}?reason=` | 204, the S-CSCF is being told; 404 where none has the user |
//! | `GET /health` | 200, or 503 while the program drains |
//! | `GET /metrics` | 200, text for Prometheus |
//!
//! Every error is a problem document (RFC 9457). Below `/v1` a client has to show the token, where there is one
//! (RFC 6750 §2.1); without one it listens on loopback only.
//!
//! ```text
//! curl -X PUT http://127.0.0.1:8080/v1/subscribers/carol%40ims.example -d '{
//!   "public_identities": ["sip:carol@ims.example", "tel:+12015550123"],
//!   "authentication": { "scheme": "digest", "password": "secret" } }'
//! ```
//!
//! What a subscriber is made of, and how each kind of key is written, stands at
//! [`Provisioned`](crate::subscribers::Provisioned).

mod authorization;
mod problem;
mod registrations;
mod server;
mod subscribers;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use imscore_cscf::Drain;
use imscore_hss::Hss;
use imscore_hss::tokio::Diameter;
use serde_json::json;
use tokio::sync::Semaphore;

pub use authorization::Token;
pub use problem::Problem;
pub use server::{Limits, Server, serve};

use crate::metrics::Metrics;

/// What operators ask for.
#[derive(Clone, Debug)]
pub struct Operations {
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// What it shows of a Diameter node.
    pub diameter: Option<Diameter>,
    /// Says when nothing new is taken.
    pub drain: Drain,
}

/// What provisioning works on.
#[derive(Clone, Debug)]
pub struct Provisioning {
    /// Whose subscribers they are.
    pub hss: Hss,
    /// Realm of the Digest secrets that are made of passwords.
    pub realm: Arc<str>,
    /// What a client has to show.
    pub token: Option<Token>,
}

/// The service; without `provisioning` subscribers are none of its business.
pub fn router(operations: Operations, provisioning: Option<Provisioning>, limits: Limits) -> Router {
    let mut router = Router::new().route("/health", get(health)).route("/metrics", get(metrics)).with_state(operations);
    if let Some(provisioning) = provisioning {
        let token = provisioning.token.clone();
        let place = Arc::new(Semaphore::new(1));
        let importing = subscribers::Importing { provisioning: provisioning.clone(), limits, place };
        let guarded = Router::new()
            .route("/v1/subscribers", get(subscribers::list))
            .route(
                "/v1/subscribers/{private_identity}",
                get(subscribers::get).put(subscribers::put).delete(subscribers::delete),
            )
            .route("/v1/registrations/{public_identity}", get(registrations::get).delete(registrations::delete))
            .method_not_allowed_fallback(no_method)
            .layer(from_fn_with_state(limits, server::whole_body))
            .with_state(provisioning)
            .merge(Router::new().route("/v1/subscribers:import", post(subscribers::import)).with_state(importing))
            .method_not_allowed_fallback(no_method);
        router = router.merge(guarded.layer(from_fn_with_state(token, authorization::check)));
    }
    router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(no_method)
}

async fn no_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the Allow header names the methods of this path")
}

async fn health(State(operations): State<Operations>) -> Result<impl IntoResponse, Problem> {
    if operations.drain.is_started() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "this is being stopped and takes nothing new"));
    }
    Ok(Json(json!({ "status": "ok" })))
}

async fn metrics(State(operations): State<Operations>) -> impl IntoResponse {
    let status = match &operations.diameter {
        Some(diameter) => diameter.status().await,
        None => None,
    };
    let text = operations.metrics.render(status.as_ref());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
