//! Where a subscription lives: in a dialog of its own, or in that of a call (RFC 6665 §4.4.1, RFC 5057).

use bytestring::ByteString;

use super::call::Call;
use crate::dialog::{Dialog, DialogId};
use crate::header::Event;
use crate::message::{Headers, StatusCode};
use crate::table::{Id, Table};

/// Tells subscriptions apart at both their ends, before and within a dialog: Call-ID, the tag of the subscriber, and the
/// event with its id (RFC 6665 §4.4.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct UsageId {
    call_id: ByteString,
    subscriber: ByteString,
    event: ByteString,
}

impl UsageId {
    pub(super) fn new(call_id: &str, subscriber: &str, event: &Event) -> UsageId {
        let event = match event.id() {
            Some(id) => format!("{};id={id}", event.package()).into(),
            None => event.package().into(),
        };
        UsageId { call_id: call_id.into(), subscriber: subscriber.into(), event }
    }

    /// That of a NOTIFY, or of a request of ours as it was answered.
    pub(super) fn by_to_tag(headers: &Headers, event: &Event) -> Option<UsageId> {
        Some(UsageId::new(headers.call_id()?, headers.to_tag()?, event))
    }

    /// That of a SUBSCRIBE or REFER.
    pub(super) fn by_from_tag(headers: &Headers, event: &Event) -> Option<UsageId> {
        Some(UsageId::new(headers.call_id()?, headers.from_tag().unwrap_or_default(), event))
    }
}

/// The dialog of a subscription.
pub(super) enum Seat {
    Own(Box<Dialog>),
    Call(Id<Call>, DialogId),
}

impl Seat {
    pub(super) fn dialog<'a>(&'a mut self, calls: &'a mut Table<Call>) -> Option<&'a mut Dialog> {
        match self {
            Seat::Own(dialog) => Some(dialog),
            Seat::Call(call, dialog) => Some(&mut calls.get_mut(*call)?.leg_of(dialog)?.dialog),
        }
    }

    /// The call is over, its dialog is not, as long as something else lives in it (RFC 5057 §4.1). The CSeq that follows is
    /// that of the BYE.
    pub(super) fn outlive(&mut self, call: &mut Call) {
        if let Seat::Call(_, dialog) = self
            && let Some(leg) = call.leg_of(dialog)
        {
            let mut dialog = leg.dialog.clone();
            dialog.next_sequence();
            *self = Seat::Own(Box::new(dialog));
        }
    }
}

/// Refusals within a dialog that end the subscription; after others it holds to its end (RFC 6665 §4.1.2.2, §4.2.2).
pub(super) fn ends_subscription(status: StatusCode) -> bool {
    matches!(status.code(), 404 | 405 | 410 | 416 | 480..=485 | 489 | 501 | 604)
}
