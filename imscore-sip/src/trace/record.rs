//! What a trace is made of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::DialogStep;

/// One line of a trace.
///
/// ```
/// use imscore_sip::trace::{DialogStep, Direction, Event, Message, Raw, Record, RecordError, Way};
///
/// let line = r#"{"wall":1767225600000,"node":"proxy","event":"message","direction":"in","method":"OPTIONS","bytes":300,
///     "way":{"transport":"UDP","local":"192.0.2.9:5060","remote":"192.0.2.1:5060"}}"#;
/// let record = Record::from_json(line)?;
/// let Event::Message(message): &Event = &record.event else { panic!("a message") };
/// let (message, way): (&Message, &Way) = (message, &message.way);
/// assert_eq!((message.direction, way.transport.as_str()), (Direction::In, "UDP"));
/// let error: Result<Record, RecordError> = Record::from_json("{}");
/// assert!(error.is_err());
///
/// assert_eq!(Raw::of(b"\xff\xfe").bytes().as_deref(), Some(&b"\xff\xfe"[..]));
/// assert_eq!(DialogStep::Confirmed.as_str(), "confirmed");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When: milliseconds since 1970-01-01T00:00:00Z.
    pub wall: u64,
    /// Who wrote it.
    pub node: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// A message came in or went out.
    Message(Message),
    /// Bytes came in that are no message.
    Malformed {
        /// How they came.
        way: Way,
        /// What is wrong with them.
        error: String,
        /// How many they are.
        bytes: usize,
        /// All of them, in a trace that is plain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw: Option<Raw>,
    },
    /// A connection or a neighbour is gone.
    FlowLost {
        /// Which.
        way: Way,
    },
    /// Something that went out did not get far.
    SendFailed,
    /// A transaction began, or came to another state.
    Transaction {
        /// `client` or `server`.
        end: String,
        /// The branch of its request, by which the messages are found.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
        /// The method of its request.
        method: String,
        /// Where it stands, as [`Standing`](crate::transaction::Standing) has it.
        state: String,
    },
    /// A dialog began, or came to another state.
    Dialog {
        /// Its Call-ID, as in the messages.
        call_id: String,
        /// The tag of the side that began it.
        from_tag: String,
        /// The tag of the other side.
        to_tag: String,
        /// Where it stands.
        state: DialogStep,
    },
    /// Records were lost, since whoever writes them could not keep up.
    Missed {
        /// How many.
        records: u64,
    },
}

/// A message of a trace. In a trace that is not plain, Call-ID and identities are hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Whether it came or went.
    pub direction: Direction,
    /// How.
    pub way: Way,
    /// The method of a request; of a response, that of its CSeq.
    pub method: String,
    /// The status code of a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The Request-URI of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The Call-ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The number of the CSeq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cseq: Option<u32>,
    /// The branch of the top Via.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Who the From names, as address of record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The tag of the From.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_tag: Option<String>,
    /// Who the To names, as address of record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The tag of the To.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_tag: Option<String>,
    /// What the body is, `application/sdp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// How long the whole of it is.
    pub bytes: usize,
    /// All of it, in a trace that is plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Raw>,
}

/// Which way a message went, seen from who wrote it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// It came.
    In,
    /// It went.
    Out,
}

/// A flow as a trace has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// `UDP`.
    pub transport: String,
    /// Our address, as our Vias have it; empty for a flow of no listener.
    pub local: String,
    /// The address of the other side.
    pub remote: String,
    /// The number of the connection, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
}

/// Bytes: as text where they are UTF-8, else as base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Raw {
    /// They are UTF-8.
    Text(String),
    /// They are not.
    Base64 {
        /// The bytes, by RFC 4648 §4.
        base64: String,
    },
}

/// A line that is no [`Record`].
#[derive(Debug, thiserror::Error)]
#[error("no line of a trace: {0}")]
pub struct RecordError(serde_json::Error);

impl Record {
    /// As one line of JSON, without the line end.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a record has text keys and no values that JSON lacks")
    }

    /// Reads a line that [`Record::to_json`] wrote.
    ///
    /// # Errors
    /// Text that is no JSON, or of something else.
    pub fn from_json(line: &str) -> Result<Record, RecordError> {
        serde_json::from_str(line).map_err(RecordError)
    }
}

impl Raw {
    /// Takes bytes as they are.
    pub fn of(bytes: &[u8]) -> Raw {
        match std::str::from_utf8(bytes) {
            Ok(text) => Raw::Text(text.to_owned()),
            Err(_) => Raw::Base64 { base64: STANDARD.encode(bytes) },
        }
    }

    /// The bytes; `None` for what is no base64.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Raw::Text(text) => Some(text.clone().into_bytes()),
            Raw::Base64 { base64 } => STANDARD.decode(base64).ok(),
        }
    }
}
