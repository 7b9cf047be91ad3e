//! Where a subscription lives: in a dialog of its own, or in that of a call (RFC 6665 §4.4.1, RFC 5057).

use bytestring::ByteString;
use hashbrown::HashMap;

use super::call::Call;
use crate::dialog::{Dialog, DialogId};
use crate::hash::Keyed;
use crate::header::Event;
use crate::message::{Headers, Request, StatusCode};
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
    /// That of a call which is over.
    Left(DialogId),
}

/// Dialogs of calls that are over, for as long as something else lives in them (RFC 5057 §4.1): each is one, however many
/// that are, and so is its CSeq.
pub(super) struct Left(HashMap<DialogId, (Dialog, usize), Keyed>);

impl Left {
    pub(super) fn new(keyed: Keyed) -> Left {
        Left(HashMap::with_hasher(keyed))
    }

    pub(super) fn get_mut(&mut self, dialog: &DialogId) -> Option<&mut Dialog> {
        self.0.get_mut(dialog).map(|(dialog, _)| dialog)
    }

    /// The dialog of a request of ours.
    pub(super) fn of_request(&mut self, request: &Request) -> Option<&mut Dialog> {
        self.get_mut(&DialogId::of_request(request)?.reversed())
    }

    /// Keeps a dialog for one more that lives in it. The CSeq that follows is that of the BYE.
    pub(super) fn keep(&mut self, dialog: &Dialog) {
        let (_, users) = self.0.entry(dialog.id().clone()).or_insert_with(|| {
            let mut dialog = dialog.clone();
            dialog.next_sequence();
            (dialog, 0)
        });
        *users += 1;
    }

    /// One that lived in it is over.
    pub(super) fn release(&mut self, dialog: &DialogId) {
        if let Some((_, users)) = self.0.get_mut(dialog) {
            *users -= 1;
            if *users == 0 {
                self.0.remove(dialog);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Seat {
    pub(super) fn dialog<'a>(&'a mut self, calls: &'a mut Table<Call>, left: &'a mut Left) -> Option<&'a mut Dialog> {
        match self {
            Seat::Own(dialog) => Some(dialog),
            Seat::Call(call, dialog) => Some(&mut calls.get_mut(*call)?.leg_of(dialog)?.dialog),
            Seat::Left(dialog) => left.get_mut(dialog),
        }
    }

    /// The call is over, its dialog is not, and is to be kept.
    pub(super) fn outlive(&mut self) -> Option<DialogId> {
        let Seat::Call(_, dialog) = self else { return None };
        let dialog = dialog.clone();
        *self = Seat::Left(dialog.clone());
        Some(dialog)
    }
}

/// Refusals within a dialog that end the subscription; after others it holds to its end (RFC 6665 §4.1.2.2, §4.2.2).
pub(super) fn ends_subscription(status: StatusCode) -> bool {
    matches!(status.code(), 404 | 405 | 410 | 416 | 480..=485 | 489 | 501 | 604)
}
