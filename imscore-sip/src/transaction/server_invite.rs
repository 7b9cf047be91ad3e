//! INVITE server transaction: RFC 3261 §17.2.1 as RFC 6026 §7.1 changes it.
//!
//! ```text
//!                            | INVITE: Trying
//!      Request: Repeat +-----v------+
//!            +---------|            |---+ Provisional: Send
//!            +-------->| Proceeding |<--+ Trying: SendTrying
//!                      |            |---+ TransportFailed: Undelivered
//!                      +------------+<--+
//!       Failure:         |        |   Success:
//!       Send, H,         |        |   Send, L
//!       unreliable: G    |        +-------------------+
//!                      +-v----------+                 |
//!      Request: Repeat |            |  H: Unacknowledged
//!            +---------| Completed  |-----------------|-------+
//!            +-------->|            |                 |       |
//!      G: Repeat, 2*G  +------------+                 |       |
//!      up to T2          | Ack: I                     |       |
//!                      +-v----------+           +-----v------+| Success: Send
//!                      |            |           |            |---+ Ack: PassAck
//!                      | Confirmed  |           |  Accepted  |<--+ TransportFailed:
//!                      |            |           |            ||     Undelivered
//!                      +------------+           +------------+|
//!                        | I                      | L         |
//!                      +-v----------+             |           |
//!                      | Terminated |<------------+-----------+
//!                      +------------+
//! ```

use std::time::Duration;

use smallvec::SmallVec;

use super::leg::{Leg, TRYING_AFTER};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Proceeding,
    Completed { timer_g: Duration },
    Confirmed,
    Accepted,
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// 200 ms, after which the caller is told 100.
    Trying,
    G,
    H,
    I,
    L,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The INVITE came again.
    Request,
    Ack,
    /// The owner answers 1xx.
    Provisional,
    /// The owner answers 2xx.
    Success,
    /// The owner answers 300 to 699.
    Failure,
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
    /// The ACK at hand goes to the owner.
    PassAck,
    /// No ACK came for a failure.
    Unacknowledged,
    /// A response did not get out.
    Undelivered,
    Arm(Timer, Duration),
    Stop(Timer),
}

pub(super) type Actions = SmallVec<[Action; 4]>;

use Action::{Arm, PassAck, Repeat, Send, SendTrying, Stop, Unacknowledged, Undelivered};
use Event::{Ack, Expired, Failure, Provisional, Request, Success, TransportFailed};
use State::{Accepted, Completed, Confirmed, Proceeding, Terminated};

impl State {
    /// A new transaction.
    pub(super) fn start(out: &mut Actions) -> State {
        out.push(Arm(Timer::Trying, TRYING_AFTER));
        Proceeding
    }

    pub(super) fn on(self, event: Event, leg: &Leg, out: &mut Actions) -> State {
        match self {
            Proceeding => match event {
                Request => {
                    out.push(Repeat);
                    Proceeding
                }
                Provisional => {
                    out.extend([Stop(Timer::Trying), Send]);
                    Proceeding
                }
                Success => {
                    out.extend([Stop(Timer::Trying), Send, Arm(Timer::L, leg.lifetime())]);
                    Accepted
                }
                Failure => {
                    let timer_g = leg.timers.t1;
                    out.extend([Stop(Timer::Trying), Send, Arm(Timer::H, leg.lifetime())]);
                    if !leg.reliable {
                        out.push(Arm(Timer::G, timer_g));
                    }
                    Completed { timer_g }
                }
                TransportFailed => {
                    out.push(Undelivered);
                    Proceeding
                }
                Expired(Timer::Trying) => {
                    out.push(SendTrying);
                    Proceeding
                }
                Ack | Expired(Timer::G | Timer::H | Timer::I | Timer::L) => self,
            },
            Completed { timer_g } => match event {
                Request => {
                    out.push(Repeat);
                    self
                }
                Ack => {
                    out.extend([Stop(Timer::G), Stop(Timer::H)]);
                    // Timer I is zero on reliable transports.
                    if leg.reliable {
                        return Terminated;
                    }
                    out.push(Arm(Timer::I, leg.timers.t4));
                    Confirmed
                }
                TransportFailed => {
                    out.push(Undelivered);
                    self
                }
                Expired(Timer::G) => {
                    let timer_g = leg.doubled(timer_g);
                    out.extend([Repeat, Arm(Timer::G, timer_g)]);
                    Completed { timer_g }
                }
                Expired(Timer::H) => {
                    out.push(Unacknowledged);
                    Terminated
                }
                Provisional | Success | Failure | Expired(Timer::Trying | Timer::I | Timer::L) => self,
            },
            Confirmed => match event {
                Expired(Timer::I) => Terminated,
                Request | Ack | Provisional | Success | Failure | TransportFailed => self,
                Expired(Timer::Trying | Timer::G | Timer::H | Timer::L) => self,
            },
            Accepted => match event {
                Ack => {
                    out.push(PassAck);
                    self
                }
                Success => {
                    out.push(Send);
                    self
                }
                TransportFailed => {
                    out.push(Undelivered);
                    self
                }
                Expired(Timer::L) => Terminated,
                // RFC 6026 §7.1: a retransmitted INVITE is absorbed; its sender is repeating the 2xx.
                Request | Provisional | Failure | Expired(Timer::Trying | Timer::G | Timer::H | Timer::I) => self,
            },
            Terminated => Terminated,
        }
    }
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
    const COMPLETED: State = Completed { timer_g: HALF };

    type Row = (State, Event, State, &'static [Action]);

    fn check(leg: &Leg, rows: &[Row]) {
        for (state, event, next, actions) in rows {
            let mut out = Actions::new();
            assert_eq!(state.on(*event, leg, &mut out), *next, "{state:?} {event:?}");
            assert_eq!(out[..], **actions, "{state:?} {event:?}");
        }
    }

    /// RFC 3261 §17.2.1, RFC 6026 §7.1.
    #[test]
    fn every_state_meets_every_event() {
        let mut out = Actions::new();
        assert_eq!(State::start(&mut out), Proceeding);
        assert_eq!(out[..], [Arm(Timer::Trying, Duration::from_millis(200))]);

        let rows: &[Row] = &[
            (Proceeding, Request, Proceeding, &[Repeat]),
            (Proceeding, Ack, Proceeding, &[]),
            (Proceeding, Provisional, Proceeding, &[Stop(Timer::Trying), Send]),
            (Proceeding, Success, Accepted, &[Stop(Timer::Trying), Send, Arm(Timer::L, LIFE)]),
            (Proceeding, Failure, COMPLETED, &[Stop(Timer::Trying), Send, Arm(Timer::H, LIFE), Arm(Timer::G, HALF)]),
            (Proceeding, TransportFailed, Proceeding, &[Undelivered]),
            (Proceeding, Expired(Timer::Trying), Proceeding, &[SendTrying]),
            (Proceeding, Expired(Timer::G), Proceeding, &[]),
            (Proceeding, Expired(Timer::H), Proceeding, &[]),
            (Proceeding, Expired(Timer::I), Proceeding, &[]),
            (Proceeding, Expired(Timer::L), Proceeding, &[]),
            (COMPLETED, Request, COMPLETED, &[Repeat]),
            (COMPLETED, Ack, Confirmed, &[Stop(Timer::G), Stop(Timer::H), Arm(Timer::I, T4)]),
            (COMPLETED, Provisional, COMPLETED, &[]),
            (COMPLETED, Success, COMPLETED, &[]),
            (COMPLETED, Failure, COMPLETED, &[]),
            (COMPLETED, TransportFailed, COMPLETED, &[Undelivered]),
            (COMPLETED, Expired(Timer::Trying), COMPLETED, &[]),
            (COMPLETED, Expired(Timer::G), Completed { timer_g: ONE }, &[Repeat, Arm(Timer::G, ONE)]),
            (COMPLETED, Expired(Timer::H), Terminated, &[Unacknowledged]),
            (COMPLETED, Expired(Timer::I), COMPLETED, &[]),
            (COMPLETED, Expired(Timer::L), COMPLETED, &[]),
            (Confirmed, Request, Confirmed, &[]),
            (Confirmed, Ack, Confirmed, &[]),
            (Confirmed, Provisional, Confirmed, &[]),
            (Confirmed, Success, Confirmed, &[]),
            (Confirmed, Failure, Confirmed, &[]),
            (Confirmed, TransportFailed, Confirmed, &[]),
            (Confirmed, Expired(Timer::Trying), Confirmed, &[]),
            (Confirmed, Expired(Timer::G), Confirmed, &[]),
            (Confirmed, Expired(Timer::H), Confirmed, &[]),
            (Confirmed, Expired(Timer::I), Terminated, &[]),
            (Confirmed, Expired(Timer::L), Confirmed, &[]),
            (Accepted, Request, Accepted, &[]),
            (Accepted, Ack, Accepted, &[PassAck]),
            (Accepted, Provisional, Accepted, &[]),
            (Accepted, Success, Accepted, &[Send]),
            (Accepted, Failure, Accepted, &[]),
            (Accepted, TransportFailed, Accepted, &[Undelivered]),
            (Accepted, Expired(Timer::Trying), Accepted, &[]),
            (Accepted, Expired(Timer::G), Accepted, &[]),
            (Accepted, Expired(Timer::H), Accepted, &[]),
            (Accepted, Expired(Timer::I), Accepted, &[]),
            (Accepted, Expired(Timer::L), Terminated, &[]),
            (Terminated, Request, Terminated, &[]),
            (Terminated, Ack, Terminated, &[]),
            (Terminated, Provisional, Terminated, &[]),
            (Terminated, Success, Terminated, &[]),
            (Terminated, Failure, Terminated, &[]),
            (Terminated, TransportFailed, Terminated, &[]),
            (Terminated, Expired(Timer::Trying), Terminated, &[]),
            (Terminated, Expired(Timer::G), Terminated, &[]),
            (Terminated, Expired(Timer::H), Terminated, &[]),
            (Terminated, Expired(Timer::I), Terminated, &[]),
            (Terminated, Expired(Timer::L), Terminated, &[]),
        ];
        assert_eq!(rows.len(), 5 * 11);
        check(&UDP, rows);
    }

    #[test]
    fn timer_g_stops_growing_at_t2() {
        for from in [Duration::from_secs(2), T2] {
            let state = Completed { timer_g: from };
            check(&UDP, &[(state, Expired(Timer::G), Completed { timer_g: T2 }, &[Repeat, Arm(Timer::G, T2)])]);
        }
    }

    #[test]
    fn a_reliable_transport_repeats_nothing_and_ends_with_the_ack() {
        check(
            &TCP,
            &[
                (Proceeding, Failure, COMPLETED, &[Stop(Timer::Trying), Send, Arm(Timer::H, LIFE)]),
                (COMPLETED, Ack, Terminated, &[Stop(Timer::G), Stop(Timer::H)]),
                (Proceeding, Success, Accepted, &[Stop(Timer::Trying), Send, Arm(Timer::L, LIFE)]),
            ],
        );
    }
}
