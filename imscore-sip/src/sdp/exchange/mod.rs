//! Offer and answer in the messages of a dialog (RFC 3264 in RFC 3261 §13.2.1 and §14, RFC 3262 §5, RFC 3311 §5; RFC 6337
//! draws them together): which description is an offer, which its answer, and which comes at the wrong time.
//!
//! [`State`] is the pure machine: hand it every message of the dialog that could carry a description, with or without
//! one. [`Exchange`] keeps the descriptions with it and holds each against the one before.

mod state;

use super::{Mismatch, SessionDescription, check_answer, check_successor, continues};
use crate::message::StatusCode;

pub use state::{Carrier, Refused, Side, State, Step};

/// The descriptions that hold: one of each side.
///
/// ```
/// use imscore_sip::sdp::{Agreed, Carrier, Exchange, ExchangeError, Refused, SessionDescription, Side, State};
///
/// let sound = SessionDescription::audio("192.0.2.7:4000".parse()?);
/// let mut call = Exchange::default();
/// call.on(Side::Local, Carrier::Invite, Some(sound.clone()))?;
/// // Both sides offer at once: 491.
/// let crossing = call.on(Side::Remote, Carrier::Update, Some(sound.clone()));
/// assert_eq!(crossing, Err(ExchangeError::Refused(Refused::Glare)));
/// assert_eq!(call.state().offered_by(), Some(Side::Local));
/// call.on(Side::Remote, Carrier::InviteSuccess, Some(sound))?;
/// let agreed: &Agreed = call.agreed().ok_or("an answer")?;
/// assert_eq!(agreed.remote.media_at(0).map(|media| media.port()), Some(4_000));
/// assert_eq!(call.state(), State::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Agreed {
    /// What we said.
    pub local: SessionDescription,
    /// What the peer said.
    pub remote: SessionDescription,
}

/// The exchanges of one dialog, with their descriptions. A forked INVITE makes a dialog of each branch that answers: what
/// it offered is cloned for each (RFC 3261 §13.2.2.4).
///
/// ```
/// use imscore_sip::sdp::{Carrier, Exchange, SessionDescription, Side, Step};
///
/// let sdp = |port| {
///     let text = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n");
///     SessionDescription::parse(text.into())
/// };
/// let mut call = Exchange::default();
/// assert_eq!(call.on(Side::Local, Carrier::Invite, Some(sdp(4000)?)), Ok(Step::Offer));
/// assert_eq!(call.on(Side::Remote, Carrier::InviteSuccess, Some(sdp(5000)?)), Ok(Step::Answer));
/// assert_eq!(call.agreed().and_then(|agreed| agreed.remote.media_at(0)).map(|media| media.port()), Some(5000));
/// # Ok::<(), imscore_sip::sdp::SdpError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    state: State,
    open: Option<SessionDescription>,
    agreed: Option<Agreed>,
}

/// Why a message is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// It comes at the wrong time, or brings nothing where it must.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Its description does not go with the one before it.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// A description of ours has another origin than our last, or an older version (RFC 3264 §8).
    #[error("origin is not that of the session")]
    Origin,
}

impl ExchangeError {
    /// The status that a request is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            ExchangeError::Refused(refused) => refused.status(),
            ExchangeError::Mismatch(_) | ExchangeError::Origin => StatusCode::NOT_ACCEPTABLE_HERE,
        }
    }
}

impl Exchange {
    /// Where the exchanges stand.
    pub fn state(&self) -> State {
        self.state
    }

    /// What holds, from the first answer on. An offer that is open changes nothing of it.
    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// The offer that waits for its answer.
    pub fn offer(&self) -> Option<&SessionDescription> {
        self.open.as_ref()
    }

    /// A message of `side`, with its description or without.
    ///
    /// # Errors
    /// Where it does not fit; nothing is changed then, but that an answer which does not go with its offer ends the
    /// exchange, with what was agreed before.
    pub fn on(
        &mut self,
        side: Side,
        carrier: Carrier,
        description: Option<SessionDescription>,
    ) -> Result<Step, ExchangeError> {
        let (state, step) = self.state.on(side, carrier, description.is_some())?;
        match (step, description) {
            (Step::Offer, Some(offer)) => {
                self.check(side, &offer)?;
                self.open = Some(offer);
            }
            (Step::Answer, Some(answer)) => {
                self.state = state;
                let offer = self.open.take();
                if let Some(offer) = &offer {
                    check_answer(offer, &answer)?;
                }
                self.agree(side, offer, answer);
            }
            (Step::Offer | Step::Answer | Step::Preview | Step::Repeated | Step::Nothing, _) => (),
        }
        self.state = state;
        Ok(step)
    }

    /// A final response that is no success, to a request that `side` sent.
    pub fn failed(&mut self, side: Side, carrier: Carrier) {
        self.state = self.state.failed(side, carrier);
        if self.state.is_stable() {
            self.open = None;
        }
    }

    fn check(&self, side: Side, offer: &SessionDescription) -> Result<(), ExchangeError> {
        let Some(agreed) = &self.agreed else {
            return Ok(());
        };
        let own = match side {
            Side::Local => &agreed.local,
            Side::Remote => &agreed.remote,
        };
        check_successor(own, offer)?;
        if side == Side::Local && !continues(own, offer) { Err(ExchangeError::Origin) } else { Ok(()) }
    }

    fn agree(&mut self, side: Side, offer: Option<SessionDescription>, answer: SessionDescription) {
        self.agreed = offer.map(|offer| match side {
            Side::Local => Agreed { local: answer, remote: offer },
            Side::Remote => Agreed { local: offer, remote: answer },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Carrier::*;
    use super::Side::{Local, Remote};
    use super::*;

    fn sdp(version: u32, media: &str) -> Option<SessionDescription> {
        let text = format!("v=0\r\no=- 1 {version} IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n{media}");
        Some(SessionDescription::parse(text.into()).unwrap())
    }

    const AUDIO: &str = "m=audio 1 RTP/AVP 0\r\n";

    #[test]
    fn what_is_agreed() {
        let mut call = Exchange::default();
        assert_eq!(call.on(Remote, Invite, sdp(1, AUDIO)), Ok(Step::Offer));
        assert!(call.agreed().is_none() && call.offer().is_some());
        assert_eq!(call.on(Local, InviteSuccess, sdp(7, "m=audio 2 RTP/AVP 0\r\n")), Ok(Step::Answer));
        let ports = |call: &Exchange| {
            let agreed = call.agreed().unwrap();
            (agreed.local.media_at(0).unwrap().port(), agreed.remote.media_at(0).unwrap().port())
        };
        assert_eq!((ports(&call), call.offer().is_none()), ((2, 1), true));
        // A change that fails leaves what there was.
        assert_eq!(call.on(Local, Update, sdp(8, "m=audio 3 RTP/AVP 0\r\n")), Ok(Step::Offer));
        call.failed(Local, Update);
        assert_eq!((ports(&call), call.offer().is_none()), ((2, 1), true));
        assert_eq!(call.on(Local, Update, sdp(9, "m=audio 4 RTP/AVP 0\r\n")), Ok(Step::Offer));
        assert_eq!(call.on(Remote, UpdateSuccess, sdp(2, "m=audio 5 RTP/AVP 0\r\n")), Ok(Step::Answer));
        assert_eq!(ports(&call), (4, 5));
    }

    #[test]
    fn what_is_not_agreed() {
        let mut call = Exchange::default();
        call.on(Local, Invite, sdp(5, AUDIO)).unwrap();
        let two = call.on(Remote, InviteSuccess, sdp(1, &AUDIO.repeat(2)));
        assert_eq!(two, Err(Mismatch::Sections { found: 2, expected: 1 }.into()));
        assert!(call.agreed().is_none() && call.state().is_stable());
        call.on(Local, Update, sdp(5, &AUDIO.repeat(2))).unwrap();
        call.on(Remote, UpdateSuccess, sdp(1, &AUDIO.repeat(2))).unwrap();
        for (side, version, media, expected) in [
            (Local, 5, AUDIO, ExchangeError::from(Mismatch::Sections { found: 1, expected: 2 })),
            (Remote, 2, AUDIO, Mismatch::Sections { found: 1, expected: 2 }.into()),
            (Local, 4, &*AUDIO.repeat(2), ExchangeError::Origin),
        ] {
            assert_eq!(call.on(side, Update, sdp(version, media)), Err(expected), "{side:?} {version}");
            assert!(call.state().is_stable() && call.offer().is_none());
            assert_eq!(expected.status(), StatusCode::NOT_ACCEPTABLE_HERE);
        }
        assert_eq!(call.on(Remote, Update, sdp(0, &AUDIO.repeat(2))), Ok(Step::Offer));
        let glare = call.on(Local, Update, sdp(6, &AUDIO.repeat(2))).unwrap_err();
        assert_eq!((glare, glare.status()), (Refused::Glare.into(), StatusCode::REQUEST_PENDING));
        assert_eq!(Refused::Pending.status(), StatusCode::SERVER_INTERNAL_ERROR);
    }
}
