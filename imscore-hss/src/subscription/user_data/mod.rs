//! The profile as it stands in User-Data: IMSSubscription as XML (TS 29.228 annexes D and E).
//!
//! What the schema does not have, and what an HSS of a later release adds to it, is passed over and counted. So are parts
//! that mean nothing to us, such as a filter criterion of a kind that is not known: one of them keeps no user out. What
//! is not well-formed, has a document type or names entities of its own is no profile.

mod elements;
mod read;
#[cfg(test)]
mod tests;
mod write;

use thiserror::Error;

use super::UserProfile;

/// Longest User-Data that is read, in bytes.
pub const MAX_USER_DATA: usize = 256 * 1024;
/// Elements within elements, at most.
const MAX_DEPTH: usize = 64;

/// A profile, and how much of its XML said nothing to us.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadProfile {
    /// The profile.
    pub profile: UserProfile,
    /// Elements that were passed over: unknown ones, and identities and filter criteria that cannot be.
    pub ignored: usize,
}

/// Why bytes are no profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UserDataError {
    /// Longer than [`MAX_USER_DATA`].
    #[error("User-Data has at most {MAX_USER_DATA} bytes")]
    TooLong,
    /// More than 64 elements within each other.
    #[error("elements within elements more than {MAX_DEPTH} deep, at byte {at}")]
    TooDeep {
        /// Where, in bytes.
        at: u64,
    },
    /// Another encoding than UTF-8, or a character that XML does not have.
    #[error("not XML in UTF-8")]
    Encoding,
    /// A document type. It could define entities, and profiles have none.
    #[error("a document type, at byte {at}")]
    DocumentType {
        /// Where, in bytes.
        at: u64,
    },
    /// A reference to something else than a character or one of the five entities that XML has by itself.
    #[error("an unknown entity, at byte {at}")]
    Entity {
        /// Where, in bytes.
        at: u64,
    },
    /// Not well-formed, or another document.
    #[error("not an IMSSubscription in well-formed XML, at byte {at}")]
    Malformed {
        /// Where, in bytes.
        at: u64,
    },
    /// No private identity.
    #[error("a profile without PrivateID")]
    NoPrivateIdentity,
    /// Nobody to serve.
    #[error("a profile without a PublicIdentity that is one")]
    NoPublicIdentity,
}

impl UserProfile {
    /// Reads a profile from the XML of TS 29.228 annex E.
    ///
    /// ```
    /// let xml = "<IMSSubscription><PrivateID>alice@ims.example</PrivateID><ServiceProfile><PublicIdentity>
    ///     <Identity>sip:alice@ims.example</Identity></PublicIdentity></ServiceProfile></IMSSubscription>";
    /// let read = imscore_hss::UserProfile::from_xml(xml.as_bytes())?;
    /// assert_eq!(read.profile.default_identity().map(|id| id.as_str()), Some("sip:alice@ims.example"));
    /// # Ok::<(), imscore_hss::UserDataError>(())
    /// ```
    ///
    /// # Errors
    /// Bytes that are no profile, or beyond a limit.
    pub fn from_xml(xml: &[u8]) -> Result<ReadProfile, UserDataError> {
        read::subscription(xml)
    }

    /// The profile as XML. Read again it is equal, but for characters that XML cannot have, which are left out.
    pub fn to_xml(&self) -> String {
        write::subscription(self)
    }
}
