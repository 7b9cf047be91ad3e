//! `/v1/subscribers`: who may register, under which identities.

use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use imscore_hss::{MAX_PAGE, PrivateIdentity, Put, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Limits, Problem, Provisioning};
use crate::subscribers::{Import, ImportError, Provisioned, Rejected, Report, Shown};

/// Subscribers of a page when the request does not say.
const PAGE: usize = 100;

/// Which subscribers a list has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    limit: Option<usize>,
    after: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Listed {
    subscribers: Vec<Shown>,
    /// What `after` is for the next page; null where this one was not full.
    next: Option<String>,
}

pub(super) async fn put(
    State(api): State<Provisioning>,
    path: Result<Path<String>, PathRejection>,
    body: Bytes,
) -> Result<impl IntoResponse, Problem> {
    let private_identity = private_identity(path)?;
    let provision = Provisioned::read(&body)?.provision(Some(private_identity.clone()), &api.realm)?;
    let status = match api.hss.put(provision).await? {
        Put::Created => StatusCode::CREATED,
        Put::Replaced(_) | Put::Unchanged => StatusCode::OK,
    };
    Ok((status, shown(&api, &private_identity).await?))
}

pub(super) async fn get(
    State(api): State<Provisioning>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Shown>, Problem> {
    shown(&api, &private_identity(path)?).await
}

async fn shown(api: &Provisioning, private_identity: &PrivateIdentity) -> Result<Json<Shown>, Problem> {
    match api.hss.get(private_identity).await? {
        Some(subscription) => Ok(Json(Shown::of(private_identity, &subscription))),
        None => Err(unknown(private_identity)),
    }
}

pub(super) async fn delete(
    State(api): State<Provisioning>,
    path: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let private_identity = private_identity(path)?;
    if api.hss.delete(&private_identity).await? { Ok(StatusCode::NO_CONTENT) } else { Err(unknown(&private_identity)) }
}

pub(super) async fn list(
    State(api): State<Provisioning>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Listed>, Problem> {
    let Query(page) = page.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, format!("limit is a number from 1 to {MAX_PAGE}")));
    }
    let after = match page.after.as_deref() {
        None | Some("") => None,
        Some(after) => {
            Some(after.parse().map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("after: {error}")))?)
        }
    };
    let found = api.hss.list(limit, after.as_ref()).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.0.to_string());
    let subscribers = found.iter().map(|(user, subscription)| Shown::of(user, subscription)).collect();
    Ok(Json(Listed { subscribers, next }))
}

/// What an import takes: one at a time, since each holds some thousand lines.
#[derive(Clone)]
pub(super) struct Importing {
    pub(super) provisioning: Provisioning,
    pub(super) limits: Limits,
    pub(super) place: Arc<Semaphore>,
}

/// The body is read as it comes; what has come is written even where the rest does not.
pub(super) async fn import(State(api): State<Importing>, mut body: Body) -> Result<Json<Report>, Problem> {
    let Ok(_place) = api.place.try_acquire() else {
        return Err(Problem::new(StatusCode::CONFLICT, "another import is under way"));
    };
    let Provisioning { hss, realm, .. } = &api.provisioning;
    let mut import = Import::new(hss.clone(), realm, api.limits.body);
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let frame = match timeout(api.limits.request, frame).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => return Ok(Json(import.finish().await?)),
            Ok(Some(Err(_))) => return Err(Problem::new(StatusCode::BAD_REQUEST, "the body broke off")),
            Err(_) => return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
        };
        if let Some(bytes) = frame.data_ref() {
            import.bytes(bytes).await?;
        }
    }
}

fn private_identity(path: Result<Path<String>, PathRejection>) -> Result<PrivateIdentity, Problem> {
    let Path(text) = path.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    Ok(crate::subscribers::private_identity(&text)?)
}

fn unknown(private_identity: &PrivateIdentity) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no subscriber {private_identity}"))
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Problem {
        match rejected {
            Rejected::NoJson { .. } => Problem::new(StatusCode::BAD_REQUEST, rejected.to_string()),
            Rejected::NoSubscriber(_) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, rejected.to_string()),
        }
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Problem {
        match error {
            ImportError::Store(error) => error.into(),
            ImportError::Head(_) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        let taken = matches!(error, StoreError::Conflict { .. } | StoreError::NobodyToShareWith { .. });
        if taken || matches!(error, StoreError::Subscription(_)) {
            return Problem::new(StatusCode::CONFLICT, error.to_string());
        }
        tracing::error!(error = &error as &dyn std::error::Error, "the subscriber base failed");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}
