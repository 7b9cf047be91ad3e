//! One call in the hands of its owner.

use tokio::sync::mpsc;

use super::desk::Line;
use super::{CallError, Subscription, WAITING};
use crate::header::ReferTo;
use crate::message::{Method, Response, StatusCode};
use crate::now::Now;
use crate::sdp::{Agreed, SessionDescription};
use crate::transaction::{Cause, ServerId};
use crate::ua::{CallHandle, Event, NotSent, Reports, UserAgent};

/// A call. Dropping it hangs up.
pub struct Call {
    pub(super) line: Line,
    pub(super) handle: CallHandle,
    pub(super) events: mpsc::Receiver<Event>,
}

impl Call {
    pub(super) async fn begin(
        line: &Line,
        act: impl FnOnce(&mut UserAgent, Now) -> Result<CallHandle, NotSent> + Send + 'static,
    ) -> Result<Call, CallError> {
        let (events, taken) = mpsc::channel(WAITING);
        let begun = line.ask(move |desk, agent, now| {
            let handle = act(agent, now)?;
            desk.calls.insert(handle, events);
            Ok::<_, NotSent>(handle)
        });
        let handle = begun.await.ok_or(CallError::Ended)??;
        Ok(Call { line: line.clone(), handle, events: taken })
    }

    /// The next thing that happens in the call; `None` once it is over. A request in it waits for [`Call::respond`].
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// The next response to our INVITE: provisional, or the 2xx.
    ///
    /// # Errors
    /// It was refused, or failed.
    pub async fn progress(&mut self) -> Result<Response, CallError> {
        while let Some(event) = self.next().await {
            if let Event::Progress { response, .. } | Event::Answered { response, .. } = event {
                return Ok(response);
            }
            if let Event::Ended { by, .. } = event {
                return Err(CallError::of(by));
            }
            self.pass(event);
        }
        Err(CallError::Ended)
    }

    /// Waits for the 2xx to our INVITE.
    ///
    /// # Errors
    /// It was refused, or failed.
    pub async fn answered(&mut self) -> Result<Response, CallError> {
        loop {
            let response = self.progress().await?;
            if response.status().is_success() {
                return Ok(response);
            }
        }
    }

    /// What holds in the call, from the first answer on.
    pub async fn agreed(&self) -> Option<Agreed> {
        let handle = self.handle;
        self.line.ask(move |_, agent, _| agent.agreed(handle).cloned()).await.flatten()
    }

    /// Answers the offer that is open: see [`UserAgent::answer`].
    ///
    /// # Errors
    /// There is none, or the answer does not go with it.
    pub async fn answer(&self, answer: &SessionDescription) -> Result<(), CallError> {
        let (handle, answer) = (self.handle, answer.clone());
        let done = self.line.ask(move |_, agent, now| agent.answer(handle, &answer, now)).await;
        Ok(done.ok_or(CallError::Ended)??)
    }

    /// Makes an offer within the call and waits for what comes of it.
    ///
    /// # Errors
    /// It was refused, or could not be made; what was agreed before holds on.
    pub async fn offer(&mut self, offer: &SessionDescription) -> Result<(), CallError> {
        let (handle, offer) = (self.handle, offer.clone());
        let made = self.line.ask(move |_, agent, now| agent.offer(handle, &offer, now)).await;
        made.ok_or(CallError::Ended)??;
        while let Some(event) = self.next().await {
            if let Event::OfferRefused { response, .. } = event {
                let failed = CallError::Failed(Cause::Timeout);
                return Err(response.map_or(failed, |response| CallError::Refused(Box::new(response))));
            }
            if matches!(event, Event::Agreed { .. }) {
                return Ok(());
            }
            self.pass(event);
        }
        Err(CallError::Ended)
    }

    /// Answers a request of the other side within the call.
    ///
    /// # Errors
    /// Nobody waits for it, or its description does not fit.
    pub async fn respond(&self, id: ServerId, response: Response) -> Result<(), CallError> {
        let done = self.line.ask(move |_, agent, now| agent.respond(id, response, now)).await;
        Ok(done.ok_or(CallError::Ended)??)
    }

    /// Asks the other side to call somebody, and to tell how that goes: see [`UserAgent::refer`].
    ///
    /// # Errors
    /// Nothing was sent.
    pub async fn refer(&self, to: &ReferTo) -> Result<Subscription, CallError> {
        self.refer_with(to, Reports::Implicit).await
    }

    /// Asks the other side to call somebody, and to tell how that goes as `reports` says.
    ///
    /// # Errors
    /// Nothing was sent.
    pub async fn refer_with(&self, to: &ReferTo, reports: Reports) -> Result<Subscription, CallError> {
        let (handle, to) = (self.handle, to.clone());
        Subscription::begin(&self.line, move |agent, now| agent.refer(handle, &to, reports, now)).await
    }

    /// Asks the other side to take our place in another call: see [`UserAgent::transfer`].
    ///
    /// # Errors
    /// Nothing was sent.
    pub async fn transfer(&self, to: &Call) -> Result<Subscription, CallError> {
        let (handle, to) = (self.handle, to.handle);
        Subscription::begin(&self.line, move |agent, now| agent.transfer(handle, to, now)).await
    }

    /// Does what a REFER of the other side asks for: see [`UserAgent::follow`].
    ///
    /// # Errors
    /// Nobody waits for it, or it asks for something else than a call.
    pub async fn follow(&self, id: ServerId, offer: Option<&SessionDescription>) -> Result<Call, CallError> {
        let offer = offer.cloned();
        Call::begin(&self.line, move |agent, now| agent.follow(id, offer.as_ref(), now)).await
    }

    /// Waits for the end of the call. Offers of the other side get 488 meanwhile, and other requests 501.
    pub async fn ended(&mut self) {
        while let Some(event) = self.next().await {
            self.pass(event);
        }
    }

    /// Ends the call, and waits until that is on its way.
    pub async fn hang_up(self) {
        let handle = self.handle;
        self.line.ask(move |desk, agent, now| desk.hang_up(agent, handle, now)).await;
    }

    /// What nobody asked for.
    fn pass(&self, event: Event) {
        let Event::Request { id, request, .. } = event else { return };
        let is_offer = request.is(&Method::Invite) || request.is(&Method::Update);
        let status = if is_offer { StatusCode::NOT_ACCEPTABLE_HERE } else { StatusCode::NOT_IMPLEMENTED };
        // Without anybody who waits, there is nothing to refuse.
        self.line.tell(move |_, agent, now| {
            let _ = agent.respond(id, request.reply(status), now);
        });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let handle = self.handle;
        self.line.tell(move |desk, agent, now| desk.hang_up(agent, handle, now));
    }
}
