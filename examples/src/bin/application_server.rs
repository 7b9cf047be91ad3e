//! An application server as one writes an HTTP one with axum: handlers by method, extractors, layers of tower. Calls to a
//! number that somebody diverted are sent on, others are answered and play nothing.
//!
//! ```text
//! cargo run --release --bin application_server -- --listen udp:127.0.0.1:5080
//! sipp -sn uac -s 2000 127.0.0.1:5080
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser;
use imscore_sip::header::{Contact, From};
use imscore_sip::sdp::SessionDescription;
use imscore_sip::service::{Header, IntoResponse, Router, Server, State};
use imscore_sip::tokio::{Endpoint, ListenAddress, now, seed};
use imscore_sip::ua::Config;
use imscore_sip::{Method, Pii, Request, Response, StatusCode, Uri, transaction};
use tower::ServiceExt;

/// An application server.
#[derive(Parser)]
struct Flags {
    #[arg(long, default_value = "udp:127.0.0.1:5080")]
    listen: ListenAddress,
}

/// Who diverted which number where to.
type Diversions = Arc<Mutex<BTreeMap<String, Uri>>>;

const SILENCE: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n";

fn user(uri: &Uri) -> Result<String, StatusCode> {
    let user = uri.as_sip().and_then(|uri| uri.user());
    user.map(str::to_owned).ok_or(StatusCode::UNSUPPORTED_URI_SCHEME)
}

/// What is not diverted is answered here. What an argument cannot find in the request is answered before it comes here.
async fn call(
    State(diversions): State<Diversions>,
    target: Uri,
    request: Request,
    _offer: SessionDescription,
) -> Result<Response, StatusCode> {
    let diverted = diversions.lock().unwrap_or_else(PoisonError::into_inner).get(&user(&target)?).cloned();
    Ok(match diverted {
        Some(to) => (StatusCode::MOVED_TEMPORARILY, Header(Contact::new(to))).into_response(&request),
        None => request.reply(StatusCode::OK).with_body("application/sdp", SILENCE),
    })
}

/// A MESSAGE with a URI in it diverts calls for its sender, an empty one ends that.
async fn divert(
    State(diversions): State<Diversions>,
    Header(from): Header<From>,
    text: String,
) -> Result<StatusCode, StatusCode> {
    let mut diversions = diversions.lock().unwrap_or_else(PoisonError::into_inner);
    match text.trim() {
        "" => diversions.remove(&user(from.uri())?),
        uri => diversions.insert(user(from.uri())?, uri.parse().map_err(|_| StatusCode::BAD_REQUEST)?),
    };
    Ok(StatusCode::OK)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let router = Router::new(Diversions::default())
        .on(Method::Invite, call)
        .on(Method::Message, divert)
        .on(Method::Options, async || StatusCode::OK);
    let (methods, key) = (router.methods(), seed()?);
    let service = router.map_request(|request: Request| {
        println!("{} for {}", request.method(), Pii(request.target()));
        request
    });
    let mut server = Endpoint::bind([Flags::parse().listen], |listeners| {
        let mut config = Config::new(transaction::Config::new(key, listeners));
        config.methods = methods;
        Server::new(config, service, now())
    })
    .await?;
    println!("listening on {}", server.listeners()[0].sent_by);
    loop {
        // ACK, BYE and repetitions are seen to; what is told is for an owner of calls.
        server.next().await;
    }
}
