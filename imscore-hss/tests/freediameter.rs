//! freeDiameter as a relay between an S-CSCF of ours and an HSS of ours.
//!
//! Where freeDiameter is missing the test is ignored with its name; with `IMSCORE_REQUIRE_PEERS=1` it fails.

use std::env;
use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
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
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::time::timeout;

const REALM: &str = "ims.example";
const RELAY: &str = "relay.ims.example";
const SOON: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let required = env::var_os("IMSCORE_REQUIRE_PEERS").is_some_and(|value| value == "1");
    let test = Trial::ignorable_test("cx_through_a_relay", move || match missing() {
        Some(peer) if required => Err(Failed::from(format!("{peer} is missing"))),
        Some(peer) => Ok(Completion::ignored_with(format!("{peer} is missing"))),
        None => run().map(|()| Completion::Completed).map_err(|error| Failed::from(error.to_string())),
    });
    libtest_mimic::run(&Arguments::from_args(), vec![test]).exit_code()
}

/// The first program that cannot be started.
fn missing() -> Option<&'static str> {
    let starts = |(program, argument): &(&str, &str)| {
        Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    let mut programs = [("freeDiameterd", "--version"), ("openssl", "version")].into_iter();
    programs.find(|program| !starts(program)).map(|(program, _)| program)
}

fn run() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let _relay = Relay::start(folder.path(), port)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(registration(port))
}

/// Ends with the test.
struct Relay(Child);

impl Relay {
    /// freeDiameter wants credentials for TLS even where it speaks none.
    fn start(folder: &Path, port: u16) -> Result<Relay, Box<dyn Error>> {
        let at = |name: &str| folder.join(name).display().to_string();
        let (key, certificate, list, settings) = (at("key.pem"), at("cert.pem"), at("list"), at("settings"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=relay.ims.example"])
            .args(["-keyout", &key, "-out", &certificate])
            .stderr(Stdio::null())
            .status()?;
        if !made.success() {
            return Err("openssl makes no certificate".into());
        }
        fs::write(&list, "ALLOW_IPSEC hss.ims.example\nALLOW_IPSEC scscf.ims.example\n")?;
        let secure = free_port()?;
        let text = format!(
            "Identity = \"{RELAY}\";\nRealm = \"{REALM}\";\nPort = {port};\nSecPort = {secure};\nNo_SCTP;\nNo_IPv6;\n\
             ListenOn = \"127.0.0.1\";\nTwTimer = 6;\nTLS_Cred = \"{certificate}\", \"{key}\";\n\
             TLS_CA = \"{certificate}\";\nLoadExtension = \"acl_wl.fdx\" : \"{list}\";\n"
        );
        fs::write(&settings, text)?;
        let relay = Command::new("freeDiameterd").args(["-c", &settings]).stdout(Stdio::null()).spawn()?;
        Ok(Relay(relay))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> Result<u16, Box<dyn Error>> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A node that is connected to the relay.
async fn node(host: &str, port: u16) -> Result<(Diameter, Requests), Box<dyn Error>> {
    let relay = PeerSettings::connect(RELAY, REALM, format!("127.0.0.1:{port}"));
    let mut settings = Settings::new(Origin::new(host, REALM), vec![(TGPP, ApplicationId::CX)], vec![relay]);
    settings.retry = Duration::from_millis(100);
    settings.watchdog = Duration::from_secs(1);
    let (node, requests) = Diameter::start(settings, None).await?;
    timeout(SOON, node.until_up(RELAY)).await?;
    Ok((node, requests))
}

/// Capabilities, the four questions, a termination, watchdogs, and the leave.
async fn registration(port: u16) -> Result<(), Box<dyn Error>> {
    let private: PrivateIdentity = "alice@ims.example".parse()?;
    let public: PublicIdentity = "sip:alice@ims.example".parse()?;
    let scscf: ServerName = "sip:scscf.ims.example".parse()?;
    let digest = DigestCredentials::from_password(&private, REALM, "secret")?;
    let alice = Subscription::new(private.clone(), [public.clone()], Credentials::Digest(digest.clone()))?;
    let hss = Hss::with_subscribers([alice], [0; 32])?;

    let (there, requests) = node("hss.ims.example", port).await?;
    tokio::spawn(serve_cx(there.clone(), requests, hss.clone(), hss.scscf_nodes()));
    let (here, requests) = node("scscf.ims.example", port).await?;
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
