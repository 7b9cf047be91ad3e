//! Why the HSS gave no answer, sorted so that a CSCF can act on it.

use std::time::Duration;

use thiserror::Error;

use crate::ServerName;

/// Why a question to the HSS failed. The name of the Diameter result that stands behind it is in each line.
///
/// | error | what it means to a CSCF |
/// | --- | --- |
/// | `Unknown` | no such user: 404 for a called user, 403 for a REGISTER (TS 24.229 §5.3.1.2) |
/// | `Forbidden` | the user exists and may not: 403 |
/// | `NotRegistered` | the user exists and is not here: 480 |
/// | `AlreadyRegistered`, `AssignmentType`, `NotAssigned` | another S-CSCF has the user, or the two sides disagree on its state |
/// | `SchemeNotSupported` | no such credentials: 403 |
/// | `Resynchronisation` | AUTS is not the user's: 403 |
/// | `Busy` | ask again later: 503 or 480 |
/// | `Unreachable` | no answer: 504 |
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HssError {
    /// DIAMETER_ERROR_USER_UNKNOWN.
    #[error("the HSS knows no such user")]
    Unknown,
    /// The user exists and may not do this.
    #[error("refused by the HSS: {0}")]
    Forbidden(Refusal),
    /// DIAMETER_ERROR_IDENTITY_NOT_REGISTERED.
    #[error("the identity is not registered")]
    NotRegistered,
    /// DIAMETER_ERROR_IDENTITY_ALREADY_REGISTERED: another S-CSCF has the user, and keeps it.
    #[error("the identity is assigned to {assigned}")]
    AlreadyRegistered {
        /// The S-CSCF that has the user.
        assigned: ServerName,
    },
    /// DIAMETER_ERROR_AUTH_SCHEME_NOT_SUPPORTED.
    #[error("the subscription has no such authentication scheme")]
    SchemeNotSupported,
    /// DIAMETER_UNABLE_TO_COMPLY for an authentication after AUTS: it was not made with the key of the user.
    #[error("AUTS was not made with the key of the user")]
    Resynchronisation,
    /// DIAMETER_ERROR_IN_ASSIGNMENT_TYPE: this cannot happen to an identity in its state.
    #[error("the assignment type does not fit the state of the identity")]
    AssignmentType,
    /// DIAMETER_UNABLE_TO_COMPLY for a server assignment: the S-CSCF that asks is not the one that has the user.
    #[error("the S-CSCF does not serve the identity")]
    NotAssigned,
    /// DIAMETER_AVP_OCCURS_TOO_MANY_TIMES: several identities where one is due.
    #[error("several identities where one is due")]
    TooManyIdentities,
    /// DIAMETER_MISSING_AVP: neither a public nor a private identity.
    #[error("the request names no identity")]
    MissingIdentity,
    /// DIAMETER_TOO_BUSY.
    #[error("the HSS is busy")]
    Busy {
        /// How long to leave it alone, where it says so.
        retry_after: Option<Duration>,
    },
    /// No connection, no answer in time, or the subscriber base failed.
    #[error("the HSS cannot be reached")]
    Unreachable,
}

/// Why a user that exists may not do what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// DIAMETER_ERROR_IDENTITIES_DONT_MATCH: the public identity is not one of this private identity.
    #[error("the public identity belongs to somebody else")]
    IdentitiesDontMatch,
    /// DIAMETER_ERROR_ROAMING_NOT_ALLOWED.
    #[error("no roaming in this network")]
    RoamingNotAllowed,
    /// DIAMETER_AUTHORIZATION_REJECTED: every identity of the registration set is barred.
    #[error("the identity is barred")]
    Barred,
}
