//! All but REGISTER: which S-CSCF serves the user (TS 24.229 §5.3.2).

use imscore_hss::{HssError, LocationInfo, LocationInfoRequest, PublicIdentity, ServerName};
use imscore_sip::header::Name;
use imscore_sip::{Request, StatusCode};

use super::{Icscf, NotFound, Query, Search, unavailable};
use crate::call::Call;
use crate::identity::served_user;
use crate::role::{Decision, Refused, Target};
use crate::routing::{is_originating, number_of};

impl Icscf {
    pub(super) async fn locate(&self, call: &mut Call, mut request: Request) -> Result<Decision, Refused> {
        // TS 24.229 §5.3.2.1: where the way is given already, it is taken.
        if request.headers.contains(Name::ROUTE) {
            return Ok(Decision::forward(request));
        }
        let query = match call.route() {
            // TS 24.229 §5.3.2.1A: an application server calls on behalf of a user.
            Some(route) if is_originating(route) => {
                let mut query = LocationInfoRequest::new(served_user(&request.headers).ok_or(StatusCode::FORBIDDEN)?);
                query.originating = true;
                query
            }
            Some(_) | None => LocationInfoRequest::new(called_user(&mut request).ok_or(StatusCode::NOT_FOUND)?),
        };
        self.locate_at(call, request, query, Vec::new()).await
    }

    /// The S-CSCF cannot be reached: one that has the capabilities, and was not tried. The state is in the store, so any
    /// S-CSCF of the pool can serve the user.
    pub(super) async fn locate_elsewhere(
        &self,
        call: &mut Call,
        request: Request,
        mut query: LocationInfoRequest,
        tried: Vec<ServerName>,
    ) -> Result<Decision, Refused> {
        query.capabilities = true;
        self.locate_at(call, request, query, tried).await
    }

    async fn locate_at(
        &self,
        call: &mut Call,
        request: Request,
        query: LocationInfoRequest,
        mut tried: Vec<ServerName>,
    ) -> Result<Decision, Refused> {
        let name = self.server(call, &query, &tried).await.map_err(refuse)?;
        let uri = self.uri_of(&name).map_err(refuse)?.with_param("lr", None);
        let route = if query.originating { uri.with_param("orig", None) } else { uri };
        tried.push(name);
        call.keep(Search { request: request.clone(), query: Query::Session(query), tried });
        Ok(Decision::forward_to(request, Target::route(route.text())))
    }

    async fn server(
        &self,
        call: &Call,
        query: &LocationInfoRequest,
        tried: &[ServerName],
    ) -> Result<ServerName, NotFound> {
        match self.ask(call, self.hss.location_info(query)).await? {
            LocationInfo::Scscf(name) if !tried.contains(&name) => Ok(name),
            LocationInfo::Capabilities(wanted) => self.select(call, &wanted, tried),
            // Named again although it cannot be reached: any other will do.
            LocationInfo::Scscf(_) | _ => self.select(call, &Default::default(), tried),
        }
    }
}

/// Who is called. A SIP URI that is a number becomes one (TS 24.229 §5.3.2.1).
fn called_user(request: &mut Request) -> Option<PublicIdentity> {
    let uri = request.uri().ok()?;
    if let Some(number) = uri.as_sip().and_then(number_of) {
        request.set_target(number.text());
        return number.as_str().parse().ok();
    }
    uri.as_str().parse().ok()
}

/// An S-CSCF that is not there. What comes from behind it (408, 480, 3xx) is the called user's answer.
pub(super) fn is_unanswered(status: StatusCode) -> bool {
    status == StatusCode::SERVICE_UNAVAILABLE
}

fn refuse(error: NotFound) -> Refused {
    error.refuse(|error| match error {
        HssError::NotRegistered => unavailable(None),
        HssError::Busy { retry_after } => unavailable(retry_after),
        HssError::Unreachable => StatusCode::SERVER_TIMEOUT.into(),
        // TS 24.229 §5.3.2.2: a negative answer.
        HssError::Unknown
        | HssError::Forbidden(_)
        | HssError::AlreadyRegistered { .. }
        | HssError::SchemeNotSupported
        | HssError::AssignmentType
        | HssError::NotAssigned
        | HssError::TooManyIdentities
        | HssError::MissingIdentity
        | _ => StatusCode::NOT_FOUND.into(),
    })
}
