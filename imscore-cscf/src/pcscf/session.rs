//! Requests outside a dialog: TS 24.229 §5.2.6.3 from the phone, §5.2.6.4 towards it.

use std::time::{Duration, Instant};

use imscore_sip::header::{Name, PAssertedIdentity, PCalledPartyId, PPreferredIdentity, RecordRoute};
use imscore_sip::transport::Flow;
use imscore_sip::{ByteString, Method, Now, Pii, Request, Response, StatusCode, Uri};

use super::registration::own_uri;
use super::{Kept, Pcscf, dialog, trust};
use crate::call::Call;
use crate::role::{Decision, Refused, Target, Verdict};

/// What a request leaves for its responses.
pub(super) struct Pending {
    /// Towards a phone: the responses are the phone's.
    to_phone: bool,
    /// The identity that was called, which the answer is asserted to come from.
    called: Option<Uri>,
    /// Record-Route as it was sent to the phone.
    record_route: Vec<ByteString>,
    /// Of an INVITE: what a dialog record begins with.
    call: Option<dialog::Beginning>,
    /// Of a phone's INVITE: when it came, and whom it is for.
    begun: Option<(Instant, ByteString)>,
}

impl Pcscf {
    /// A request of a phone that begins something (TS 24.229 §5.2.6.3.3, §5.2.6.3.7).
    pub(super) fn begin_from_phone(
        &self,
        call: &mut Call,
        mut request: Request,
        flow: Flow,
    ) -> Result<Decision, Refused> {
        if request.headers.to_tag().is_some() {
            // In a dialog, but not by our Record-Route: nothing proves that the phone is part of it (I8).
            return Err(StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST.into());
        }
        let preferred: Vec<PPreferredIdentity> = request.headers.typed().flatten().collect();
        let from = request.headers.first::<imscore_sip::header::From>().map_err(|_| StatusCode::BAD_REQUEST)?;
        let claims: Vec<&Uri> = preferred.iter().map(|claim| claim.uri()).chain([from.uri()]).collect();
        let user = self.flows.user(flow, &claims, call.now().monotonic).ok_or(StatusCode::FORBIDDEN)?;

        // A preference that is not the user's is passed over: the default identity stands (TS 24.229 §5.2.6.3.1).
        let asserted = preferred.iter().find_map(|claim| user.identity(claim.uri())).or(user.identities.first());
        let asserted = asserted.ok_or(StatusCode::FORBIDDEN)?.clone();

        trust::strip_request_from_phone(&mut request);
        request.headers.remove(Name::P_PREFERRED_IDENTITY);
        request.headers.push(&PAssertedIdentity::new(asserted));
        self.set_charging_vector(call, &mut request);
        // Whatever route the phone thinks of, it is the Service-Route (TS 24.229 §5.2.6.3.3; I7).
        request.headers.remove(Name::ROUTE);
        let beginning = self.record_route(call, &mut request, flow, dialog::PhoneIs::Caller)?;
        let is_invite = request.is(&Method::Invite);
        call.keep(Kept::Session(Pending {
            to_phone: false,
            called: None,
            record_route: Vec::new(),
            call: beginning.filter(|_| is_invite),
            begun: is_invite.then(|| (call.now().monotonic, request.target())),
        }));
        let target = Target { routes: user.service_route, ..Target::default() };
        Ok(Decision::forward_to(request, target))
    }

    /// A request of the core, down the flow that its Route names (TS 24.229 §5.2.6.4.3, RFC 5626 §5.3).
    pub(super) fn begin_to_phone(&self, call: &mut Call, mut request: Request) -> Result<Decision, Refused> {
        let flow = call
            .route()
            .and_then(|route| Uri::try_from(route.clone()).ok())
            .and_then(|uri| self.tokens.open(uri.as_sip()?.user()?, &[]))
            .filter(|flow| self.flows.is_registered(*flow, call.now().monotonic))
            .ok_or(StatusCode::FLOW_FAILED)?;
        let called = request.headers.get::<PCalledPartyId>().ok().flatten().map(|called| called.uri().clone());
        trust::strip_to_phone(&mut request.headers);
        let beginning = self.record_route(call, &mut request, flow, dialog::PhoneIs::Callee)?;
        let record_route = match beginning {
            Some(_) => record_routes(request.headers.typed()),
            None => Vec::new(),
        };
        let beginning = beginning.filter(|_| request.is(&Method::Invite));
        call.keep(Kept::Session(Pending { to_phone: true, called, record_route, call: beginning, begun: None }));
        Ok(Decision::forward_to(request, Target { flow: Some(flow), ..Target::default() }))
    }

    /// The answer to either.
    pub(super) fn session_answered(&self, pending: &mut Pending, mut response: Response, now: Now) -> Verdict {
        if let Some((begun, target)) = pending.begun.take_if(|_| response.status().is_final()) {
            log_call(&response, &target, now.monotonic - begun);
        }
        if pending.to_phone {
            trust::strip_from_phone(&mut response.headers);
            restore_record_route(&mut response, &pending.record_route);
            if let Some(called) = pending.called.as_ref().filter(|_| response.status().code() < 300) {
                response.headers.push(&PAssertedIdentity::new(called.clone()));
            }
        } else {
            trust::strip_to_phone(&mut response.headers);
        }
        if let Some(beginning) = pending.call.as_ref().filter(|_| response.status().is_success()) {
            self.dialogs.begin(beginning, &response);
        }
        Verdict::Pass(response)
    }

    /// Stays on the way of a dialog: one Record-Route for the phone, one for the core, the same token in both (RFC 5658,
    /// TS 24.229 §5.2.6.3.3).
    fn record_route(
        &self,
        call: &Call,
        request: &mut Request,
        flow: Flow,
        phone: dialog::PhoneIs,
    ) -> Result<Option<dialog::Beginning>, Refused> {
        let sets_up = [Method::Invite, Method::Subscribe, Method::Refer, Method::Notify];
        if !sets_up.iter().any(|method| request.is(method)) {
            return Ok(None);
        }
        let call_id = request.headers.call_id().unwrap_or_default();
        let tag = request.headers.from_tag().unwrap_or_default();
        let token = self.tokens.seal(flow, &[call_id.as_bytes(), tag.as_bytes()]);
        let listener = call.listener(flow.listener).ok_or(StatusCode::SERVER_INTERNAL_ERROR)?;
        let transport = format!(";transport={}", flow.transport.as_str().to_ascii_lowercase());
        let access = RecordRoute::new(own_uri(&token, &listener.sent_by, &transport)?);
        let core = RecordRoute::new(own_uri(&token, &self.settings.name, "")?);
        let (way_in, way_out) = match phone {
            dialog::PhoneIs::Caller => (access, core),
            dialog::PhoneIs::Callee => (core, access),
        };
        request.headers.push_front(&way_in);
        request.headers.push_front(&way_out);
        Ok(Some(dialog::Beginning::new(request, flow, phone, token)))
    }
}

fn record_routes<E>(routes: impl Iterator<Item = Result<RecordRoute, E>>) -> Vec<ByteString> {
    routes.flatten().map(|route| route.uri().text()).collect()
}

/// A phone that answers with another Record-Route than it was sent would lead the dialog past us (TS 24.229 §5.2.6.4.4; I9):
/// the one that was sent stands.
fn restore_record_route(response: &mut Response, sent: &[ByteString]) {
    if sent.is_empty() || response.status().code() >= 300 || record_routes(response.headers.typed()) == sent {
        return;
    }
    response.headers.remove(Name::RECORD_ROUTE);
    for uri in sent {
        if let Ok(uri) = Uri::try_from(uri.clone()) {
            response.headers.push(&RecordRoute::new(uri));
        }
    }
}

/// One line a call, when it is answered or fails.
fn log_call(response: &Response, target: &str, took: Duration) {
    let caller = response.headers.get::<imscore_sip::header::From>().ok().flatten();
    let caller = caller.map(|from| from.uri().to_string()).unwrap_or_default();
    let reason = String::from_utf8_lossy(response.reason());
    let milliseconds = took.as_millis();
    tracing::info!("call {} -> {}: {} {reason}, {milliseconds} ms", Pii(caller), Pii(target), response.status());
}
