//! Is the peer alive? RFC 3539 §3.4.1.
//!
//! ```text
//!              Up                 Expired, pending: Failover            Expired: Close
//!   Initial --------> Okay ------------------------------> Suspect --------------------+
//!                     ^  ^                                   |                         |
//!                     |  +-----------------------------------+                         |
//!                     |     Dwa, Traffic: Failback                                     |
//!                     | third Dwa: Failback                                            v
//!                   Reopen <-------------------------------------------------------- Down
//!                     |                     Up: SendDwr                                ^
//!                     +----------------------------------------------------------------+
//!                                    Expired twice, pending: Close
//! ```
//!
//! In Okay and Reopen an expiry with nothing pending sends a DWR. A peer in Reopen has yet to prove itself: requests go to
//! it only where there is nobody better.

/// How far the peer is trusted to be alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Never connected.
    Initial,
    Okay {
        pending: bool,
    },
    /// A DWR was not answered in time: requests go elsewhere.
    Suspect,
    Down,
    /// Connected again after it was down.
    Reopen {
        pending: bool,
        answered: u8,
        missed: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The connection is open.
    Up,
    /// The connection is closed.
    Lost,
    Dwa,
    /// Anything else came from the peer.
    Traffic,
    /// The interval is over.
    Expired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    SendDwr,
    /// Begin the interval anew.
    Arm,
    Failover,
    Failback,
    /// The connection is of no use.
    Close,
}

use Action::{Arm, Close, Failback, Failover, SendDwr};
use Event::{Dwa, Expired, Lost, Traffic, Up};
use State::{Down, Initial, Okay, Reopen, Suspect};

/// DWA that prove a peer that was down.
const PROOFS: u8 = 3;

impl State {
    pub(super) fn on(self, event: Event, out: &mut Vec<Action>) -> State {
        match self {
            Initial => match event {
                Up => go(Okay { pending: false }, out, [Arm]),
                Lost | Dwa | Traffic | Expired => self,
            },
            Okay { pending } => match event {
                Expired if pending => go(Suspect, out, [Failover, Arm]),
                Expired => go(Okay { pending: true }, out, [SendDwr, Arm]),
                Dwa => go(Okay { pending: false }, out, [Arm]),
                Traffic => go(self, out, [Arm]),
                Lost => Down,
                Up => self,
            },
            Suspect => match event {
                Dwa | Traffic => go(Okay { pending: false }, out, [Failback, Arm]),
                Expired => go(Down, out, [Close]),
                Lost => Down,
                Up => self,
            },
            Down => match event {
                Up => go(Reopen { pending: true, answered: 0, missed: false }, out, [SendDwr, Arm]),
                Lost | Dwa | Traffic | Expired => self,
            },
            Reopen { pending, answered, missed } => match event {
                Dwa if answered + 1 == PROOFS => go(Okay { pending: false }, out, [Failback, Arm]),
                Dwa => Reopen { pending: false, answered: answered + 1, missed: false },
                Expired if !pending => go(Reopen { pending: true, answered, missed }, out, [SendDwr, Arm]),
                Expired if missed => go(Down, out, [Close]),
                Expired => go(Reopen { pending, answered, missed: true }, out, [Arm]),
                Lost => Down,
                Up | Traffic => self,
            },
        }
    }
}

fn go<const N: usize>(next: State, out: &mut Vec<Action>, actions: [Action; N]) -> State {
    out.extend(actions);
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: State, rows: &[(Event, State, &[Action])]) {
        for event in [Up, Lost, Dwa, Traffic, Expired] {
            let expected = rows.iter().find(|row| row.0 == event).map_or((state, &[][..]), |row| (row.1, row.2));
            let mut out = Vec::new();
            assert_eq!((state.on(event, &mut out), &out[..]), expected, "{state:?} {event:?}");
        }
    }

    /// RFC 3539 §3.4.1, the table.
    #[test]
    fn every_state_meets_every_event() {
        let okay = |pending| Okay { pending };
        let reopen = |pending, answered, missed| Reopen { pending, answered, missed };
        check(Initial, &[(Up, okay(false), &[Arm])]);
        check(
            okay(false),
            &[
                (Expired, okay(true), &[SendDwr, Arm]),
                (Dwa, okay(false), &[Arm]),
                (Traffic, okay(false), &[Arm]),
                (Lost, Down, &[]),
            ],
        );
        check(
            okay(true),
            &[
                (Expired, Suspect, &[Failover, Arm]),
                (Dwa, okay(false), &[Arm]),
                (Traffic, okay(true), &[Arm]),
                (Lost, Down, &[]),
            ],
        );
        check(
            Suspect,
            &[
                (Dwa, okay(false), &[Failback, Arm]),
                (Traffic, okay(false), &[Failback, Arm]),
                (Expired, Down, &[Close]),
                (Lost, Down, &[]),
            ],
        );
        check(Down, &[(Up, reopen(true, 0, false), &[SendDwr, Arm])]);
        check(
            reopen(true, 0, false),
            &[(Dwa, reopen(false, 1, false), &[]), (Expired, reopen(true, 0, true), &[Arm]), (Lost, Down, &[])],
        );
        check(
            reopen(false, 1, false),
            &[
                (Dwa, reopen(false, 2, false), &[]),
                (Expired, reopen(true, 1, false), &[SendDwr, Arm]),
                (Lost, Down, &[]),
            ],
        );
        check(
            reopen(true, 2, true),
            &[(Dwa, okay(false), &[Failback, Arm]), (Expired, Down, &[Close]), (Lost, Down, &[])],
        );
    }
}
