//! From a destination to targets, by what is known: RFC 3263 §4.1 and §4.2, RFC 2782.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use bytestring::ByteString;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::cache::Cache;
use super::{Config, Destination, Question, Record, Target};
use crate::transport::Transport;

/// Targets of one destination.
const TARGETS: usize = 32;

/// Services that are looked for: what a domain's SRV records are called.
pub(super) const SERVICES: [&str; 3] = ["_sip._udp", "_sip._tcp", "_sips._tcp"];

struct Plan<'a> {
    config: &'a Config,
    cache: &'a Cache,
    rng: &'a mut ChaCha8Rng,
    now: Instant,
    domain: &'a ByteString,
    missing: Vec<Question>,
    targets: Vec<Target>,
}

/// The targets, best first, or what must be known before.
pub(super) fn targets(
    to: &Destination,
    config: &Config,
    cache: &Cache,
    rng: &mut ChaCha8Rng,
    now: Instant,
) -> Result<Vec<Target>, Vec<Question>> {
    let (missing, targets) = (Vec::new(), Vec::new());
    let mut plan = Plan { config, cache, rng, now, domain: &to.host, missing, targets };
    plan.go(to);
    if plan.missing.is_empty() { Ok(plan.targets) } else { Err(plan.missing) }
}

impl<'a> Plan<'a> {
    fn go(&mut self, to: &Destination) {
        let written = match (to.secure, to.transport) {
            // RFC 3261 §26.2.2: the security of sips is that of TLS, whichever stream carries it.
            (true, None | Some(Transport::Udp | Transport::Tcp | Transport::Tls)) => Some(Transport::Tls),
            (true, Some(Transport::Ws | Transport::Wss)) => Some(Transport::Wss),
            (false, written) => written,
        };
        if let Some(places) = self.cache.places(&to.host) {
            for place in places.iter().filter(|place| written.is_none_or(|written| written == place.transport)) {
                self.push(place.transport, place.socket.ip(), place.socket.port());
            }
            return;
        }
        let default = written.unwrap_or(Transport::Udp);
        if let Ok(ip) = to.host.parse::<IpAddr>() {
            return self.push(default, ip, to.port.unwrap_or(default.default_port()));
        }
        if let Some(port) = to.port {
            return self.host(&to.host, default, port);
        }
        if to.transport.is_some() {
            return self.service_or_host(default, &to.host);
        }
        let Some(naptrs) = self.known(Question::Naptr(to.host.clone())) else {
            return;
        };
        let services = self.services(naptrs, to.secure);
        if !services.is_empty() {
            for (transport, flags, replacement) in services {
                match flags {
                    Flag::Service => self.service(transport, &replacement),
                    Flag::Host => self.host(&replacement, transport, transport.default_port()),
                }
            }
            return;
        }
        // RFC 3263 §4.1: without NAPTR the services of the transports that we have, in our order.
        let wanted: Vec<Transport> = match to.secure {
            true => vec![Transport::Tls],
            false => self.config.transports.clone(),
        };
        for transport in wanted {
            if let Some(service) = service(transport) {
                self.service(transport, &format!("{service}.{}", to.host).into());
            }
        }
        if self.targets.is_empty() && self.missing.is_empty() {
            self.host(&to.host, default, default.default_port());
        }
    }

    /// What NAPTR records offer of what we have, by order and preference (RFC 3263 §4.1).
    fn services(&self, records: &[Record], secure: bool) -> Vec<(Transport, Flag, ByteString)> {
        let mut found: Vec<(u16, u16, Transport, Flag, ByteString)> = Vec::new();
        for record in records {
            let Record::Naptr { order, preference, flags, service, replacement } = record else { continue };
            let transport = match &*service.to_ascii_uppercase() {
                "SIP+D2U" => Transport::Udp,
                "SIP+D2T" => Transport::Tcp,
                "SIPS+D2T" => Transport::Tls,
                "SIP+D2W" => Transport::Ws,
                "SIPS+D2W" => Transport::Wss,
                _ => continue,
            };
            let flag = match &*flags.to_ascii_lowercase() {
                "s" => Flag::Service,
                "a" => Flag::Host,
                _ => continue,
            };
            let is_ours = self.config.transports.contains(&transport);
            if is_ours && (!secure || transport.is_secure()) {
                found.push((*order, *preference, transport, flag, name(replacement)));
            }
        }
        found.sort_by_key(|(order, preference, ..)| (*order, *preference));
        found.into_iter().map(|(_, _, transport, flag, name)| (transport, flag, name)).take(SERVICES.len()).collect()
    }

    /// The hosts of a service, else the host itself (RFC 3263 §4.2).
    fn service_or_host(&mut self, transport: Transport, host: &ByteString) {
        if let Some(service) = service(transport) {
            self.service(transport, &format!("{service}.{host}").into());
            if !self.targets.is_empty() || !self.missing.is_empty() {
                return;
            }
        }
        self.host(host, transport, transport.default_port());
    }

    fn service(&mut self, transport: Transport, name: &ByteString) {
        let Some(records) = self.known(Question::Srv(name.clone())) else {
            return;
        };
        for (target, port) in in_order(records, self.rng) {
            self.host(&target, transport, port);
        }
    }

    fn host(&mut self, host: &ByteString, transport: Transport, port: u16) {
        if self.targets.len() >= TARGETS || self.missing.len() >= TARGETS {
            return;
        }
        let families = [
            self.config.ipv4.then(|| Question::A(host.clone())),
            self.config.ipv6.then(|| Question::Aaaa(host.clone())),
        ];
        for question in families.into_iter().flatten() {
            for record in self.known(question).unwrap_or_default() {
                if let Record::Address(ip) = record {
                    self.push(transport, *ip, port);
                }
            }
        }
    }

    fn push(&mut self, transport: Transport, ip: IpAddr, port: u16) {
        let target = Target { transport, address: SocketAddr::new(ip, port), domain: self.domain.clone() };
        if port != 0 && self.targets.len() < TARGETS && !self.targets.contains(&target) {
            self.targets.push(target);
        }
    }

    /// What is known, or a note that it must be asked.
    fn known(&mut self, question: Question) -> Option<&'a [Record]> {
        let known = self.cache.get(&question, self.now);
        if known.is_none() && !self.missing.contains(&question) {
            self.missing.push(question);
        }
        known
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    Service,
    Host,
}

/// What the SRV records of a transport are called; none are for WebSocket.
fn service(transport: Transport) -> Option<&'static str> {
    match transport {
        Transport::Udp => Some(SERVICES[0]),
        Transport::Tcp => Some(SERVICES[1]),
        Transport::Tls => Some(SERVICES[2]),
        Transport::Ws | Transport::Wss => None,
    }
}

/// A name of a record, as questions have it.
fn name(text: &ByteString) -> ByteString {
    text.trim_end_matches('.').to_ascii_lowercase().into()
}

/// Host and port by priority, and within one priority drawn by weight (RFC 2782). The root as a host means that there
/// is no such service.
fn in_order(records: &[Record], rng: &mut ChaCha8Rng) -> Vec<(ByteString, u16)> {
    let mut all: Vec<(u16, u16, ByteString, u16)> = Vec::new();
    for record in records {
        if let Record::Srv { priority, weight, port, target } = record
            && !name(target).is_empty()
        {
            all.push((*priority, *weight, name(target), *port));
        }
    }
    // Those without weight first, so that they have their small chance.
    all.sort_by_key(|(priority, weight, ..)| (*priority, *weight));
    let mut ordered = Vec::with_capacity(all.len());
    while let Some((priority, ..)) = all.first() {
        let priority = *priority;
        let same = all.iter().take_while(|(other, ..)| *other == priority).count();
        let total: u64 = all[..same].iter().map(|(_, weight, ..)| u64::from(*weight)).sum();
        let drawn = rng.next_u64() % (total + 1);
        let mut sum = 0;
        let at = all[..same].iter().position(|(_, weight, ..)| {
            sum += u64::from(*weight);
            sum >= drawn
        });
        let (_, _, host, port) = all.remove(at.unwrap_or(0));
        ordered.push((host, port));
    }
    ordered
}
