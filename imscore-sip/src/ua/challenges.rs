//! What becomes of challenges: which are answered, how often, and what is answered before it is asked (RFC 3261 §22).

use std::net::SocketAddr;

use bytestring::ByteString;

use super::UserAgent;
use super::asked::{Asked, Purpose};
use crate::auth::{Asks, Question, Session};
use crate::header::{AuthenticationInfo, Authorization, CSeq, Credentials, Name, ProxyAuthorization, TypedHeader};
use crate::message::{Method, Request, Response, StatusCode};
use crate::transport::Flow;

/// Answers that one request gives to one realm (threat I12).
const ANSWERS: u8 = 2;

/// A challenge that was answered, to answer it again before it is asked. There is one at most for each realm of ours as a
/// server's, and one as a proxy's.
pub(super) struct Space {
    asks: Asks,
    session: Session,
    /// Who sent it to us.
    neighbour: SocketAddr,
    call_id: ByteString,
}

/// What one request has answered so far.
#[derive(Clone, Default)]
pub(super) struct Answered(Vec<(Asks, String, u8)>);

impl Answered {
    /// RFC 3261 §22.1: what was rejected is not said again, unless its nonce was stale or the answer is another one each time.
    fn may_answer(&self, asks: Asks, question: &Question<'_>) -> bool {
        let earlier = self.0.iter().find(|(by, realm, _)| *by == asks && question.is_for(realm));
        earlier.is_none_or(|(_, _, times)| *times < ANSWERS && (question.stale || question.algorithm.is_aka()))
    }

    fn count(&mut self, asks: Asks, realm: String) {
        match self.0.iter_mut().find(|(by, other, _)| *by == asks && *other == realm) {
            Some((_, _, times)) => *times += 1,
            None => self.0.push((asks, realm, 1)),
        }
    }
}

impl Space {
    fn is_of(&self, asks: Asks, realm: &str) -> bool {
        self.asks == asks && self.session.realm() == realm
    }

    /// True where the request carries its answer, to this nonce or one before.
    fn is_answered_in(&self, request: &Request) -> bool {
        answers(self.asks, request)
            .iter()
            .any(|answer| answer.param("realm").as_deref() == Some(&*self.session.realm()))
    }

    /// Puts an answer into a request, in place of an earlier one.
    fn put_into(&mut self, request: &mut Request, cnonce: &str) {
        // What was answered once can be answered again.
        let Ok(answer) = self.session.answer(request, cnonce) else { return };
        match self.asks {
            Asks::Server => put(request, Authorization(answer)),
            Asks::Proxy => put(request, ProxyAuthorization(answer)),
        }
    }
}

impl UserAgent {
    /// Answers before it is asked what that neighbour has asked before: for the home network always, for others within the same
    /// Call-ID (RFC 3261 §22.2, §22.3). A REGISTER of somebody with a card says whose that is.
    pub(super) fn authorize_ahead(&mut self, request: &mut Request, flow: &Flow) {
        let cnonce = self.new_tag();
        let call_id = request.headers.call_id().unwrap_or_default().to_owned();
        let logins = &self.config.logins;
        for space in &mut self.spaces {
            let is_wanted = logins.is_home(&space.session.realm()) || *space.call_id == *call_id;
            if is_wanted && space.neighbour == flow.remote {
                space.put_into(request, &cnonce);
            }
        }
        if request.is(&Method::Register)
            && !request.headers.contains(Name::AUTHORIZATION)
            && let Some(whose) = logins.introduction(&request.target())
        {
            request.headers.push(&Authorization(whose));
        }
    }

    /// The same request with the answers to a challenge and the next CSeq (RFC 3261 §22.2). `None`: it was no challenge, or one
    /// that is not answered: of a realm that is not ours, of somebody in a dialog (threat I11), forged, rejected before, or one
    /// too many (threat I12).
    pub(super) fn authorized(&mut self, asked: &Asked, response: &Response) -> Option<Asked> {
        let is_challenge =
            [StatusCode::UNAUTHORIZED, StatusCode::PROXY_AUTHENTICATION_REQUIRED].contains(&response.status());
        if !is_challenge || self.is_in_dialog(&asked.purpose) && !self.config.answers_in_dialog {
            return None;
        }
        let may = |asks, question: &Question<'_>| asked.answered.may_answer(asks, question);
        let sessions = self.config.logins.sessions(response, may).ok()?;
        let number = self.next_number(asked)?;
        let cnonce = self.new_tag();
        let mut again = asked.clone();
        let call_id = ByteString::from(again.request.headers.call_id().unwrap_or_default());
        for (asks, session) in &sessions {
            self.spaces.retain(|space| !space.is_of(*asks, &session.realm()));
        }
        // Whoever was answered before sees another request, and so another count of its nonce (RFC 7616 §3.4).
        for space in self.spaces.iter_mut().filter(|space| space.is_answered_in(&asked.request)) {
            space.put_into(&mut again.request, &cnonce);
        }
        for (asks, session) in sessions {
            again.answered.count(asks, session.realm());
            let (neighbour, call_id) = (asked.peer.flow.remote, call_id.clone());
            let mut space = Space { asks, session, neighbour, call_id };
            space.put_into(&mut again.request, &cnonce);
            if !space.session.is_synchronisation() {
                self.spaces.push(space);
            }
        }
        again.request.headers.set(&CSeq { number, method: again.request.method() });
        Some(again)
    }

    /// A server that is satisfied may name the nonce that it wants next (RFC 3261 §20.6, RFC 7616 §3.5).
    pub(super) fn take_next_nonce(&mut self, request: &Request, response: &Response) {
        let Ok(Some(info)) = response.headers.get::<AuthenticationInfo>() else { return };
        let given = answers(Asks::Server, request);
        self.spaces.retain_mut(|space| {
            let is_meant = space.asks == Asks::Server && given.iter().any(|answer| space.session.has_given(answer));
            !is_meant || space.session.renew(&info)
        });
    }

    /// True for a request that goes to whoever is at the other end of a dialog.
    pub(super) fn is_in_dialog(&self, purpose: &Purpose) -> bool {
        match purpose {
            Purpose::Within(..) | Purpose::Bye | Purpose::Subscribe(_, Some(_)) | Purpose::Notify(_) => true,
            Purpose::Subscribe(key, None) => self.is_within_call(*key),
            Purpose::Invite(_) | Purpose::Register(_) | Purpose::Own(_) => false,
        }
    }
}

/// The answers of a request to servers, or to proxies.
fn answers(asks: Asks, request: &Request) -> Vec<Credentials> {
    match asks {
        Asks::Server => request.headers.typed::<Authorization>().flatten().map(|answer| answer.0).collect(),
        Asks::Proxy => request.headers.typed::<ProxyAuthorization>().flatten().map(|answer| answer.0).collect(),
    }
}

fn put<H: TypedHeader + std::ops::Deref<Target = Credentials>>(request: &mut Request, answer: H) {
    request.headers.retain(|old: &H| old.param("realm") != answer.param("realm"));
    request.headers.push(&answer);
}
