//! The pure machine: what a message of the dialog, with a description or without, makes of the exchange.

use crate::message::StatusCode;

/// Which end of the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Ours.
    Local,
    /// The peer's.
    Remote,
}

impl Side {
    /// The other end.
    #[must_use]
    pub fn other(self) -> Side {
        match self {
            Side::Local => Side::Remote,
            Side::Remote => Side::Local,
        }
    }
}

/// A message that may carry a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// INVITE, the first or a later one.
    Invite,
    /// A provisional response to INVITE that is not reliable.
    Provisional,
    /// A provisional response to INVITE that is to be acknowledged by PRACK.
    Reliable,
    /// 2xx to INVITE.
    InviteSuccess,
    /// ACK to that.
    Ack,
    /// PRACK.
    Prack,
    /// 2xx to PRACK.
    PrackSuccess,
    /// UPDATE.
    Update,
    /// 2xx to UPDATE.
    UpdateSuccess,
}

/// What a message does to the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Its description is an offer, which the other side must answer.
    Offer,
    /// Its description is the answer.
    Answer,
    /// Its description is what the answer is going to be, in a response that may get lost (RFC 3261 §13.2.1).
    Preview,
    /// Its description is a repetition, and to be passed over (RFC 3261 §13.2.1).
    Repeated,
    /// It has none and need not.
    Nothing,
}

/// Why a message does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// An offer, or an INVITE, crosses one of the other side: 491 (RFC 3261 §14.2, RFC 3311 §5.2).
    #[error("crosses a request of the other side")]
    Glare,
    /// An offer, or an INVITE, comes before the last of the same side is through: 500 with a Retry-After of up to ten
    /// seconds (RFC 3261 §14.2, RFC 3311 §5.2).
    #[error("comes before the last exchange is through")]
    Pending,
    /// A message that should bring an answer brings none.
    #[error("brings no answer")]
    NoAnswer,
    /// A 2xx brings no offer, and the INVITE brought none (RFC 3261 §13.2.1).
    #[error("brings no offer")]
    NoOffer,
    /// A description where none may be.
    #[error("brings a description where none may be")]
    Unexpected,
}

impl Refused {
    /// The status that a request is answered with. Where a response does not fit, the side that sees it ends the call.
    pub fn status(self) -> StatusCode {
        match self {
            Refused::Glare => StatusCode::REQUEST_PENDING,
            Refused::Pending => StatusCode::SERVER_INTERNAL_ERROR,
            Refused::NoAnswer | Refused::NoOffer | Refused::Unexpected => StatusCode::BAD_REQUEST,
        }
    }
}

/// Where the exchanges of a dialog stand: which offer is open, and whether an INVITE is.
///
/// ```text
///               INVITE, PRACK, UPDATE with an offer
///  ┌────────┐ ──────────────────────────────────────────▶ ┌─────────┐
///  │ Stable │ ◀────────────────────────────────────────── │ Offered │
///  └────────┘   answer: reliable 1xx, 2xx, PRACK, ACK;    └─────────┘
///       │       or the request fails                           ▲
///       │ INVITE without an offer                              │
///       └──▶ the offer comes in a reliable 1xx or the 2xx ─────┘
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    offer: Offer,
    invite: Inviting,
}

/// The offer that is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Offer {
    #[default]
    Stable,
    Offered {
        by: Side,
        carrier: Carrier,
    },
}

/// The INVITE that is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Inviting {
    #[default]
    None,
    /// It brought no offer, so that a response must.
    Empty { caller: Side },
    /// Its offer was made, by whichever side.
    Settled { caller: Side },
}

impl State {
    /// True where no offer waits for an answer.
    pub fn is_stable(self) -> bool {
        self.offer == Offer::Stable
    }

    /// Who made the offer that is open.
    pub fn offered_by(self) -> Option<Side> {
        match self.offer {
            Offer::Stable => None,
            Offer::Offered { by, .. } => Some(by),
        }
    }

    /// True where that side may make an offer now, in an UPDATE (RFC 3311 §5.1).
    pub fn may_offer(self) -> bool {
        self.is_stable() && !matches!(self.invite, Inviting::Empty { .. })
    }

    /// True where that side may send an INVITE now (RFC 3261 §14.1).
    pub fn may_invite(self) -> bool {
        self.is_stable() && self.invite == Inviting::None
    }

    /// What a message of `side`, with a description or without, makes of the state.
    ///
    /// # Errors
    /// Where the message does not fit; the state stays as it is.
    pub fn on(self, side: Side, carrier: Carrier, has_description: bool) -> Result<(State, Step), Refused> {
        match carrier {
            Carrier::Invite => self.on_invite(side, has_description),
            Carrier::Provisional => self.on_provisional(side, has_description),
            Carrier::Reliable => self.on_reliable(side, has_description),
            Carrier::InviteSuccess => self.on_invite_success(side, has_description),
            Carrier::Ack => self.on_answer(side, Carrier::InviteSuccess, has_description),
            Carrier::Prack => self.on_prack(side, has_description),
            Carrier::PrackSuccess => self.on_answer(side, Carrier::Prack, has_description),
            Carrier::Update => self.on_update(side, has_description),
            Carrier::UpdateSuccess => self.on_answer(side, Carrier::Update, has_description),
        }
    }

    /// What a final response that is no success makes of the state. `carrier` is the request that `side` sent: with an
    /// INVITE goes every offer that was made in its responses, and what was agreed before holds on (RFC 3261 §14.1).
    #[must_use]
    pub fn failed(self, side: Side, carrier: Carrier) -> State {
        let of_invite = carrier == Carrier::Invite;
        let offer = match self.offer {
            Offer::Stable => Offer::Stable,
            Offer::Offered { by, carrier: with } => {
                let own = by == side && with == carrier;
                let early = of_invite && by != side && with == Carrier::Reliable;
                if own || early { Offer::Stable } else { self.offer }
            }
        };
        State { offer, invite: if of_invite { Inviting::None } else { self.invite } }
    }

    /// Why `side` may not make an offer, where one is open.
    fn open(self, side: Side) -> Result<(), Refused> {
        match self.offer {
            Offer::Stable => Ok(()),
            Offer::Offered { by, .. } if by == side => Err(Refused::Pending),
            Offer::Offered { .. } => Err(Refused::Glare),
        }
    }

    fn offered(self, by: Side, carrier: Carrier) -> (State, Step) {
        (State { offer: Offer::Offered { by, carrier }, ..self }, Step::Offer)
    }

    fn answered(self) -> (State, Step) {
        (State { offer: Offer::Stable, ..self }, Step::Answer)
    }

    fn on_invite(self, side: Side, has_description: bool) -> Result<(State, Step), Refused> {
        self.open(side)?;
        match self.invite {
            Inviting::Empty { caller } | Inviting::Settled { caller } if caller == side => {
                return Err(Refused::Pending);
            }
            Inviting::Empty { .. } | Inviting::Settled { .. } => return Err(Refused::Glare),
            Inviting::None => (),
        }
        if has_description {
            return Ok(State { invite: Inviting::Settled { caller: side }, ..self }.offered(side, Carrier::Invite));
        }
        Ok((State { invite: Inviting::Empty { caller: side }, ..self }, Step::Nothing))
    }

    fn on_provisional(self, side: Side, has_description: bool) -> Result<(State, Step), Refused> {
        let awaited = Offer::Offered { by: side.other(), carrier: Carrier::Invite };
        match (has_description, self.offer == awaited) {
            (false, _) => Ok((self, Step::Nothing)),
            (true, true) => Ok((self, Step::Preview)),
            (true, false) => Ok((self, Step::Repeated)),
        }
    }

    fn on_reliable(self, side: Side, has_description: bool) -> Result<(State, Step), Refused> {
        if has_description { self.on_response(side, Carrier::Reliable) } else { Ok((self, Step::Nothing)) }
    }

    fn on_invite_success(self, side: Side, has_description: bool) -> Result<(State, Step), Refused> {
        let ended = State { invite: Inviting::None, ..self };
        let awaited = Offer::Offered { by: side.other(), carrier: Carrier::Invite };
        match (has_description, self.invite) {
            (true, _) => {
                let (state, step) = self.on_response(side, Carrier::InviteSuccess)?;
                Ok((State { invite: Inviting::None, ..state }, step))
            }
            (false, Inviting::Empty { .. }) => Err(Refused::NoOffer),
            (false, Inviting::Settled { .. }) if self.offer == awaited => Err(Refused::NoAnswer),
            (false, Inviting::Settled { .. } | Inviting::None) => Ok((ended, Step::Nothing)),
        }
    }

    /// A description in a response of `side` to an INVITE: the answer, the offer, or a repetition.
    fn on_response(self, side: Side, carrier: Carrier) -> Result<(State, Step), Refused> {
        match self.offer {
            Offer::Offered { by, carrier: Carrier::Invite } if by != side => Ok(self.answered()),
            Offer::Offered { .. } => Err(Refused::Unexpected),
            Offer::Stable => match self.invite {
                Inviting::Empty { caller } if caller != side => {
                    Ok(State { invite: Inviting::Settled { caller }, ..self }.offered(side, carrier))
                }
                Inviting::Empty { .. } => Err(Refused::Unexpected),
                Inviting::Settled { .. } | Inviting::None => Ok((self, Step::Repeated)),
            },
        }
    }

    fn on_prack(self, side: Side, has_description: bool) -> Result<(State, Step), Refused> {
        let awaited = Offer::Offered { by: side.other(), carrier: Carrier::Reliable };
        match (has_description, self.offer == awaited) {
            (true, true) => Ok(self.answered()),
            (false, true) => Err(Refused::NoAnswer),
            (false, false) => Ok((self, Step::Nothing)),
            (true, false) => {
                self.open(side)?;
                if self.may_offer() { Ok(self.offered(side, Carrier::Prack)) } else { Err(Refused::Unexpected) }
            }
        }
    }

    fn on_update(self, side: Side, has_description: bool) -> Result<(State, Step), Refused> {
        if !has_description {
            return Ok((self, Step::Nothing));
        }
        self.open(side)?;
        if self.may_offer() { Ok(self.offered(side, Carrier::Update)) } else { Err(Refused::Pending) }
    }

    /// A message of `side` that can only answer an offer which the other side made with `carrier`.
    fn on_answer(self, side: Side, carrier: Carrier, has_description: bool) -> Result<(State, Step), Refused> {
        let awaited = Offer::Offered { by: side.other(), carrier };
        match (has_description, self.offer == awaited) {
            (true, true) => Ok(self.answered()),
            (false, true) => Err(Refused::NoAnswer),
            (true, false) => Ok((self, Step::Repeated)),
            (false, false) => Ok((self, Step::Nothing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Carrier::*;
    use super::Side::{Local, Remote};
    use super::*;

    /// Messages with a description (`true`) or without, and what each does.
    fn check(name: &str, messages: &[(Side, Carrier, bool, Result<Step, Refused>)]) {
        let mut state = State::default();
        for (at, (side, carrier, has_description, expected)) in messages.iter().enumerate() {
            let found = state.on(*side, *carrier, *has_description);
            assert_eq!(found.map(|(_, step)| step), *expected, "{name}, message {at}");
            // The same from the other side's point of view.
            let twin = mirrored(state).on(side.other(), *carrier, *has_description);
            assert_eq!(twin.map(|(state, step)| (mirrored(state), step)), found, "{name}, mirrored");
            if let Ok((next, _)) = found {
                state = next;
            }
        }
        assert!(state.is_stable() || name.ends_with("open"), "{name}");
    }

    fn mirrored(state: State) -> State {
        State {
            offer: match state.offer {
                Offer::Stable => Offer::Stable,
                Offer::Offered { by, carrier } => Offer::Offered { by: by.other(), carrier },
            },
            invite: match state.invite {
                Inviting::None => Inviting::None,
                Inviting::Empty { caller } => Inviting::Empty { caller: caller.other() },
                Inviting::Settled { caller } => Inviting::Settled { caller: caller.other() },
            },
        }
    }

    /// The six patterns of RFC 6337 §2.
    #[test]
    fn patterns() {
        use Step::{Answer, Nothing, Offer as Offers, Repeated};
        check(
            "1: INVITE, 2xx",
            &[
                (Local, Invite, true, Ok(Offers)),
                (Remote, Provisional, true, Ok(Step::Preview)),
                (Remote, InviteSuccess, true, Ok(Answer)),
                (Local, Ack, false, Ok(Nothing)),
                (Remote, Invite, false, Ok(Nothing)),
                (Local, InviteSuccess, true, Ok(Offers)),
                (Remote, Ack, true, Ok(Answer)),
                (Local, Invite, true, Ok(Offers)),
                (Remote, InviteSuccess, true, Ok(Answer)),
            ],
        );
        check(
            "2: 2xx, ACK",
            &[
                (Local, Invite, false, Ok(Nothing)),
                (Remote, InviteSuccess, true, Ok(Offers)),
                (Local, Ack, true, Ok(Answer)),
            ],
        );
        check(
            "3: INVITE, reliable 1xx",
            &[
                (Local, Invite, true, Ok(Offers)),
                (Remote, Reliable, true, Ok(Answer)),
                (Local, Prack, false, Ok(Nothing)),
                (Remote, PrackSuccess, false, Ok(Nothing)),
                (Remote, InviteSuccess, true, Ok(Repeated)),
                (Local, Ack, false, Ok(Nothing)),
            ],
        );
        check(
            "4: reliable 1xx, PRACK",
            &[
                (Local, Invite, false, Ok(Nothing)),
                (Remote, Reliable, true, Ok(Offers)),
                (Local, Prack, true, Ok(Answer)),
                (Remote, PrackSuccess, false, Ok(Nothing)),
                (Remote, InviteSuccess, false, Ok(Nothing)),
            ],
        );
        check(
            "5: PRACK, its 2xx",
            &[
                (Local, Invite, true, Ok(Offers)),
                (Remote, Reliable, true, Ok(Answer)),
                (Local, Prack, true, Ok(Offers)),
                (Remote, PrackSuccess, true, Ok(Answer)),
                (Remote, InviteSuccess, false, Ok(Nothing)),
            ],
        );
        check(
            "6: UPDATE, its 2xx, of both sides",
            &[
                (Local, Invite, true, Ok(Offers)),
                (Remote, Reliable, true, Ok(Answer)),
                (Local, Prack, false, Ok(Nothing)),
                (Local, Update, true, Ok(Offers)),
                (Remote, UpdateSuccess, true, Ok(Answer)),
                (Remote, Update, true, Ok(Offers)),
                (Local, UpdateSuccess, true, Ok(Answer)),
                (Remote, Update, false, Ok(Nothing)),
                (Local, UpdateSuccess, false, Ok(Nothing)),
                (Remote, InviteSuccess, true, Ok(Repeated)),
            ],
        );
    }

    /// RFC 3261 §14.2, RFC 3311 §5.2.
    #[test]
    fn requests_that_cross() {
        use Step::{Answer, Nothing, Offer as Offers};
        check(
            "INVITE and INVITE: open",
            &[
                (Local, Invite, true, Ok(Offers)),
                (Remote, Invite, true, Err(Refused::Glare)),
                (Remote, Invite, false, Err(Refused::Glare)),
                (Local, Invite, true, Err(Refused::Pending)),
            ],
        );
        check(
            "INVITE without an offer, and another: open",
            &[
                (Local, Invite, false, Ok(Nothing)),
                (Remote, Invite, true, Err(Refused::Glare)),
                (Local, Invite, true, Err(Refused::Pending)),
                (Remote, Update, true, Err(Refused::Pending)),
                (Local, Prack, true, Err(Refused::Unexpected)),
            ],
        );
        check(
            "an answered INVITE is still one",
            &[
                (Local, Invite, true, Ok(Offers)),
                (Remote, Reliable, true, Ok(Answer)),
                (Remote, Invite, true, Err(Refused::Glare)),
                (Remote, InviteSuccess, false, Ok(Nothing)),
                (Remote, Invite, true, Ok(Offers)),
                (Local, InviteSuccess, true, Ok(Answer)),
            ],
        );
        check(
            "UPDATE and UPDATE",
            &[
                (Local, Update, true, Ok(Offers)),
                (Remote, Update, true, Err(Refused::Glare)),
                (Local, Update, true, Err(Refused::Pending)),
                (Remote, Invite, true, Err(Refused::Glare)),
                (Remote, UpdateSuccess, true, Ok(Answer)),
                (Remote, Update, true, Ok(Offers)),
                (Local, UpdateSuccess, true, Ok(Answer)),
            ],
        );
        check(
            "PRACK with an offer against an UPDATE",
            &[
                (Local, Invite, true, Ok(Offers)),
                (Remote, Reliable, true, Ok(Answer)),
                (Remote, Update, true, Ok(Offers)),
                (Local, Prack, true, Err(Refused::Glare)),
                (Local, Prack, false, Ok(Nothing)),
                (Local, UpdateSuccess, true, Ok(Answer)),
            ],
        );
    }

    /// RFC 3261 §13.2.1: where a description is missing, or one too many.
    #[test]
    fn descriptions_that_do_not_fit() {
        use Step::{Answer, Nothing, Offer as Offers, Repeated};
        check(
            "2xx without answer: open",
            &[(Local, Invite, true, Ok(Offers)), (Remote, InviteSuccess, false, Err(Refused::NoAnswer))],
        );
        check(
            "2xx without offer",
            &[(Local, Invite, false, Ok(Nothing)), (Remote, InviteSuccess, false, Err(Refused::NoOffer))],
        );
        check(
            "ACK without answer: open",
            &[
                (Local, Invite, false, Ok(Nothing)),
                (Remote, InviteSuccess, true, Ok(Offers)),
                (Local, Ack, false, Err(Refused::NoAnswer)),
            ],
        );
        check(
            "PRACK without answer: open",
            &[
                (Local, Invite, false, Ok(Nothing)),
                (Remote, Reliable, true, Ok(Offers)),
                (Local, Prack, false, Err(Refused::NoAnswer)),
                (Remote, Reliable, true, Err(Refused::Unexpected)),
            ],
        );
        check(
            "2xx to an UPDATE without answer: open",
            &[(Local, Update, true, Ok(Offers)), (Remote, UpdateSuccess, false, Err(Refused::NoAnswer))],
        );
        check(
            "descriptions of no exchange",
            &[
                (Remote, Provisional, true, Ok(Repeated)),
                (Remote, Provisional, false, Ok(Nothing)),
                (Local, Ack, true, Ok(Repeated)),
                (Local, Invite, true, Ok(Offers)),
                (Remote, InviteSuccess, true, Ok(Answer)),
                (Local, Ack, true, Ok(Repeated)),
            ],
        );
    }

    /// RFC 3261 §14.1: what was agreed before holds on.
    #[test]
    fn failures() {
        let offered = |side, carrier| State::default().on(side, carrier, true).unwrap().0;
        assert_eq!(offered(Local, Invite).failed(Local, Invite), State::default());
        assert_eq!(offered(Local, Update).failed(Local, Update), State::default());
        assert!(!offered(Local, Update).failed(Local, Invite).is_stable());
        assert!(!offered(Local, Update).failed(Remote, Update).is_stable());
        let empty = State::default().on(Local, Invite, false).unwrap().0;
        assert_eq!(empty.failed(Local, Invite), State::default());
        let early = empty.on(Remote, Reliable, true).unwrap().0;
        assert_eq!(early.failed(Local, Invite), State::default());
        assert!(!early.failed(Local, Update).is_stable());
        assert!(early.offered_by() == Some(Remote) && !early.may_offer() && !early.may_invite());
    }

    proptest! {
        /// Whatever comes, one offer at most is open, and what answers it comes from the other side.
        #[test]
        fn an_answer_is_that_of_the_open_offer(
            messages in prop::collection::vec((any::<bool>(), 0..ALL.len(), any::<bool>(), prop::bool::weighted(0.2)), 0..40),
        ) {
            let mut state = State::default();
            let mut open = None;
            for (local, carrier, has_description, fails) in messages {
                let (side, carrier) = (if local { Local } else { Remote }, ALL[carrier]);
                if fails {
                    state = state.failed(side, carrier);
                    open = open.filter(|_| !state.is_stable());
                } else if let Ok((next, step)) = state.on(side, carrier, has_description) {
                    match step {
                        Step::Offer => prop_assert_eq!(open.replace(side), None),
                        Step::Answer => prop_assert_eq!(open.take(), Some(side.other())),
                        Step::Preview => prop_assert_eq!(open, Some(side.other())),
                        Step::Repeated | Step::Nothing => (),
                    }
                    prop_assert!(has_description != (step == Step::Nothing));
                    state = next;
                }
                prop_assert_eq!(state.offered_by(), open);
                prop_assert!(state.is_stable() || !(state.may_offer() || state.may_invite()));
            }
        }
    }

    const ALL: [Carrier; 9] =
        [Invite, Provisional, Reliable, InviteSuccess, Ack, Prack, PrackSuccess, Update, UpdateSuccess];
}
