//! REGISTER: which S-CSCF registers the user (TS 24.229 §5.3.1).

use imscore_hss::{
    AuthorizationType, HssError, ServerName, UserAuthorization, UserAuthorizationRequest, VisitedNetwork,
};
use imscore_sip::header::{Name, PVisitedNetworkId};
use imscore_sip::{Request, StatusCode};

use super::{Icscf, NotFound, Query, Search, unavailable};
use crate::call::Call;
use crate::registration::RegisterRequest;
use crate::role::{Decision, Refused, Target};

impl Icscf {
    pub(super) async fn register(&self, call: &mut Call, request: Request) -> Result<Decision, Refused> {
        let register = RegisterRequest::read(&request.headers)?;
        let visited_network = self.visited_network(&request, &register)?;
        let mut query =
            UserAuthorizationRequest::new(register.private_identity, register.public_identity, visited_network);
        query.emergency = register.contacts.is_emergency();
        if register.contacts.is_deregistration() {
            query.kind = AuthorizationType::Deregistration;
        }
        self.register_at(call, request, query, Vec::new()).await
    }

    /// The S-CSCF did not answer (TS 24.229 §5.3.1.3): one that has the capabilities, and was not tried.
    pub(super) async fn register_elsewhere(
        &self,
        call: &mut Call,
        request: Request,
        mut query: UserAuthorizationRequest,
        tried: Vec<ServerName>,
    ) -> Result<Decision, Refused> {
        query.kind = AuthorizationType::RegistrationAndCapabilities;
        self.register_at(call, request, query, tried).await
    }

    async fn register_at(
        &self,
        call: &mut Call,
        mut request: Request,
        query: UserAuthorizationRequest,
        mut tried: Vec<ServerName>,
    ) -> Result<Decision, Refused> {
        let name = self.registrar(call, &query, &tried).await.map_err(refuse)?;
        let uri = self.uri_of(&name).map_err(refuse)?;
        tried.push(name);
        call.keep(Search { request: request.clone(), query: Query::Registration(query), tried });
        // TS 24.229 §5.3.1.2: the S-CSCF goes into the Request-URI. What a Route names beyond this I-CSCF is not for a
        // REGISTER to say.
        request.headers.remove(Name::ROUTE);
        let target = Target { uri: Some(uri.text()), ..Target::default() };
        Ok(Decision::forward_to(request, target))
    }

    async fn registrar(
        &self,
        call: &Call,
        query: &UserAuthorizationRequest,
        tried: &[ServerName],
    ) -> Result<ServerName, NotFound> {
        match self.ask(call, self.hss.user_authorization(query)).await? {
            UserAuthorization::Scscf(name) if !tried.contains(&name) => Ok(name),
            UserAuthorization::Capabilities(wanted) => self.select(call, &wanted, tried),
            // Named again although it did not answer: any other will do.
            UserAuthorization::Scscf(_) | _ => self.select(call, &Default::default(), tried),
        }
    }

    /// P-Visited-Network-ID, else the domain of the identity, else our own.
    fn visited_network(&self, request: &Request, register: &RegisterRequest) -> Result<VisitedNetwork, Refused> {
        let named = request.headers.get::<PVisitedNetworkId>().ok().flatten();
        let named = named.and_then(|network| network.network().parse().ok());
        let domain = register.public_identity.domain().unwrap_or(&self.settings.home_network);
        // Our own network is a setting; one that is no name is the operator's mistake.
        named.or_else(|| domain.parse().ok()).ok_or(StatusCode::SERVER_INTERNAL_ERROR.into())
    }
}

/// An S-CSCF that is not there, redirects, or declines: another one is chosen (TS 24.229 §5.3.1.3). A broken or silent
/// branch counts as 503 or 408.
pub(super) fn is_unanswered(status: StatusCode) -> bool {
    (300..400).contains(&status.code())
        || matches!(
            status,
            StatusCode::TEMPORARILY_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE
        )
}

fn refuse(error: NotFound) -> Refused {
    error.refuse(|error| match error {
        // TS 24.229 §5.3.1.3: a question that cannot be completed is 480, a negative answer 403.
        HssError::Unreachable => unavailable(None),
        HssError::Busy { retry_after } => unavailable(retry_after),
        HssError::Unknown
        | HssError::Forbidden(_)
        | HssError::NotRegistered
        | HssError::AlreadyRegistered { .. }
        | HssError::SchemeNotSupported
        | HssError::AssignmentType
        | HssError::NotAssigned
        | HssError::TooManyIdentities
        | HssError::MissingIdentity
        | _ => StatusCode::FORBIDDEN.into(),
    })
}
