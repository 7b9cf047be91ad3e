//! The connection with one peer: RFC 6733 §5.6.
//!
//! Both may connect at once. I is the connection that we opened, R the one that the peer did; who has the higher name keeps
//! the one that it accepted.
//!
//! ```text
//!                     Start: Connect                     Cer: Accept
//!          +---------------------------- Closed -------------------------------+
//!          |                               ^ ^                                 |
//!  +-------v-------+  ConnectFailed,       | | Lost, Silent: Close             |
//!  |  WaitConnAck  |  Expired: Close ------+ +--------+------------------------|---+
//!  +---+-------+---+                                  |                        |   |
//!      |       | Cer                                  |                        |   |
//!      |     +-v-------------------+  ConnectFailed, Lost(I): Accept           |   |
//!      |     | WaitConnAckElect    |-------------------------------------------+   |
//!      |     +-+-------------------+  Connected, election won: Accept          |   |
//!      |       | Connected, election lost: SendCer                             |   |
//!      | Connected: SendCer                                                    |   |
//!  +---v-----------+  Cer, election lost   +---------------+  Lost(I): Accept  |   |
//!  |    WaitCea    |---------------------->|  WaitReturns  |------------------>|   |
//!  +---+-------+---+                       +-------+-------+                   |   |
//!      |       | Cer, election won: Accept         | Cea                       |   |
//!      | Cea   +-----------------------------------|-------------------------->|   |
//!  +---v-------------------------------------------v--------+         +--------v---+--+
//!  |                        Open(I)                         |         |    Open(R)    |
//!  +---------------------------+----------------------------+         +-------+-------+
//!                              | Stop: SendDpr, Dpr: SendDpa                  |
//!                        +-----v----------------------------------------------v--+
//!                        |              Closing: Dpa, Lost, Expired              |--> Closed
//!                        +-------------------------------------------------------+
//! ```

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Closed,
    /// We connect.
    WaitConnAck,
    /// We have sent our CER.
    WaitCea,
    /// We connect, and the peer's CER is here.
    WaitConnAckElect {
        wins: bool,
    },
    /// We have sent our CER, the peer's is here, and the election is lost: it closes one of the two.
    WaitReturns,
    Open(Side),
    Closing(Side),
}

/// Which of two connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// We opened it.
    I,
    /// The peer did.
    R,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Start,
    Connected,
    ConnectFailed,
    /// A CER that we can answer came on a new connection; `wins`: our name is the higher one.
    Cer {
        wins: bool,
    },
    /// The answer to our CER: success.
    Cea,
    /// The answer to our CER: no. Or something else came in its place.
    NoCea,
    /// The connection is gone.
    Lost(Side),
    /// Nobody answers watchdogs.
    Silent,
    /// What was waited for did not come in time.
    Expired,
    Stop,
    Dpr,
    Dpa,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Connect,
    SendCer,
    /// R: send the CEA.
    Accept,
    /// The connection that the CER came on is closed.
    Reject,
    Close(Side),
    SendDpr(Side),
    SendDpa(Side),
    /// Requests may go over this one.
    Up,
    /// And no longer.
    Down,
    /// Limit the wait for what comes next.
    Arm,
}

use Action::{Accept, Arm, Close, Connect, Down, Reject, SendCer, SendDpa, SendDpr, Up};
use Event::{Cea, Cer, ConnectFailed, Connected, Dpa, Dpr, Expired, Lost, NoCea, Silent, Start, Stop};
use Side::{I, R};
use State::{Closed, Closing, Open, WaitCea, WaitConnAck, WaitConnAckElect, WaitReturns};

impl State {
    pub(super) fn on(self, event: Event, out: &mut Vec<Action>) -> State {
        match self {
            Closed => match event {
                Start => go(WaitConnAck, out, [Connect, Arm]),
                Cer { .. } => go(Open(R), out, [Accept, Up]),
                Connected | Lost(I) => go(Closed, out, [Close(I)]),
                Lost(R) => go(Closed, out, [Close(R)]),
                ConnectFailed | Cea | NoCea | Silent | Expired | Stop | Dpr | Dpa => self,
            },
            WaitConnAck => match event {
                Connected => go(WaitCea, out, [SendCer, Arm]),
                ConnectFailed | Lost(I) | Expired | Stop => go(Closed, out, [Close(I)]),
                Cer { wins } => WaitConnAckElect { wins },
                Start | Cea | NoCea | Lost(R) | Silent | Dpr | Dpa => self,
            },
            WaitConnAckElect { wins } => match event {
                Connected if wins => go(Open(R), out, [Close(I), Accept, Up]),
                Connected => go(WaitReturns, out, [SendCer, Arm]),
                ConnectFailed | Lost(I) => go(Open(R), out, [Close(I), Accept, Up]),
                Lost(R) => go(WaitConnAck, out, [Close(R)]),
                Cer { .. } => go(self, out, [Reject]),
                Expired | Stop => go(Closed, out, [Close(I), Close(R)]),
                Start | Cea | NoCea | Silent | Dpr | Dpa => self,
            },
            WaitCea => match event {
                Cea => go(Open(I), out, [Up]),
                Cer { wins: true } => go(Open(R), out, [Close(I), Accept, Up]),
                Cer { wins: false } => WaitReturns,
                Lost(I) | NoCea | Expired | Stop => go(Closed, out, [Close(I)]),
                Start | Connected | ConnectFailed | Lost(R) | Silent | Dpr | Dpa => self,
            },
            WaitReturns => match event {
                Cea => go(Open(I), out, [Close(R), Up]),
                Lost(I) | NoCea => go(Open(R), out, [Close(I), Accept, Up]),
                Lost(R) => go(WaitCea, out, [Close(R)]),
                Cer { .. } => go(self, out, [Reject]),
                Expired | Stop => go(Closed, out, [Close(I), Close(R)]),
                Start | Connected | ConnectFailed | Silent | Dpr | Dpa => self,
            },
            Open(side) => match event {
                Stop => go(Closing(side), out, [Down, SendDpr(side), Arm]),
                Dpr => go(Closing(side), out, [Down, SendDpa(side), Arm]),
                Lost(lost) if lost == side => go(Closed, out, [Down, Close(side)]),
                Lost(other) => go(self, out, [Close(other)]),
                Silent => go(Closed, out, [Down, Close(side)]),
                Cer { .. } => go(self, out, [Reject]),
                Start | Connected | ConnectFailed | Cea | NoCea | Expired | Dpa => self,
            },
            Closing(side) => match event {
                Dpa | Expired | Lost(_) => go(Closed, out, [Close(side)]),
                Cer { .. } => go(self, out, [Reject]),
                Dpr => go(self, out, [SendDpa(side)]),
                Start | Connected | ConnectFailed | Cea | NoCea | Silent | Stop => self,
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

    const WON: State = WaitConnAckElect { wins: true };
    const LOST: State = WaitConnAckElect { wins: false };

    #[rustfmt::skip]
    const EVENTS: [Event; 14] = [
        Start, Connected, ConnectFailed, Cer { wins: true }, Cer { wins: false }, Cea, NoCea, Lost(I), Lost(R), Silent,
        Expired, Stop, Dpr, Dpa,
    ];

    /// The transitions that do something; every other pair leaves the state as it is.
    fn check(state: State, rows: &[(Event, State, &[Action])]) {
        for event in EVENTS {
            let expected = rows.iter().find(|row| row.0 == event).map_or((state, &[][..]), |row| (row.1, row.2));
            let mut out = Vec::new();
            assert_eq!((state.on(event, &mut out), &out[..]), expected, "{state:?} {event:?}");
        }
    }

    /// RFC 6733 §5.6, the table.
    #[test]
    #[rustfmt::skip]
    fn every_state_meets_every_event() {
        let (wins, loses) = (Cer { wins: true }, Cer { wins: false });
        check(Closed, &[
            (Start, WaitConnAck, &[Connect, Arm]),
            (wins, Open(R), &[Accept, Up]),
            (loses, Open(R), &[Accept, Up]),
            (Connected, Closed, &[Close(I)]),
            (Lost(I), Closed, &[Close(I)]),
            (Lost(R), Closed, &[Close(R)]),
        ]);
        check(WaitConnAck, &[
            (Connected, WaitCea, &[SendCer, Arm]),
            (ConnectFailed, Closed, &[Close(I)]),
            (Lost(I), Closed, &[Close(I)]),
            (Expired, Closed, &[Close(I)]),
            (Stop, Closed, &[Close(I)]),
            (wins, WON, &[]),
            (loses, LOST, &[]),
        ]);
        for (state, connected) in [
            (WON, (Connected, Open(R), &[Close(I), Accept, Up][..])),
            (LOST, (Connected, WaitReturns, &[SendCer, Arm])),
        ] {
            check(state, &[
                connected,
                (ConnectFailed, Open(R), &[Close(I), Accept, Up]),
                (Lost(I), Open(R), &[Close(I), Accept, Up]),
                (Lost(R), WaitConnAck, &[Close(R)]),
                (wins, state, &[Reject]),
                (loses, state, &[Reject]),
                (Expired, Closed, &[Close(I), Close(R)]),
                (Stop, Closed, &[Close(I), Close(R)]),
            ]);
        }
        check(WaitCea, &[
            (Cea, Open(I), &[Up]),
            (wins, Open(R), &[Close(I), Accept, Up]),
            (loses, WaitReturns, &[]),
            (Lost(I), Closed, &[Close(I)]),
            (NoCea, Closed, &[Close(I)]),
            (Expired, Closed, &[Close(I)]),
            (Stop, Closed, &[Close(I)]),
        ]);
        check(WaitReturns, &[
            (Cea, Open(I), &[Close(R), Up]),
            (Lost(I), Open(R), &[Close(I), Accept, Up]),
            (NoCea, Open(R), &[Close(I), Accept, Up]),
            (Lost(R), WaitCea, &[Close(R)]),
            (wins, WaitReturns, &[Reject]),
            (loses, WaitReturns, &[Reject]),
            (Expired, Closed, &[Close(I), Close(R)]),
            (Stop, Closed, &[Close(I), Close(R)]),
        ]);
        for (side, other) in [(I, R), (R, I)] {
            check(Open(side), &[
                (Stop, Closing(side), &[Down, SendDpr(side), Arm]),
                (Dpr, Closing(side), &[Down, SendDpa(side), Arm]),
                (Lost(side), Closed, &[Down, Close(side)]),
                (Lost(other), Open(side), &[Close(other)]),
                (Silent, Closed, &[Down, Close(side)]),
                (wins, Open(side), &[Reject]),
                (loses, Open(side), &[Reject]),
            ]);
            check(Closing(side), &[
                (Dpa, Closed, &[Close(side)]),
                (Dpr, Closing(side), &[SendDpa(side)]),
                (Expired, Closed, &[Close(side)]),
                (Lost(I), Closed, &[Close(side)]),
                (Lost(R), Closed, &[Close(side)]),
                (wins, Closing(side), &[Reject]),
                (loses, Closing(side), &[Reject]),
            ]);
        }
    }
}
