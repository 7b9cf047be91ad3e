//! From what is known to peers, or to what must be known before: RFC 6733 §5.2, RFC 3958 §2.2, RFC 2782.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Answer, NotFound, PeerSettings, Question, Record, Search, is_in};
use crate::peer::Transport;
use crate::peer::random::Random;

/// Questions of one round. What lies behind more of them is not found.
const QUESTIONS: usize = 64;
/// Services of a realm that are looked at.
const SERVICES: usize = 8;
/// Addresses of one host.
const ADDRESSES: usize = 8;

/// The end of a round.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) found: Result<Vec<PeerSettings>, NotFound>,
    /// For how long it holds.
    pub(super) lasts: Duration,
    /// False where something could not be said.
    pub(super) whole: bool,
}

struct Round<'a> {
    search: &'a Search,
    known: &'a BTreeMap<Question, Answer>,
    asked: &'a BTreeMap<Question, Duration>,
    /// Questions that may still be asked.
    room: usize,
    missing: Vec<Question>,
    hosts: Vec<Host>,
    /// Names whose NAPTR records were followed: each once, or a few of them that lead to each other would take for ever.
    followed: BTreeSet<String>,
    /// Counts services in their order.
    service: usize,
    lasts: Duration,
    silent: Option<String>,
    /// The last thing that was in the way of a host.
    obstacle: Option<NotFound>,
}

/// A host that a service has.
struct Host {
    name: String,
    transport: Transport,
    port: u16,
    /// Place of its service, and its priority in that.
    rank: (usize, u16),
    weight: u16,
    addresses: Vec<IpAddr>,
}

/// The peers, best first, or what must be answered before; some of it is asked already.
pub(super) fn plan(
    search: &Search,
    seed: u64,
    known: &BTreeMap<Question, Answer>,
    asked: &BTreeMap<Question, Duration>,
) -> Result<Plan, Vec<Question>> {
    let mut round = Round {
        search,
        known,
        asked,
        room: QUESTIONS.saturating_sub(known.len() + asked.len()),
        missing: Vec::new(),
        hosts: Vec::new(),
        followed: BTreeSet::new(),
        service: 0,
        lasts: Duration::MAX,
        silent: None,
        obstacle: None,
    };
    round.realm();
    if !round.missing.is_empty() {
        return Err(round.missing);
    }
    let (lasts, whole) = (round.lasts, round.silent.is_none());
    Ok(Plan { found: round.peers(seed), lasts, whole })
}

impl<'a> Round<'a> {
    fn realm(&mut self) {
        let realm = name(&self.search.realm);
        let Some(records) = self.known(Question::Naptr(realm.clone())) else { return };
        if records.iter().any(is_diameter) {
            return self.naptr(&realm, records);
        }
        // What is written of other protocols says nothing of Diameter.
        let answered = self.silent.is_none();
        if answered {
            for transport in self.search.transports.clone() {
                self.srv(transport, &format!("{}.{realm}", service(transport)));
            }
        }
        let nothing = answered && self.hosts.is_empty() && self.missing.is_empty();
        if nothing && self.obstacle.is_none() {
            self.obstacle = Some(NotFound::NoRecord(realm));
        }
    }

    /// Follows the NAPTR records of a name in their order.
    fn naptr(&mut self, of: &str, records: &[Record]) {
        if !self.followed.insert(of.to_owned()) {
            self.obstacle = Some(NotFound::Circle(of.to_owned()));
            return;
        }
        let mut services = Vec::new();
        for record in records {
            let Record::Naptr { order, preference, flags, service, replacement } = record else { continue };
            for (place, transport) in self.search.transports.iter().enumerate() {
                if self.offers(service, *transport) {
                    services.push((*order, *preference, place, *transport, flags.as_str(), name(replacement)));
                }
            }
        }
        services.sort();
        if services.is_empty() {
            self.obstacle = Some(NotFound::NoService(of.to_owned()));
        }
        for (_, _, _, transport, flags, replacement) in services.into_iter().take(SERVICES) {
            match flags {
                "s" | "S" => self.srv(transport, &replacement),
                "a" | "A" => {
                    self.service += 1;
                    let rank = (self.service, 0);
                    self.host(Host {
                        name: replacement,
                        transport,
                        port: port(transport),
                        rank,
                        weight: 1,
                        addresses: vec![],
                    });
                }
                "" => {
                    if let Some(records) = self.known(Question::Naptr(replacement.clone())) {
                        self.naptr(&replacement, records);
                    }
                }
                _ => {}
            }
        }
    }

    /// True where a service field is for our application over this transport.
    fn offers(&self, service: &str, transport: Transport) -> bool {
        let service = service.to_ascii_lowercase();
        let mut tags = service.split(':');
        let application = tags.next().unwrap_or_default();
        // RFC 3588 §5.2, as realms still have it beside the newer form.
        if matches!((application, transport), ("aaa+d2t", Transport::Tcp) | ("aaa+d2s", Transport::Sctp)) {
            return true;
        }
        // RFC 6408 §3: of this application, or of none in particular.
        let ours = format!("aaa+ap{}", self.search.application.0);
        let protocol = match transport {
            Transport::Tcp => "diameter.tcp",
            Transport::Tls => "diameter.tls.tcp",
            Transport::Sctp => "diameter.sctp",
        };
        (application == "aaa" || application == ours) && tags.any(|tag| tag == protocol)
    }

    fn srv(&mut self, transport: Transport, of: &str) {
        self.service += 1;
        let service = self.service;
        for record in self.known(Question::Srv(of.to_owned())).unwrap_or_default() {
            let Record::Srv { priority, weight, port, target } = record else { continue };
            // The root as a host means that there is no such service.
            let (name, rank) = (name(target), (service, *priority));
            if !name.is_empty() && *port != 0 {
                self.host(Host { name, transport, port: *port, rank, weight: *weight, addresses: vec![] });
            }
        }
    }

    /// Looks for the addresses of a host, where it may be a peer.
    fn host(&mut self, mut host: Host) {
        let allowed = |domain: &String| is_in(&host.name, domain);
        if !allowed(&self.search.realm) && !self.search.domains.iter().any(allowed) {
            self.obstacle = Some(NotFound::Outside(host.name));
            return;
        }
        let waits = self.missing.len();
        let families =
            [Some(Question::A(host.name.clone())), self.search.ipv6.then(|| Question::Aaaa(host.name.clone()))];
        for question in families.into_iter().flatten() {
            for record in self.known(question).unwrap_or_default() {
                if let Record::Address(address) = record
                    && host.addresses.len() < ADDRESSES
                    && !host.addresses.contains(address)
                {
                    host.addresses.push(*address);
                }
            }
        }
        if self.missing.len() > waits {
            return;
        }
        if host.addresses.is_empty() {
            self.obstacle = Some(NotFound::NoAddress(host.name));
        } else if self.hosts.iter().all(|other| other.name != host.name) {
            // The first service that has a host decides how it is spoken to.
            self.hosts.push(host);
        }
    }

    /// What is known, or a note that it must be asked.
    fn known(&mut self, question: Question) -> Option<&'a [Record]> {
        match self.known.get(&question) {
            Some(Answer::Records(records, lasts)) => {
                self.lasts = self.lasts.min(*lasts);
                Some(records)
            }
            Some(Answer::Failed) => {
                let (Question::Naptr(of) | Question::Srv(of) | Question::A(of) | Question::Aaaa(of)) = question;
                self.silent.get_or_insert(of);
                Some(&[])
            }
            None if self.missing.contains(&question) => None,
            None if !self.asked.contains_key(&question) && self.room == 0 => Some(&[]),
            None => {
                self.room -= usize::from(!self.asked.contains_key(&question));
                self.missing.push(question);
                None
            }
        }
    }

    fn peers(self, seed: u64) -> Result<Vec<PeerSettings>, NotFound> {
        let search = self.search;
        if self.hosts.is_empty() {
            let silent = self.silent.map(NotFound::Silent);
            return Err(silent.or(self.obstacle).unwrap_or_else(|| NotFound::NoRecord(name(&search.realm))));
        }
        let mut hosts: Vec<_> = self.hosts.into_iter().map(|host| (host.rank, lot(seed, &host), host)).collect();
        hosts.sort_by(|one, two| {
            one.0.cmp(&two.0).then(one.1.total_cmp(&two.1)).then_with(|| one.2.name.cmp(&two.2.name))
        });
        hosts.truncate(search.max_peers);
        let mut ranks: Vec<_> = hosts.iter().map(|(rank, ..)| *rank).collect();
        ranks.dedup();
        let peer = |(rank, _, host): ((usize, u16), f64, Host)| {
            let mut peer = PeerSettings::accept(host.name, search.realm.as_str());
            peer.addresses = host.addresses.iter().map(|ip| SocketAddr::new(*ip, host.port).to_string()).collect();
            peer.from = host.addresses;
            peer.transport = host.transport;
            peer.priority =
                ranks.iter().position(|other| *other == rank).and_then(|at| at.try_into().ok()).unwrap_or(u16::MAX);
            peer.weight = host.weight.max(1);
            peer.may_ask = search.may_ask;
            peer
        };
        Ok(hosts.into_iter().map(peer).collect())
    }
}

/// Who goes first among hosts of one rank, where there are more than peers: a draw by weight that comes out the same each time.
fn lot(seed: u64, host: &Host) -> f64 {
    let mixed = host.name.bytes().fold(seed, |seed, byte| Random::new(seed ^ u64::from(byte)).next());
    let drawn = (Random::new(mixed).next() >> 11) as f64 / (1_u64 << 53) as f64;
    -(1.0 - drawn).ln() / f64::from(host.weight.max(1))
}

fn is_diameter(record: &Record) -> bool {
    let Record::Naptr { service, .. } = record else { return false };
    let service = service.to_ascii_lowercase();
    service == "aaa" || service.starts_with("aaa+") || service.starts_with("aaa:")
}

/// What the SRV records of a transport are called (RFC 6733 §5.2).
fn service(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "_diameter._tcp",
        Transport::Tls => "_diameters._tcp",
        Transport::Sctp => "_diameter._sctp",
    }
}

/// The port of a host that no SRV record gives one (RFC 6733 §11.4).
fn port(transport: Transport) -> u16 {
    match transport {
        Transport::Tcp | Transport::Sctp => 3868,
        Transport::Tls => 5658,
    }
}

/// A name of a record, as questions have it.
fn name(text: &str) -> String {
    text.trim_end_matches('.').to_ascii_lowercase()
}
