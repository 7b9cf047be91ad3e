//! `/v1/registrations`: which S-CSCF has whom, and the operator's word that it is over.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use imscore_hss::{Assignment, AssignmentState, HssError, PublicIdentity, TerminationReason};
use serde::{Deserialize, Serialize};

use super::{Problem, Provisioning};

/// Who has a user.
#[derive(Serialize)]
pub(super) struct Shown {
    public_identity: String,
    server_name: String,
    /// `registered`, or `unregistered` where services run for a user that is not.
    state: &'static str,
}

/// Why it ends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    #[serde(default)]
    reason: Reason,
}

/// TS 29.229 §6.3.17.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reason {
    #[default]
    Permanent,
    NewServerAssigned,
    ServerChange,
    RemoveScscf,
}

pub(super) async fn get(
    State(api): State<Provisioning>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Shown>, Problem> {
    let identity = public_identity(path)?;
    let assignment = api.hss.assignment(&identity).await.map_err(|error| failed(&error, &identity))?;
    let Assignment { server_name, state, .. } = assignment.ok_or_else(|| nowhere(&identity))?;
    Ok(Json(Shown {
        public_identity: identity.to_string(),
        server_name: server_name.to_string(),
        state: match state {
            AssignmentState::Registered => "registered",
            AssignmentState::Unregistered => "unregistered",
        },
    }))
}

pub(super) async fn delete(
    State(api): State<Provisioning>,
    path: Result<Path<String>, PathRejection>,
    why: Result<Query<Why>, QueryRejection>,
) -> Result<StatusCode, Problem> {
    let Query(Why { reason }) = why.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    let identity = public_identity(path)?;
    let told = api.hss.deregister(&identity, reason.into()).await.map_err(|error| failed(&error, &identity))?;
    if told { Ok(StatusCode::NO_CONTENT) } else { Err(nowhere(&identity)) }
}

impl From<Reason> for TerminationReason {
    fn from(reason: Reason) -> TerminationReason {
        match reason {
            Reason::Permanent => TerminationReason::Permanent,
            Reason::NewServerAssigned => TerminationReason::NewServerAssigned,
            Reason::ServerChange => TerminationReason::ServerChange,
            Reason::RemoveScscf => TerminationReason::RemoveScscf,
        }
    }
}

fn public_identity(path: Result<Path<String>, PathRejection>) -> Result<PublicIdentity, Problem> {
    let Path(text) = path.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    let refused = |error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("public identity: {error}"));
    text.parse().map_err(refused)
}

fn nowhere(identity: &PublicIdentity) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("no S-CSCF has {identity}"))
}

fn failed(error: &HssError, identity: &PublicIdentity) -> Problem {
    if *error == HssError::Unknown {
        return Problem::new(StatusCode::NOT_FOUND, format!("there is no subscriber with {identity}"));
    }
    tracing::error!(%error, "the HSS failed");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
