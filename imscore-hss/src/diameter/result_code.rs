//! Result codes of the base protocol (RFC 6733 §7.1).

use std::fmt;

use super::header::numbers;

/// Value of Result-Code. Those of an application stand in Experimental-Result-Code and have types of their own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultCode(pub u32);

impl ResultCode {
    /// 2xxx: done.
    pub const fn is_success(self) -> bool {
        self.0 / 1000 == 2
    }

    /// 3xxx: between two hops; stands only in answers with the E flag (RFC 6733 §7.1.3).
    pub const fn is_protocol_error(self) -> bool {
        self.0 / 1000 == 3
    }

    /// True where the same request may succeed later or at another peer.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::UNABLE_TO_DELIVER | Self::TOO_BUSY | Self::LOOP_DETECTED | Self::OUT_OF_SPACE)
    }
}

numbers! { ResultCode:
    MULTI_ROUND_AUTH = 1001 "DIAMETER_MULTI_ROUND_AUTH";
    SUCCESS = 2001 "DIAMETER_SUCCESS";
    LIMITED_SUCCESS = 2002 "DIAMETER_LIMITED_SUCCESS";
    COMMAND_UNSUPPORTED = 3001 "DIAMETER_COMMAND_UNSUPPORTED";
    UNABLE_TO_DELIVER = 3002 "DIAMETER_UNABLE_TO_DELIVER";
    REALM_NOT_SERVED = 3003 "DIAMETER_REALM_NOT_SERVED";
    TOO_BUSY = 3004 "DIAMETER_TOO_BUSY";
    LOOP_DETECTED = 3005 "DIAMETER_LOOP_DETECTED";
    REDIRECT_INDICATION = 3006 "DIAMETER_REDIRECT_INDICATION";
    APPLICATION_UNSUPPORTED = 3007 "DIAMETER_APPLICATION_UNSUPPORTED";
    INVALID_HDR_BITS = 3008 "DIAMETER_INVALID_HDR_BITS";
    INVALID_AVP_BITS = 3009 "DIAMETER_INVALID_AVP_BITS";
    UNKNOWN_PEER = 3010 "DIAMETER_UNKNOWN_PEER";
    AUTHENTICATION_REJECTED = 4001 "DIAMETER_AUTHENTICATION_REJECTED";
    OUT_OF_SPACE = 4002 "DIAMETER_OUT_OF_SPACE";
    ELECTION_LOST = 4003 "ELECTION_LOST";
    AVP_UNSUPPORTED = 5001 "DIAMETER_AVP_UNSUPPORTED";
    UNKNOWN_SESSION_ID = 5002 "DIAMETER_UNKNOWN_SESSION_ID";
    AUTHORIZATION_REJECTED = 5003 "DIAMETER_AUTHORIZATION_REJECTED";
    INVALID_AVP_VALUE = 5004 "DIAMETER_INVALID_AVP_VALUE";
    MISSING_AVP = 5005 "DIAMETER_MISSING_AVP";
    RESOURCES_EXCEEDED = 5006 "DIAMETER_RESOURCES_EXCEEDED";
    CONTRADICTING_AVPS = 5007 "DIAMETER_CONTRADICTING_AVPS";
    AVP_NOT_ALLOWED = 5008 "DIAMETER_AVP_NOT_ALLOWED";
    AVP_OCCURS_TOO_MANY_TIMES = 5009 "DIAMETER_AVP_OCCURS_TOO_MANY_TIMES";
    NO_COMMON_APPLICATION = 5010 "DIAMETER_NO_COMMON_APPLICATION";
    UNSUPPORTED_VERSION = 5011 "DIAMETER_UNSUPPORTED_VERSION";
    UNABLE_TO_COMPLY = 5012 "DIAMETER_UNABLE_TO_COMPLY";
    INVALID_BIT_IN_HEADER = 5013 "DIAMETER_INVALID_BIT_IN_HEADER";
    INVALID_AVP_LENGTH = 5014 "DIAMETER_INVALID_AVP_LENGTH";
    INVALID_MESSAGE_LENGTH = 5015 "DIAMETER_INVALID_MESSAGE_LENGTH";
    INVALID_AVP_BIT_COMBO = 5016 "DIAMETER_INVALID_AVP_BIT_COMBO";
    NO_COMMON_SECURITY = 5017 "DIAMETER_NO_COMMON_SECURITY";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_names() {
        assert!(ResultCode(2999).is_success() && !ResultCode::TOO_BUSY.is_success());
        assert!(ResultCode::TOO_BUSY.is_protocol_error() && ResultCode::TOO_BUSY.is_transient());
        assert!(!ResultCode::UNABLE_TO_COMPLY.is_transient());
        assert_eq!(ResultCode::MISSING_AVP.to_string(), "DIAMETER_MISSING_AVP");
        assert_eq!(ResultCode(5999).to_string(), "5999");
    }
}
