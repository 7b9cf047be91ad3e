//! Whole flows between engines of ours, agents, proxies and registrars, in virtual time: those of RFC 3665.
//! Nobody here is scripted: each line of a ladder is what an engine did.

mod registrations;
mod sessions;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use imscore_sip::auth::{Algorithm, Authenticator, Nonces, ReplayGuard, ha1};
use imscore_sip::header::ProxyAuthorization;
use imscore_sip::proxy::{self, Hop, Proxy, route};
use imscore_sip::sdp::SessionDescription;
use imscore_sip::testing::{Host, Ladder, sdp_answer, sdp_offer_at};
use imscore_sip::transaction::{self, ServerId};
use imscore_sip::transport::{Flow, Listener, ListenerId, Transport};
use imscore_sip::ua::{CallHandle, Config, Ended, Event, Locations, Terms, UserAgent};
use imscore_sip::{Method, Now, Owned, Request, Response, StatusCode, Uri};

/// What an agent does when it is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Manner {
    #[default]
    Ring,
    Answer,
    Refuse(StatusCode),
}

/// What an agent was told, and the last call and request of others.
#[derive(Default)]
struct Notes {
    manner: Manner,
    told: Vec<String>,
    call: Option<CallHandle>,
    waiting: Option<(ServerId, Request)>,
}

type AgentOwner = Box<dyn FnMut(&mut UserAgent, Event, Now)>;
type Agent = Owned<UserAgent, AgentOwner>;
type ServerOwner = Box<dyn FnMut(&mut Proxy, proxy::Event, Now)>;

/// The network of a flow.
struct Lab {
    ladder: Ladder,
    notes: Vec<(String, Rc<RefCell<Notes>>)>,
}

impl Lab {
    fn new() -> Lab {
        Lab { ladder: Ladder::new(), notes: Vec::new() }
    }

    /// Adds an agent `<name>@<domain>` at that address, with the password `secret` at its domain.
    fn agent(self, name: &str, domain: &str, address: &str, proxy: Option<&str>) -> Lab {
        self.agent_with(name, domain, address, proxy, |config| config)
    }

    fn agent_with(
        mut self,
        name: &str,
        domain: &str,
        address: &str,
        proxy: Option<&str>,
        change: impl FnOnce(Config) -> Config,
    ) -> Lab {
        let notes = Rc::new(RefCell::new(Notes::default()));
        self.notes.push((name.to_owned(), notes.clone()));
        let now = self.ladder.now();
        let build = |listeners: Vec<Listener>| -> Agent {
            let config = Config::new(transaction::Config::new(seed(address), listeners));
            let mut config = config.with_identity(format!("sip:{name}@{domain}").parse().unwrap());
            config = config.with_login(name, "secret", domain);
            config.proxy = proxy.map(|proxy| flow(proxy).into());
            let own = address.to_owned();
            let owner: AgentOwner = Box::new(move |agent, event, now| notes.borrow_mut().note(agent, event, &own, now));
            Owned::new(UserAgent::new(change(config), now), now, owner)
        };
        self.ladder = self.ladder.engine(name, [format!("udp:{address}:5060").as_str()], build);
        self
    }

    fn server(mut self, name: &str, address: &str, server: Server) -> Lab {
        let now = self.ladder.now();
        self.ladder = self
            .ladder
            .engine(name, [format!("udp:{address}:5060").as_str()], |listeners| server.run(address, listeners, now));
        self
    }

    #[track_caller]
    fn run(&mut self, script: &str) {
        self.ladder.run(script);
    }

    /// Gives an agent something to do.
    fn with<R>(&mut self, name: &str, act: impl FnOnce(&mut UserAgent, Now) -> R) -> R {
        let host: Host<Agent> = self.ladder.network().find(name).expect("an agent");
        self.ladder.network().with(host, |agent, now| act(agent.engine_mut(), now))
    }

    fn call(&mut self, name: &str, target: &str) -> CallHandle {
        let target: Uri = target.parse().unwrap();
        self.with(name, |agent, now| agent.invite(&target, Some(&sound("192.0.2.1", 1)), now))
    }

    fn notes(&self, name: &str) -> std::cell::RefMut<'_, Notes> {
        self.notes.iter().find(|(other, _)| other == name).expect("an agent").1.borrow_mut()
    }

    fn manner(&mut self, name: &str, manner: Manner) {
        self.notes(name).manner = manner;
    }

    /// Answers what waits for an agent.
    fn answer(&mut self, name: &str, address: &str) {
        let (id, request) = self.notes(name).waiting.take().expect("something waits");
        let response = accept(&request, address);
        self.with(name, |agent, now| agent.respond(id, response, now)).unwrap();
    }

    fn hang_up(&mut self, name: &str) {
        let call = self.notes(name).call.expect("there was a call");
        self.with(name, |agent, now| agent.hang_up(call, now));
    }

    #[track_caller]
    fn told(&self, name: &str, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut self.notes(name).told), expected);
    }
}

impl Notes {
    fn note(&mut self, agent: &mut UserAgent, event: Event, address: &str, now: Now) {
        let text = match event {
            Event::Request { id, request, call, .. } => {
                self.call = call;
                match self.manner {
                    Manner::Refuse(status) => agent.respond(id, request.reply(status), now).unwrap(),
                    Manner::Ring | Manner::Answer => {
                        if self.manner == Manner::Ring && request.headers.to_tag().is_none() {
                            agent.respond(id, request.reply(StatusCode::RINGING), now).unwrap();
                        }
                        let method = request.method();
                        self.waiting = Some((id, request));
                        if self.manner == Manner::Answer {
                            let (id, request) = self.waiting.take().unwrap();
                            agent.respond(id, accept(&request, address), now).unwrap();
                        }
                        return self.told.push(method.to_string());
                    }
                }
                request.method().to_string()
            }
            Event::Progress { response, .. } | Event::Answered { response, .. } => response.status().to_string(),
            Event::Registered { expires, .. } => format!("registered {}", expires.as_secs()),
            Event::Unregistered { response, again, .. } => {
                let status = response.map(|response| response.status().code());
                format!("unregistered {status:?} {}", again.is_some())
            }
            Event::Ended { by: Ended::Refused(response), .. } => format!("refused {}", response.status().code()),
            Event::Ended { by, .. } => format!("{by:?}"),
            Event::Response { response, .. } => response.status().to_string(),
            Event::Cancelled { .. } => "cancelled".to_owned(),
            Event::Agreed { .. } => "agreed".to_owned(),
            Event::Confirmed { .. } => "confirmed".to_owned(),
            Event::OfferRefused { .. } | Event::Failed { .. } => "failed".to_owned(),
            Event::Notified { .. } | Event::Unsubscribed { .. } => "notified".to_owned(),
            Event::Watched { .. } | Event::WatcherGone { .. } => "watched".to_owned(),
        };
        self.told.push(text);
    }
}

/// A registrar and record-routing proxy of a domain.
struct Server {
    domain: &'static str,
    /// Domains of others, and the address of whoever serves them.
    next: Vec<(&'static str, &'static str)>,
    locations: Locations,
    /// Who asks for a password: as a registrar, and as a proxy.
    registrar: Option<(Authenticator, ReplayGuard)>,
    proxy: Option<(Authenticator, ReplayGuard)>,
    /// Redirects instead (RFC 3261 §8.3).
    redirects: bool,
    /// Puts these addresses of its own for media in place of those of descriptions: towards the called and back.
    bridges: Option<[&'static str; 2]>,
}

impl Server {
    fn new(domain: &'static str) -> Server {
        Server {
            domain,
            next: Vec::new(),
            locations: Locations::new(Terms::default(), [3; 32]),
            registrar: None,
            proxy: None,
            redirects: false,
            bridges: None,
        }
    }

    fn asking_to_register(mut self) -> Server {
        let nonces = Nonces::new([5; 16], Duration::from_secs(300));
        self.registrar = Some((Authenticator::registrar(self.domain, nonces), ReplayGuard::new(100)));
        self
    }

    fn asking_to_call(mut self) -> Server {
        let nonces = Nonces::new([6; 16], Duration::from_secs(300));
        self.proxy = Some((Authenticator::proxy(self.domain, nonces), ReplayGuard::new(100)));
        self
    }

    fn next(mut self, domain: &'static str, address: &'static str) -> Server {
        self.next.push((domain, address));
        self
    }

    /// With a binding that there was before.
    fn knowing(mut self, user: &str, contact: &str, now: Now) -> Server {
        let register = imscore_sip::testing::request("REGISTER", &format!("sip:{}", self.domain))
            .header("To", format!("<sip:{user}@{}>", self.domain))
            .header("Contact", format!("<{contact}>"))
            .request();
        assert!(self.locations.register(&register, now).status().is_success());
        self
    }

    fn run(mut self, address: &str, listeners: Vec<Listener>, now: Now) -> Owned<Proxy, ServerOwner> {
        let own = address.to_owned();
        let owner: ServerOwner = Box::new(move |proxy, event, now| self.on_event(proxy, event, &own, now));
        let config = proxy::Config::new(transaction::Config::new(seed(address), listeners));
        Owned::new(Proxy::new(config, now), now, owner)
    }

    fn on_event(&mut self, proxy: &mut Proxy, event: proxy::Event, own: &str, now: Now) {
        match event {
            proxy::Event::Request { id, request, .. } => {
                match self.on_request(request, own, now) {
                    Ok(branches) => proxy.fork(id, branches.into_iter().collect(), now),
                    Err(response) => proxy.reply(id, *response, now),
                }
                proxy.close(id, now);
            }
            proxy::Event::Ack { mut request, .. } => {
                route::take_own(&mut request, |uri| uri.host() == own);
                let hop = route::next_hop(&request).and_then(|uri| self.address(&uri)).expect("a next hop");
                proxy.send_ack(request, hop);
            }
            proxy::Event::Response { id, branch, mut response } => {
                if let Some([_, back]) = self.bridges.filter(|_| !response.body().is_empty()) {
                    let body = bridged(&response.body(), back);
                    response = response.with_body("application/sdp", body);
                }
                proxy.pass(id, branch, response, now);
            }
            proxy::Event::Cancelled { .. }
            | proxy::Event::Ended { .. }
            | proxy::Event::Answer { .. }
            | proxy::Event::FlowLost { .. } => {}
        }
    }

    fn address(&self, uri: &Uri) -> Option<Flow> {
        let uri = uri.as_sip()?;
        let next = self.next.iter().find(|(domain, _)| uri.host() == *domain);
        match next {
            Some((_, address)) => Some(flow(address)),
            None => route::address(uri).map(|(_, remote)| Flow { remote, ..flow("192.0.2.0") }),
        }
    }

    fn on_request(&mut self, mut request: Request, own: &str, now: Now) -> Result<Vec<(Request, Hop)>, Box<Response>> {
        let refuse = |request: &Request, status| Box::new(request.reply(status));
        route::take_own(&mut request, |uri: &imscore_sip::uri::SipUri| uri.host() == own);
        let in_dialog = request.headers.to_tag().is_some();
        if request.is(&Method::Register) {
            return Err(Box::new(self.register(&request, now)));
        }
        if in_dialog {
            let hop = route::next_hop(&request).and_then(|uri| self.address(&uri)).expect("a next hop");
            return Ok(vec![(request, Hop::Flow(hop))]);
        }
        if let Some((authenticator, guard)) = &mut self.proxy
            && request.is(&Method::Invite)
        {
            let secret = |user: &str, algorithm: Algorithm| Some(ha1(user, self.domain, "secret", algorithm));
            if let Err(denied) = authenticator.verify(&request, guard, secret, now) {
                return Err(Box::new(authenticator.refuse(&request, denied, 7, now)));
            }
            // Its own answers are of no use to whoever comes next (RFC 3261 §22.3).
            let realm = self.domain;
            request.headers.retain(|answer: &ProxyAuthorization| answer.param("realm").as_deref() != Some(realm));
        }
        let target = request.uri().map_err(|_| refuse(&request, StatusCode::BAD_REQUEST))?;
        let is_ours = target.as_sip().is_some_and(|uri| uri.host() == self.domain);
        let contacts: Vec<String> =
            self.locations.find(&target, now).filter_map(|contact| Some(contact.uri()?.to_string())).collect();
        if self.redirects {
            let mut response = request.reply(StatusCode::MOVED_TEMPORARILY);
            contacts.iter().for_each(|contact| response.headers.push_raw("Contact", format!("<{contact}>").as_bytes()));
            return Err(Box::new(response));
        }
        if let Some([there, _]) = self.bridges.filter(|_| !request.body().is_empty()) {
            request.set_body("application/sdp", bridged(&request.body(), there));
        }
        route::record(&mut request, format!("sip:{own};lr").parse().unwrap());
        if !is_ours {
            let hop = self.address(&target).ok_or_else(|| refuse(&request, StatusCode::NOT_FOUND))?;
            return Ok(vec![(request, Hop::Flow(hop))]);
        }
        let known = contacts.into_iter().filter_map(|contact| Some((self.address(&contact.parse().ok()?)?, contact)));
        let mut branches = Vec::new();
        for (flow, contact) in known {
            let mut branch = request.clone();
            branch.set_target(contact);
            branches.push((branch, Hop::Flow(flow)));
        }
        if branches.is_empty() { Err(refuse(&request, StatusCode::TEMPORARILY_UNAVAILABLE)) } else { Ok(branches) }
    }

    fn register(&mut self, request: &Request, now: Now) -> Response {
        let domain = self.domain;
        if let Some((authenticator, guard)) = &mut self.registrar {
            let secret = |user: &str, algorithm: Algorithm| Some(ha1(user, domain, "secret", algorithm));
            if let Err(denied) = authenticator.verify(request, guard, secret, now) {
                return authenticator.refuse(request, denied, 7, now);
            }
        }
        self.locations.register(request, now)
    }
}

/// One for each address: who has the same seed takes the other for itself.
fn seed(address: &str) -> [u8; 32] {
    [address.bytes().last().unwrap_or_default(); 32]
}

/// To that address, from the first listener.
fn flow(address: &str) -> Flow {
    let remote = format!("{address}:5060").parse().unwrap();
    Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None }
}

fn sound(address: &str, version: u32) -> SessionDescription {
    let text = sdp_offer_at(address, 40_000);
    let origin = text.lines().find(|line| line.starts_with("o=")).unwrap();
    let words: Vec<&str> = origin.split(' ').collect();
    let newer = format!("{} {} {version} {}", words[0], words[1], words[3..].join(" "));
    SessionDescription::parse(text.replace(origin, &newer).into()).unwrap()
}

/// A description with another address for its media.
fn bridged(body: &[u8], address: &str) -> String {
    let text = std::str::from_utf8(body).unwrap();
    let lines =
        text.lines().map(|line| if line.starts_with("c=") { format!("c=IN IP4 {address}") } else { line.to_owned() });
    lines.map(|line| line + "\r\n").collect()
}

/// 200 with what goes with the request.
fn accept(request: &Request, address: &str) -> Response {
    let response = request.reply(StatusCode::OK);
    if !request.is(&Method::Invite) {
        return response;
    }
    let body = match std::str::from_utf8(&request.body()) {
        Ok("") | Err(_) => sdp_offer_at(address, 40_000),
        Ok(offer) => sdp_answer(offer, address, 40_000),
    };
    response.with_body("application/sdp", body)
}
