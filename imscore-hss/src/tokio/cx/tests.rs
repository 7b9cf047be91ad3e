//! An S-CSCF's side and an HSS's against each other, on loopback.

use ::tokio::sync::Notify;
use ::tokio::time::timeout;

use super::*;
use crate::tokio::diameter::tests::{client, server};
use crate::{
    AssignmentType, Credentials, DigestCredentials, Hss, HssEvent, PrivateIdentity, ProfileIdentity, PublicIdentity,
    ServiceProfile, Subscription, TerminationReason,
};

const HSS: &str = "hss.ims.example";
const SCSCF: &str = "scscf.ims.example";
const SOON: Duration = Duration::from_secs(5);

fn private() -> PrivateIdentity {
    "alice@ims.example".parse().unwrap()
}

fn public() -> PublicIdentity {
    "sip:alice@ims.example".parse().unwrap()
}

fn scscf() -> ServerName {
    "sip:scscf.ims.example".parse().unwrap()
}

fn alice(more: &[&str]) -> Subscription {
    let digest = DigestCredentials::from_password(&private(), "ims.example", "secret").unwrap();
    let more = more.iter().map(|text| ProfileIdentity::new(text.parse().unwrap()));
    let identities = [ProfileIdentity::new(public())].into_iter().chain(more).collect();
    Subscription::with_profiles(private(), vec![ServiceProfile::new(identities)], Credentials::Digest(digest)).unwrap()
}

/// An HSS behind a node of its own, and the S-CSCF's side of it.
async fn wired<H: HssCache + 'static>(hss: H) -> (CxHss, Diameter, Diameter) {
    wired_with(hss, None).await
}

async fn wired_with<H: HssCache + 'static>(hss: H, state: Option<Arc<dyn StateStore>>) -> (CxHss, Diameter, Diameter) {
    let (there, requests) = server(HSS, &[SCSCF]).await;
    ::tokio::spawn(serve_cx(there.clone(), requests, hss, ScscfNodes::default()));
    let (here, requests) = client(SCSCF, &[(HSS, &there)]).await;
    let mut settings = CxSettings::new("ims.example", scscf());
    (settings.timeout, settings.state) = (Duration::from_millis(500), state);
    (CxHss::new(here.clone(), requests, settings), here, there)
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("in time")
}

/// A registration from the first question on, then what the HSS says unasked.
#[::tokio::test]
async fn registration_over_the_wire() {
    let hss = Hss::with_subscribers([alice(&[])], [0; 32]).unwrap();
    let (cx, _here, _there) = wired(hss.clone()).await;
    let mut events = cx.events();
    let question = UserAuthorizationRequest::new(private(), public(), "ims.example".parse().unwrap());
    assert_eq!(cx.user_authorization(&question).await, hss.user_authorization(&question).await);
    let question = MultimediaAuthRequest::new(private(), public(), scscf());
    let credentials = DigestCredentials::from_password(&private(), "ims.example", "secret").unwrap();
    assert_eq!(cx.multimedia_auth(&question).await, Ok(MultimediaAuth::Digest(credentials)));
    let question = ServerAssignmentRequest::new(private(), public(), scscf(), AssignmentType::Registration);
    let profile = cx.server_assignment(&question).await.unwrap().profile.unwrap();
    assert_eq!(profile.default_identity(), Some(&public()));
    let question = LocationInfoRequest::new(public());
    assert_eq!(cx.location_info(&question).await, Ok(LocationInfo::Scscf(scscf())));

    hss.put(alice(&["tel:+12015550123"])).await.unwrap();
    let Some(HssEvent::PushProfile(push)) = soon(events.next()).await else { panic!("a push") };
    assert_eq!(push.profile.unwrap().identities().count(), 2);
    hss.delete(&private()).await.unwrap();
    let Some(HssEvent::RegistrationTermination(end)) = soon(events.next()).await else { panic!("a termination") };
    assert_eq!((end.private_identity, end.reason), (private(), TerminationReason::Permanent));
    assert_eq!(cx.location_info(&question).await, Err(HssError::Unknown));
}

/// A termination or a push whose S-CSCF has never asked, or is no longer connected, is counted.
#[::tokio::test]
async fn announcements_that_nobody_hears_are_counted() {
    let hss = Hss::with_subscribers([alice(&[])], [0; 32]).unwrap();
    let (there, requests) = server(HSS, &[SCSCF]).await;
    let nodes = ScscfNodes::default();
    ::tokio::spawn(serve_cx(there.clone(), requests, hss.clone(), nodes.clone()));
    let until_lost = async |count| {
        soon(async {
            while nodes.lost() < count {
                ::tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(nodes.lost(), count);
    };
    let (here, requests) = client(SCSCF, &[(HSS, &there)]).await;
    let cx = CxHss::new(here.clone(), requests, CxSettings::new("ims.example", scscf()));
    let mut events = cx.events();
    // Registered at an S-CSCF that has asked nothing yet.
    let question = ServerAssignmentRequest::new(private(), public(), scscf(), AssignmentType::Registration);
    hss.server_assignment(&question).await.unwrap();
    hss.put(alice(&["tel:+12015550123"])).await.unwrap();
    until_lost(1).await;

    cx.server_assignment(&question).await.unwrap();
    hss.put(alice(&["tel:+12015550124"])).await.unwrap();
    let Some(HssEvent::PushProfile(_)) = soon(events.next()).await else { panic!("a push") };
    assert_eq!(nodes.lost(), 1, "this one is heard");

    here.stop().await;
    soon(there.until_down(SCSCF)).await;
    hss.delete(&private()).await.unwrap();
    until_lost(2).await;
}

/// An HSS that counts how often it is told of a registration.
struct Counting {
    hss: Hss,
    told: Arc<AtomicU64>,
}

#[async_trait]
impl HssCache for Counting {
    async fn user_authorization(&self, request: &UserAuthorizationRequest) -> Result<UserAuthorization, HssError> {
        self.hss.user_authorization(request).await
    }

    async fn multimedia_auth(&self, request: &MultimediaAuthRequest) -> Result<MultimediaAuth, HssError> {
        self.hss.multimedia_auth(request).await
    }

    async fn server_assignment(&self, request: &ServerAssignmentRequest) -> Result<ServerAssignment, HssError> {
        self.told.fetch_add(1, Ordering::Relaxed);
        self.hss.server_assignment(request).await
    }

    async fn location_info(&self, request: &LocationInfoRequest) -> Result<LocationInfo, HssError> {
        self.hss.location_info(request).await
    }

    fn events(&self) -> HssEvents {
        self.hss.events()
    }
}

/// A refresh is told to the HSS now and then, by the time of the store (TS 24.229 §5.4.1.2.2F); what the HSS says unasked
/// is completed from what is remembered (TS 29.228 §6.1.3, §6.2.2).
#[::tokio::test]
async fn profiles_are_remembered() {
    use crate::cx::{
        ChargingInformation, DeregistrationReason, PushProfileRequest, RegistrationTerminationRequest, Request,
        RequestHead,
    };
    let told = Arc::new(AtomicU64::new(0));
    let hss = Hss::with_subscribers([alice(&["tel:+12015550123"])], [0; 32]).unwrap();
    let clock = Clock::new(0);
    let state = Arc::new(MemoryState::new(clock.clone(), 1));
    let (cx, _here, there) = wired_with(Counting { hss: hss.clone(), told: told.clone() }, Some(state)).await;
    let mut events = cx.events();
    let assign = async |assignment| {
        let question = ServerAssignmentRequest::new(private(), public(), scscf(), assignment);
        let answer = cx.server_assignment(&question).await.unwrap();
        (told.load(Ordering::Relaxed), answer.profile.unwrap().identities().count())
    };
    assert_eq!(assign(AssignmentType::Registration).await, (1, 2));
    assert_eq!(assign(AssignmentType::ReRegistration).await, (1, 2));
    clock.advance_to(30 * 60 * 1000);
    assert_eq!(assign(AssignmentType::ReRegistration).await, (2, 2));
    hss.put(alice(&["tel:+12015550123", "tel:+12015550124"])).await.unwrap();
    let Some(HssEvent::PushProfile(push)) = soon(events.next()).await else { panic!("a push") };
    assert_eq!(push.profile.unwrap().identities().count(), 3);
    assert_eq!(assign(AssignmentType::ReRegistration).await, (2, 3));

    let head = RequestHead::cx("s;1;1", HSS, "ims.example", "ims.example");
    let mut command = PushProfileRequest::new(SCSCF, "alice@ims.example");
    command.charging =
        Some(ChargingInformation { primary_collection: Some("aaa://ccf"), ..ChargingInformation::new() });
    let request = Message::parse(Request { head: head.clone(), command }.encode().unwrap()).unwrap();
    let answer = there.ask(request, SOON).await.unwrap();
    assert_eq!(answer.find(&avp::RESULT_CODE).unwrap().read::<u32>(&avp::RESULT_CODE), Ok(2001));
    let Some(HssEvent::PushProfile(push)) = soon(events.next()).await else { panic!("a push") };
    assert_eq!(push.charging.unwrap().collection, ["aaa://ccf"]);
    assert_eq!(push.profile.unwrap().identities().count(), 3, "whose they are");

    let reason = DeregistrationReason::new(TerminationReason::Permanent);
    let command = RegistrationTerminationRequest::new(SCSCF, "alice@ims.example", reason);
    let request = Message::parse(Request { head, command }.encode().unwrap()).unwrap();
    there.ask(request, SOON).await.unwrap();
    let Some(HssEvent::RegistrationTermination(end)) = soon(events.next()).await else { panic!("a termination") };
    assert_eq!(end.public_identities.len(), 3);
    assert_eq!(end.public_identities[0], public());
    assert_eq!(assign(AssignmentType::ReRegistration).await, (3, 3));
}

/// An HSS that counts, and answers when it is told to.
struct Slow {
    asked: AtomicU64,
    go: Arc<Notify>,
}

#[async_trait]
impl HssCache for Slow {
    async fn user_authorization(&self, _: &UserAuthorizationRequest) -> Result<UserAuthorization, HssError> {
        Err(HssError::Busy { retry_after: None })
    }

    async fn multimedia_auth(&self, _: &MultimediaAuthRequest) -> Result<MultimediaAuth, HssError> {
        std::future::pending().await
    }

    async fn server_assignment(&self, _: &ServerAssignmentRequest) -> Result<ServerAssignment, HssError> {
        Err(HssError::Unreachable)
    }

    async fn location_info(&self, _: &LocationInfoRequest) -> Result<LocationInfo, HssError> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        self.go.notified().await;
        Ok(LocationInfo::Scscf(format!("sip:scscf{asked}.ims.example").parse().unwrap()))
    }

    fn events(&self) -> HssEvents {
        HssEvents::none()
    }
}

/// The same question, asked by many at once, is asked once; asked again later it is asked again.
#[::tokio::test]
async fn questions_together() {
    let go = Arc::new(Notify::new());
    let (cx, _here, _there) = wired(Slow { asked: AtomicU64::new(0), go: go.clone() }).await;
    let ask = || {
        let cx = cx.clone();
        ::tokio::spawn(async move { cx.location_info(&LocationInfoRequest::new(public())).await })
    };
    for expected in ["sip:scscf1.ims.example", "sip:scscf2.ims.example"] {
        let many: Vec<_> = (0..10).map(|_| ask()).collect();
        // One of them gave up; the others are answered.
        many[0].abort();
        while lock(&cx.shared.under_way).is_empty() {
            ::tokio::task::yield_now().await;
        }
        go.notify_one();
        for answer in many.into_iter().skip(1) {
            let answer = soon(answer).await.unwrap();
            assert_eq!(answer, Ok(LocationInfo::Scscf(expected.parse().unwrap())));
        }
        assert!(lock(&cx.shared.under_way).is_empty());
    }
}

/// Threat X11: what the HSS cannot say now is no refusal of the user.
#[::tokio::test]
async fn x11_an_hss_in_trouble() {
    let slow = Slow { asked: AtomicU64::new(0), go: Arc::new(Notify::new()) };
    let (cx, here, there) = wired(slow).await;
    let question = UserAuthorizationRequest::new(private(), public(), "ims.example".parse().unwrap());
    assert_eq!(cx.user_authorization(&question).await, Err(HssError::Busy { retry_after: None }));
    let question = MultimediaAuthRequest::new(private(), public(), scscf());
    assert_eq!(soon(cx.multimedia_auth(&question)).await, Err(HssError::Unreachable), "no answer in time");
    let question = ServerAssignmentRequest::new(private(), public(), scscf(), AssignmentType::Registration);
    assert_eq!(cx.server_assignment(&question).await, Err(HssError::Unreachable));
    there.stop().await;
    soon(here.until_down(HSS)).await;
    assert_eq!(soon(cx.location_info(&LocationInfoRequest::new(public()))).await, Err(HssError::Unreachable));
}

/// Threat X9, over a socket: a termination from a peer that is not the HSS changes nothing.
#[::tokio::test]
async fn x09_termination_by_another_peer() {
    use crate::cx::{DeregistrationReason, RegistrationTerminationRequest, Request, RequestHead};
    use crate::peer::PeerSettings;
    use crate::tokio::diameter::tests::{loopback, settings};
    let mut other = PeerSettings::accept("other.ims.example", "ims.example");
    other.may_ask = false;
    let hss = PeerSettings::accept(HSS, "ims.example");
    let (here, requests) = Diameter::start(settings(SCSCF, vec![other, hss]), loopback()).await.unwrap();
    let cx = CxHss::new(here.clone(), requests, CxSettings::new("ims.example", scscf()));
    let mut events = cx.events();
    let terminate = |from: &'static str, user: &'static str| {
        let here = here.clone();
        async move {
            let (node, _requests) = client(from, &[(SCSCF, &here)]).await;
            let head = RequestHead::cx("s;1;1", from, "ims.example", "ims.example");
            let reason = DeregistrationReason::new(TerminationReason::Permanent);
            let mut command = RegistrationTerminationRequest::new(SCSCF, user, reason);
            command.public_identities = vec!["sip:alice@ims.example"];
            let request = Message::parse(Request { head, command }.encode().unwrap()).unwrap();
            let answer = node.ask(request, SOON).await.unwrap();
            answer.find(&avp::RESULT_CODE).unwrap().read::<u32>(&avp::RESULT_CODE).unwrap()
        }
    };
    assert_eq!(terminate("other.ims.example", "alice@ims.example").await, 5003);
    assert_eq!(terminate(HSS, "bob@ims.example").await, 2001);
    // The first that is heard of is the one of the HSS.
    let Some(HssEvent::RegistrationTermination(end)) = soon(events.next()).await else { panic!("a termination") };
    assert_eq!(end.private_identity.as_str(), "bob@ims.example");
}
