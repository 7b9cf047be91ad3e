//! Push-Profile (TS 29.229 §6.1.11, §6.1.12): the HSS replaces what an S-CSCF has of a user.

use super::{AllowedWafWwsfIdentities, ChargingInformation, Command, SipAuthDataItem};
use crate::diameter::CommandCode;
use crate::diameter::grammar::grammar;

grammar! {
    /// Push-Profile-Request.
    pub struct PushProfileRequest<'a> {
        /// The S-CSCF that is meant.
        { destination_host: &'a str = DESTINATION_HOST }
        /// The private identity.
        { user_name: &'a str = USER_NAME }
        /// The profile: IMSSubscription as XML.
        [ user_data: &'a [u8] = USER_DATA ]
        /// Where charging data goes.
        [ charging: ChargingInformation<'a> = CHARGING_INFORMATION ]
        /// SIP Digest: another password.
        [ item: SipAuthDataItem<'a> = SIP_AUTH_DATA_ITEM ]
        /// Web servers that the user may come from.
        [ web: AllowedWafWwsfIdentities<'a> = ALLOWED_WAF_WWSF_IDENTITIES ]
    }
}

grammar! {
    /// Push-Profile-Answer: nothing beyond what every answer has.
    pub struct PushProfileAnswer {}
}

impl<'a> Command<'a> for PushProfileRequest<'a> {
    const CODE: CommandCode = CommandCode::PUSH_PROFILE;
}

impl<'a> Command<'a> for PushProfileAnswer {
    const CODE: CommandCode = CommandCode::PUSH_PROFILE;
}
