//! Every typed header, for whoever has something to do with each of them.

use super::{HeaderError, Name, TypedHeader};
use crate::message::Headers;

/// Hands the types of all headers, in alphabetical order, to the macro of that name.
#[doc(hidden)]
#[macro_export]
macro_rules! every_header {
    ($then:ident) => {
        $then! {
            Accept AcceptContact AcceptEncoding AcceptLanguage AcceptResourcePriority AdditionalIdentity
            AlertInfo AlertMsgError Allow AllowEvents AnswerMode AttestationInfo AuthenticationInfo
            Authorization CSeq CallId CallInfo CellularNetworkInfo Contact ContentDisposition
            ContentEncoding ContentId ContentLanguage ContentLength ContentType Date DcInfo Diversion
            ErrorInfo Event Expires FeatureCaps FlowTimer From Geolocation GeolocationError
            GeolocationRouting HistoryInfo Identity InReplyTo InfoPackage Join MaxBreadth MaxForwards
            MimeVersion MinExpires MinSe Organization OriginationId PAccessNetworkInfo PAnswerState
            PAssertedIdentity PAssertedService PAssociatedUri PCalledPartyId PChargeInfo
            PChargingFunctionAddresses PChargingVector PDcsBillingInfo PDcsLaes PDcsOsps PDcsRedirect
            PDcsTracePartyId PEarlyMedia PMediaAuthorization PPreferredIdentity PPreferredService
            PPrivateNetworkIndication PProfileKey PRefusedUriList PServedUser PUserDatabase
            PVisitedNetworkId Path PermissionMissing PolicyContact PolicyId Priority PriorityShare
            PriorityVerstat PrivAnswerMode Privacy ProxyAuthenticate ProxyAuthenticationInfo
            ProxyAuthorization ProxyRequire RAck RSeq Reason RecordRoute RecvInfo ReferEventsAt ReferSub
            ReferTo ReferredBy RejectContact RelayedCharge Replaces ReplyTo RequestDisposition Require
            ResourcePriority ResourceShare ResponseSource RestorationInfo RetryAfter Route
            SecurityClient SecurityServer SecurityVerify Server ServiceInteractInfo ServiceRoute
            SessionExpires SessionId SipETag SipIfMatch Subject SubscriptionState Supported
            SuppressIfMatch TargetDialog Timestamp To TriggerConsent Unsupported UserAgent UserToUser
            Via Warning WwwAuthenticate
        }
    };
}

/// The first value of a header that cannot be decoded.
type Check = fn(&Headers) -> Result<(), HeaderError>;

macro_rules! checks {
    ($($header:ident)*) => {
        const CHECKS: &[(Name, Check)] = &[$((<super::$header as TypedHeader>::NAME, check::<super::$header>)),*];
    };
}

every_header!(checks);

fn check<H: TypedHeader>(headers: &Headers) -> Result<(), HeaderError> {
    headers.typed::<H>().try_for_each(|value| value.map(drop))
}

impl Headers {
    /// Of each header that has a type, the first value that does not follow its grammar.
    pub(crate) fn undecodable(&self) -> impl Iterator<Item = HeaderError> {
        CHECKS.iter().filter(|(name, _)| self.contains(*name)).filter_map(|(_, check)| check(self).err())
    }
}
