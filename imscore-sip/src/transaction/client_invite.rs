//! INVITE client transaction: RFC 3261 §17.1.1.2, Accepted from RFC 6026 §7.2, CANCEL from RFC 3261 §9.1.
//!
//! ```text
//!                          | request: Send, B, unreliable: A
//!     A: Send, 2*A   +-----v------+
//!         +----------|            |  B, TransportFailed: Fail
//!         +--------->|  Calling   |------------------------------------+
//!      Rerouted:     |            |                                    |
//!      Send, A       +------------+                                    |
//!      Provisional:   |    |    |   Success:                           |
//!      Deliver        |    |    |   Deliver, M                         |
//!         +-----------+    |    +---------------------+                |
//!         |                |                          |                |
//!         |                | Failure: SendAck,        |                |
//!         |                | Deliver, D               |                |
//!  +------v-----+          |                          |                |
//!  |            |----------|---------------------+    |                |
//!  | Proceeding |          |       Success       |    |                |
//!  |            |----------|---------------------|----|--------------->+
//!  +------------+          |       Cancelled, TransportFailed: Fail    |
//!         |                |                     |    |                |
//!         | Failure        |                     |    |                |
//!         +------------+   |                     |    |                |
//!                      |   |                     |    |                |
//!  Failure:          +-v---v------+          +---v----v---+            |
//!  SendAck  +--------|            |          |            |---+ Success: Deliver
//!           +------->| Completed  |          |  Accepted  |<--+        |
//!                    |            |          |            |            |
//!                    +------------+          +------------+            |
//!                          | D, TransportFailed    | M                 |
//!                          |                       v                   |
//!                          |                 +------------+            |
//!                          +---------------->| Terminated |<-----------+
//!                                            +------------+
//! ```
//!
//! A cancel sends its CANCEL at once in Proceeding, and with the first provisional response in Calling; from then on
//! the final response has 64*T1 to come.

use std::time::Duration;

use smallvec::SmallVec;

use super::Cause;
use super::leg::Leg;

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Calling { timer_a: Duration, cancelled: bool },
    Proceeding { cancelled: bool },
    Accepted,
    Completed,
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    A,
    B,
    D,
    M,
    /// 64*T1 from the CANCEL on (RFC 3261 §9.1).
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Provisional,
    Success,
    /// 300 to 699.
    Failure,
    /// The owner wants no answer any more.
    Cancel,
    TransportFailed,
    /// Nothing of the request arrived, and it goes by another way now, which is the leg's.
    Rerouted,
    Expired(Timer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The INVITE, first or again.
    Send,
    SendAck,
    SendCancel,
    /// The response at hand goes to the owner.
    Deliver,
    Fail(Cause),
    Arm(Timer, Duration),
    Stop(Timer),
}

pub(super) type Actions = SmallVec<[Action; 5]>;

use Action::{Arm, Deliver, Fail, Send, SendAck, SendCancel, Stop};
use Event::{Cancel, Expired, Failure, Provisional, Rerouted, Success, TransportFailed};
use State::{Accepted, Calling, Completed, Proceeding, Terminated};

impl State {
    /// A new transaction.
    pub(super) fn start(leg: &Leg, out: &mut Actions) -> State {
        out.push(Send);
        if !leg.reliable {
            out.push(Arm(Timer::A, leg.timers.t1));
        }
        out.push(Arm(Timer::B, leg.lifetime()));
        Calling { timer_a: leg.timers.t1, cancelled: false }
    }

    pub(super) fn on(self, event: Event, leg: &Leg, out: &mut Actions) -> State {
        match self {
            Calling { timer_a, cancelled } => match event {
                Provisional => {
                    out.extend([Stop(Timer::A), Stop(Timer::B), Deliver]);
                    if cancelled {
                        out.extend([SendCancel, Arm(Timer::Cancelled, leg.lifetime())]);
                    }
                    Proceeding { cancelled }
                }
                Success => {
                    out.extend([Stop(Timer::A), Stop(Timer::B)]);
                    accept(leg, out)
                }
                Failure => {
                    out.extend([Stop(Timer::A), Stop(Timer::B)]);
                    complete(leg, out)
                }
                Cancel => Calling { timer_a, cancelled: true },
                TransportFailed => fail(Cause::Transport, out),
                Rerouted => {
                    out.push(Send);
                    if !leg.reliable {
                        out.push(Arm(Timer::A, leg.timers.t1));
                    }
                    Calling { timer_a: leg.timers.t1, cancelled }
                }
                Expired(Timer::A) => {
                    let timer_a = timer_a * 2;
                    out.extend([Send, Arm(Timer::A, timer_a)]);
                    Calling { timer_a, cancelled }
                }
                Expired(Timer::B) => fail(Cause::Timeout, out),
                Expired(Timer::D | Timer::M | Timer::Cancelled) => self,
            },
            Proceeding { cancelled } => match event {
                Provisional => {
                    out.push(Deliver);
                    self
                }
                Success => {
                    out.push(Stop(Timer::Cancelled));
                    accept(leg, out)
                }
                Failure => {
                    out.push(Stop(Timer::Cancelled));
                    complete(leg, out)
                }
                Cancel => {
                    if !cancelled {
                        out.extend([SendCancel, Arm(Timer::Cancelled, leg.lifetime())]);
                    }
                    Proceeding { cancelled: true }
                }
                TransportFailed => fail(Cause::Transport, out),
                Expired(Timer::Cancelled) => fail(Cause::Timeout, out),
                Rerouted | Expired(Timer::A | Timer::B | Timer::D | Timer::M) => self,
            },
            Accepted => match event {
                Success => {
                    out.push(Deliver);
                    self
                }
                Expired(Timer::M) => Terminated,
                Provisional | Failure | Cancel | TransportFailed | Rerouted => self,
                Expired(Timer::A | Timer::B | Timer::D | Timer::Cancelled) => self,
            },
            Completed => match event {
                Failure => {
                    out.push(SendAck);
                    self
                }
                // The owner has its response already, so that nobody is told.
                TransportFailed | Expired(Timer::D) => Terminated,
                Provisional | Success | Cancel | Rerouted => self,
                Expired(Timer::A | Timer::B | Timer::M | Timer::Cancelled) => self,
            },
            Terminated => Terminated,
        }
    }
}

fn accept(leg: &Leg, out: &mut Actions) -> State {
    out.extend([Deliver, Arm(Timer::M, leg.lifetime())]);
    Accepted
}

/// Timer D is zero on reliable transports.
fn complete(leg: &Leg, out: &mut Actions) -> State {
    out.extend([SendAck, Deliver]);
    if leg.reliable {
        return Terminated;
    }
    out.push(Arm(Timer::D, leg.timer_d()));
    Completed
}

fn fail(cause: Cause, out: &mut Actions) -> State {
    out.push(Fail(cause));
    Terminated
}

#[cfg(test)]
mod tests {
    use super::super::leg::{TCP, UDP};
    use super::*;

    const HALF: Duration = Duration::from_millis(500);
    const ONE: Duration = Duration::from_secs(1);
    const LIFE: Duration = Duration::from_secs(32);

    const CALLING: State = Calling { timer_a: HALF, cancelled: false };
    const CALLING_CANCELLED: State = Calling { timer_a: HALF, cancelled: true };
    const PROCEEDING: State = Proceeding { cancelled: false };
    const PROCEEDING_CANCELLED: State = Proceeding { cancelled: true };

    type Row = (State, Event, State, &'static [Action]);

    fn check(leg: &Leg, rows: &[Row]) {
        for (state, event, next, actions) in rows {
            let mut out = Actions::new();
            assert_eq!(state.on(*event, leg, &mut out), *next, "{state:?} {event:?}");
            assert_eq!(out[..], **actions, "{state:?} {event:?}");
        }
    }

    /// RFC 3261 §17.1.1.2, RFC 6026 §7.2, RFC 3261 §9.1.
    #[test]
    fn every_state_meets_every_event() {
        let start: &[Action] = &[Send, Arm(Timer::A, HALF), Arm(Timer::B, LIFE)];
        let mut out = Actions::new();
        assert_eq!(State::start(&UDP, &mut out), CALLING);
        assert_eq!(out[..], *start);

        let acked: &[Action] = &[Stop(Timer::A), Stop(Timer::B), SendAck, Deliver, Arm(Timer::D, LIFE)];
        let accepted: &[Action] = &[Stop(Timer::A), Stop(Timer::B), Deliver, Arm(Timer::M, LIFE)];
        let late_acked: &[Action] = &[Stop(Timer::Cancelled), SendAck, Deliver, Arm(Timer::D, LIFE)];
        let late_accepted: &[Action] = &[Stop(Timer::Cancelled), Deliver, Arm(Timer::M, LIFE)];
        let timeout: &[Action] = &[Fail(Cause::Timeout)];
        let transport: &[Action] = &[Fail(Cause::Transport)];
        let cancel: &[Action] = &[SendCancel, Arm(Timer::Cancelled, LIFE)];
        let cancel_now: &[Action] = &[Stop(Timer::A), Stop(Timer::B), Deliver, SendCancel, Arm(Timer::Cancelled, LIFE)];
        let rows: &[Row] = &[
            (CALLING, Provisional, PROCEEDING, &[Stop(Timer::A), Stop(Timer::B), Deliver]),
            (CALLING, Success, Accepted, accepted),
            (CALLING, Failure, Completed, acked),
            (CALLING, Cancel, CALLING_CANCELLED, &[]),
            (CALLING, TransportFailed, Terminated, transport),
            (CALLING, Rerouted, CALLING, &[Send, Arm(Timer::A, HALF)]),
            (CALLING, Expired(Timer::A), Calling { timer_a: ONE, cancelled: false }, &[Send, Arm(Timer::A, ONE)]),
            (CALLING, Expired(Timer::B), Terminated, timeout),
            (CALLING, Expired(Timer::D), CALLING, &[]),
            (CALLING, Expired(Timer::M), CALLING, &[]),
            (CALLING, Expired(Timer::Cancelled), CALLING, &[]),
            (CALLING_CANCELLED, Provisional, PROCEEDING_CANCELLED, cancel_now),
            (CALLING_CANCELLED, Success, Accepted, accepted),
            (CALLING_CANCELLED, Failure, Completed, acked),
            (CALLING_CANCELLED, Cancel, CALLING_CANCELLED, &[]),
            (CALLING_CANCELLED, TransportFailed, Terminated, transport),
            (CALLING_CANCELLED, Rerouted, CALLING_CANCELLED, &[Send, Arm(Timer::A, HALF)]),
            (
                CALLING_CANCELLED,
                Expired(Timer::A),
                Calling { timer_a: ONE, cancelled: true },
                &[Send, Arm(Timer::A, ONE)],
            ),
            (CALLING_CANCELLED, Expired(Timer::B), Terminated, timeout),
            (CALLING_CANCELLED, Expired(Timer::D), CALLING_CANCELLED, &[]),
            (CALLING_CANCELLED, Expired(Timer::M), CALLING_CANCELLED, &[]),
            (CALLING_CANCELLED, Expired(Timer::Cancelled), CALLING_CANCELLED, &[]),
            (PROCEEDING, Provisional, PROCEEDING, &[Deliver]),
            (PROCEEDING, Success, Accepted, late_accepted),
            (PROCEEDING, Failure, Completed, late_acked),
            (PROCEEDING, Cancel, PROCEEDING_CANCELLED, cancel),
            (PROCEEDING, TransportFailed, Terminated, transport),
            (PROCEEDING, Rerouted, PROCEEDING, &[]),
            (PROCEEDING, Expired(Timer::A), PROCEEDING, &[]),
            (PROCEEDING, Expired(Timer::B), PROCEEDING, &[]),
            (PROCEEDING, Expired(Timer::D), PROCEEDING, &[]),
            (PROCEEDING, Expired(Timer::M), PROCEEDING, &[]),
            (PROCEEDING, Expired(Timer::Cancelled), Terminated, timeout),
            (PROCEEDING_CANCELLED, Provisional, PROCEEDING_CANCELLED, &[Deliver]),
            (PROCEEDING_CANCELLED, Success, Accepted, late_accepted),
            (PROCEEDING_CANCELLED, Failure, Completed, late_acked),
            (PROCEEDING_CANCELLED, Cancel, PROCEEDING_CANCELLED, &[]),
            (PROCEEDING_CANCELLED, TransportFailed, Terminated, transport),
            (PROCEEDING_CANCELLED, Rerouted, PROCEEDING_CANCELLED, &[]),
            (PROCEEDING_CANCELLED, Expired(Timer::A), PROCEEDING_CANCELLED, &[]),
            (PROCEEDING_CANCELLED, Expired(Timer::B), PROCEEDING_CANCELLED, &[]),
            (PROCEEDING_CANCELLED, Expired(Timer::D), PROCEEDING_CANCELLED, &[]),
            (PROCEEDING_CANCELLED, Expired(Timer::M), PROCEEDING_CANCELLED, &[]),
            (PROCEEDING_CANCELLED, Expired(Timer::Cancelled), Terminated, timeout),
            (Accepted, Provisional, Accepted, &[]),
            (Accepted, Success, Accepted, &[Deliver]),
            (Accepted, Failure, Accepted, &[]),
            (Accepted, Cancel, Accepted, &[]),
            (Accepted, TransportFailed, Accepted, &[]),
            (Accepted, Rerouted, Accepted, &[]),
            (Accepted, Expired(Timer::A), Accepted, &[]),
            (Accepted, Expired(Timer::B), Accepted, &[]),
            (Accepted, Expired(Timer::D), Accepted, &[]),
            (Accepted, Expired(Timer::M), Terminated, &[]),
            (Accepted, Expired(Timer::Cancelled), Accepted, &[]),
            (Completed, Provisional, Completed, &[]),
            (Completed, Success, Completed, &[]),
            (Completed, Failure, Completed, &[SendAck]),
            (Completed, Cancel, Completed, &[]),
            (Completed, TransportFailed, Terminated, &[]),
            (Completed, Rerouted, Completed, &[]),
            (Completed, Expired(Timer::A), Completed, &[]),
            (Completed, Expired(Timer::B), Completed, &[]),
            (Completed, Expired(Timer::D), Terminated, &[]),
            (Completed, Expired(Timer::M), Completed, &[]),
            (Completed, Expired(Timer::Cancelled), Completed, &[]),
            (Terminated, Provisional, Terminated, &[]),
            (Terminated, Success, Terminated, &[]),
            (Terminated, Failure, Terminated, &[]),
            (Terminated, Cancel, Terminated, &[]),
            (Terminated, TransportFailed, Terminated, &[]),
            (Terminated, Rerouted, Terminated, &[]),
            (Terminated, Expired(Timer::A), Terminated, &[]),
            (Terminated, Expired(Timer::B), Terminated, &[]),
            (Terminated, Expired(Timer::D), Terminated, &[]),
            (Terminated, Expired(Timer::M), Terminated, &[]),
            (Terminated, Expired(Timer::Cancelled), Terminated, &[]),
        ];
        assert_eq!(rows.len(), 7 * 11);
        check(&UDP, rows);
    }

    #[test]
    fn a_reliable_transport_repeats_nothing_and_does_not_linger_on_a_failure() {
        let mut out = Actions::new();
        assert_eq!(State::start(&TCP, &mut out), CALLING);
        assert_eq!(out[..], [Send, Arm(Timer::B, LIFE)]);
        check(
            &TCP,
            &[
                (Calling { timer_a: ONE, cancelled: true }, Rerouted, CALLING_CANCELLED, &[Send]),
                (CALLING, Failure, Terminated, &[Stop(Timer::A), Stop(Timer::B), SendAck, Deliver]),
                (PROCEEDING, Failure, Terminated, &[Stop(Timer::Cancelled), SendAck, Deliver]),
                // RFC 6026 §7.2: Timer M on all transports.
                (PROCEEDING, Success, Accepted, &[Stop(Timer::Cancelled), Deliver, Arm(Timer::M, LIFE)]),
            ],
        );
    }
}
