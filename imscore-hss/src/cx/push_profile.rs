//! Push-Profile (TS 29.229 §6.1.11, §6.1.12): the HSS replaces what an S-CSCF has of a user.

use super::{AllowedWafWwsfIdentities, ChargingInformation, Command, SipAuthDataItem};
use crate::diameter::CommandCode;
use crate::diameter::grammar::grammar;

grammar! {
    /// Push-Profile-Request.
    ///
    /// ```
    /// use imscore_hss::cx::{Command, PushProfileAnswer, PushProfileRequest, Request, RequestHead};
    /// use imscore_hss::diameter::Message;
    ///
    /// let mut request = PushProfileRequest::new("scscf.ims.example", "alice@ims.example");
    /// request.user_data = Some(b"<IMSSubscription/>");
    /// let head = RequestHead::cx("hss;1;1", "hss.ims.example", "ims.example", "ims.example");
    /// let message = Message::parse(Request { head, command: request.clone() }.encode()?)?;
    /// assert_eq!(Request::<PushProfileRequest>::read(&message)?.command, request);
    /// assert_eq!(PushProfileAnswer::CODE, message.header().command);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
