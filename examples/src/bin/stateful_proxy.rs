//! A proxy that stays on the way of calls: what begins outside a dialog goes to one next hop, what belongs to a dialog
//! where its Route says. Forking, CANCEL, names and the rest of RFC 3261 §16 are the library's.
//!
//! ```text
//! cargo run --release --bin stateful_proxy -- --listen 127.0.0.1:5060 --next-hop 127.0.0.1:5070
//! ```

use std::net::SocketAddr;

use clap::Parser;
use imscore_sip::header::Route;
use imscore_sip::proxy::{Config, Event, Hop, Proxy, Source, route};
use imscore_sip::tokio::{Endpoint, ListenAddress, Settings, Shutdown, now, seed};
use imscore_sip::transport::{Flow, Listener, Transport};
use imscore_sip::uri::SipUri;
use imscore_sip::{Method, Now, Owned, Request, transaction};

/// A record-routing proxy in front of one next hop.
#[derive(Parser)]
struct Flags {
    /// Address to listen on, by UDP and TCP.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Where calls go: to an address by the transport that they came by, to a name as name servers say.
    #[arg(long, value_name = "HOST[:PORT]")]
    next_hop: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Flags { listen, next_hop } = Flags::parse();
    let seed = seed()?;
    let addresses = [Transport::Udp, Transport::Tcp].map(|transport| ListenAddress::new(transport, listen));
    let next_hop: SipUri = format!("sip:{next_hop};lr").parse()?;
    let endpoint = Endpoint::bind_with(Settings::default().with_system_names(), addresses, |listeners| {
        let rule = Rule { next_hop, own: listeners.iter().filter_map(own_uri).collect() };
        let proxy = Proxy::new(Config::new(transaction::Config::new(seed, listeners)), now());
        Owned::new(proxy, now(), move |proxy: &mut Proxy, event, now| rule.apply(proxy, event, now))
    })
    .await?;
    for listener in endpoint.listeners() {
        println!("listening on {} {}", listener.transport, listener.sent_by);
    }
    endpoint.run(Shutdown::new()).await;
    Ok(())
}

/// Where things go.
struct Rule {
    next_hop: SipUri,
    /// What stands in Record-Route, by listener, and the address that it says.
    own: Vec<(SipUri, (Transport, SocketAddr))>,
}

fn own_uri(listener: &Listener) -> Option<(SipUri, (Transport, SocketAddr))> {
    let text = format!("sip:{};transport={};lr", listener.sent_by, listener.transport.as_str().to_ascii_lowercase());
    let uri: SipUri = text.parse().ok()?;
    let address = route::address(&uri)?;
    Some((uri, address))
}

impl Rule {
    fn apply(&self, proxy: &mut Proxy, event: Event, now: Now) {
        match event {
            Event::Request { id, mut request, source: Source::Flow(from) } => {
                let hop = self.hop(proxy, &mut request, from);
                proxy.fork(id, [(request, hop)].into_iter().collect(), now);
                proxy.close(id, now);
            }
            Event::Ack { mut request, flow } => match self.hop(proxy, &mut request, flow) {
                Hop::Flow(flow) => proxy.send_ack(request, flow),
                Hop::Name => proxy.send_ack_by_name(request, now),
                Hop::Local(_) | Hop::Nowhere(_) => {}
            },
            Event::Response { id, branch, response } => proxy.pass(id, branch, response, now),
            // Branches of a cancelled call are cancelled by the library; nothing is handed on within this process.
            Event::Request { .. } | Event::Cancelled { .. } | Event::Ended { .. } => {}
            Event::Answer { .. } | Event::FlowLost { .. } => {}
        }
    }

    /// Where a request goes next.
    fn hop(&self, proxy: &Proxy, request: &mut Request, from: Flow) -> Hop {
        let is_own = |uri: &SipUri| route::address(uri).is_some_and(|at| self.own.iter().any(|(_, own)| *own == at));
        let by_route = route::take_own(request, is_own).is_some();
        if by_route && request.headers.to_tag().is_some() {
            return proxy.next_hop(request);
        }
        let stays = request.is(&Method::Invite) || request.is(&Method::Subscribe);
        if let Some((own, _)) = self.own.get(usize::from(from.listener.0)).filter(|_| stays) {
            route::record(request, own.clone());
        }
        if let Some((_, remote)) = route::address(&self.next_hop) {
            return Hop::Flow(Flow { remote, connection: None, ..from });
        }
        request.headers.push_front(&Route::new(self.next_hop.clone()));
        Hop::Name
    }
}
