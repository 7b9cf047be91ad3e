//! REGISTER: bindings come, stay and go (TS 24.229 §5.4.1.2.2A, §5.4.1.2.2F, §5.4.1.4; RFC 3261 §10.3).

use imscore_hss::{AssignmentType, HssError, PrivateIdentity, ServerAssignment, ServerAssignmentRequest};
use imscore_sip::header::{
    Contact, Name, PAssociatedUri, PChargingFunctionAddresses, Path, Require, ServiceRoute, Supported,
};
use imscore_sip::{Request, Response, StatusCode, Uri};

use super::authentication::{Proof, Wanted};
use super::{Failure, Scscf};
use crate::call::Call;
use crate::registration::{Change, Contacts, RegisterRequest, Registration, Stored};
use crate::role::Decision;

impl Scscf {
    pub(super) async fn register(&self, call: &mut Call, request: Request) -> Result<Decision, Failure> {
        let register = RegisterRequest::read(&request.headers)?;
        let change = self.change_of(&register, &request)?;
        let response = match self.authenticate(call, &register, &request).await? {
            Proof::Wanted(wanted) => self.challenge(call, &register, &request, wanted).await?,
            Proof::Given => match &change.contacts {
                Contacts::Fetch => {
                    let found = self.registrations.find(call, &register.public_identity).await?;
                    self.accepted(&request, &change, found.as_ref())
                }
                contacts if contacts.is_deregistration() => {
                    let left = self.unbind(call, &register, &change).await?;
                    self.accepted(&request, &change, left.as_ref())
                }
                Contacts::RemoveAll | Contacts::Change(_) => match self.bind(call, &register, &change).await {
                    Ok(registration) => self.accepted(&request, &change, Some(&registration)),
                    // The I-CSCF has chosen this S-CSCF in place of another one, and the HSS has yet to hear of it,
                    // which a challenge does (TS 29.228 §8.1).
                    Err(Failure::Hss(HssError::AlreadyRegistered { .. })) => {
                        let wanted = Wanted { stale: true, resynchronisation: None };
                        self.challenge(call, &register, &request, wanted).await?
                    }
                    Err(failure) => return Err(failure),
                },
            },
        };
        Ok(Decision::Reply(response))
    }

    /// What the REGISTER wants of the bindings, as far as it can be had at all.
    fn change_of(&self, register: &RegisterRequest, request: &Request) -> Result<Change, Failure> {
        let path: Vec<Path> = request.headers.all()?;
        // RFC 5626 §6: the first hop is the last in Path; it is that which keeps flows.
        let edge_keeps_flows = path.last().and_then(|hop| hop.sip()).is_some_and(|uri| uri.params().contains("ob"));
        let change = Change {
            private_identity: register.private_identity.clone(),
            call_id: request.headers.call_id().unwrap_or_default().into(),
            cseq: request.headers.first::<imscore_sip::header::CSeq>()?.number,
            path: path.iter().map(|hop| hop.uri().text()).collect(),
            has_flows: edge_keeps_flows && request.headers.supports("outbound"),
            contacts: register.contacts.clone(),
        };
        if let Contacts::Change(wanted) = &change.contacts {
            let new = wanted.iter().filter(|wanted| wanted.expires != Some(0));
            new.map(|wanted| &wanted.contact).try_for_each(|contact| self.check_contact(contact))?;
        }
        change.check(&self.terms())?;
        Ok(change)
    }

    /// I6: a Contact is a phone, and not the core itself.
    fn check_contact(&self, contact: &Contact) -> Result<(), Failure> {
        let uri = contact.sip().ok_or(StatusCode::BAD_REQUEST)?;
        let with_port = format!("{}:{}", uri.host(), uri.port().unwrap_or(5060));
        let is_it = |host: &str| host.eq_ignore_ascii_case(uri.host()) || host.eq_ignore_ascii_case(&with_port);
        let own = [self.own.host(), self.entry_point.host()];
        let mut core = self.settings.core.iter().chain(&self.settings.home_domains).map(AsRef::as_ref).chain(own);
        if core.any(is_it) { Err(StatusCode::FORBIDDEN.into()) } else { Ok(()) }
    }

    /// Tells the HSS, and writes the bindings.
    async fn bind(&self, call: &Call, register: &RegisterRequest, change: &Change) -> Result<Registration, Failure> {
        let known = self.registrations.find(call, &register.public_identity).await?;
        // A private identity that is new to the set is a registration, whoever else has it (TS 24.229 §5.4.1.2.2F).
        let assignment = match known {
            Some(known) if known.has(&register.private_identity) => AssignmentType::ReRegistration,
            Some(_) | None => AssignmentType::Registration,
        };
        let answer = self.assign(call, register, assignment).await?;
        let profile = answer.profile.as_deref().ok_or(StatusCode::SERVER_INTERNAL_ERROR)?;
        // TS 29.228 §6.1.1.1: where all are barred nobody registers.
        let default = profile.default_identity().ok_or(StatusCode::FORBIDDEN)?;
        let stored = self.registrations.change(call, default, |found| {
            let mut registration = found.unwrap_or_else(|| Registration::new(self.server_name.clone(), profile));
            registration.set_profile(profile);
            registration.server_name = self.server_name.clone();
            registration.charging = answer.charging.clone();
            change.apply(&mut registration, &self.terms())?;
            Ok::<_, Failure>(Some(registration))
        });
        let stored = stored.await?.ok_or(StatusCode::SERVER_INTERNAL_ERROR)?;
        Ok(stored.registration)
    }

    /// Takes bindings away. `None`: there is none left.
    async fn unbind(
        &self,
        call: &Call,
        register: &RegisterRequest,
        change: &Change,
    ) -> Result<Option<Registration>, Failure> {
        let Some(known) = self.registrations.find(call, &register.public_identity).await? else { return Ok(None) };
        let Some(default) = known.default_identity() else { return Ok(None) };
        let stored = self.registrations.change(call, default, |found| {
            let Some(mut registration) = found else { return Ok(None) };
            change.apply(&mut registration, &self.terms())?;
            Ok::<_, Failure>(Some(registration))
        });
        let Some(stored) = stored.await? else { return Ok(None) };
        let registration = stored.registration.clone();
        if !registration.left.is_empty() || registration.bindings.is_empty() {
            self.end(call, stored, AssignmentType::UserDeregistration).await;
        }
        Ok((!registration.bindings.is_empty()).then_some(registration))
    }

    /// Tells the HSS who has no binding any more, and forgets the set where nobody has. Where the HSS does not answer, the
    /// store gives the set out again later.
    pub(super) async fn end(&self, call: &Call, mut stored: Stored, assignment: AssignmentType) {
        let registration = &mut stored.registration;
        let Some(default) = registration.default_identity().cloned() else { return };
        let name = registration.server_name.clone();
        let tell = async |user: &PrivateIdentity, assignment| {
            let request = ServerAssignmentRequest::new(user.clone(), default.clone(), name.clone(), assignment);
            let told = self.ask(call, self.hss.server_assignment(&request)).await;
            !matches!(told, Err(HssError::Unreachable | HssError::Busy { .. }))
        };
        // Records of before do not say who has left.
        if registration.bindings.is_empty() && registration.left.is_empty() {
            registration.left.push(registration.private_identity.clone());
        }
        let mut told = Vec::new();
        for user in std::mem::take(&mut registration.left) {
            let list = if tell(&user, assignment).await { &mut told } else { &mut registration.left };
            list.push(user);
        }
        if told.is_empty() {
            return;
        }
        let is_over = registration.bindings.is_empty() && registration.left.is_empty();
        let written = match is_over {
            true => self.registrations.forget(call, &stored).await,
            false => self.registrations.settle(call, &mut stored).await,
        };
        if let Ok(false) = written {
            // Somebody registered again while the HSS was told that it is gone; whichever it heard last, this is true.
            let Ok(Some(now)) = self.registrations.find(call, &default).await else { return };
            for user in told.iter().filter(|user| now.has(user)) {
                tell(user, AssignmentType::Registration).await;
            }
        }
    }

    async fn assign(
        &self,
        call: &Call,
        register: &RegisterRequest,
        assignment: AssignmentType,
    ) -> Result<ServerAssignment, Failure> {
        let request = ServerAssignmentRequest::new(
            register.private_identity.clone(),
            register.public_identity.clone(),
            self.server_name.clone(),
            assignment,
        );
        Ok(self.ask(call, self.hss.server_assignment(&request)).await?)
    }

    /// The 200 (TS 24.229 §5.4.1.2.2F, RFC 3261 §10.3 step 8).
    fn accepted(&self, request: &Request, change: &Change, registration: Option<&Registration>) -> Response {
        let mut response = request.reply(StatusCode::OK);
        let headers = &mut response.headers;
        headers.push(&Supported("path".into()));
        headers.push(&Supported("outbound".into()));
        let Some(registration) = registration else { return response };
        for binding in &registration.bindings {
            if let Some(contact) = binding.contact() {
                headers.push(&contact.with_expires(u32::try_from(binding.remaining.as_secs()).unwrap_or(u32::MAX)));
            }
        }
        request.headers.raw_all(Name::PATH).for_each(|path| headers.push_raw(Name::PATH.as_str(), path));
        if uses_flows(change) {
            headers.push(&Require("outbound".into()));
        }
        headers.push(&ServiceRoute::new(self.own.with_param("orig", None)));
        for identity in registration.unbarred() {
            if let Ok(uri) = identity.as_str().parse::<Uri>() {
                headers.push(&PAssociatedUri::new(uri));
            }
        }
        if let Some(addresses) = registration.charging.as_ref().and_then(charging_addresses) {
            headers.push(&addresses);
        }
        response
    }
}

/// RFC 5626 §6: a registration that was processed as a flow says so.
fn uses_flows(change: &Change) -> bool {
    match &change.contacts {
        Contacts::Fetch | Contacts::RemoveAll => false,
        Contacts::Change(wanted) => {
            let is_flow = |contact: &Contact| contact.reg_id().is_some() && contact.instance().is_some();
            change.has_flows && wanted.iter().any(|wanted| is_flow(&wanted.contact))
        }
    }
}

fn charging_addresses(charging: &imscore_hss::ChargingAddresses) -> Option<PChargingFunctionAddresses> {
    let functions = charging.collection.iter().map(|address| ("ccf", address));
    let functions = functions.chain(charging.event.iter().map(|address| ("ecf", address)));
    functions.fold(None, |header: Option<PChargingFunctionAddresses>, (function, address)| match header {
        None => Some(PChargingFunctionAddresses::new(function, address)),
        Some(header) => Some(header.with(function, address)),
    })
}
