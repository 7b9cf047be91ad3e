//! Non-INVITE client transaction: RFC 3261 §17.1.2.2.
//!
//! ```text
//!                           | request: Send, F, unreliable: E
//!     E: Send, 2*E    +-----v------+
//!       up to T2  +---|            |  F, TransportFailed: Fail
//!                 +-->|   Trying   |------------------------------+
//!     Rerouted:       |            |                              |
//!     Send, E         +------------+                              |
//!      Provisional:     |        |   Final:                       |
//!      Deliver          |        |   Deliver, K                   |
//!                       |        +------------------+             |
//!     E: Send, T2     +-v----------+                |             |
//!                 +---|            |  F, TransportFailed: Fail    |
//!                 +-->| Proceeding |----------------|------------>+
//!     Provisional: |  |            |                |             |
//!     Deliver      +--+------------+                |             |
//!                       | Final: Deliver, K         |             |
//!                     +-v----------+                |             |
//!                     |            |                |             |
//!                     | Completed  |<---------------+             |
//!                     |            |                              |
//!                     +------------+                              |
//!                       | K                                       |
//!                     +-v----------+                              |
//!                     | Terminated |<-----------------------------+
//!                     +------------+
//! ```

use std::time::Duration;

use smallvec::SmallVec;

use super::Cause;
use super::leg::Leg;

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Trying { timer_e: Duration },
    Proceeding,
    Completed,
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    E,
    F,
    K,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Provisional,
    Final,
    TransportFailed,
    /// Nothing of the request arrived, and it goes by another way now, which is the leg's.
    Rerouted,
    Expired(Timer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The request, first or again.
    Send,
    /// The response at hand goes to the owner.
    Deliver,
    Fail(Cause),
    Arm(Timer, Duration),
    Stop(Timer),
}

pub(super) type Actions = SmallVec<[Action; 4]>;

use Action::{Arm, Deliver, Fail, Send, Stop};
use Event::{Expired, Final, Provisional, Rerouted, TransportFailed};
use State::{Completed, Proceeding, Terminated, Trying};

impl State {
    /// A new transaction.
    pub(super) fn start(leg: &Leg, out: &mut Actions) -> State {
        out.push(Send);
        if !leg.reliable {
            out.push(Arm(Timer::E, leg.timers.t1));
        }
        out.push(Arm(Timer::F, leg.lifetime()));
        Trying { timer_e: leg.timers.t1 }
    }

    pub(super) fn on(self, event: Event, leg: &Leg, out: &mut Actions) -> State {
        match self {
            Trying { timer_e } => match event {
                Provisional => {
                    out.push(Deliver);
                    Proceeding
                }
                Final => complete(leg, out),
                TransportFailed => fail(Cause::Transport, out),
                Rerouted => {
                    out.push(Send);
                    if !leg.reliable {
                        out.push(Arm(Timer::E, leg.timers.t1));
                    }
                    Trying { timer_e: leg.timers.t1 }
                }
                Expired(Timer::E) => {
                    let timer_e = leg.doubled(timer_e);
                    out.extend([Send, Arm(Timer::E, timer_e)]);
                    Trying { timer_e }
                }
                Expired(Timer::F) => fail(Cause::Timeout, out),
                Expired(Timer::K) => self,
            },
            Proceeding => match event {
                Provisional => {
                    out.push(Deliver);
                    Proceeding
                }
                Final => complete(leg, out),
                TransportFailed => fail(Cause::Transport, out),
                Expired(Timer::E) => {
                    out.extend([Send, Arm(Timer::E, leg.timers.t2)]);
                    Proceeding
                }
                Expired(Timer::F) => fail(Cause::Timeout, out),
                Rerouted | Expired(Timer::K) => self,
            },
            Completed => match event {
                Expired(Timer::K) => Terminated,
                Provisional | Final | TransportFailed | Rerouted | Expired(Timer::E | Timer::F) => self,
            },
            Terminated => Terminated,
        }
    }
}

/// Timer K is zero on reliable transports.
fn complete(leg: &Leg, out: &mut Actions) -> State {
    out.extend([Stop(Timer::E), Stop(Timer::F), Deliver]);
    if leg.reliable {
        return Terminated;
    }
    out.push(Arm(Timer::K, leg.timers.t4));
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
    const T2: Duration = Duration::from_secs(4);
    const T4: Duration = Duration::from_secs(5);
    const LIFE: Duration = Duration::from_secs(32);
    const TRYING: State = Trying { timer_e: HALF };

    type Row = (State, Event, State, &'static [Action]);

    fn check(leg: &Leg, rows: &[Row]) {
        for (state, event, next, actions) in rows {
            let mut out = Actions::new();
            assert_eq!(state.on(*event, leg, &mut out), *next, "{state:?} {event:?}");
            assert_eq!(out[..], **actions, "{state:?} {event:?}");
        }
    }

    /// RFC 3261 §17.1.2.2.
    #[test]
    fn every_state_meets_every_event() {
        let mut out = Actions::new();
        assert_eq!(State::start(&UDP, &mut out), TRYING);
        assert_eq!(out[..], [Send, Arm(Timer::E, HALF), Arm(Timer::F, LIFE)]);

        let done: &[Action] = &[Stop(Timer::E), Stop(Timer::F), Deliver, Arm(Timer::K, T4)];
        let rows: &[Row] = &[
            (TRYING, Provisional, Proceeding, &[Deliver]),
            (TRYING, Final, Completed, done),
            (TRYING, TransportFailed, Terminated, &[Fail(Cause::Transport)]),
            (TRYING, Rerouted, TRYING, &[Send, Arm(Timer::E, HALF)]),
            (TRYING, Expired(Timer::E), Trying { timer_e: ONE }, &[Send, Arm(Timer::E, ONE)]),
            (TRYING, Expired(Timer::F), Terminated, &[Fail(Cause::Timeout)]),
            (TRYING, Expired(Timer::K), TRYING, &[]),
            (Proceeding, Provisional, Proceeding, &[Deliver]),
            (Proceeding, Final, Completed, done),
            (Proceeding, TransportFailed, Terminated, &[Fail(Cause::Transport)]),
            (Proceeding, Rerouted, Proceeding, &[]),
            (Proceeding, Expired(Timer::E), Proceeding, &[Send, Arm(Timer::E, T2)]),
            (Proceeding, Expired(Timer::F), Terminated, &[Fail(Cause::Timeout)]),
            (Proceeding, Expired(Timer::K), Proceeding, &[]),
            (Completed, Provisional, Completed, &[]),
            (Completed, Final, Completed, &[]),
            (Completed, TransportFailed, Completed, &[]),
            (Completed, Rerouted, Completed, &[]),
            (Completed, Expired(Timer::E), Completed, &[]),
            (Completed, Expired(Timer::F), Completed, &[]),
            (Completed, Expired(Timer::K), Terminated, &[]),
            (Terminated, Provisional, Terminated, &[]),
            (Terminated, Final, Terminated, &[]),
            (Terminated, TransportFailed, Terminated, &[]),
            (Terminated, Rerouted, Terminated, &[]),
            (Terminated, Expired(Timer::E), Terminated, &[]),
            (Terminated, Expired(Timer::F), Terminated, &[]),
            (Terminated, Expired(Timer::K), Terminated, &[]),
        ];
        assert_eq!(rows.len(), 4 * 7);
        check(&UDP, rows);
    }

    #[test]
    fn timer_e_stops_growing_at_t2() {
        let growing = |from| (Trying { timer_e: from }, Expired(Timer::E));
        for from in [Duration::from_secs(2), T2] {
            let (state, event) = growing(from);
            check(&UDP, &[(state, event, Trying { timer_e: T2 }, &[Send, Arm(Timer::E, T2)])]);
        }
    }

    #[test]
    fn a_reliable_transport_repeats_nothing_and_does_not_linger() {
        let mut out = Actions::new();
        assert_eq!(State::start(&TCP, &mut out), TRYING);
        assert_eq!(out[..], [Send, Arm(Timer::F, LIFE)]);
        check(&TCP, &[(TRYING, Final, Terminated, &[Stop(Timer::E), Stop(Timer::F), Deliver])]);
    }
}
