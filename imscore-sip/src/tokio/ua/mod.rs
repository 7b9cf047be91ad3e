//! A user agent as async calls: [`Phone`] is a [`UserAgent`] with its sockets, in a task of its own.
//!
//! What is dropped ends: a [`Call`] hangs up, a [`Registration`] or [`Subscription`] is taken back, a [`Watcher`] is told that
//! it is over, a request that was not answered gets 500, and with the last handle the phone itself goes, once its last messages have left.
//!
//! ```
//! use imscore_sip::sdp::SessionDescription;
//! use imscore_sip::tokio::ua::Phone;
//!
//! # async fn phones() -> Result<(), Box<dyn std::error::Error>> {
//! let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
//! let offer = SessionDescription::parse(sdp.into())?;
//! let bob = Phone::bind(["udp:127.0.0.1:0".parse()?], |config| config).await?;
//! let alice = Phone::bind(["udp:127.0.0.1:0".parse()?], |config| config).await?;
//!
//! let mut call = alice.call(&format!("sip:bob@{}", bob.listeners()[0].sent_by).parse()?, Some(&offer)).await?;
//! let incoming = bob.incoming().await.expect("a call");
//! incoming.ring().await?;
//! let mut answered = incoming.answer(&offer).await?;
//!
//! call.answered().await?;
//! call.hang_up().await;
//! answered.ended().await;
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(phones())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod asked;
mod call;
mod desk;
mod registration;
mod subscription;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot, watch};

use self::desk::{Desk, Line, run};
use self::registration::Registered;
use super::{BindError, Endpoint, ListenAddress, Settings, now, seed};
use crate::header;
use crate::message::{Method, Request, Response};
use crate::sdp::SessionDescription;
use crate::transaction::{self, Cause};
use crate::transport::Listener;
use crate::ua::{Binding, Config, Ended, NotSent, UserAgent};
use crate::uri::Uri;

pub use self::asked::{Asked, Incoming};
pub use self::call::Call;
pub use self::registration::Registration;
pub use self::subscription::{Subscription, Watcher};

/// Events of a call, or requests outside of calls, that wait to be taken. A call with more is ended, a request more gets 500.
const WAITING: usize = 64;

/// Why a phone is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PhoneError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system has no random numbers.
    #[error("no random numbers: {0}")]
    Seed(#[from] io::Error),
}

/// Why a call or request did not come to what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It was refused.
    #[error("refused with {}", .0.status())]
    Refused(Box<Response>),
    /// No answer came.
    #[error("no answer: {0:?}")]
    Failed(Cause),
    /// It is over.
    #[error("the call is over")]
    Ended,
    /// Nothing was sent.
    #[error(transparent)]
    NotSent(#[from] NotSent),
}

impl CallError {
    /// What the end of a call says to whoever waits for its answer.
    fn of(by: Ended) -> CallError {
        match by {
            Ended::Refused(response) => CallError::Refused(response),
            Ended::Failed(cause) => CallError::Failed(cause),
            Ended::Bye | Ended::NoAck | Ended::Expired | Ended::Disagreed | Ended::Replaced => CallError::Ended,
        }
    }
}

/// A user agent with its sockets. Clones are the same phone.
///
/// ```
/// use imscore_sip::StatusCode;
/// use imscore_sip::tokio::ua::{Call, CallError, Incoming, Phone, PhoneError};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let bound: Result<Phone, PhoneError> = Phone::bind(["udp:127.0.0.1:0".parse()?], |config| config).await;
/// let (bob, alice) = (bound?, Phone::bind(["udp:127.0.0.1:0".parse()?], |config| config).await?);
/// let mut call: Call = alice.call(&format!("sip:bob@{}", bob.listeners()[0].sent_by).parse()?, None).await?;
/// let incoming: Incoming = bob.incoming().await.ok_or("no call")?;
/// incoming.refuse(StatusCode::BUSY_HERE).await?;
/// let refused = call.answered().await;
/// assert!(matches!(refused, Err(CallError::Refused(response)) if response.status() == StatusCode::BUSY_HERE));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })
/// # }
/// ```
#[derive(Clone)]
pub struct Phone {
    line: Line,
    listeners: Arc<[Listener]>,
    incoming: Arc<Mutex<mpsc::Receiver<Incoming>>>,
    asked: Arc<Mutex<mpsc::Receiver<Asked>>>,
}

impl Phone {
    /// Listens, and starts the phone's task in the present runtime. `configure` is given the defaults.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub async fn bind(
        listen: impl IntoIterator<Item = ListenAddress>,
        configure: impl FnOnce(Config) -> Config,
    ) -> Result<Phone, PhoneError> {
        Phone::bind_with(Settings::default(), listen, configure).await
    }

    /// The same with other settings: those say who is asked where names lead.
    ///
    /// # Errors
    /// As [`bind`](Phone::bind).
    pub async fn bind_with(
        settings: Settings,
        listen: impl IntoIterator<Item = ListenAddress>,
        configure: impl FnOnce(Config) -> Config,
    ) -> Result<Phone, PhoneError> {
        let key = seed()?;
        let endpoint = Endpoint::bind_with(settings, listen, |listeners| {
            UserAgent::new(configure(Config::new(transaction::Config::new(key, listeners))), now())
        })
        .await?;
        let (line, commands) = mpsc::unbounded_channel();
        let (incoming, calls) = mpsc::channel(WAITING);
        let (asked, requests) = mpsc::channel(WAITING);
        let listeners = endpoint.listeners().into();
        tokio::spawn(run(endpoint, Desk::new(line.downgrade(), incoming, asked), commands));
        Ok(Phone {
            line: Line(line),
            listeners,
            incoming: Arc::new(Mutex::new(calls)),
            asked: Arc::new(Mutex::new(requests)),
        })
    }

    /// Where the phone listens.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Registers, and keeps registered as long as the handle lives.
    ///
    /// # Errors
    /// The first attempt was refused or got no answer.
    pub async fn register(&self, binding: Binding) -> Result<Registration, CallError> {
        let (status, mut changes) = watch::channel(Registered::Waiting);
        let begun = self.line.ask(move |desk, agent, now| {
            let handle = agent.register(binding, now);
            desk.registrations.insert(handle, status);
            handle
        });
        let handle = begun.await.ok_or(CallError::Ended)?;
        let registration = Registration { line: self.line.clone(), handle, status: changes.clone() };
        let status = changes.wait_for(|status| !matches!(status, Registered::Waiting)).await;
        let status = status.map_or(Registered::Lost(None), |status| status.clone());
        match status {
            Registered::Holds | Registered::Waiting => Ok(registration),
            Registered::Lost(Some(response)) => Err(CallError::Refused(response)),
            Registered::Lost(None) => Err(CallError::Failed(Cause::Timeout)),
        }
    }

    /// Calls somebody. The call goes on once it is answered: [`Call::answered`].
    ///
    /// # Errors
    /// The phone's runtime is gone.
    pub async fn call(&self, target: &Uri, offer: Option<&SessionDescription>) -> Result<Call, CallError> {
        let (target, offer) = (target.clone(), offer.cloned());
        Call::begin(&self.line, move |agent, now| Ok(agent.invite(&target, offer.as_ref(), now))).await
    }

    /// Subscribes to a package of events of somebody, as long as the handle lives: see [`UserAgent::subscribe`].
    ///
    /// # Errors
    /// The phone's runtime is gone.
    pub async fn subscribe(
        &self,
        target: &Uri,
        event: &header::Event,
        expires: Duration,
    ) -> Result<Subscription, CallError> {
        let (target, event) = (target.clone(), event.clone());
        Subscription::begin(&self.line, move |agent, now| Ok(agent.subscribe(&target, &event, expires, now))).await
    }

    /// Sends somebody a text (RFC 3428) and waits for the final response.
    ///
    /// # Errors
    /// None came.
    pub async fn message(&self, target: &Uri, text: &str) -> Result<Response, CallError> {
        let mut message = Request::new(&Method::Message, target.as_str());
        message.set_body("text/plain;charset=UTF-8", text.to_owned());
        self.request(message).await
    }

    /// Asks somebody what it can do (RFC 3261 §11) and waits for the final response.
    ///
    /// # Errors
    /// None came.
    pub async fn options(&self, target: &Uri) -> Result<Response, CallError> {
        self.request(Request::new(&Method::Options, target.as_str())).await
    }

    /// The next call that comes in.
    pub async fn incoming(&self) -> Option<Incoming> {
        self.incoming.lock().await.recv().await
    }

    /// The next request that comes in outside of calls: MESSAGE, a SUBSCRIBE for [`Asked::admit`]. An OPTIONS is answered by
    /// itself.
    pub async fn asked(&self) -> Option<Asked> {
        self.asked.lock().await.recv().await
    }

    /// Sends a request outside of calls, as [`UserAgent::request`] completes it, and waits for the final response.
    ///
    /// # Errors
    /// None came.
    pub async fn request(&self, request: Request) -> Result<Response, CallError> {
        let (done, response) = oneshot::channel();
        self.line.tell(move |desk, agent, now| {
            desk.requests.insert(agent.request(request, now), done);
        });
        let outcome = response.await.map_err(|_| CallError::Ended)?;
        outcome.map(|response| *response).map_err(CallError::Failed)
    }
}
