//! Requests of others that wait for their answer.

use super::desk::Line;
use super::{Call, CallError, Watcher};
use crate::dialog;
use crate::message::{Request, Response, StatusCode};
use crate::sdp::SessionDescription;
use crate::transaction::ServerId;

/// A request that waits for its answer. Dropped without one, it gets 500.
pub struct Asked {
    pub(super) line: Line,
    pub(super) id: ServerId,
    pub(super) request: Request,
    pub(super) is_answered: bool,
}

impl Asked {
    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Answers it, provisionally or for good.
    ///
    /// # Errors
    /// Nobody waits for it any more, or its description does not fit.
    pub async fn respond(&mut self, response: Response) -> Result<(), CallError> {
        let (id, is_final) = (self.id, response.status().is_final());
        let done = self.line.ask(move |_, agent, now| agent.respond(id, response, now)).await;
        done.ok_or(CallError::Ended)??;
        self.is_answered |= is_final;
        Ok(())
    }

    /// Takes a SUBSCRIBE and tells the state, which `build` puts into the NOTIFY: see [`UserAgent::admit`](crate::ua::UserAgent::admit). The subscription lasts
    /// no longer than the handle.
    ///
    /// # Errors
    /// It is none, or nobody waits for it any more.
    pub async fn admit(
        mut self,
        state: dialog::Subscription,
        build: impl FnOnce(&mut Request) + Send + 'static,
    ) -> Result<Watcher, CallError> {
        let id = self.id;
        let watcher = Watcher::begin(&self.line, move |agent, now| agent.admit(id, state, build, now)).await?;
        self.is_answered = true;
        Ok(watcher)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.is_answered {
            let (id, response) = (self.id, self.request.reply(StatusCode::SERVER_INTERNAL_ERROR));
            self.line.tell(move |_, agent, now| {
                // One that was cancelled waits no more.
                if agent.respond(id, response, now).is_ok() {
                    tracing::warn!("a request was dropped unanswered");
                }
            });
        }
    }
}

/// A call that comes in. Dropped unanswered, it gets 500.
pub struct Incoming {
    pub(super) asked: Asked,
    pub(super) call: Call,
}

impl Incoming {
    /// The INVITE.
    pub fn request(&self) -> &Request {
        self.asked.request()
    }

    /// What it offers; none where the answer is to hold the offer.
    pub fn offer(&self) -> Option<SessionDescription> {
        let body = self.asked.request.body();
        if body.is_empty() { None } else { SessionDescription::parse(body).ok() }
    }

    /// Says that it rings.
    ///
    /// # Errors
    /// The caller has given up.
    pub async fn ring(&self) -> Result<(), CallError> {
        self.call.respond(self.asked.id, self.asked.request.reply(StatusCode::RINGING)).await
    }

    /// Says something else than that it rings, say 183 with a description.
    ///
    /// # Errors
    /// The caller has given up, or the description does not fit.
    pub async fn respond(&mut self, response: Response) -> Result<(), CallError> {
        self.asked.respond(response).await
    }

    /// Takes the call, with the answer to its offer, or an offer where it brought none.
    ///
    /// # Errors
    /// The caller has given up, or the answer does not go with the offer.
    pub async fn answer(mut self, answer: &SessionDescription) -> Result<Call, CallError> {
        let response = self.asked.request.reply(StatusCode::OK).with_body("application/sdp", answer.to_bytes());
        self.asked.respond(response).await?;
        Ok(self.call)
    }

    /// Does not take it.
    ///
    /// # Errors
    /// The caller has given up.
    pub async fn refuse(mut self, status: StatusCode) -> Result<(), CallError> {
        let response = self.asked.request.reply(status);
        self.asked.respond(response).await
    }

    /// Waits until the caller gives up.
    pub async fn cancelled(&mut self) {
        self.call.ended().await;
    }
}
