//! Requests for the served user (TS 24.229 §5.4.3.3).

use imscore_hss::PublicIdentity;
use imscore_sip::header::{Name, PCalledPartyId};
use imscore_sip::{Request, Response, StatusCode, Uri};

use super::{Failure, Scscf};
use crate::call::Call;
use crate::registration::{Binding, Registration};
use crate::role::{Decision, Target, Targets, Verdict};

/// What is kept while the phones have the request.
struct Forked {
    /// The set that they belong to.
    default: PublicIdentity,
    /// The binding that each branch went to, in the order of forking.
    branches: Vec<Binding>,
    /// Other flows of the same phones, in the order in which they are tried.
    spare: Vec<Binding>,
    /// Where there are spare flows, what goes down them.
    request: Option<Request>,
}

impl Scscf {
    pub(super) async fn terminate(&self, call: &mut Call, mut request: Request) -> Result<Decision, Failure> {
        let uri = request.uri().map_err(|_| StatusCode::BAD_REQUEST)?;
        let called: PublicIdentity = uri.as_str().parse().map_err(|_| StatusCode::NOT_FOUND)?;
        // No phone has a GRUU from here: nobody is behind it (RFC 5627 §5.1).
        if uri.as_sip().is_some_and(|uri| uri.params().contains("gr")) {
            return Err(StatusCode::TEMPORARILY_UNAVAILABLE.into());
        }
        let Some(registration) = self.registrations.find(call, &called).await? else {
            return Err(StatusCode::TEMPORARILY_UNAVAILABLE.into());
        };
        if registration.associated(&called).is_none_or(|entry| entry.barred) {
            return Err(StatusCode::NOT_FOUND.into());
        }
        // Whom the request was for, before it is for a contact.
        request.headers.set(&PCalledPartyId::new(uri));
        request.headers.remove(Name::P_SERVED_USER);
        request.headers.remove(Name::ROUTE);
        self.record_route(&mut request);

        let (branches, spare) = flows(&registration);
        let targets: Targets = branches.iter().filter_map(target).collect();
        if targets.is_empty() || targets.len() < branches.len() {
            return Err(StatusCode::SERVER_INTERNAL_ERROR.into());
        }
        if let Some(default) = registration.default_identity().cloned() {
            let request = (!spare.is_empty()).then(|| request.clone());
            call.keep(Forked { default, branches, spare, request });
        }
        Ok(Decision::Forward(request, targets))
    }

    /// An answer of one of the phones. 430 says that the flow to it is gone (RFC 5626 §5.3, §11.5): the binding goes, and
    /// another flow of the same phone is tried.
    pub(super) fn forked_answered(&self, call: &mut Call, mut response: Response) -> Verdict {
        if response.status() != StatusCode::FLOW_FAILED {
            return Verdict::Pass(response);
        }
        let branch = call.branch();
        let Some(forked) = call.kept::<Forked>() else { return Verdict::Pass(response) };
        if let Some(binding) = forked.branches.get(branch).cloned() {
            let next = forked.spare.iter().position(|spare| is_same_phone(spare, &binding));
            self.lost_flows.push(forked.default.clone(), binding);
            if let (Some(next), Some(request)) = (next, forked.request.clone()) {
                let spare = forked.spare.remove(next);
                if let Some(target) = target(&spare) {
                    forked.branches.push(spare);
                    return Verdict::Retry(request, Targets::from_iter([target]));
                }
            }
        }
        // No phone is ever told of flows (RFC 5626 §11.5).
        response.set_status(StatusCode::TEMPORARILY_UNAVAILABLE);
        Verdict::Pass(response)
    }
}

/// One flow to each phone, the one that registered last, and the other flows of those phones, the latest first (RFC 5626
/// §5.3: never two of one phone at once).
fn flows(registration: &Registration) -> (Vec<Binding>, Vec<Binding>) {
    let (mut first, mut spare) = (Vec::<Binding>::new(), Vec::new());
    for binding in registration.bindings.iter().rev() {
        let list = if first.iter().any(|other| is_same_phone(other, binding)) { &mut spare } else { &mut first };
        list.push(binding.clone());
    }
    first.reverse();
    (first, spare)
}

fn is_same_phone(one: &Binding, other: &Binding) -> bool {
    let instance = |binding: &Binding| binding.contact()?.instance().map(|instance| instance.to_ascii_lowercase());
    one.private_identity == other.private_identity && instance(one).is_some_and(|found| instance(other) == Some(found))
}

/// The way to a phone: its contact, by its Path.
fn target(binding: &Binding) -> Option<Target> {
    let contact = binding.contact()?;
    let uri: &Uri = contact.uri()?;
    Some(Target { uri: Some(uri.text()), routes: binding.path.clone(), flow: None })
}
