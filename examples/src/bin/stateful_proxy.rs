//! A proxy that stays on the way of calls: what begins outside a dialog goes to one next hop, what belongs to a dialog
//! where its Route says. Forking, CANCEL, retransmissions and the rest of RFC 3261 §16 are the library's.
//!
//! ```text
//! cargo run --release --bin stateful_proxy -- --listen 127.0.0.1:5060 --next-hop 127.0.0.1:5070
//! ```

use std::net::SocketAddr;

use clap::Parser;
use imscore_sip::proxy::{Config, Event, Hop, Proxy, Source, route};
use imscore_sip::tokio::{Endpoint, ListenAddress, Shutdown, now, seed};
use imscore_sip::transport::{Flow, Listener, ListenerId, Transport};
use imscore_sip::uri::SipUri;
use imscore_sip::{Method, Now, Owned, Request, StatusCode, transaction};

/// A record-routing proxy in front of one next hop.
#[derive(Parser)]
struct Flags {
    /// Address to listen on, by UDP and TCP.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Where calls go, by the transport that they came by.
    #[arg(long, value_name = "ADDRESS:PORT")]
    next_hop: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Flags { listen, next_hop } = Flags::parse();
    let seed = seed()?;
    let addresses = [Transport::Udp, Transport::Tcp].map(|transport| ListenAddress::new(transport, listen));
    let endpoint = Endpoint::bind(addresses, |listeners| {
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
    next_hop: SocketAddr,
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
                match self.way(&mut request, from) {
                    Some(flow) => proxy.fork(id, [(request, Hop::Flow(flow))].into_iter().collect(), now),
                    None => proxy.reply(id, request.reply(StatusCode::NOT_FOUND), now),
                }
                proxy.close(id, now);
            }
            Event::Ack { mut request, flow } => {
                if let Some(flow) = self.way(&mut request, flow) {
                    proxy.send_ack(request, flow);
                }
            }
            Event::Response { id, branch, response } => proxy.pass(id, branch, response, now),
            // Branches of a cancelled call are cancelled by the library; nothing is handed on within this process.
            Event::Request { .. } | Event::Cancelled { .. } | Event::Ended { .. } => {}
            Event::Answer { .. } | Event::FlowLost { .. } => {}
        }
    }

    /// The way that a request takes. `None`: its next hop is no address, and nobody here knows names.
    fn way(&self, request: &mut Request, from: Flow) -> Option<Flow> {
        let is_own = |uri: &SipUri| route::address(uri).is_some_and(|at| self.own.iter().any(|(_, own)| *own == at));
        let by_route = route::take_own(request, is_own).is_some();
        if !by_route || request.headers.to_tag().is_none() {
            if request.is(&Method::Invite) || request.is(&Method::Subscribe) {
                route::record(request, self.own.get(usize::from(from.listener.0))?.0.clone());
            }
            return Some(Flow { remote: self.next_hop, connection: None, ..from });
        }
        route::make_strict(request);
        let (transport, remote) = route::address(route::next_hop(request)?.as_sip()?)?;
        let listener = self.own.iter().position(|(_, (own, _))| *own == transport)?;
        Some(Flow { transport, listener: ListenerId(listener as u16), remote, connection: None })
    }
}
