//! An HSS that fails when it is told to.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
};

use async_trait::async_trait;

use crate::{
    HssCache, HssError, HssEvents, LocationInfo, LocationInfoRequest, MultimediaAuth, MultimediaAuthRequest,
    ServerAssignment, ServerAssignmentRequest, UserAuthorization, UserAuthorizationRequest, lock,
};

/// Wraps an HSS, notes every question, and fails by script. Names no runtime: a question that is never answered stays
/// pending, and who asked needs a time-out of its own.
///
/// ```
/// use imscore_hss::{
///     Hss, HssCache, HssError, LocationInfoRequest,
///     testing::{Command, Fault, FaultyHss},
/// };
/// # futures_executor::block_on(async {
/// let hss = FaultyHss::new(Hss::with_subscribers([], [0; 32])?);
/// hss.fail_next(Command::LocationInfo, Fault::Answer(HssError::Unreachable));
/// let request = LocationInfoRequest::new("sip:alice@ims.example".parse()?);
/// assert_eq!(hss.location_info(&request).await, Err(HssError::Unreachable));
/// assert_eq!(hss.location_info(&request).await, Err(HssError::Unknown));
/// assert_eq!(hss.asked().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct FaultyHss<H> {
    inner: H,
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    next: BTreeMap<Command, VecDeque<Fault>>,
    always: Option<Fault>,
    asked: Vec<Question>,
}

/// How a question fails.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The HSS does nothing and answers this.
    Answer(HssError),
    /// The question is lost: the HSS does nothing, no answer comes.
    Silence,
    /// The answer is lost: the HSS does what it was asked, no answer comes.
    LostAnswer,
}

/// Which question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// [`HssCache::user_authorization`]
    UserAuthorization,
    /// [`HssCache::multimedia_auth`]
    MultimediaAuth,
    /// [`HssCache::server_assignment`]
    ServerAssignment,
    /// [`HssCache::location_info`]
    LocationInfo,
}

/// A question as it was asked.
///
/// ```
/// use imscore_hss::LocationInfoRequest;
/// use imscore_hss::testing::{Command, Question};
///
/// let question = Question::LocationInfo(LocationInfoRequest::new("sip:bob@ims.example".parse()?));
/// assert_eq!(question.command(), Command::LocationInfo);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// [`HssCache::user_authorization`]
    UserAuthorization(UserAuthorizationRequest),
    /// [`HssCache::multimedia_auth`]
    MultimediaAuth(MultimediaAuthRequest),
    /// [`HssCache::server_assignment`]
    ServerAssignment(ServerAssignmentRequest),
    /// [`HssCache::location_info`]
    LocationInfo(LocationInfoRequest),
}

impl Question {
    /// Which question it is.
    pub fn command(&self) -> Command {
        match self {
            Self::UserAuthorization(_) => Command::UserAuthorization,
            Self::MultimediaAuth(_) => Command::MultimediaAuth,
            Self::ServerAssignment(_) => Command::ServerAssignment,
            Self::LocationInfo(_) => Command::LocationInfo,
        }
    }
}

impl<H> FaultyHss<H> {
    /// Passes everything on until told otherwise.
    pub fn new(inner: H) -> Self {
        Self { inner, script: Mutex::default() }
    }

    /// The next question of this kind fails so; called again, the one after it.
    pub fn fail_next(&self, command: Command, fault: Fault) {
        lock(&self.script).next.entry(command).or_default().push_back(fault);
    }

    /// Every question fails so, once the script of [`fail_next`](Self::fail_next) is at its end.
    pub fn fail_always(&self, fault: Fault) {
        lock(&self.script).always = Some(fault);
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        let mut script = lock(&self.script);
        script.always = None;
        script.next.clear();
    }

    /// What was asked so far, failed or not.
    pub fn asked(&self) -> Vec<Question> {
        lock(&self.script).asked.clone()
    }

    /// The HSS behind it.
    pub fn inner(&self) -> &H {
        &self.inner
    }

    async fn ask<T>(
        &self,
        question: Question,
        answer: impl Future<Output = Result<T, HssError>>,
    ) -> Result<T, HssError> {
        let fault = self.note(question);
        match fault {
            None => answer.await,
            Some(Fault::Answer(error)) => Err(error),
            Some(Fault::Silence) => std::future::pending().await,
            Some(Fault::LostAnswer) => {
                drop(answer.await);
                std::future::pending().await
            }
        }
    }

    fn note(&self, question: Question) -> Option<Fault> {
        let mut script = lock(&self.script);
        let next = script.next.get_mut(&question.command()).and_then(VecDeque::pop_front);
        script.asked.push(question);
        next.or_else(|| script.always.clone())
    }
}

#[async_trait]
impl<H: HssCache> HssCache for FaultyHss<H> {
    async fn user_authorization(&self, request: &UserAuthorizationRequest) -> Result<UserAuthorization, HssError> {
        self.ask(Question::UserAuthorization(request.clone()), self.inner.user_authorization(request)).await
    }

    async fn multimedia_auth(&self, request: &MultimediaAuthRequest) -> Result<MultimediaAuth, HssError> {
        self.ask(Question::MultimediaAuth(request.clone()), self.inner.multimedia_auth(request)).await
    }

    async fn server_assignment(&self, request: &ServerAssignmentRequest) -> Result<ServerAssignment, HssError> {
        self.ask(Question::ServerAssignment(request.clone()), self.inner.server_assignment(request)).await
    }

    async fn location_info(&self, request: &LocationInfoRequest) -> Result<LocationInfo, HssError> {
        self.ask(Question::LocationInfo(request.clone()), self.inner.location_info(request)).await
    }

    fn events(&self) -> HssEvents {
        self.inner.events()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use futures_executor::block_on;

    use super::*;
    use crate::{
        AssignmentType, Credentials, DigestCredentials, Hss, PrivateIdentity, PublicIdentity, ServerName, Subscription,
    };

    fn never<T>(future: impl Future<Output = T>) {
        assert!(pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    #[test]
    fn silence_and_lost_answers() {
        let private: PrivateIdentity = "alice".parse().unwrap();
        let public: PublicIdentity = "sip:alice@ims.example".parse().unwrap();
        let scscf: ServerName = "sip:scscf.ims.example".parse().unwrap();
        let digest = DigestCredentials::from_password(&private, "ims.example", "x").unwrap();
        let alice = Subscription::new(private.clone(), [public.clone()], Credentials::Digest(digest)).unwrap();
        let hss = FaultyHss::new(Hss::with_subscribers([alice], [0; 32]).unwrap());
        let kind = AssignmentType::Registration;
        let register = ServerAssignmentRequest::new(private, public.clone(), scscf.clone(), kind);
        let locate = LocationInfoRequest::new(public);

        hss.fail_next(Command::ServerAssignment, Fault::Silence);
        hss.fail_next(Command::ServerAssignment, Fault::LostAnswer);
        never(hss.server_assignment(&register));
        assert_eq!(block_on(hss.location_info(&locate)), Err(HssError::NotRegistered));
        never(hss.server_assignment(&register));
        assert_eq!(block_on(hss.location_info(&locate)), Ok(LocationInfo::Scscf(scscf)));

        hss.fail_always(Fault::Answer(HssError::Unreachable));
        assert_eq!(block_on(hss.server_assignment(&register)), Err(HssError::Unreachable));
        assert_eq!(block_on(hss.location_info(&locate)), Err(HssError::Unreachable));
        hss.heal();
        assert!(block_on(hss.server_assignment(&register)).is_ok());
        let commands: Vec<_> = hss.asked().iter().map(Question::command).collect();
        use Command::{LocationInfo as Lir, ServerAssignment as Sar};
        assert_eq!(commands, [Sar, Lir, Sar, Lir, Sar, Lir, Sar]);
    }
}
