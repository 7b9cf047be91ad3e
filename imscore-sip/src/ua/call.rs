//! One call: its dialog, and the 2xx that waits for an ACK.

use std::time::{Duration, Instant};

use bytestring::ByteString;

use super::DialogId;
use crate::header::{CSeq, CallId, Contact, From, MaxForwards, RecordRoute, Route, To};
use crate::message::{Method, Request, Response};
use crate::transaction::ServerId;
use crate::transport::Flow;
use crate::wheel::TimerHandle;

/// A call from its INVITE to its end.
pub(super) struct Call {
    pub(super) dialog: DialogId,
    /// The way that its last INVITE came.
    pub(super) flow: Flow,
    /// CSeq of the last request of the other side.
    pub(super) sequence: u32,
    /// Where the other side is: its last Contact (RFC 3261 §12.1.1, §12.2.2).
    target: ByteString,
    /// From the Record-Route of the INVITE, first hop first.
    route_set: Vec<Route>,
    /// Our side and the other, tags included, as From and To of our requests.
    local: From,
    remote: To,
    pub(super) stage: Stage,
}

/// How far a call has come.
pub(super) enum Stage {
    /// An INVITE waits for its final response.
    Offered(Offer),
    /// A 2xx waits for its ACK.
    Answered(Answer),
    /// The ACK has come.
    Confirmed,
}

/// An INVITE that waits for its final response.
#[derive(Clone, Copy)]
pub(super) struct Offer {
    pub(super) id: ServerId,
    pub(super) sequence: u32,
    /// True for the one that began the call.
    pub(super) is_first: bool,
}

/// A 2xx that is repeated until its ACK comes (RFC 3261 §13.3.1.4).
pub(super) struct Answer {
    pub(super) offer: Offer,
    pub(super) response: Box<Response>,
    /// What the next repetition waits for.
    pub(super) interval: Duration,
    pub(super) until: Instant,
    pub(super) timer: TimerHandle,
}

impl Call {
    /// The call that an INVITE begins. `None`: a header that a dialog is made of is missing or cannot be read.
    pub(super) fn begin(invite: &Request, id: ServerId, flow: Flow, local_tag: &str) -> Option<Call> {
        let headers = &invite.headers;
        let (to, from): (To, From) = (headers.first().ok()?, headers.first().ok()?);
        let sequence = headers.cseq().ok()?.number;
        Some(Call {
            dialog: DialogId {
                call_id: headers.first::<CallId>().ok()?.text().clone(),
                local_tag: local_tag.into(),
                remote_tag: from.tag().unwrap_or_default().into(),
            },
            flow,
            sequence,
            target: target(invite)?,
            route_set: headers.typed::<RecordRoute>().map_while(Result::ok).map(|hop| Route(hop.0)).collect(),
            local: From(to.with_tag(local_tag).0),
            remote: To(from.0),
            stage: Stage::Offered(Offer { id, sequence, is_first: true }),
        })
    }

    /// Goes on with a re-INVITE, which may come from elsewhere (RFC 3261 §12.2.2).
    pub(super) fn offer_again(&mut self, invite: &Request, offer: Offer, flow: Flow) {
        if let Some(target) = target(invite) {
            self.target = target;
        }
        self.flow = flow;
        self.stage = Stage::Offered(offer);
    }

    /// A BYE of our side (RFC 3261 §12.2.1.1, §15.1.1): the first request of this side, and the last.
    pub(super) fn bye(&self) -> Request {
        let mut bye = Request::new(&Method::Bye, &self.target)
            .with(MaxForwards(70))
            .with(self.local.clone())
            .with(self.remote.clone())
            .with(CallId::new(self.dialog.call_id.clone()))
            .with(CSeq { number: 1, method: Method::Bye });
        for hop in &self.route_set {
            bye.headers.push(hop);
        }
        bye
    }
}

fn target(invite: &Request) -> Option<ByteString> {
    Some(invite.headers.first::<Contact>().ok()?.uri()?.text().clone())
}
