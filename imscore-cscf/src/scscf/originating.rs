//! Requests of the served user (TS 24.229 §5.4.3.2).

use imscore_sip::header::Name;
use imscore_sip::{Request, StatusCode};

use super::{Failure, Scscf};
use crate::call::Call;
use crate::identity;
use crate::role::{Decision, Target};
use crate::routing::Destination;

impl Scscf {
    pub(super) async fn originate(&self, call: &mut Call, mut request: Request) -> Result<Decision, Failure> {
        let served = identity::served_user(&request.headers).ok_or(StatusCode::FORBIDDEN)?;
        let registration = self.registrations.find(call, &served).await?.ok_or(StatusCode::FORBIDDEN)?;
        // Barred: it may be registered, and neither call nor be called.
        if registration.associated(&served).is_none_or(|entry| entry.barred) {
            return Err(StatusCode::FORBIDDEN.into());
        }
        let destination =
            Destination::of(&request.uri().map_err(|_| StatusCode::BAD_REQUEST)?, &self.settings.home_domains);

        identity::assert_other_name(&mut request.headers, registration.unbarred());
        request.headers.remove(Name::P_SERVED_USER);
        // The way from here on is this S-CSCF's to say, whatever else the Route named (I7).
        request.headers.remove(Name::ROUTE);
        self.record_route(&mut request);
        match destination {
            Destination::Home => Ok(Decision::forward_to(request, Target::route(self.entry_point.text()))),
            Destination::Foreign => {
                identity::leave_trust_domain(&mut request.headers);
                Ok(Decision::forward(request))
            }
            Destination::Unsupported => Err(StatusCode::UNSUPPORTED_URI_SCHEME.into()),
        }
    }
}
