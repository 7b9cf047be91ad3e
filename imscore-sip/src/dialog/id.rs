//! What a dialog is known by.

use bytestring::ByteString;

use crate::message::{Request, Response};

/// Names a dialog, as one of its ends sees it (RFC 3261 §12).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialogId {
    /// The Call-ID of its requests.
    pub call_id: ByteString,
    /// Our tag.
    pub local_tag: ByteString,
    /// The tag of the other side; empty for one that has none (RFC 3261 §12.1.1).
    pub remote_tag: ByteString,
}

impl DialogId {
    /// The dialog that a request says it is in, as whoever received it sees it. `None`: it has no To tag.
    pub fn of_request(request: &Request) -> Option<DialogId> {
        Some(DialogId {
            local_tag: request.headers.to_tag()?.into(),
            remote_tag: request.headers.from_tag().unwrap_or_default().into(),
            call_id: request.headers.call_id()?.into(),
        })
    }

    /// The dialog that a response is in or makes, as whoever asked sees it. `None`: it has no To tag.
    pub fn of_response(response: &Response) -> Option<DialogId> {
        Some(DialogId {
            local_tag: response.headers.from_tag().unwrap_or_default().into(),
            remote_tag: response.headers.to_tag()?.into(),
            call_id: response.headers.call_id()?.into(),
        })
    }

    /// The same dialog, as its other end sees it.
    #[must_use]
    pub fn reversed(&self) -> DialogId {
        DialogId {
            call_id: self.call_id.clone(),
            local_tag: self.remote_tag.clone(),
            remote_tag: self.local_tag.clone(),
        }
    }
}
