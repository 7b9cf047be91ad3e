//! The response context of a forwarded request: which branches there are, and which response goes upstream when
//! (RFC 3261 §16.7). It sends nothing; it says what is to be sent.

use smallvec::SmallVec;

use crate::header::Name;
use crate::message::{Response, StatusCode};

/// One forwarded request and what came back so far.
#[derive(Default)]
pub(super) struct Responses {
    /// True for each branch that waits for a final response.
    pending: SmallVec<[bool; 4]>,
    best: Option<Box<Response>>,
    /// Challenges of responses that were not chosen: RFC 3261 §16.7 step 7.
    challenges: Vec<(Name, Vec<u8>)>,
    /// More branches may come: a procedure is under way.
    pub(super) open: bool,
    /// A final response went upstream.
    pub(super) answered: bool,
    /// The caller gave up.
    pub(super) cancelled: bool,
}

/// What a final response leads to.
#[derive(Default)]
pub(super) struct Outcome {
    /// To be sent upstream.
    pub(super) upstream: Option<Response>,
    /// The branches still pending are to be cancelled.
    pub(super) cancel: bool,
}

impl Responses {
    /// Of a request that nobody has dealt with yet.
    pub(super) fn new() -> Responses {
        Responses { open: true, ..Responses::default() }
    }

    /// A branch more, by its number.
    pub(super) fn begin(&mut self) -> usize {
        self.pending.push(true);
        self.pending.len() - 1
    }

    pub(super) fn is_pending(&self, branch: usize) -> bool {
        self.pending.get(branch).copied().unwrap_or_default()
    }

    pub(super) fn any_pending(&self) -> bool {
        self.pending.contains(&true)
    }

    /// Whether a provisional response goes upstream: RFC 3261 §16.7 step 5.
    pub(super) fn passes_provisional(&self) -> bool {
        !self.answered
    }

    /// A final response of a branch. `None` is a branch that ends without one that counts.
    pub(super) fn finish(&mut self, branch: usize, response: Option<Response>, is_invite: bool) -> Outcome {
        let first = self.is_pending(branch);
        if let Some(pending) = self.pending.get_mut(branch) {
            *pending = false;
        }
        let Some(response) = response else { return self.settle() };
        if response.status().is_success() {
            // Every 2xx to an INVITE goes upstream, retransmissions too (RFC 3261 §16.7 step 5, RFC 6026 §7).
            let passes = is_invite || !self.answered;
            self.answered = true;
            return Outcome { upstream: passes.then_some(response), cancel: is_invite };
        }
        if !first || self.answered {
            return Outcome::default();
        }
        let cancel = response.status().code() >= 600;
        self.keep(response);
        let mut outcome = self.settle();
        outcome.cancel |= cancel && is_invite;
        outcome
    }

    /// The chosen response, once nothing can come that is better (RFC 3261 §16.7 step 6). Without any, `upstream` stays
    /// empty: the owner answers.
    pub(super) fn settle(&mut self) -> Outcome {
        if self.answered || self.open || self.any_pending() {
            return Outcome::default();
        }
        let Some(mut best) = self.best.take().map(|best| *best) else { return Outcome::default() };
        self.answered = true;
        if matches!(best.status(), StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED) {
            for (name, value) in self.challenges.drain(..) {
                best.headers.push_raw(name.as_str(), &value);
            }
        }
        if best.status() == StatusCode::SERVICE_UNAVAILABLE {
            // One server's 503 says nothing of the proxy (RFC 3261 §16.7 step 6).
            best.set_status(StatusCode::SERVER_INTERNAL_ERROR);
        }
        Outcome { upstream: Some(best), cancel: false }
    }

    fn keep(&mut self, response: Response) {
        let loser = match self.best.take() {
            Some(best) if rank(best.status()) <= rank(response.status()) => {
                self.best = Some(best);
                Some(response)
            }
            other => {
                self.best = Some(Box::new(response));
                other.map(|other| *other)
            }
        };
        let Some(loser) = loser else { return };
        if matches!(loser.status(), StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED) {
            for name in [Name::WWW_AUTHENTICATE, Name::PROXY_AUTHENTICATE] {
                self.challenges.extend(loser.headers.raw_all(name).map(|value| (name, value.to_vec())));
            }
        }
    }
}

/// The lower, the better: 6xx before all, then the lowest class; in it what helps the caller to try again, and a 503 only
/// when there is nothing else (RFC 3261 §16.7 step 6).
fn rank(status: StatusCode) -> (u16, u16) {
    let class = status.code() / 100;
    let within = match status {
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => 0,
        StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::BAD_EXTENSION | StatusCode::ADDRESS_INCOMPLETE => 1,
        StatusCode::SERVICE_UNAVAILABLE => 3,
        _ => 2,
    };
    (if class == 6 { 0 } else { class }, within)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Method, Request};

    fn response(code: u16) -> Response {
        let mut request = Request::new(&Method::Invite, "sip:bob@ims.example");
        request.headers.push_raw("Via", b"SIP/2.0/UDP h;branch=z9hG4bK1");
        let mut response = request.reply(StatusCode::new(code).unwrap());
        if code == 401 || code == 407 {
            let name = if code == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
            response.headers.push_raw(name, format!("Digest realm=\"{code}\"").as_bytes());
        }
        response
    }

    /// Finals of the branches in turn, and what goes upstream after the last.
    fn check(finals: &[u16], expected: Option<u16>) {
        let mut responses = Responses::default();
        finals.iter().for_each(|_| {
            responses.begin();
        });
        let mut upstream = Vec::new();
        for (branch, code) in finals.iter().enumerate() {
            upstream.extend(responses.finish(branch, Some(response(*code)), true).upstream);
        }
        let codes: Vec<u16> = upstream.iter().map(|response| response.status().code()).collect();
        assert_eq!(codes, Vec::from_iter(expected), "{finals:?}");
    }

    #[test]
    fn the_best_response_is_chosen() {
        check(&[486], Some(486));
        check(&[486, 480], Some(486));
        check(&[404, 302], Some(302));
        check(&[500, 404], Some(404));
        check(&[404, 603], Some(603));
        check(&[404, 401, 486], Some(401));
        check(&[503, 504], Some(504));
        check(&[503], Some(500));
        check(&[486, 200], Some(200));
        check(&[200, 486], Some(200));
    }

    #[test]
    fn every_2xx_to_an_invite_passes_and_cancels_the_rest() {
        let mut responses = Responses::default();
        let (one, two) = (responses.begin(), responses.begin());
        let outcome = responses.finish(one, Some(response(200)), true);
        assert!(outcome.upstream.is_some() && outcome.cancel);
        assert!(responses.finish(one, Some(response(200)), true).upstream.is_some(), "a retransmission");
        assert!(responses.finish(two, Some(response(200)), true).upstream.is_some(), "a second phone");
        assert!(responses.finish(two, Some(response(487)), true).upstream.is_none(), "a late failure");
    }

    #[test]
    fn a_second_2xx_to_another_method_is_dropped() {
        let mut responses = Responses::default();
        let (one, two) = (responses.begin(), responses.begin());
        assert!(responses.finish(one, Some(response(200)), false).upstream.is_some());
        assert!(responses.finish(two, Some(response(200)), false).upstream.is_none());
    }

    #[test]
    fn challenges_of_all_branches_go_upstream() {
        let mut responses = Responses::default();
        let (one, two) = (responses.begin(), responses.begin());
        assert!(responses.finish(one, Some(response(407)), true).upstream.is_none());
        let best = responses.finish(two, Some(response(401)), true).upstream.unwrap();
        assert!(best.headers.contains(Name::WWW_AUTHENTICATE) && best.headers.contains(Name::PROXY_AUTHENTICATE));
    }

    #[test]
    fn nothing_goes_upstream_while_the_context_is_open() {
        let mut responses = Responses::new();
        let one = responses.begin();
        assert!(responses.finish(one, Some(response(486)), true).upstream.is_none());
        responses.open = false;
        assert_eq!(responses.settle().upstream.unwrap().status(), StatusCode::BUSY_HERE);
        assert!(responses.settle().upstream.is_none());
    }

    #[test]
    fn a_6xx_cancels_the_rest_and_waits_for_it() {
        let mut responses = Responses::default();
        let (one, two) = (responses.begin(), responses.begin());
        let outcome = responses.finish(one, Some(response(603)), true);
        assert!(outcome.cancel && outcome.upstream.is_none());
        let last = responses.finish(two, Some(response(487)), true).upstream.unwrap();
        assert_eq!(last.status(), StatusCode::DECLINE);
    }
}
