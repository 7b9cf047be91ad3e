//! Subscriptions in the hands of their owners, on both sides.

use tokio::sync::mpsc;

use super::desk::Line;
use super::{CallError, WAITING};
use crate::header::SubscriptionState;
use crate::message::Request;
use crate::now::Now;
use crate::ua::{Event, NotSent, SubscriptionHandle, UserAgent, WatcherHandle};

/// A subscription of ours. Dropping it takes it back.
///
/// ```
/// use std::time::Duration;
///
/// use imscore_sip::header::Event;
/// use imscore_sip::{dialog, ua};
/// use imscore_sip::tokio::ua::{Asked, Phone, Subscription, Watcher};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let events = |mut config: ua::Config| {
///     config.events = vec!["presence".into()];
///     config
/// };
/// let bob = Phone::bind(["udp:127.0.0.1:0".parse()?], events).await?;
/// let alice = Phone::bind(["udp:127.0.0.1:0".parse()?], |config| config).await?;
/// let uri = format!("sip:bob@{}", bob.listeners()[0].sent_by).parse()?;
/// let (event, hour) = (Event::new("presence"), Duration::from_secs(3_600));
/// let mut presence: Subscription = alice.subscribe(&uri, &event, hour).await?;
/// let asked: Asked = bob.asked().await.ok_or("nobody asks")?;
/// let _watcher: Watcher = asked.admit(dialog::Subscription::Active, |notify| notify.set_body("text/plain", "here")).await?;
/// let told = presence.next().await;
/// assert!(matches!(told, Some(ua::Event::Notified { notify, .. }) if notify.body() == "here"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })
/// # }
/// ```
pub struct Subscription {
    line: Line,
    handle: SubscriptionHandle,
    events: mpsc::Receiver<Event>,
}

impl Subscription {
    pub(super) async fn begin(
        line: &Line,
        act: impl FnOnce(&mut UserAgent, Now) -> Result<SubscriptionHandle, NotSent> + Send + 'static,
    ) -> Result<Subscription, CallError> {
        let (events, taken) = mpsc::channel(WAITING);
        let begun = line.ask(move |desk, agent, now| {
            let handle = act(agent, now)?;
            desk.subscriptions.insert(handle, events);
            Ok::<_, NotSent>(handle)
        });
        let handle = begun.await.ok_or(CallError::Ended)??;
        Ok(Subscription { line: line.clone(), handle, events: taken })
    }

    /// The next thing that is told: [`Event::Notified`], and at the end [`Event::Unsubscribed`]; `None` from then on.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let handle = self.handle;
        self.line.tell(move |desk, agent, now| {
            if desk.subscriptions.remove(&handle).is_some() {
                agent.unsubscribe(handle, now);
            }
        });
    }
}

/// A subscription of somebody else. Dropping it ends it with `deactivated`, so that he may subscribe again.
pub struct Watcher {
    line: Line,
    handle: WatcherHandle,
    events: mpsc::Receiver<Event>,
}

impl Watcher {
    pub(super) async fn begin(
        line: &Line,
        act: impl FnOnce(&mut UserAgent, Now) -> Result<WatcherHandle, NotSent> + Send + 'static,
    ) -> Result<Watcher, CallError> {
        let (events, taken) = mpsc::channel(WAITING);
        let begun = line.ask(move |desk, agent, now| {
            let handle = act(agent, now)?;
            desk.watchers.insert(handle, events);
            Ok::<_, NotSent>(handle)
        });
        let handle = begun.await.ok_or(CallError::Ended)??;
        Ok(Watcher { line: line.clone(), handle, events: taken })
    }

    /// Waits until the subscription is refreshed or taken back: [`Watcher::notify`] is due. False: it is over.
    pub async fn refreshed(&mut self) -> bool {
        self.events.recv().await.is_some()
    }

    /// Accepts a subscription that is pending; the next NOTIFY says so.
    pub async fn activate(&self) {
        let handle = self.handle;
        self.line.ask(move |_, agent, _| agent.activate(handle)).await;
    }

    /// Tells the state, which `build` puts into the NOTIFY. False: the subscription is over.
    pub async fn notify(&self, build: impl FnOnce(&mut Request) + Send + 'static) -> bool {
        let handle = self.handle;
        let told = self.line.ask(move |desk, agent, now| {
            let is_told = agent.notify(handle, build, now);
            if !agent.is_watched(handle) {
                desk.watchers.remove(&handle);
            }
            is_told
        });
        told.await.unwrap_or_default()
    }

    /// Ends the subscription: see [`UserAgent::terminate_subscription`].
    pub async fn terminate(self, state: SubscriptionState) {
        let handle = self.handle;
        self.line.ask(move |_, agent, now| agent.terminate_subscription(handle, state, |_| {}, now)).await;
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let handle = self.handle;
        self.line.tell(move |desk, agent, now| {
            if desk.watchers.remove(&handle).is_some() {
                agent.terminate_subscription(handle, SubscriptionState::terminated("deactivated"), |_| {}, now);
            }
        });
    }
}
