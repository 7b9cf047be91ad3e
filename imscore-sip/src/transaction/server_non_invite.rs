//! Non-INVITE server transaction: RFC 3261 §17.2.2 as RFC 4320 §4 changes it.
//!
//! ```text
//!                            | request: Trying
//!                      +-----v------+
//!                      |            |  Final: Send, J
//!                      |   Trying   |----------------------+
//!                      |            |  Silence: J          |
//!                      +------------+                      |
//!     Trying: SendTrying |                                 |
//!     Provisional, where |                                 |
//!     reliable: Send     |                                 |
//!                      +-v----------+                      |
//!      Request: Repeat |            |  TransportFailed:    |
//!            +---------| Proceeding |  Undelivered         |
//!            +-------->|            |-------------------+  |
//!    Provisional: Send +------------+                   |  |
//!                        | Final: Send, J               |  |
//!                        | Silence: J                   |  |
//!                      +-v----------+                   |  |
//!      Request: Repeat |            |  TransportFailed: |  |
//!            +---------| Completed  |  Undelivered      |  |
//!            +-------->|            |<------------------|--+
//!                      +------------+                   |
//!                        | J          |                 |
//!                      +-v----------+ |                 |
//!                      | Terminated |<+-----------------+
//!                      +------------+
//! ```
//!
//! The owner's 100 is held back on unreliable transports until the client repeats its request every T2 only, and is
//! sent then whether the owner gave one or not. Silence stands for the 408 that is never sent.

use std::time::Duration;

use smallvec::SmallVec;

use super::leg::Leg;

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The time that a client takes until its Timer E stands at T2.
    Trying,
    J,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The request came again.
    Request,
    /// The owner answers 100.
    Provisional,
    /// The owner answers 2xx to 6xx, but not 408.
    Final,
    /// The owner answers 408.
    Silence,
    TransportFailed,
    Expired(Timer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The owner's response.
    Send,
    /// The last response again, where there was one.
    Repeat,
    /// A 100 that is made here.
    SendTrying,
    /// A response did not get out.
    Undelivered,
    Arm(Timer, Duration),
    Stop(Timer),
}

pub(super) type Actions = SmallVec<[Action; 4]>;

use Action::{Arm, Repeat, Send, SendTrying, Stop, Undelivered};
use Event::{Expired, Final, Provisional, Request, Silence, TransportFailed};
use State::{Completed, Proceeding, Terminated, Trying};

impl State {
    /// A new transaction.
    pub(super) fn start(leg: &Leg, out: &mut Actions) -> State {
        out.push(Arm(Timer::Trying, leg.until_e_is_t2()));
        Trying
    }

    pub(super) fn on(self, event: Event, leg: &Leg, out: &mut Actions) -> State {
        match self {
            Trying => match event {
                // RFC 4320 §4.1.
                Provisional if leg.reliable => {
                    out.extend([Stop(Timer::Trying), Send]);
                    Proceeding
                }
                Final => {
                    out.extend([Stop(Timer::Trying), Send]);
                    complete(leg, out)
                }
                Silence => {
                    out.push(Stop(Timer::Trying));
                    complete(leg, out)
                }
                Expired(Timer::Trying) => {
                    out.push(SendTrying);
                    Proceeding
                }
                Request | Provisional | TransportFailed | Expired(Timer::J) => self,
            },
            Proceeding => match event {
                Request => {
                    out.push(Repeat);
                    self
                }
                Provisional => {
                    out.push(Send);
                    self
                }
                Final => {
                    out.push(Send);
                    complete(leg, out)
                }
                Silence => complete(leg, out),
                TransportFailed => undelivered(out),
                Expired(Timer::Trying | Timer::J) => self,
            },
            Completed => match event {
                Request => {
                    out.push(Repeat);
                    self
                }
                TransportFailed => undelivered(out),
                Expired(Timer::J) => Terminated,
                Provisional | Final | Silence | Expired(Timer::Trying) => self,
            },
            Terminated => Terminated,
        }
    }
}

/// Timer J is zero on reliable transports.
fn complete(leg: &Leg, out: &mut Actions) -> State {
    if leg.reliable {
        return Terminated;
    }
    out.push(Arm(Timer::J, leg.lifetime()));
    Completed
}

fn undelivered(out: &mut Actions) -> State {
    out.push(Undelivered);
    Terminated
}

#[cfg(test)]
mod tests {
    use super::super::leg::{TCP, UDP};
    use super::*;

    const LIFE: Duration = Duration::from_secs(32);

    type Row = (State, Event, State, &'static [Action]);

    fn check(leg: &Leg, rows: &[Row]) {
        for (state, event, next, actions) in rows {
            let mut out = Actions::new();
            assert_eq!(state.on(*event, leg, &mut out), *next, "{state:?} {event:?}");
            assert_eq!(out[..], **actions, "{state:?} {event:?}");
        }
    }

    /// RFC 3261 §17.2.2, RFC 4320 §4.1, §4.2.
    #[test]
    fn every_state_meets_every_event() {
        let mut out = Actions::new();
        assert_eq!(State::start(&UDP, &mut out), Trying);
        assert_eq!(out[..], [Arm(Timer::Trying, Duration::from_millis(3_500))]);

        let rows: &[Row] = &[
            (Trying, Request, Trying, &[]),
            (Trying, Provisional, Trying, &[]),
            (Trying, Final, Completed, &[Stop(Timer::Trying), Send, Arm(Timer::J, LIFE)]),
            (Trying, Silence, Completed, &[Stop(Timer::Trying), Arm(Timer::J, LIFE)]),
            (Trying, TransportFailed, Trying, &[]),
            (Trying, Expired(Timer::Trying), Proceeding, &[SendTrying]),
            (Trying, Expired(Timer::J), Trying, &[]),
            (Proceeding, Request, Proceeding, &[Repeat]),
            (Proceeding, Provisional, Proceeding, &[Send]),
            (Proceeding, Final, Completed, &[Send, Arm(Timer::J, LIFE)]),
            (Proceeding, Silence, Completed, &[Arm(Timer::J, LIFE)]),
            (Proceeding, TransportFailed, Terminated, &[Undelivered]),
            (Proceeding, Expired(Timer::Trying), Proceeding, &[]),
            (Proceeding, Expired(Timer::J), Proceeding, &[]),
            (Completed, Request, Completed, &[Repeat]),
            (Completed, Provisional, Completed, &[]),
            (Completed, Final, Completed, &[]),
            (Completed, Silence, Completed, &[]),
            (Completed, TransportFailed, Terminated, &[Undelivered]),
            (Completed, Expired(Timer::Trying), Completed, &[]),
            (Completed, Expired(Timer::J), Terminated, &[]),
            (Terminated, Request, Terminated, &[]),
            (Terminated, Provisional, Terminated, &[]),
            (Terminated, Final, Terminated, &[]),
            (Terminated, Silence, Terminated, &[]),
            (Terminated, TransportFailed, Terminated, &[]),
            (Terminated, Expired(Timer::Trying), Terminated, &[]),
            (Terminated, Expired(Timer::J), Terminated, &[]),
        ];
        assert_eq!(rows.len(), 4 * 7);
        check(&UDP, rows);
    }

    /// RFC 4320 §4.1: over a reliable transport a 100 may go at any time.
    #[test]
    fn a_reliable_transport_takes_100_at_once_and_does_not_linger() {
        check(
            &TCP,
            &[
                (Trying, Provisional, Proceeding, &[Stop(Timer::Trying), Send]),
                (Trying, Final, Terminated, &[Stop(Timer::Trying), Send]),
                (Trying, Silence, Terminated, &[Stop(Timer::Trying)]),
                (Proceeding, Final, Terminated, &[Send]),
            ],
        );
    }
}
