//! A registrar: any user of the realm, one password, bindings in memory. Digest and RFC 3261 §10.3 are the library's.
//!
//! ```text
//! cargo run --release --bin registrar -- --listen 127.0.0.1:5060 --realm ims.example --password secret
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use imscore_sip::auth::{Authenticator, Nonces, ReplayGuard, ha1};
use imscore_sip::header::{Allow, To};
use imscore_sip::tokio::{Endpoint, ListenAddress, Shutdown, now, seed};
use imscore_sip::transaction::{Config, Event, Transactions};
use imscore_sip::transport::Transport;
use imscore_sip::ua::{Locations, Terms};
use imscore_sip::{Method, Now, Owned, Request, Response, StatusCode};

/// A registrar with Digest.
#[derive(Parser)]
struct Flags {
    /// Address to listen on, by UDP and TCP.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Realm of the challenge.
    #[arg(long)]
    realm: String,
    /// Password of every user.
    #[arg(long)]
    password: String,
    /// Registers whoever asks.
    #[arg(long)]
    no_auth: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let (key, table) = (seed()?, seed()?);
    let addresses = [Transport::Udp, Transport::Tcp].map(|transport| ListenAddress::new(transport, flags.listen));
    let mut registrar = Registrar {
        authenticator: Authenticator::registrar(&flags.realm, Nonces::new(seed()?, Duration::from_secs(300))),
        guard: ReplayGuard::new(1_000_000),
        locations: Locations::new(Terms::default(), table),
        flags,
    };
    let endpoint = Endpoint::bind(addresses, |listeners| {
        let layer = Transactions::new(Config::new(key, listeners), now());
        Owned::new(layer, now(), move |layer: &mut Transactions, event, now| {
            if let Event::Request { id, request, .. } = event {
                let random = layer.random();
                match registrar.answer(&request, random, now) {
                    // Whoever has proved nothing takes no room.
                    response if !response.status().is_success() => layer.respond_statelessly(id, response),
                    response => layer.respond(id, response.with_to_tag(&format!("{random:016x}")), now),
                }
            }
        })
    })
    .await?;
    endpoint.listeners().iter().for_each(|at| println!("listening on {} {}", at.transport, at.sent_by));
    endpoint.run(Shutdown::new()).await;
    Ok(())
}

struct Registrar {
    flags: Flags,
    authenticator: Authenticator,
    guard: ReplayGuard,
    locations: Locations,
}

impl Registrar {
    fn answer(&mut self, request: &Request, random: u64, now: Now) -> Response {
        if let Err(rejection) = request.check() {
            return request.reply(rejection.status());
        }
        if !request.is(&Method::Register) {
            return request.reply(StatusCode::METHOD_NOT_ALLOWED).with(Allow(Method::Register));
        }
        if self.flags.no_auth {
            return self.locations.register(request, now);
        }
        let secret = |user: &str, algorithm| Some(ha1(user, &self.flags.realm, &self.flags.password, algorithm));
        match self.authenticator.verify(request, &mut self.guard, secret, now) {
            Ok(verified) if is_of(request, &verified.username) => self.locations.register(request, now),
            Ok(_) => request.reply(StatusCode::FORBIDDEN),
            Err(denied) => self.authenticator.refuse(request, denied, random, now),
        }
    }
}

/// True where the user that registers is the one that has authenticated, by name or by name and domain.
fn is_of(request: &Request, username: &str) -> bool {
    let address = request.headers.first::<To>().map(|to| to.uri().address_of_record()).unwrap_or_default();
    let name = address.split_once(':').map_or("", |(_, name)| name);
    name == username || name.split_once('@').is_some_and(|(user, _)| user == username)
}
