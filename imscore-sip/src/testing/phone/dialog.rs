//! What a phone remembers of a dialog (RFC 3261 §12), read from raw headers so that it checks ours and does not share
//! their faults.

use crate::header::{Name, tag_of};
use crate::message::{Headers, Request, Response};
use crate::parse::list;

/// One dialog, early or confirmed.
#[derive(Clone, Debug)]
pub(super) struct Dialog {
    pub(super) call_id: String,
    /// From of the phone's own requests, with its tag.
    pub(super) local: String,
    /// To of the phone's own requests, with its tag.
    pub(super) remote: String,
    /// CSeq of the phone's last request.
    pub(super) sequence: u32,
    /// Where the other side is: its Contact.
    pub(super) target: String,
    pub(super) routes: Vec<String>,
    /// The route set stands.
    is_confirmed: bool,
    /// RSeq and CSeq of the last reliable provisional response, as RAck wants them (RFC 3262 §7.2).
    pub(super) reliable: Option<String>,
}

impl Dialog {
    /// RFC 3261 §12.1.2: the route set is the Record-Route of the response, last first.
    pub(super) fn as_caller(response: &Response) -> Dialog {
        let headers = &response.headers;
        let mut dialog = Dialog {
            call_id: text(headers, Name::CALL_ID),
            local: text(headers, Name::FROM),
            remote: text(headers, Name::TO),
            sequence: sequence(headers),
            target: String::new(),
            routes: Vec::new(),
            is_confirmed: false,
            reliable: None,
        };
        dialog.on_response(response);
        dialog
    }

    /// RFC 3261 §12.1.1: the route set is the Record-Route of the request as it stands.
    pub(super) fn as_callee(request: &Request, response: &Response) -> Dialog {
        Dialog {
            call_id: text(&request.headers, Name::CALL_ID),
            local: text(&response.headers, Name::TO),
            remote: text(&request.headers, Name::FROM),
            sequence: 0,
            target: uri_of(&text(&request.headers, Name::CONTACT)).to_string(),
            routes: values(&request.headers, Name::RECORD_ROUTE),
            is_confirmed: true,
            reliable: None,
        }
    }

    /// True for the dialog that a message with these three belongs to.
    pub(super) fn is(&self, call_id: &str, local: &str, remote: &str) -> bool {
        self.call_id == call_id && tag(&self.local) == tag(local) && tag(&self.remote) == tag(remote)
    }

    /// A response to a request of the phone. The route set is that of the 2xx (RFC 3261 §13.2.2.4) and stands from then on
    /// (§12.2); the target goes with every Contact (§12.2.1.2).
    pub(super) fn on_response(&mut self, response: &Response) {
        let headers = &response.headers;
        let contact = text(headers, Name::CONTACT);
        if !contact.is_empty() {
            self.target = uri_of(&contact).to_string();
        }
        // A 2xx to what goes on in an early dialog says nothing of its route (RFC 3262 §4, RFC 3311 §5.1).
        let in_early = ["PRACK", "UPDATE"].iter().any(|method| text(headers, Name::CSEQ).ends_with(method));
        if !self.is_confirmed && !in_early {
            self.routes = values(headers, Name::RECORD_ROUTE).into_iter().rev().collect();
            self.is_confirmed = response.status().is_success();
        }
        if let Some(number) = headers.raw(Name::RSEQ) {
            let number = String::from_utf8_lossy(number);
            self.reliable = Some(format!("{number} {}", text(headers, Name::CSEQ)));
        }
    }
}

/// The first value of a header; empty where there is none.
pub(super) fn text(headers: &Headers, name: Name) -> String {
    headers.raw(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

/// All values of a list header, one by one.
pub(in crate::testing) fn values(headers: &Headers, name: Name) -> Vec<String> {
    headers.raw_all(name).flat_map(list::split).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

/// The number of CSeq; 0 where it cannot be read.
pub(super) fn sequence(headers: &Headers) -> u32 {
    text(headers, Name::CSEQ).split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The method of CSeq.
pub(in crate::testing) fn cseq_method(headers: &Headers) -> String {
    text(headers, Name::CSEQ).split_whitespace().nth(1).unwrap_or_default().to_string()
}

/// The tag of From or To; empty where there is none.
pub(super) fn tag(value: &str) -> String {
    tag_of(value.as_bytes()).map(|tag| String::from_utf8_lossy(tag).into_owned()).unwrap_or_default()
}

/// The branch of the top Via; empty where there is none.
pub(super) fn branch(headers: &Headers) -> String {
    let via = values(headers, Name::VIA).into_iter().next().unwrap_or_default();
    let parameter = via.split(';').find_map(|part| part.trim().strip_prefix("branch=").map(str::to_string));
    parameter.unwrap_or_default()
}

/// The URI of a Contact, Route or the like.
pub(super) fn uri_of(value: &str) -> &str {
    match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
        None => value.split(';').next().unwrap_or_default().trim(),
    }
}
