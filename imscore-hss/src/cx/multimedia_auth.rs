//! Multimedia-Auth (TS 29.229 §6.1.7, §6.1.8): the S-CSCF asks what to challenge with.

use super::Command;
use crate::diameter::grammar::{grammar, group};
use crate::diameter::{CommandCode, Secret};

grammar! {
    /// Multimedia-Auth-Request.
    ///
    /// ```
    /// use imscore_hss::cx::{MultimediaAuthAnswer, MultimediaAuthRequest, SipAuthDataItem, SipDigestAuthenticate};
    /// use imscore_hss::diameter::Secret;
    ///
    /// let mut item = SipAuthDataItem::new();
    /// item.scheme = Some("SIP Digest");
    /// let (user, public, scscf) = ("alice@ims.example", "sip:alice@ims.example", "sip:scscf.ims.example");
    /// let request = MultimediaAuthRequest::new(user, public, item.clone(), 1, scscf);
    /// let mut answer = MultimediaAuthAnswer::new();
    /// item.digest = Some(SipDigestAuthenticate::new("ims.example", "auth", Secret(&[b'0'; 32])));
    /// answer.items = vec![item];
    /// assert_eq!(request.count as usize, answer.items.len());
    /// ```
    pub struct MultimediaAuthRequest<'a> {
        /// The HSS that is meant.
        [ destination_host: &'a str = DESTINATION_HOST ]
        /// The private identity.
        { user_name: &'a str = USER_NAME }
        /// The identity to register.
        { public_identity: &'a str = PUBLIC_IDENTITY }
        /// The scheme that is wanted, and after a failure of AKA what the phone said.
        { item: SipAuthDataItem<'a> = SIP_AUTH_DATA_ITEM }
        /// How many vectors are wanted.
        { count: u32 = SIP_NUMBER_AUTH_ITEMS }
        /// The S-CSCF that challenges.
        { server_name: &'a str = SERVER_NAME }
    }
}

grammar! {
    /// Multimedia-Auth-Answer.
    pub struct MultimediaAuthAnswer<'a> {
        /// The private identity.
        [ user_name: &'a str = USER_NAME ]
        /// The identity to register.
        [ public_identity: &'a str = PUBLIC_IDENTITY ]
        /// How many items there are.
        [ count: u32 = SIP_NUMBER_AUTH_ITEMS ]
        /// What to challenge with, in the order of use.
        * [ items: SipAuthDataItem<'a> = SIP_AUTH_DATA_ITEM ]
    }
}

group! {
    /// SIP-Auth-Data-Item, TS 29.229 §6.3.13.
    pub struct SipAuthDataItem<'a> {
        /// Its place among several.
        [ number: u32 = SIP_ITEM_NUMBER ]
        /// See [`scheme`].
        [ scheme: &'a str = SIP_AUTHENTICATION_SCHEME ]
        /// AKA: RAND and AUTN, 16 bytes each.
        [ authenticate: &'a [u8] = SIP_AUTHENTICATE ]
        /// AKA: the expected response; in a request RAND and AUTS, 16 and 14 bytes.
        [ authorization: Secret<'a> = SIP_AUTHORIZATION ]
        /// More to authenticate by.
        [ context: &'a [u8] = SIP_AUTHENTICATION_CONTEXT ]
        /// AKA: the key CK.
        [ confidentiality_key: Secret<'a> = CONFIDENTIALITY_KEY ]
        /// AKA: the key IK.
        [ integrity_key: Secret<'a> = INTEGRITY_KEY ]
        /// SIP Digest.
        [ digest: SipDigestAuthenticate<'a> = SIP_DIGEST_AUTHENTICATE ]
        /// Early IMS: the address that the network gave the phone.
        [ framed_address: &'a [u8] = FRAMED_IP_ADDRESS ]
        /// Early IMS: the prefix.
        [ framed_prefix: &'a [u8] = FRAMED_IPV6_PREFIX ]
        /// Early IMS: the interface.
        [ framed_interface: &'a [u8] = FRAMED_INTERFACE_ID ]
        /// NASS bundled: lines that the user may come from.
        * [ lines: &'a [u8] = LINE_IDENTIFIER ]
    }

    /// SIP-Digest-Authenticate, TS 29.229 §6.3.36.
    pub struct SipDigestAuthenticate<'a> {
        /// Realm of the challenge.
        { realm: &'a str = DIGEST_REALM }
        /// Algorithm of the hash; MD5 where it is absent.
        [ algorithm: &'a str = DIGEST_ALGORITHM ]
        /// Quality of protection.
        { qop: &'a str = DIGEST_QOP }
        /// Hash of user name, realm and password, in hexadecimal.
        { ha1: Secret<'a> = DIGEST_HA1 }
        /// A second algorithm.
        [ alternate_algorithm: &'a str = ALTERNATE_DIGEST_ALGORITHM ]
        /// The hash by that.
        [ alternate_ha1: Secret<'a> = ALTERNATE_DIGEST_HA1 ]
    }
}

/// Values of SIP-Authentication-Scheme (TS 29.228 §7.9.2).
pub mod scheme {
    /// IMS AKA.
    pub const AKA: &str = "Digest-AKAv1-MD5";
    /// SIP Digest.
    pub const DIGEST: &str = "SIP Digest";
    /// By the line.
    pub const NASS_BUNDLED: &str = "NASS-Bundled";
    /// By the address (GIBA).
    pub const EARLY_IMS: &str = "Early-IMS-Security";
    /// The S-CSCF cannot tell.
    pub const UNKNOWN: &str = "Unknown";
}

impl<'a> Command<'a> for MultimediaAuthRequest<'a> {
    const CODE: CommandCode = CommandCode::MULTIMEDIA_AUTH;
}

impl<'a> Command<'a> for MultimediaAuthAnswer<'a> {
    const CODE: CommandCode = CommandCode::MULTIMEDIA_AUTH;
}
