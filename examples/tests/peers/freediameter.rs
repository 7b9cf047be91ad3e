//! freeDiameter as a relay between an S-CSCF of ours and an HSS of ours, and tshark looks over what was said.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use imscore_hss::diameter::dictionary::TGPP;
use imscore_hss::diameter::{ApplicationId, Origin};
use imscore_hss::peer::{PeerSettings, Settings};
use imscore_hss::tokio::{CxHss, CxSettings, Diameter, Requests, serve_cx};
use imscore_hss::{
    AssignmentType, Credentials, DigestCredentials, Hss, HssCache, HssEvent, LocationInfo, LocationInfoRequest,
    MultimediaAuth, MultimediaAuthRequest, PrivateIdentity, PublicIdentity, ServerAssignmentRequest, ServerName,
    Subscription, UserAuthorization, UserAuthorizationRequest,
};
use tokio::time::timeout;

use crate::{Outcome, capture::Capture, process::Process};

const REALM: &str = "ims.example";
const RELAY: &str = "relay.ims.example";
const PORT: u16 = 3868;
const SOON: Duration = Duration::from_secs(10);

pub(crate) fn cx_through_a_relay(folder: &Path) -> Outcome {
    // It does not start where there is nothing but loopback.
    let links = "ip link add relay0 type veth peer name relay1 && ip addr add 192.0.2.1/24 dev relay0 && \
                 ip link set relay0 up && ip link set relay1 up";
    if !Command::new("sh").args(["-c", links]).status()?.success() {
        return Err("no pair of interfaces can be made".into());
    }
    let capture = Capture::start(&format!("tcp port {PORT}"), folder)?;
    let _relay = relay(folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(registration())?;
    // Capabilities, watchdog, leave, User-Authorization, Server-Assignment, Location-Info, Multimedia-Auth, termination.
    capture.check(PORT, &[257, 280, 282, 300, 301, 302, 303, 304])
}

/// freeDiameter wants credentials for TLS even where it speaks none.
fn relay(folder: &Path) -> Outcome<Process> {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=relay.ims.example"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status()?;
    if !made.success() {
        return Err("openssl makes no certificate".into());
    }
    fs::write(folder.join("list"), "ALLOW_IPSEC hss.ims.example\nALLOW_IPSEC scscf.ims.example\n")?;
    let settings = format!(
        "Identity = \"{RELAY}\";\nRealm = \"{REALM}\";\nPort = {PORT};\nSecPort = 0;\nNo_SCTP;\nNo_IPv6;\n\
         ListenOn = \"127.0.0.1\";\nTwTimer = 6;\nTLS_Cred = \"cert.pem\", \"key.pem\";\n\
         TLS_CA = \"cert.pem\";\nLoadExtension = \"acl_wl.fdx\" : \"{}\";\n",
        folder.join("list").display()
    );
    fs::write(folder.join("settings"), settings)?;
    Process::start("freediameter", Command::new("freeDiameterd").args(["-c", "settings"]), folder)
}

/// A node that is connected to the relay.
async fn node(host: &str) -> Outcome<(Diameter, Requests)> {
    let relay = PeerSettings::connect(RELAY, REALM, format!("127.0.0.1:{PORT}"));
    let mut settings = Settings::new(Origin::new(host, REALM), vec![(TGPP, ApplicationId::CX)], vec![relay]);
    settings.retry = Duration::from_millis(100);
    settings.watchdog = Duration::from_secs(1);
    let (node, requests) = Diameter::start(settings, None).await?;
    timeout(SOON, node.until_up(RELAY)).await?;
    Ok((node, requests))
}

/// Capabilities, the four questions, a termination, watchdogs, and the leave.
async fn registration() -> Outcome {
    let private: PrivateIdentity = "alice@ims.example".parse()?;
    let public: PublicIdentity = "sip:alice@ims.example".parse()?;
    let scscf: ServerName = "sip:scscf.ims.example".parse()?;
    let digest = DigestCredentials::from_password(&private, REALM, "secret")?;
    let alice = Subscription::new(private.clone(), [public.clone()], Credentials::Digest(digest.clone()))?;
    let hss = Hss::with_subscribers([alice], [0; 32])?;

    let (there, requests) = node("hss.ims.example").await?;
    tokio::spawn(serve_cx(there.clone(), requests, hss.clone(), hss.scscf_nodes()));
    let (here, requests) = node("scscf.ims.example").await?;
    let cx = CxHss::new(here.clone(), requests, CxSettings::new(REALM, scscf.clone()));
    let mut events = cx.events();

    let question = UserAuthorizationRequest::new(private.clone(), public.clone(), REALM.parse()?);
    assert!(matches!(cx.user_authorization(&question).await?, UserAuthorization::Capabilities(_)));
    let question = MultimediaAuthRequest::new(private.clone(), public.clone(), scscf.clone());
    assert_eq!(cx.multimedia_auth(&question).await?, MultimediaAuth::Digest(digest));
    let kind = AssignmentType::Registration;
    let question = ServerAssignmentRequest::new(private.clone(), public.clone(), scscf.clone(), kind);
    let profile = cx.server_assignment(&question).await?.profile.ok_or("no profile")?;
    assert_eq!(profile.default_identity(), Some(&public));
    assert_eq!(cx.location_info(&LocationInfoRequest::new(public.clone())).await?, LocationInfo::Scscf(scscf));

    hss.delete(&private).await?;
    let Some(HssEvent::RegistrationTermination(end)) = timeout(SOON, events.next()).await? else {
        return Err("no termination".into());
    };
    assert_eq!((end.private_identity, end.public_identities), (private, vec![public]));

    // Long enough for a peer that does not answer watchdogs to be given up.
    let down = timeout(Duration::from_secs(4), here.until_down(RELAY)).await;
    assert!(down.is_err(), "the relay answers watchdogs");
    here.stop().await;
    there.stop().await;
    Ok(())
}
