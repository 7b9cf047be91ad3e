//! Saying things again over UDP until they are heard: as little of RFC 3261 §17 and §13.3.1.4 and of RFC 3262 §3 as a
//! phone on a lossy link needs, written apart from the transaction layer that it tests.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Phone;
use super::dialog::{branch, cseq_method, sequence, tag, text};
use super::drafts::ack_of_failure;
use crate::header::Name;
use crate::message::{Message, Request, Response};
use crate::testing::Clock;
use crate::transaction::Timers;
use crate::transport::{Flow, Transport};

/// What a persistent phone has beyond its memory.
pub(super) struct Persistence {
    clock: Clock,
    timers: Timers,
    repeats: Vec<Repeat>,
    /// Responses and ACKs that came, so that a behaviour meets each once.
    met: BTreeSet<String>,
}

struct Repeat {
    of: Of,
    bytes: Bytes,
    flow: Flow,
    next: Instant,
    interval: Duration,
    until: Instant,
}

/// What is said again, by what ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Of {
    /// A request, until the response with its branch and method.
    Request(String, String),
    /// A final response to an INVITE, until the ACK with its Call-ID and CSeq number.
    Answer(String, u32),
    /// A reliable provisional response, until the PRACK with its Call-ID, RSeq and CSeq.
    Provisional(String, String),
}

impl Phone {
    /// Repeats over UDP what is not answered, after T1, 2*T1 and so on up to 64*T1 in all; answers what comes again as
    /// it did before; acknowledges failures of its INVITEs, and 2xx that come again. A behaviour meets each message once.
    ///
    /// A phone of an IMS goes by [`Timers::ACCESS`] (TS 24.229 §7.7), a server that it stands in for by [`Timers::CORE`].
    #[must_use]
    pub fn persistent(mut self, clock: Clock, timers: Timers) -> Phone {
        self.persistence = Some(Persistence { clock, timers, repeats: Vec::new(), met: BTreeSet::new() });
        self
    }

    pub(super) fn repeat_request(&mut self, request: &Request, bytes: Bytes, flow: Flow) {
        let method = request.method().as_str().to_string();
        if flow.transport == Transport::Udp && method != "ACK" {
            self.repeat(Of::Request(branch(&request.headers), method), bytes, flow);
        }
    }

    pub(super) fn repeat_reply(&mut self, response: &Response, bytes: Bytes, flow: Flow) {
        let headers = &response.headers;
        let call_id = text(headers, Name::CALL_ID);
        if cseq_method(headers) != "INVITE" {
            return;
        }
        if response.status().is_final() {
            let is_said = response.status().is_success() || flow.transport == Transport::Udp;
            self.forget_repeats(|of| matches!(of, Of::Provisional(other, _) if *other == call_id));
            is_said.then(|| self.repeat(Of::Answer(call_id, sequence(headers)), bytes, flow));
        } else if headers.contains(Name::RSEQ) {
            let acknowledged = format!("{} {}", text(headers, Name::RSEQ), text(headers, Name::CSEQ));
            self.repeat(Of::Provisional(call_id, acknowledged), bytes, flow);
        }
    }

    /// Takes in what ends a repetition, and says again what somebody missed. False: this came before.
    pub(super) fn is_new(&mut self, message: &Message) -> bool {
        if self.persistence.is_none() {
            return true;
        }
        match message {
            Message::Request(request) => self.is_new_request(request),
            Message::Response(response) => self.is_new_response(response),
        }
    }

    fn is_new_request(&mut self, request: &Request) -> bool {
        let headers = &request.headers;
        let (branch, call_id, method) = (branch(headers), text(headers, Name::CALL_ID), request.method());
        match method.as_str() {
            "ACK" => self.forget_repeats(|of| *of == Of::Answer(call_id.clone(), sequence(headers))),
            "PRACK" => {
                let acknowledged = text(headers, Name::RACK);
                self.forget_repeats(|of| *of == Of::Provisional(call_id.clone(), acknowledged.clone()));
            }
            _ => {}
        }
        let is_new = self.meet(format!("{branch} {method}"));
        let again = self.incoming.iter().rev().find(|asked| asked.branch == branch && asked.method == method.as_str());
        if let Some((bytes, flow)) = again.and_then(|asked| asked.reply.clone()).filter(|_| !is_new) {
            self.send_bytes(bytes, flow);
        }
        is_new
    }

    fn is_new_response(&mut self, response: &Response) -> bool {
        let headers = &response.headers;
        let (branch, method, status) = (branch(headers), cseq_method(headers), response.status());
        let remote = tag(&text(headers, Name::TO));
        if status.is_final() || method == "INVITE" {
            self.forget_repeats(|of| *of == Of::Request(branch.clone(), method.clone()));
        }
        let is_new = self.meet(format!("{branch} {method} {status} {remote} {}", text(headers, Name::RSEQ)));
        if method == "INVITE" && status.is_final() {
            self.acknowledge(response);
        }
        is_new
    }

    /// The ACK of a failure is the phone's own affair; that of a 2xx is the behaviour's, the first time.
    fn acknowledge(&mut self, response: &Response) {
        let (call_id, number) = (text(&response.headers, Name::CALL_ID), sequence(&response.headers));
        let remote = tag(&text(&response.headers, Name::TO));
        let invite = branch(&response.headers);
        let said = self.outgoing.iter().rev().find(|sent| {
            sent.method == "ACK"
                && sent.call_id == call_id
                && sent.sequence == number
                && tag(sent.draft.value("To").unwrap_or_default()) == remote
        });
        if let Some((bytes, flow)) = said.map(|ack| (ack.draft.bytes(), ack.flow)) {
            return self.send_bytes(bytes, flow);
        }
        let invite = self.outgoing.iter().rev().find(|sent| sent.branch == invite);
        if let Some(invite) = invite.filter(|_| !response.status().is_success()) {
            let (ack, flow) = (ack_of_failure(invite, response), invite.flow);
            self.send_by(ack, flow);
        }
    }

    pub(super) fn say_again(&mut self) {
        let Some(persistence) = &mut self.persistence else {
            return;
        };
        let now = persistence.clock.now().monotonic;
        persistence.repeats.retain(|repeat| repeat.next <= repeat.until);
        let mut due = Vec::new();
        for repeat in persistence.repeats.iter_mut().filter(|repeat| repeat.next <= now) {
            due.push((repeat.bytes.clone(), repeat.flow));
            let doubled = repeat.interval * 2;
            let is_invite = matches!(&repeat.of, Of::Request(_, method) if method == "INVITE");
            repeat.interval = if is_invite { doubled } else { doubled.min(persistence.timers.t2) };
            repeat.next = now + repeat.interval;
        }
        due.into_iter().for_each(|(bytes, flow)| self.send_bytes(bytes, flow));
    }

    pub(super) fn next_repeat(&self) -> Option<Instant> {
        let repeats = self.persistence.iter().flat_map(|persistence| &persistence.repeats);
        repeats.filter(|repeat| repeat.next <= repeat.until).map(|repeat| repeat.next).min()
    }

    fn repeat(&mut self, of: Of, bytes: Bytes, flow: Flow) {
        if let Some(Persistence { clock, timers: Timers { t1, .. }, repeats, .. }) = &mut self.persistence {
            let now = clock.now().monotonic;
            repeats.push(Repeat { of, bytes, flow, next: now + *t1, interval: *t1, until: now + 64 * *t1 });
        }
    }

    fn forget_repeats(&mut self, is_over: impl Fn(&Of) -> bool) {
        if let Some(persistence) = &mut self.persistence {
            persistence.repeats.retain(|repeat| !is_over(&repeat.of));
        }
    }

    fn meet(&mut self, what: String) -> bool {
        self.persistence.as_mut().is_none_or(|persistence| persistence.met.insert(what))
    }
}
