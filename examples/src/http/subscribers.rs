//! `/v1/subscribers`: who may register, under which identities.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use imscore_hss::{
    Credentials, DigestCredentials, MAX_PAGE, PrivateIdentity, PublicIdentity, Put, Scheme, StoreError, Subscription,
};
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use super::{Api, Problem};

/// Subscribers of a page when the request does not say.
const PAGE: usize = 100;

/// A subscriber as it is provisioned.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a subscriber: public_identities and authentication")]
pub(super) struct Provisioned {
    public_identities: Vec<String>,
    authentication: Secret,
}

#[derive(Deserialize)]
#[serde(tag = "scheme", rename_all = "lowercase", deny_unknown_fields)]
enum Secret {
    Digest { password: String },
}

/// A subscriber as it is shown: no secret in it.
#[derive(Serialize)]
pub(super) struct Shown {
    private_identity: String,
    public_identities: Vec<String>,
    authentication: Authentication,
}

#[derive(Serialize)]
#[serde(tag = "scheme", rename_all = "lowercase")]
enum Authentication {
    Digest { realm: String, algorithms: Vec<&'static str> },
    Aka,
    Other,
}

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
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
    body: Bytes,
) -> Result<impl IntoResponse, Problem> {
    let private_identity = private_identity(path)?;
    let subscription = read(&body)?.subscription(private_identity, &api.realm)?;
    let shown = Shown::of(&subscription);
    let status = match api.hss.put(subscription).await? {
        Put::Created => StatusCode::CREATED,
        Put::Replaced(_) => StatusCode::OK,
    };
    Ok((status, Json(shown)))
}

pub(super) async fn get(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Shown>, Problem> {
    let private_identity = private_identity(path)?;
    match api.hss.get(&private_identity).await? {
        Some(subscription) => Ok(Json(Shown::of(&subscription))),
        None => Err(unknown(&private_identity)),
    }
}

pub(super) async fn delete(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let private_identity = private_identity(path)?;
    if api.hss.delete(&private_identity).await? { Ok(StatusCode::NO_CONTENT) } else { Err(unknown(&private_identity)) }
}

pub(super) async fn list(
    State(api): State<Api>,
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
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.private_identity().to_string());
    Ok(Json(Listed { subscribers: found.iter().map(|subscription| Shown::of(subscription)).collect(), next }))
}

impl Provisioned {
    fn subscription(self, private_identity: PrivateIdentity, realm: &str) -> Result<Subscription, Problem> {
        let public_identities =
            self.public_identities.iter().map(|text| public_identity(text)).collect::<Result<Vec<_>, _>>()?;
        let Secret::Digest { password } = self.authentication;
        let credentials = DigestCredentials::from_password(&private_identity, realm, &password)
            .map_err(|error| Problem::unprocessable(format!("authentication: {error}")))?;
        Subscription::new(private_identity, public_identities, Credentials::Digest(credentials))
            .map_err(|error| Problem::unprocessable(format!("public_identities: {error}")))
    }
}

impl Shown {
    fn of(subscription: &Subscription) -> Shown {
        let authentication = match subscription.credentials() {
            Credentials::Digest(digest) => Authentication::Digest {
                realm: digest.realm.clone(),
                algorithms: digest.ha1.iter().map(|ha1| ha1.algorithm().as_str()).collect(),
            },
            Credentials::Aka(_) => Authentication::Aka,
            _ => Authentication::Other,
        };
        Shown {
            private_identity: subscription.private_identity().to_string(),
            public_identities: subscription.public_identities().map(ToString::to_string).collect(),
            authentication,
        }
    }
}

/// TS 23.003 §13.3: a private identity has the form of a network access identifier, `user@realm`.
fn private_identity(path: Result<Path<String>, PathRejection>) -> Result<PrivateIdentity, Problem> {
    let Path(text) = path.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    let has_form = text.rsplit_once('@').is_some_and(|(user, realm)| {
        !user.is_empty() && !user.contains(['@', ':']) && realm.contains(|c: char| c.is_ascii_alphanumeric())
    });
    if !has_form {
        return Err(Problem::unprocessable(format!("private identity: {text:?} is not like user@realm")));
    }
    text.parse().map_err(|error| Problem::unprocessable(format!("private identity: {error}")))
}

/// TS 23.003 §13.4: a public identity is a SIP URI or a tel URI.
fn public_identity(text: &str) -> Result<PublicIdentity, Problem> {
    let refused = |error: &dyn ToString| Problem::unprocessable(format!("{text:?}: {}", error.to_string()));
    let identity: PublicIdentity = text.parse().map_err(|error| refused(&error))?;
    match identity.scheme() {
        Scheme::Sip | Scheme::Tel => Ok(identity),
        Scheme::Sips => Err(refused(&"a public identity is a sip: or a tel: URI")),
    }
}

/// JSON, whatever Content-Type says: what `curl -d` sends is understood.
fn read(body: &[u8]) -> Result<Provisioned, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let read: Provisioned = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let at = error.path().to_string();
        rejected(&at, &error.into_inner())
    })?;
    json.end().map_err(|error| rejected(".", &error))?;
    Ok(read)
}

/// An error in the body. It never repeats a value, which could be the password in the wrong place.
fn rejected(at: &str, error: &serde_json::Error) -> Problem {
    match error.classify() {
        Category::Data => {
            let text = error.to_string();
            let cause = text.split(" at line ").next().unwrap_or_default();
            let cause = match cause.split_once(", expected ") {
                Some((found, expected)) if found.starts_with("invalid ") => format!("this is not {expected}"),
                _ => cause.to_owned(),
            };
            Problem::unprocessable(if at == "." { cause } else { format!("{at}: {cause}") })
        }
        Category::Io | Category::Syntax | Category::Eof => Problem::new(
            StatusCode::BAD_REQUEST,
            format!("the body is no JSON document: line {}, column {}", error.line(), error.column()),
        ),
    }
}

fn unknown(private_identity: &PrivateIdentity) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no subscriber {private_identity}"))
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        if matches!(error, StoreError::Conflict { .. }) {
            return Problem::new(StatusCode::CONFLICT, error.to_string());
        }
        tracing::error!(error = &error as &dyn std::error::Error, "the subscriber base failed");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}
