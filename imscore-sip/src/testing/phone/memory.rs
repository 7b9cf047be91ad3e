//! What a phone takes note of, in what it says and in what it hears.

use super::dialog::{Dialog, branch, cseq_method, sequence, tag, text, uri_of, values};
use super::{Incoming, Outgoing, Phone, Registration};
use crate::header::Name;
use crate::message::{Request, Response, StatusCode};
use crate::testing::Draft;
use crate::transport::Flow;

impl Phone {
    /// The dialog that a message belongs to, now the one spoken in last.
    fn touch(&mut self, call_id: &str, local: &str, remote: &str) -> Option<&mut Dialog> {
        let at = self.dialogs.iter().position(|dialog| dialog.is(call_id, local, remote))?;
        let dialog = self.dialogs.remove(at);
        self.dialogs.push(dialog);
        self.dialogs.last_mut()
    }

    pub(super) fn note_request(&mut self, request: &Request, draft: Draft, flow: Flow) {
        let headers = &request.headers;
        let (call_id, sequence) = (text(headers, Name::CALL_ID), sequence(headers));
        if let Some(dialog) = self.touch(&call_id, &text(headers, Name::FROM), &text(headers, Name::TO)) {
            dialog.sequence = dialog.sequence.max(sequence);
        }
        let method = request.method().as_str().to_string();
        if method == "REGISTER" {
            self.registration =
                Some(Registration { call_id: call_id.clone(), from: text(headers, Name::FROM), sequence });
        }
        let branch = branch(headers);
        self.outgoing.push(Outgoing { draft, method, sequence, call_id, branch, flow, response: None });
    }

    /// RFC 3261 §12.1.1: a response with a To tag to what sets up a dialog makes one.
    pub(super) fn note_reply(&mut self, request: &Request, response: &Response) {
        let (local, remote) = (text(&response.headers, Name::TO), text(&request.headers, Name::FROM));
        let is_known = self.touch(&text(&request.headers, Name::CALL_ID), &local, &remote).is_some();
        if !is_known && sets_up(request.method().as_str(), response) {
            self.dialogs.push(Dialog::as_callee(request, response));
        }
    }

    pub(super) fn hear_request(&mut self, request: &Request, flow: Flow) {
        let headers = &request.headers;
        let (call_id, remote) = (text(headers, Name::CALL_ID), text(headers, Name::FROM));
        let method = request.method();
        let is_refresh = ["INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY"].contains(&method.as_str());
        let contact = uri_of(&text(headers, Name::CONTACT)).to_string();
        if let Some(dialog) = self.touch(&call_id, &text(headers, Name::TO), &remote)
            && is_refresh
            && !contact.is_empty()
        {
            dialog.target = contact;
        }
        let (branch, method) = (branch(headers), method.as_str().to_string());
        if method != "ACK" && self.seen.insert((branch.clone(), method.clone())) {
            let (tag, request) = (self.unique(), request.clone());
            self.incoming.push(Incoming {
                request,
                branch,
                method,
                flow,
                tag,
                reliable: 0,
                is_answered: false,
                reply: None,
            });
        }
    }

    pub(super) fn hear_response(&mut self, response: &Response) {
        let headers = &response.headers;
        let (number, method) = (sequence(headers), cseq_method(headers));
        let branch = branch(headers);
        let is_it = |sent: &&mut Outgoing| sent.branch == branch && sent.method == method && sent.sequence == number;
        let Some(sent) = self.outgoing.iter_mut().rev().find(is_it) else {
            return;
        };
        sent.response = Some(response.clone());
        if method == "REGISTER" && response.status().is_success() {
            self.service_route = values(headers, Name::SERVICE_ROUTE);
        }
        if response.status() == StatusCode::UNAUTHORIZED
            || response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            self.challenge = Some((response.clone(), 0));
        }
        let is_refresh = method == "UPDATE" && response.status().is_success();
        if !is_refresh && !sets_up(&method, response) {
            return;
        }
        let (local, remote) = (text(headers, Name::FROM), text(headers, Name::TO));
        match self.touch(&text(headers, Name::CALL_ID), &local, &remote) {
            Some(dialog) => dialog.on_response(response),
            None => self.dialogs.push(Dialog::as_caller(response)),
        }
    }
}

/// True for a response that makes a dialog or belongs to making it (RFC 3261 §12.1, RFC 6665 §4.1).
fn sets_up(method: &str, response: &Response) -> bool {
    let code = response.status().code();
    let has_tag = !tag(&text(&response.headers, Name::TO)).is_empty();
    has_tag && (101..300).contains(&code) && ["INVITE", "SUBSCRIBE"].contains(&method)
}
