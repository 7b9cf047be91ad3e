//! What an answer of Cx says (TS 29.229 §6.2), and what that means to whoever asked.

use std::fmt;

use crate::diameter::ResultCode;
use crate::diameter::dictionary::TGPP;
use crate::{HssError, Refusal, ServerName};

/// Experimental-Result-Code of Cx.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CxResult(pub u32);

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Result-Code.
    Base(ResultCode),
    /// Experimental-Result of 3GPP.
    Cx(CxResult),
    /// Experimental-Result of somebody else.
    Other {
        /// Whose.
        vendor: u32,
        /// The code.
        code: u32,
    },
}

crate::diameter::numbers! { CxResult:
    FIRST_REGISTRATION = 2001 "DIAMETER_FIRST_REGISTRATION";
    SUBSEQUENT_REGISTRATION = 2002 "DIAMETER_SUBSEQUENT_REGISTRATION";
    UNREGISTERED_SERVICE = 2003 "DIAMETER_UNREGISTERED_SERVICE";
    SUCCESS_SERVER_NAME_NOT_STORED = 2004 "DIAMETER_SUCCESS_SERVER_NAME_NOT_STORED";
    USER_UNKNOWN = 5001 "DIAMETER_ERROR_USER_UNKNOWN";
    IDENTITIES_DONT_MATCH = 5002 "DIAMETER_ERROR_IDENTITIES_DONT_MATCH";
    IDENTITY_NOT_REGISTERED = 5003 "DIAMETER_ERROR_IDENTITY_NOT_REGISTERED";
    ROAMING_NOT_ALLOWED = 5004 "DIAMETER_ERROR_ROAMING_NOT_ALLOWED";
    IDENTITY_ALREADY_REGISTERED = 5005 "DIAMETER_ERROR_IDENTITY_ALREADY_REGISTERED";
    AUTH_SCHEME_NOT_SUPPORTED = 5006 "DIAMETER_ERROR_AUTH_SCHEME_NOT_SUPPORTED";
    IN_ASSIGNMENT_TYPE = 5007 "DIAMETER_ERROR_IN_ASSIGNMENT_TYPE";
    TOO_MUCH_DATA = 5008 "DIAMETER_ERROR_TOO_MUCH_DATA";
    NOT_SUPPORTED_USER_DATA = 5009 "DIAMETER_ERROR_NOT_SUPPORTED_USER_DATA";
    FEATURE_UNSUPPORTED = 5011 "DIAMETER_ERROR_FEATURE_UNSUPPORTED";
    SERVING_NODE_FEATURE_UNSUPPORTED = 5012 "DIAMETER_ERROR_SERVING_NODE_FEATURE_UNSUPPORTED";
}

impl Outcome {
    /// DIAMETER_SUCCESS.
    pub const SUCCESS: Outcome = Outcome::Base(ResultCode::SUCCESS);

    /// From Experimental-Result.
    pub fn experimental(vendor: u32, code: u32) -> Outcome {
        if vendor == TGPP { Outcome::Cx(CxResult(code)) } else { Outcome::Other { vendor, code } }
    }

    /// True for 2xxx of either kind.
    pub fn is_success(self) -> bool {
        let (Outcome::Base(ResultCode(code)) | Outcome::Cx(CxResult(code)) | Outcome::Other { code, .. }) = self;
        ResultCode(code).is_success()
    }

    /// What a failure means. `assigned` is the Server-Name that came with it.
    ///
    /// A node that is busy and one that cannot be reached are told apart from a user that is unknown or may not: only
    /// the latter is the user's affair. What is none of these, such as an HSS that cannot read our request, is an HSS
    /// that is not there.
    pub fn error(self, assigned: Option<ServerName>) -> HssError {
        match self {
            Outcome::Cx(CxResult::USER_UNKNOWN) => HssError::Unknown,
            Outcome::Cx(CxResult::IDENTITIES_DONT_MATCH) => HssError::Forbidden(Refusal::IdentitiesDontMatch),
            Outcome::Cx(CxResult::IDENTITY_NOT_REGISTERED) => HssError::NotRegistered,
            Outcome::Cx(CxResult::ROAMING_NOT_ALLOWED) => HssError::Forbidden(Refusal::RoamingNotAllowed),
            Outcome::Cx(CxResult::IDENTITY_ALREADY_REGISTERED) => match assigned {
                Some(assigned) => HssError::AlreadyRegistered { assigned },
                None => HssError::NotAssigned,
            },
            Outcome::Cx(CxResult::AUTH_SCHEME_NOT_SUPPORTED) => HssError::SchemeNotSupported,
            Outcome::Cx(CxResult::IN_ASSIGNMENT_TYPE) => HssError::AssignmentType,
            Outcome::Base(ResultCode::AUTHORIZATION_REJECTED) => HssError::Forbidden(Refusal::Barred),
            Outcome::Base(ResultCode::UNABLE_TO_COMPLY) => HssError::NotAssigned,
            Outcome::Base(ResultCode::AVP_OCCURS_TOO_MANY_TIMES) => HssError::TooManyIdentities,
            Outcome::Base(ResultCode::MISSING_AVP) => HssError::MissingIdentity,
            Outcome::Base(ResultCode::TOO_BUSY | ResultCode::OUT_OF_SPACE) => HssError::Busy { retry_after: None },
            Outcome::Base(_) | Outcome::Cx(_) | Outcome::Other { .. } => HssError::Unreachable,
        }
    }
}

/// What an HSS of ours answers.
impl From<&HssError> for Outcome {
    fn from(error: &HssError) -> Outcome {
        match error {
            HssError::Unknown => Outcome::Cx(CxResult::USER_UNKNOWN),
            HssError::Forbidden(Refusal::IdentitiesDontMatch) => Outcome::Cx(CxResult::IDENTITIES_DONT_MATCH),
            HssError::Forbidden(Refusal::RoamingNotAllowed) => Outcome::Cx(CxResult::ROAMING_NOT_ALLOWED),
            HssError::Forbidden(Refusal::Barred) => Outcome::Base(ResultCode::AUTHORIZATION_REJECTED),
            HssError::NotRegistered => Outcome::Cx(CxResult::IDENTITY_NOT_REGISTERED),
            HssError::AlreadyRegistered { .. } => Outcome::Cx(CxResult::IDENTITY_ALREADY_REGISTERED),
            HssError::SchemeNotSupported => Outcome::Cx(CxResult::AUTH_SCHEME_NOT_SUPPORTED),
            HssError::Resynchronisation => Outcome::Base(ResultCode::UNABLE_TO_COMPLY),
            HssError::AssignmentType => Outcome::Cx(CxResult::IN_ASSIGNMENT_TYPE),
            HssError::NotAssigned => Outcome::Base(ResultCode::UNABLE_TO_COMPLY),
            HssError::TooManyIdentities => Outcome::Base(ResultCode::AVP_OCCURS_TOO_MANY_TIMES),
            HssError::MissingIdentity => Outcome::Base(ResultCode::MISSING_AVP),
            HssError::Busy { .. } => Outcome::Base(ResultCode::TOO_BUSY),
            HssError::Unreachable => Outcome::Base(ResultCode::UNABLE_TO_DELIVER),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Base(result) => write!(f, "{result}"),
            Outcome::Cx(result) => write!(f, "{result}"),
            Outcome::Other { vendor, code } => write!(f, "{code} of vendor {vendor}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each error is the same on the other side of the wire.
    #[test]
    fn errors_there_and_back() {
        let scscf: ServerName = "sip:scscf.ims.example".parse().unwrap();
        let errors = [
            HssError::Unknown,
            HssError::Forbidden(Refusal::IdentitiesDontMatch),
            HssError::Forbidden(Refusal::RoamingNotAllowed),
            HssError::Forbidden(Refusal::Barred),
            HssError::NotRegistered,
            HssError::AlreadyRegistered { assigned: scscf.clone() },
            HssError::SchemeNotSupported,
            HssError::AssignmentType,
            HssError::NotAssigned,
            HssError::TooManyIdentities,
            HssError::MissingIdentity,
            HssError::Busy { retry_after: None },
            HssError::Unreachable,
        ];
        for error in errors {
            let outcome = Outcome::from(&error);
            assert!(!outcome.is_success());
            assert_eq!(outcome.error(Some(scscf.clone())), error);
        }
    }

    #[test]
    fn an_hss_in_trouble_is_not_the_users_affair() {
        let check = |outcome: Outcome, error| assert_eq!(outcome.error(None), error, "{outcome}");
        check(Outcome::Base(ResultCode::REALM_NOT_SERVED), HssError::Unreachable);
        check(Outcome::Base(ResultCode::AVP_UNSUPPORTED), HssError::Unreachable);
        check(Outcome::Base(ResultCode::OUT_OF_SPACE), HssError::Busy { retry_after: None });
        check(Outcome::Cx(CxResult::TOO_MUCH_DATA), HssError::Unreachable);
        check(Outcome::Cx(CxResult::IDENTITY_ALREADY_REGISTERED), HssError::NotAssigned);
        check(Outcome::Other { vendor: 1, code: 5001 }, HssError::Unreachable);
    }
}
