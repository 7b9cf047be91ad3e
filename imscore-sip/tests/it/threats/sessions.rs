//! Whole sessions, message by message with something wrong: two agents with a proxy between them.

use std::time::Duration;

use imscore_sip::dialog::Terms;
use imscore_sip::proxy::{self, Hop, Proxy, route};
use imscore_sip::sdp::SessionDescription;
use imscore_sip::testing::{Host, Link, Network, Seeds, sdp_answer, sdp_offer_at};
use imscore_sip::transport::{Flow, Listener, ListenerId, Transport};
use imscore_sip::ua::{CallHandle, Config, Event, UserAgent};
use imscore_sip::uri::SipUri;
use imscore_sip::{Method, Now, Owned, Request, StatusCode, transaction};

const PROXY: &str = "192.0.2.9";

type AgentOwner = Box<dyn FnMut(&mut UserAgent, Event, Now)>;
type Agent = Owned<UserAgent, AgentOwner>;
type Between = Owned<Proxy, fn(&mut Proxy, proxy::Event, Now)>;

fn flow(host: &str) -> Flow {
    let remote = format!("{host}:5060").parse().unwrap();
    Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None }
}

/// A record-routing proxy for whoever has an address in this network.
fn on_proxy_event(proxy: &mut Proxy, event: proxy::Event, now: Now) {
    let next = |request: &mut Request| {
        route::take_own(request, |uri: &SipUri| uri.host() == PROXY);
        let (_, remote) = route::address(route::next_hop(request)?.as_sip()?)?;
        remote.to_string().starts_with("192.0.2.").then_some(Flow { remote, ..flow(PROXY) })
    };
    match event {
        proxy::Event::Request { id, mut request, .. } => {
            match next(&mut request) {
                Some(hop) => {
                    route::record(&mut request, format!("sip:{PROXY};lr").parse().unwrap());
                    proxy.fork(id, [(request, Hop::Flow(hop))].into_iter().collect(), now);
                }
                None => proxy.reply(id, request.reply(StatusCode::NOT_FOUND), now),
            }
            proxy.close(id, now);
        }
        proxy::Event::Ack { mut request, .. } => {
            if let Some(hop) = next(&mut request) {
                proxy.send_ack(request, hop);
            }
        }
        proxy::Event::Response { id, branch, response } => proxy.pass(id, branch, response, now),
        proxy::Event::Cancelled { .. }
        | proxy::Event::Ended { .. }
        | proxy::Event::Answer { .. }
        | proxy::Event::FlowLost { .. } => {}
    }
}

/// An agent that rings, answers, makes another offer and asks something once a call of it is up, and hangs up at the end.
fn agent(host: &'static str, seed: u8, listeners: Vec<Listener>, now: Now) -> Agent {
    let mut config = Config::new(transaction::Config::new([seed; 32], listeners));
    config.proxy = Some(flow(PROXY).into());
    config.identity = format!("sip:{host}").parse().unwrap();
    config.session_timer = Some(Terms::new(90, 90));
    config.methods = vec![Method::Message];
    let owner: AgentOwner = Box::new(move |agent, event, now| match event {
        Event::Request { id, request, .. } => {
            let is_call = request.is(&Method::Invite) || request.is(&Method::Update);
            if is_call && request.headers.to_tag().is_none() {
                let _ = agent.respond(id, request.reply(StatusCode::RINGING), now);
            }
            let ok = request.reply(StatusCode::OK);
            let offer = String::from_utf8_lossy(&request.body()).into_owned();
            let ok = if is_call { ok.with_body("application/sdp", sdp_answer(&offer, host, 40_000)) } else { ok };
            if agent.respond(id, ok, now).is_err() {
                let _ = agent.respond(id, request.reply(StatusCode::NOT_ACCEPTABLE_HERE), now);
            }
        }
        Event::Answered { call, .. } => {
            let _ = agent.offer(call, &sound(host, 2), now);
        }
        Event::Agreed { call } | Event::OfferRefused { call, .. } => {
            agent.request_within(call, &Method::Message, |_| (), now);
        }
        Event::Cancelled { .. }
        | Event::Progress { .. }
        | Event::Confirmed { .. }
        | Event::Ended { .. }
        | Event::Response { .. }
        | Event::Failed { .. }
        | Event::Notified { .. }
        | Event::Unsubscribed { .. }
        | Event::Watched { .. }
        | Event::WatcherGone { .. }
        | Event::Registered { .. }
        | Event::Unregistered { .. } => {}
    });
    Owned::new(UserAgent::new(config, now), now, owner)
}

fn sound(host: &str, version: u32) -> SessionDescription {
    let text = sdp_offer_at(host, 40_000);
    let origin = text.lines().find(|line| line.starts_with("o=")).unwrap().to_owned();
    let words: Vec<&str> = origin.split(' ').collect();
    let newer = format!("{} {} {version} {}", words[0], words[1], words[3..].join(" "));
    SessionDescription::parse(text.replace(&origin, &newer).into()).unwrap()
}

struct World {
    network: Network,
    proxy: Host<Between>,
    alice: Host<Agent>,
    bob: Host<Agent>,
}

impl World {
    fn new(seed: u64, link: Link) -> World {
        let mut network = Network::new(seed);
        network.link_all(link);
        let now = network.now();
        let at = |host: &str| [format!("udp:{host}:5060").as_str().into()] as [imscore_sip::testing::Bind; 1];
        let proxy = network.add("proxy", at(PROXY), |listeners| {
            let config = proxy::Config::new(transaction::Config::new([9; 32], listeners));
            Owned::new(Proxy::new(config, now), now, on_proxy_event as fn(&mut Proxy, proxy::Event, Now))
        });
        let alice = network.add("alice", at("192.0.2.1"), |listeners| agent("192.0.2.1", 1, listeners, now));
        let bob = network.add("bob", at("192.0.2.2"), |listeners| agent("192.0.2.2", 2, listeners, now));
        World { network, proxy, alice, bob }
    }

    fn call(&mut self) -> CallHandle {
        let bob = "sip:192.0.2.2".parse().unwrap();
        let offer = sound("192.0.2.1", 1);
        self.network.with(self.alice, |alice, now| alice.engine_mut().invite(&bob, Some(&offer), now))
    }

    fn hang_up(&mut self, call: CallHandle) {
        self.network.with(self.alice, |alice, now| alice.engine_mut().hang_up(call, now));
    }
}

/// P12: whatever arrives of a session, the proxy and both agents are alive, have nothing left when it is over, and carry
/// the next call.
#[test]
fn p12_sessions_of_messages_with_something_wrong() {
    Seeds::up_to(100).run(|seed| {
        let mut world = World::new(seed, Link { corruption: 0.25, ..Link::default() });
        let call = world.call();
        world.network.run_for(Duration::from_secs(40));
        world.hang_up(call);
        // What one side does not know to be over ends with its session timer.
        world.network.link_all(Link::default());
        world.network.run_for(Duration::from_secs(400));
        for agent in [world.alice, world.bob] {
            let agent = world.network.engine(agent).engine();
            assert_eq!((agent.calls(), agent.pending()), (0, (0, 0)));
        }
        let proxy = world.network.engine(world.proxy).engine();
        let left = (proxy.len(), proxy.transactions().server_count(), proxy.transactions().client_count());
        assert_eq!(left, (0, 0, 0));

        let next = world.call();
        world.network.run_for(Duration::from_secs(2));
        assert!(world.network.engine(world.alice).engine().agreed(next).is_some(), "the next call is not carried");
    });
}

/// The same without anything wrong: what the sessions above begin with is a whole one.
#[test]
fn p12_a_session_with_nothing_wrong() {
    let mut world = World::new(1, Link::default());
    let call = world.call();
    world.network.run_for(Duration::from_secs(10));
    world.hang_up(call);
    world.network.run_for(Duration::from_secs(60));
    let sent: Vec<String> = world
        .network
        .trace()
        .sent()
        .filter(|sent| sent.to.name == "bob")
        .map(|sent| String::from_utf8_lossy(&sent.bytes).split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(sent, ["INVITE", "ACK", "INVITE", "ACK", "MESSAGE", "BYE"]);
}
