//! Registration at the P-CSCF: TS 24.229 §5.2.2.

use std::time::Duration;

use imscore_sip::header::{
    Contact, Expires, FlowTimer, Name, PAssociatedUri, Path, ServiceRoute, To, TypedHeader, WwwAuthenticate,
};
use imscore_sip::transport::{Flow, Transport};
use imscore_sip::{ByteString, Now, Request, Response, StatusCode, Uri};

use super::flows::Registered;
use super::{Kept, Pcscf, trust};
use crate::call::Call;
use crate::role::{Decision, Refused, Target, Verdict};

/// What a REGISTER leaves for its responses.
pub(super) struct Pending {
    flow: Flow,
    address_of_record: ByteString,
    contact: Option<Uri>,
}

impl Pcscf {
    /// A phone's REGISTER, on to the home network (TS 24.229 §5.2.2.1).
    pub(super) fn register(&self, call: &mut Call, mut request: Request, flow: Flow) -> Result<Decision, Refused> {
        let to: To = request.headers.first().map_err(|_| StatusCode::BAD_REQUEST)?;
        let contact = request.headers.typed::<Contact>().flatten().find_map(|contact| contact.uri().cloned());
        call.keep(Kept::Registration(Pending { flow, address_of_record: to.uri().address_of_record(), contact }));

        trust::strip_request_from_phone(&mut request);
        request.headers.remove(Name::ROUTE);
        let token = self.tokens.seal(flow, &[]);
        request.headers.push_front(&Path::new(own_uri(&token, &self.settings.name, ";ob")?));
        request.headers.push_raw(Name::REQUIRE.as_str(), b"path");
        request.headers.push_raw(Name::P_VISITED_NETWORK_ID.as_str(), self.settings.visited_network.as_bytes());
        self.set_charging_vector(call, &mut request);
        let entry_point = format!("sip:{};lr", self.settings.entry_point);
        Ok(Decision::forward_to(request, Target::route(entry_point)))
    }

    /// The home network's answer. A 200 says who the phone may be and how its requests go (TS 24.229 §5.2.2.1).
    pub(super) fn register_answered(&self, pending: &Pending, mut response: Response, now: Now) -> Verdict {
        if response.status().is_success() {
            self.learn(pending, &response, now);
        }
        trust::strip_to_phone(&mut response.headers);
        response.headers.remove(Name::PATH);
        self.set_flow_timer(&mut response, pending.flow.transport);
        strip_keys(&mut response);
        Verdict::Pass(response)
    }

    /// The last proxy before a phone says how often its flow is to be kept alive, where outbound is in use (RFC 5626 §5.4).
    fn set_flow_timer(&self, response: &mut Response, transport: Transport) {
        response.headers.remove(FlowTimer::NAME);
        if response.status().is_success() && response.headers.requires("outbound") {
            let (datagrams, streams) = self.settings.flow_timers;
            response.headers.push(&FlowTimer(if transport.is_reliable() { streams } else { datagrams }));
        }
    }

    fn learn(&self, pending: &Pending, response: &Response, now: Now) {
        let default = response.headers.get::<Expires>().ok().flatten().map_or(0, |expires| expires.0);
        let is_ours = |contact: &Contact| match (contact.uri(), &pending.contact) {
            (Some(uri), Some(own)) => uri.equivalent(own),
            _ => false,
        };
        let granted = response
            .headers
            .typed::<Contact>()
            .flatten()
            .find(is_ours)
            .map_or(0, |contact| contact.expires().unwrap_or(default));
        if pending.contact.is_none() {
            // A question about bindings, or Contact: * (RFC 3261 §10.2.2, §10.2.3): what is left tells.
            if !response.headers.contains(Name::CONTACT) {
                self.flows.remove(pending.flow, &pending.address_of_record);
            }
            return;
        }
        if granted == 0 {
            return self.flows.remove(pending.flow, &pending.address_of_record);
        }
        let service_route =
            response.headers.typed::<ServiceRoute>().flatten().map(|route| route.uri().text()).collect();
        let identities =
            response.headers.typed::<PAssociatedUri>().flatten().map(|address| address.uri().clone()).collect();
        let registered = Registered {
            address_of_record: pending.address_of_record.clone(),
            identities,
            service_route,
            expires: now.monotonic + Duration::from_secs(u64::from(granted)),
        };
        self.flows.put(pending.flow, registered, now.monotonic);
    }

    /// P-Charging-Vector of a request that begins here: an identifier that no other has (TS 24.229 §5.2.6.3.3, RFC 7315 §4.6).
    pub(super) fn set_charging_vector(&self, call: &Call, request: &mut Request) {
        let vector = format!(
            "icid-value=\"{:016x}{:016x}\";icid-generated-at={};orig-ioi={}",
            call.random(),
            call.random(),
            self.settings.name,
            self.settings.visited_network
        );
        request.headers.push_raw(Name::P_CHARGING_VECTOR.as_str(), vector.as_bytes());
    }
}

/// A URI of ours with a token in its user part.
pub(super) fn own_uri(token: &str, host: &str, params: &str) -> Result<Uri, Refused> {
    // The host is a setting; one that makes no URI is the operator's mistake.
    format!("sip:{token}@{host};lr{params}").parse().map_err(|_| StatusCode::SERVER_INTERNAL_ERROR.into())
}

/// I13: the keys of an AKA challenge are for the P-CSCF alone (TS 24.229 §5.2.2.1).
fn strip_keys(response: &mut Response) {
    let has_keys = |value: &WwwAuthenticate| value.param("ck").is_some() || value.param("ik").is_some();
    if response.headers.typed::<WwwAuthenticate>().flatten().any(|value| has_keys(&value)) {
        let plain: Vec<WwwAuthenticate> = response
            .headers
            .typed::<WwwAuthenticate>()
            .flatten()
            .map(|value| value.without("ck").without("ik").into())
            .collect();
        response.headers.remove(WwwAuthenticate::NAME);
        plain.iter().for_each(|value| response.headers.push(value));
    }
}
