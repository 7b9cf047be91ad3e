//! One call: its dialogs, its descriptions, and the response that waits for an ACK.

use std::collections::VecDeque;
use std::time::Instant;

use super::notifier::Watcher;
use super::referral::ReportsTo;
use super::subscriber::Subscribed;
use crate::dialog::{Dialog, DialogId, Received, Reliable, Repetition, SessionTimer, Terms};
use crate::header::RAck;
use crate::message::{Request, Response};
use crate::sdp::{Exchange, SessionDescription};
use crate::table::Id;
use crate::transaction::{ClientId, ServerId};
use crate::transport::Flow;
use crate::wheel::TimerHandle;

/// Names a call of a [`UserAgent`](super::UserAgent), from its INVITE to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallHandle(pub(super) Id<Call>);

/// Branches of one INVITE that are kept track of; those above are ended when they answer.
pub(super) const BRANCHES: usize = 16;

/// Subscriptions that live in the dialog of one call, each way.
pub(super) const USAGES: usize = 8;

/// Responses that wait for the PRACK of the one before.
pub(super) const QUEUE: usize = 8;

pub(super) struct Call {
    /// The way that its last INVITE came or went.
    pub(super) flow: Option<Flow>,
    pub(super) stage: Stage,
    /// Before a 2xx to our INVITE, one for each branch that has answered; else exactly one.
    pub(super) legs: Vec<Leg>,
    /// What our INVITE offered, for each branch to go on from.
    pub(super) offered: Exchange,
    /// The call that ends when this one is answered.
    pub(super) replaces: Option<Id<Call>>,
    /// For an INVITE of the other side: its Call-ID, From tag and CSeq, by which another copy of it is known.
    pub(super) began_with: Option<(DialogId, u32)>,
    /// Requests of the other side that wait for the owner, or did.
    pub(super) open: Vec<ServerId>,
    /// What we ask for in session timers: as configured, or what a 422 to this call has made of it.
    pub(super) terms: Option<Terms>,
    /// Our last re-INVITE.
    pub(super) reinvite: Option<ClientId>,
    pub(super) alarms: [Option<TimerHandle>; 4],
    /// Subscriptions in its dialog, ours and theirs.
    pub(super) watching: Vec<Id<Subscribed>>,
    pub(super) watchers: Vec<Id<Watcher>>,
    /// Who asked for this call, and wants to know how it goes.
    pub(super) reports_to: Option<ReportsTo>,
}

/// What a call waits for, by its place in [`Call::alarms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// To repeat the 2xx.
    Repeat,
    /// To repeat a reliable provisional response.
    Reliable,
    /// To refresh the session, or to end it.
    Session,
    /// To offer again after a 491.
    Retry,
}

/// How far a call has come.
pub(super) enum Stage {
    /// Our INVITE waits for its final response; it has no name where it could not be sent.
    Calling(Option<ClientId>),
    /// An INVITE of the other side waits for ours.
    Offered(Offer),
    /// Our 2xx waits for its ACK.
    Answered(Answer),
    /// There was an ACK.
    Up,
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
    pub(super) repetition: Repetition,
    /// The owner has hung up: a BYE may go once the ACK has come (RFC 3261 §15).
    pub(super) is_given_up: bool,
}

/// One dialog of a call with what was said in it.
pub(super) struct Leg {
    pub(super) dialog: Dialog,
    pub(super) exchange: Exchange,
    /// Reliable responses of the other side, and of ours.
    pub(super) received: Received,
    pub(super) reliable: Reliable,
    /// Responses that wait for a PRACK.
    pub(super) queue: VecDeque<Response>,
    /// A reliable response with an offer: its PRACK takes our answer.
    pub(super) unanswered: Option<RAck>,
    pub(super) timer: Option<SessionTimer>,
    /// A refresh of ours is on its way.
    pub(super) is_refreshing: bool,
    /// The other side takes UPDATE.
    pub(super) takes_update: bool,
    /// Our INVITE whose 2xx brought an offer: the ACK takes our answer.
    pub(super) unacknowledged: Option<Box<Request>>,
    /// The last ACK of ours, for when the 2xx comes again.
    pub(super) ack: Option<Box<Request>>,
    /// What to offer again after a 491.
    pub(super) retry: Option<SessionDescription>,
}

impl Leg {
    pub(super) fn new(dialog: Dialog, exchange: Exchange, random: u64) -> Leg {
        Leg {
            dialog,
            exchange,
            received: Received::default(),
            reliable: Reliable::new(random),
            queue: VecDeque::new(),
            unanswered: None,
            timer: None,
            is_refreshing: false,
            takes_update: false,
            unacknowledged: None,
            ack: None,
            retry: None,
        }
    }
}

impl Call {
    pub(super) fn new(flow: Option<Flow>, stage: Stage) -> Call {
        Call {
            flow,
            stage,
            legs: Vec::new(),
            offered: Exchange::default(),
            replaces: None,
            began_with: None,
            open: Vec::new(),
            terms: None,
            reinvite: None,
            alarms: [None; 4],
            watching: Vec::new(),
            watchers: Vec::new(),
            reports_to: None,
        }
    }

    /// The dialog of the call, or of the branch that spoke last.
    pub(super) fn leg(&mut self) -> Option<&mut Leg> {
        self.legs.last_mut()
    }

    pub(super) fn leg_of(&mut self, dialog: &DialogId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.dialog.id() == dialog)
    }

    /// True once there was a 2xx.
    pub(super) fn is_up(&self) -> bool {
        match &self.stage {
            Stage::Calling(_) => false,
            Stage::Offered(offer) => !offer.is_first,
            Stage::Answered(_) | Stage::Up => true,
        }
    }
}

impl Answer {
    pub(super) fn new(offer: Offer, response: Response, repetition: Repetition) -> Answer {
        Answer { offer, response: Box::new(response), repetition, is_given_up: false }
    }

    /// When it is to be repeated.
    pub(super) fn due(&self) -> Instant {
        self.repetition.due()
    }
}
