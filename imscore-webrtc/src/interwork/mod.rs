//! The SDP of a browser: profiles, ICE, DTLS, BUNDLE.

mod bundle;
mod dtls;
mod ice;
mod offer;
mod rtp;

pub use bundle::{Group, Mid};
pub use dtls::{Fingerprint, HashFunction, Setup};
pub use ice::{Candidate, CandidateAddress, CandidateKind, IceCredentials};
pub use offer::{BrowserOffer, MAX_CANDIDATES, OfferError, OfferedMedia, Source, TransportParameters};
pub use rtp::{Profile, RtcpFeedback, SourceAttribute};

/// The value of an attribute does not follow its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {attribute} attribute")]
pub struct AttributeError {
    /// The attribute's name.
    pub attribute: &'static str,
}

/// RFC 8866 §9, token.
fn is_token(text: &str) -> bool {
    let special = |byte| b"!#$%&'*+-.^_`{|}~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || special(byte))
}

/// Digits that fit; no sign, no white space.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok())?
}
