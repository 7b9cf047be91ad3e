//! A network function of one's own: it knows short numbers, and asks somebody before it lets a call through.
//!
//! A role is async code without a runtime. What RFC 3261 §16 wants of a proxy, and what belongs to a dialog, is done by the
//! node that it is in.
//!
//! ```text
//! cargo run --release --bin custom_role -- --listen 127.0.0.1:5090 --next-hop udp:127.0.0.1:5070
//! sipp -sn uac -s 112 127.0.0.1:5090
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use clap::Parser;
use imscore_cscf::tokio::serve;
use imscore_cscf::{Call, Decision, Node, Refused, Role, Target};
use imscore_sip::transport::{Address, Side, Transport};
use imscore_sip::{Method, Request, StatusCode, Uri};

/// A network function that knows short numbers.
#[derive(Parser)]
struct Flags {
    /// Address to listen on, by UDP and TCP.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5090")]
    listen: SocketAddr,
    /// Where requests go.
    #[arg(long, value_name = "TRANSPORT:ADDRESS:PORT", default_value = "udp:127.0.0.1:5070")]
    next_hop: Address,
}

/// The name by which Route headers know the role.
const NAME: &str = "short.ims.example";

struct ShortNumbers {
    numbers: BTreeMap<&'static str, &'static str>,
}

#[async_trait]
impl Role for ShortNumbers {
    async fn on_request(&self, call: &mut Call, mut request: Request) -> Result<Decision, Refused> {
        if request.is(&Method::Register) {
            return Err(StatusCode::METHOD_NOT_ALLOWED.into());
        }
        let uri = request.uri().map_err(|_| StatusCode::BAD_REQUEST)?;
        let number = match &uri {
            Uri::Sip(uri) => uri.user().unwrap_or_default(),
            Uri::Tel(uri) => uri.number(),
            Uri::Other(_) => return Err(StatusCode::UNSUPPORTED_URI_SCHEME.into()),
        };
        if request.is(&Method::Invite) {
            let Ok(answer) = call.within(Duration::from_secs(2), ask_about(call, number)).await else {
                return Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE).with("Retry-After", "10"));
            };
            answer?;
        }
        if let Some(target) = self.numbers.get(number) {
            request.set_target(*target);
        }
        request.headers.push_raw("X-Asked-About", number.as_bytes());
        // By name: the node knows where that is.
        Ok(Decision::forward_to(request, Target::route("sip:next.ims.example;lr")))
    }
}

/// Stands for a question to a database or another server: it takes a while, and may take too long.
async fn ask_about(call: &Call, number: &str) -> Result<(), Refused> {
    let time = if number == "slow" { Duration::from_secs(60) } else { Duration::from_millis(20) };
    call.after(time).await;
    if number == "mallory" { Err(StatusCode::DECLINE.into()) } else { Ok(()) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Flags { listen, next_hop } = Flags::parse();
    let numbers = BTreeMap::from([("112", "sip:emergency@ims.example"), ("1000", "sip:voicemail@ims.example")]);
    let node = [Transport::Udp, Transport::Tcp]
        .map(|transport| Address { transport, socket: listen })
        .into_iter()
        .fold(Node::default(), |node, address| node.listen(address, NAME, Side::Core))
        .role(NAME, ShortNumbers { numbers })
        .host("next.ims.example", next_hop);
    let mut running = serve(node, 1).await?;
    for listener in running.listeners() {
        println!("listening on {} {}", listener.transport, listener.sent_by);
    }
    running.ended().await;
    anyhow::bail!("a worker panicked")
}
