//! Session timers (RFC 4028): both sides agree on an interval and on who refreshes within it; a session that nobody
//! refreshes is over.

use std::time::Duration;

use crate::header::{MinSe, Name, Refresher, Require, SessionExpires};
use crate::message::{Headers, Request, Response, StatusCode};

/// No interval is shorter (RFC 4028 §5), in seconds.
const FLOOR: u32 = 90;

/// What this side wants of session timers.
///
/// ```
/// use imscore_sip::dialog::{SessionTimer, Terms};
/// use imscore_sip::{Method, Request};
///
/// let mut terms = Terms::new(1_800, 90);
/// let mut invite = Request::new(&Method::Invite, "sip:bob@ims.example");
/// terms.ask(&mut invite, None);
/// assert_eq!(invite.headers.raw("Session-Expires"), Some(&b"1800"[..]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    wanted: u32,
    shortest: u32,
    /// A 422 has said so: then Min-SE is due (RFC 4028 §7.1).
    raised: bool,
}

/// An interval that two sides have agreed on.
///
/// ```
/// use imscore_sip::dialog::{Refreshes, SessionTimer, Terms, TooSmall};
/// use imscore_sip::header::{SessionExpires, Supported};
/// use imscore_sip::{Method, Request, StatusCode};
///
/// let invite = Request::new(&Method::Invite, "sip:bob@ims.example");
/// let eager = invite.with(Supported("timer".into())).with(SessionExpires { seconds: 60, refresher: None });
/// let refused: Result<Option<SessionTimer>, TooSmall> = Terms::new(1_800, 90).answer(&eager);
/// assert_eq!(refused.map_err(|small| small.reply(&eager).status()), Err(StatusCode::SESSION_INTERVAL_TOO_SMALL));
///
/// let timer = SessionTimer { seconds: 1_800, refreshes: Refreshes::Us };
/// assert_eq!(timer.acts_after().as_secs(), 900);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimer {
    /// Seconds that the session lives without a refresh.
    pub seconds: u32,
    /// Who refreshes.
    pub refreshes: Refreshes,
}

/// The side that refreshes a session, as one of them sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshes {
    /// This one.
    Us,
    /// The other one.
    Them,
}

/// The interval of a request is below our minimum: 422, with a Min-SE of that many seconds (RFC 4028 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("session interval is below {0} s")]
pub struct TooSmall(pub u32);

impl Terms {
    /// Asks for `wanted` seconds and takes no less than `shortest`; both are 90 at least (RFC 4028 §5).
    pub fn new(wanted: u32, shortest: u32) -> Terms {
        let shortest = shortest.max(FLOOR);
        Terms { wanted: wanted.max(shortest), shortest, raised: false }
    }

    /// Puts into an INVITE or UPDATE what this side wants; a refresh goes on as was agreed (RFC 4028 §7.1, §7.4).
    pub fn ask(&self, request: &mut Request, agreed: Option<SessionTimer>) {
        let (seconds, refresher) = match agreed {
            // Ours is the request now, whoever sent the first.
            Some(SessionTimer { seconds, refreshes: Refreshes::Us }) => (seconds, Some(Refresher::Uac)),
            Some(SessionTimer { seconds, refreshes: Refreshes::Them }) => (seconds, Some(Refresher::Uas)),
            None => (self.wanted, None),
        };
        request.headers.set(&SessionExpires { seconds: seconds.max(self.shortest), refresher });
        if self.raised {
            request.headers.set(&MinSe(self.shortest));
        }
    }

    /// Takes the Min-SE of a 422 over. False: there is none, or one that was kept before, so that to try again is in vain.
    pub fn raise(&mut self, response: &Response) -> bool {
        match response.headers.first::<MinSe>() {
            Ok(MinSe(seconds)) if seconds > self.shortest || !self.raised => {
                self.shortest = self.shortest.max(seconds);
                self.wanted = self.wanted.max(self.shortest);
                self.raised = true;
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    /// What a 2xx to a request will say (RFC 4028 §9). `None`: the other side does not know session timers.
    ///
    /// # Errors
    /// The interval that it asks for is too small.
    pub fn answer(&self, request: &Request) -> Result<Option<SessionTimer>, TooSmall> {
        let headers = &request.headers;
        let knows = headers.supports("timer") || headers.requires("timer");
        let asked = headers.get::<SessionExpires>().ok().flatten();
        if !knows && asked.is_none() {
            return Ok(None);
        }
        if let Some(asked) = asked
            && asked.seconds < self.shortest
            && knows
        {
            return Err(TooSmall(self.shortest));
        }
        let floor = headers.first().map_or(FLOOR, |MinSe(seconds)| seconds).max(FLOOR);
        let seconds = match asked {
            // Not above what was asked for, nor below what somebody on the way needs.
            Some(asked) => asked.seconds.min(self.wanted).max(floor.min(asked.seconds)),
            None => self.wanted.max(floor),
        };
        // RFC 4028 §9, table 2: a caller that does not know timers refreshes nothing.
        let refreshes = match asked.and_then(|asked| asked.refresher) {
            Some(Refresher::Uas) => Refreshes::Us,
            Some(Refresher::Uac) | None if knows => Refreshes::Them,
            Some(Refresher::Uac) | None => Refreshes::Us,
        };
        Ok(Some(SessionTimer { seconds, refreshes }))
    }
}

impl SessionTimer {
    /// What the other side's 2xx says (RFC 4028 §7.2). `None`: the session lives without refreshes.
    pub fn of_response(headers: &Headers) -> Option<SessionTimer> {
        let agreed = headers.get::<SessionExpires>().ok().flatten()?;
        let refreshes = match agreed.refresher {
            Some(Refresher::Uas) => Refreshes::Them,
            Some(Refresher::Uac) | None => Refreshes::Us,
        };
        Some(SessionTimer { seconds: agreed.seconds.max(FLOOR), refreshes })
    }

    /// Puts into a 2xx what was agreed (RFC 4028 §9).
    pub fn write(&self, response: &mut Response) {
        let refresher = match self.refreshes {
            Refreshes::Us => Refresher::Uas,
            Refreshes::Them => Refresher::Uac,
        };
        response.headers.set(&SessionExpires { seconds: self.seconds, refresher: Some(refresher) });
        if self.refreshes == Refreshes::Them && !response.headers.requires("timer") {
            response.headers.push(&Require::from("timer"));
        }
    }

    /// How long after the last refresh this side acts: it refreshes at half the interval, or ends a session that the other
    /// side has not refreshed, up to 32 s before its end (RFC 4028 §10).
    pub fn acts_after(&self) -> Duration {
        let seconds = match self.refreshes {
            Refreshes::Us => self.seconds / 2,
            Refreshes::Them => self.seconds - (self.seconds / 3).min(32),
        };
        Duration::from_secs(seconds.into())
    }
}

impl TooSmall {
    /// The 422 to that request.
    pub fn reply(&self, request: &Request) -> Response {
        let mut response = request.reply(StatusCode::SESSION_INTERVAL_TOO_SMALL);
        response.headers.remove(Name::RECORD_ROUTE);
        response.with(MinSe(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    /// What `Terms::new(1_800, 120)` answers to an INVITE with these headers, and when it acts.
    #[track_caller]
    fn check(headers: &[(&str, &str)], expected: &str) {
        let draft = testing::request("INVITE", "sip:bob@ims.example").without("Supported");
        let request = headers.iter().fold(draft, |draft, (name, value)| draft.header(name, *value)).request();
        let found = match Terms::new(1_800, 120).answer(&request) {
            Ok(None) => "none".to_owned(),
            Ok(Some(timer)) => {
                let mut response = request.reply(StatusCode::OK);
                timer.write(&mut response);
                let text =
                    |name: &str| String::from_utf8_lossy(response.headers.raw(name).unwrap_or(b"-")).into_owned();
                format!("{} {} {}", text("Session-Expires"), text("Require"), timer.acts_after().as_secs())
            }
            Err(small) => {
                let response = small.reply(&request);
                format!("{} {}", response.status(), response.headers.first::<MinSe>().unwrap())
            }
        };
        assert_eq!(found, expected, "{headers:?}");
    }

    /// RFC 4028 §9, table 2.
    #[test]
    fn answers() {
        let timer = ("Supported", "timer");
        check(&[], "none");
        check(&[timer], "1800;refresher=uac timer 1768");
        check(&[timer, ("Session-Expires", "600;refresher=uas")], "600;refresher=uas - 300");
        check(&[timer, ("Session-Expires", "600;refresher=uac")], "600;refresher=uac timer 568");
        check(&[timer, ("Session-Expires", "600")], "600;refresher=uac timer 568");
        check(&[timer, ("Session-Expires", "3600"), ("Min-SE", "2400")], "2400;refresher=uac timer 2368");
        check(&[timer, ("Session-Expires", "3600")], "1800;refresher=uac timer 1768");
        check(&[timer, ("Session-Expires", "119")], "422 120");
        check(&[timer, ("Session-Expires", "120")], "120;refresher=uac timer 88");
        // A proxy has put it in; the caller would not understand a 422.
        check(&[("Session-Expires", "100")], "100;refresher=uas - 50");
    }

    /// RFC 4028 §7.1 to §7.4.
    #[test]
    fn requests() {
        let mut terms = Terms::new(600, 0);
        let ask = |terms: &Terms, agreed| {
            let mut request = testing::request("INVITE", "sip:bob@ims.example").request();
            terms.ask(&mut request, agreed);
            let text = |name: &str| String::from_utf8_lossy(request.headers.raw(name).unwrap_or(b"-")).into_owned();
            format!("{} {}", text("Session-Expires"), text("Min-SE"))
        };
        assert_eq!(ask(&terms, None), "600 -");
        let agreed = |refreshes| Some(SessionTimer { seconds: 300, refreshes });
        assert_eq!(ask(&terms, agreed(Refreshes::Us)), "300;refresher=uac -");
        assert_eq!(ask(&terms, agreed(Refreshes::Them)), "300;refresher=uas -");
        let request = testing::request("INVITE", "sip:bob@ims.example").request();
        let too_small = |seconds| TooSmall(seconds).reply(&request);
        assert!(!terms.raise(&request.reply(StatusCode::SESSION_INTERVAL_TOO_SMALL)));
        assert!(terms.raise(&too_small(900)));
        assert_eq!(ask(&terms, None), "900 900");
        assert!(!terms.raise(&too_small(900)), "it was kept to");
        assert!(terms.raise(&too_small(1_000)));
    }

    #[test]
    fn responses() {
        let of = |value: &str| {
            let request = testing::request("INVITE", "sip:bob@ims.example").request();
            let response = testing::response(&request, 200).header("Session-Expires", value).response();
            SessionTimer::of_response(&response.headers).map(|timer| (timer.seconds, timer.refreshes))
        };
        assert_eq!(of("600;refresher=uac"), Some((600, Refreshes::Us)));
        assert_eq!(of("600;refresher=uas"), Some((600, Refreshes::Them)));
        assert_eq!(of("1;refresher=uac"), Some((90, Refreshes::Us)));
        assert_eq!(of("x"), None);
    }
}
