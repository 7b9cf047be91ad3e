//! A proxy on a network in virtual time, and a stranger who sends it one datagram: what goes back, and what goes on.

use imscore_sip::proxy::{Config, Event, Hop, Proxy};
use imscore_sip::testing::Network;
use imscore_sip::transport::{Flow, ListenerId, Transport};
use imscore_sip::{Engine, Message, Now, Output, Owned, ParseError, StatusCode, Ticket, Transmit, transaction};

const STRANGER: &str = "192.0.2.1:5060";
/// Where responses go, by whatever port the Via has (RFC 3261 §18.2.2).
const ITS_HOST: &str = "192.0.2.1";
const PROXY: &str = "192.0.2.10:5060";
const NEXT_HOP: &str = "192.0.2.20:5060";

/// What a proxy made of a datagram.
pub(crate) struct Outcome {
    /// The final response that the stranger got.
    pub(crate) answer: Option<StatusCode>,
    /// Its Unsupported values.
    pub(crate) unsupported: Vec<String>,
    /// What reached the next hop.
    pub(crate) forwarded: Option<Message>,
    /// Messages that went anywhere else.
    pub(crate) astray: usize,
}

/// Sends the datagram to a proxy that forwards all that it may, and looks at the first two seconds.
pub(crate) fn send(datagram: &[u8]) -> Outcome {
    let mut network = Network::new(1);
    let now = network.now();
    let udp = |address: &str| [format!("udp:{address}").as_str().into()] as [imscore_sip::testing::Bind; 1];
    let stranger = network.add("stranger", udp(STRANGER), |_| Stranger { datagram: None });
    network.add("next", udp(NEXT_HOP), |_| Stranger { datagram: None });
    network.add("proxy", udp(PROXY), |listeners| {
        let proxy = Proxy::new(Config::new(transaction::Config::new([7; 32], listeners)), now);
        Owned::new(proxy, now, forward)
    });
    network.with(stranger, |stranger, _| stranger.datagram = Some(datagram.to_vec()));
    network.run_for(std::time::Duration::from_secs(2));

    let mut outcome = Outcome { answer: None, unsupported: Vec::new(), forwarded: None, astray: 0 };
    for sent in network.trace().sent().filter(|sent| sent.from.name == "proxy") {
        let (host, to) = (sent.to.address.ip().to_string(), sent.to.address.to_string());
        match (host.as_str(), sent.message()) {
            (ITS_HOST, Some(Message::Response(response))) if response.status().code() >= 200 => {
                outcome.answer = Some(response.status());
                let values = response.headers.raw_all("Unsupported");
                outcome.unsupported = values.map(|value| String::from_utf8_lossy(value).into_owned()).collect();
            }
            (ITS_HOST, Some(Message::Response(_))) => {}
            (_, Some(message)) if to == NEXT_HOP => outcome.forwarded = Some(message),
            _ => outcome.astray += 1,
        }
    }
    outcome
}

fn flow_to(address: &str) -> Flow {
    let remote = address.parse().expect("an address");
    Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None }
}

fn forward(proxy: &mut Proxy, event: Event, now: Now) {
    match event {
        Event::Request { id, request, .. } => {
            proxy.fork(id, [(request, Hop::Flow(flow_to(NEXT_HOP)))].into_iter().collect(), now);
            proxy.close(id, now);
        }
        Event::Ack { request, .. } => proxy.send_ack(request, flow_to(NEXT_HOP)),
        Event::Response { id, branch, response } => proxy.pass(id, branch, response, now),
        Event::Cancelled { .. } | Event::Ended { .. } | Event::Answer { .. } | Event::FlowLost { .. } => {}
    }
}

/// Sends one datagram, right or wrong, and answers nothing.
struct Stranger {
    datagram: Option<Vec<u8>>,
}

impl Engine for Stranger {
    type Event = ();

    fn handle_message(&mut self, _: Message, _: Flow, _: Now) {}

    fn handle_malformed(&mut self, _: &[u8], _: ParseError, _: Flow, _: Now) {}

    fn handle_flow_lost(&mut self, _: Flow, _: Now) {}

    fn handle_send_failed(&mut self, _: Ticket, _: Now) {}

    fn handle_timeout(&mut self, _: Now) {}

    fn poll_output(&mut self) -> Output<()> {
        match self.datagram.take() {
            Some(bytes) => {
                Output::Transmit(Transmit { flow: flow_to(PROXY), domain: None, bytes: bytes.into(), ticket: None })
            }
            None => Output::Wait(None),
        }
    }
}
