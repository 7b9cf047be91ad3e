//! Where a SIP URI is to be sent (RFC 3263): questions for a name server come out, answers go in, and a list of
//! [`Target`]s is the result. No socket is in here and no clock.
//!
//! ```text
//!     resolve(Destination) ─▶ Resolver ─▶ Ask(Question)      NAPTR, SRV, A, AAAA
//!                                      ◀─ handle_answer
//!                                      ─▶ Resolved(targets)
//! ```
//!
//! Answers are kept for their time to live, and a day longer while the name server is down (RFC 8767). Lookups do not wait for each
//! other, and whoever asks what is asked already shares the answer. A target that failed goes behind the others for
//! 30 s; then one lookup tries it in its place again.
//!
//! ```
//! use imscore_sip::resolve::{Config, Destination, Output, Resolver};
//! use imscore_sip::transport::Transport;
//! # let now = std::time::Instant::now();
//!
//! let mut resolver = Resolver::new(Config::new([7; 32]));
//! resolver.set_host("pcscf.ims.example", ["192.0.2.1".parse().unwrap()]);
//! let uri: imscore_sip::Uri = "sip:pcscf.ims.example:5060;transport=tcp".parse()?;
//! resolver.resolve(Destination::of(uri.as_sip().unwrap()).unwrap(), now);
//! let Output::Resolved(_, targets) = resolver.poll_output() else { panic!("the table has it") };
//! assert_eq!((targets[0].transport, targets[0].address), (Transport::Tcp, "192.0.2.1:5060".parse().unwrap()));
//! # Ok::<(), imscore_sip::uri::UriError>(())
//! ```

mod cache;
mod exits;
mod guide;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytestring::ByteString;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub use exits::Exits;
pub(crate) use guide::{Course, Found, Guide};

use cache::Cache;

use crate::message::StatusCode;
use crate::transport::{Address, Transport};
use crate::uri::SipUri;

/// Lookups at one time; one more finds nothing at once.
const LOOKUPS: usize = 10_000;

/// How long a question waits for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it waits where an old answer can serve (RFC 8767 §5).
const PATIENCE_WITH_OLD: Duration = Duration::from_millis(1_800);

/// How long a target that failed stands behind the others.
const ASIDE: Duration = Duration::from_secs(30);

/// Targets that are remembered to have failed.
const FAILED: usize = 4_096;

/// Settings of a [`Resolver`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// What the choice among targets of one priority comes from.
    pub seed: [u8; 32],
    /// What we can speak, best first; it decides where the domain has no preference.
    pub transports: Vec<Transport>,
    /// Whether IPv4 addresses are asked for.
    pub ipv4: bool,
    /// Whether IPv6 addresses are asked for. They go behind those of IPv4.
    pub ipv6: bool,
}

impl Config {
    /// UDP and TCP over IPv4.
    pub fn new(seed: [u8; 32]) -> Config {
        Config { seed, transports: vec![Transport::Udp, Transport::Tcp], ipv4: true, ipv6: false }
    }

    /// What these listeners can speak, over what they are bound to.
    pub fn of(seed: [u8; 32], exits: &Exits) -> Config {
        Config { seed, transports: exits.transports(), ipv4: exits.has_ipv4(), ipv6: exits.has_ipv6() }
    }
}

/// Where to: what of a URI decides (RFC 3263 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// A name, or an address without brackets.
    pub host: ByteString,
    /// The port that is written.
    pub port: Option<u16>,
    /// The transport that is written.
    pub transport: Option<Transport>,
    /// `sips:`: by TLS only.
    pub secure: bool,
}

impl Destination {
    /// That of a URI; its `maddr` goes before its host. `None`: a transport that nobody here knows.
    pub fn of(uri: &SipUri) -> Option<Destination> {
        let host = uri.maddr().unwrap_or(uri.host());
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let transport = match uri.transport() {
            Some(name) => Some(Transport::find(name)?),
            None => None,
        };
        Some(Destination {
            host: host.to_ascii_lowercase().into(),
            port: uri.port(),
            transport,
            secure: uri.is_secure(),
        })
    }
}

/// What to ask a name server; names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Which services a domain has (RFC 3263 §4.1).
    Naptr(ByteString),
    /// Which hosts have a service (RFC 2782).
    Srv(ByteString),
    /// The IPv4 addresses of a host.
    A(ByteString),
    /// Its IPv6 addresses.
    Aaaa(ByteString),
}

/// What a name server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Records, maybe none, and for how long they hold. Of more than 64 the rest is dropped.
    Records(Vec<Record>, Duration),
    /// It cannot say now.
    Failed,
}

/// One record; those that do not fit their question say nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Record {
    Naptr { order: u16, preference: u16, flags: ByteString, service: ByteString, replacement: ByteString },
    Srv { priority: u16, weight: u16, port: u16, target: ByteString },
    Address(IpAddr),
}

/// One place to send a request to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// The domain that it was found for, which its certificate must have (RFC 5922 §4).
    pub domain: ByteString,
}

/// Names a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(u64);

/// What a [`Resolver`] wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A question, once until it is answered.
    Ask(Question),
    /// The result of a lookup, best first. Empty: there is nobody.
    Resolved(LookupId, Vec<Target>),
    /// Nothing now: call [`Resolver::handle_timeout`] at this moment, where there is one.
    Wait(Option<Instant>),
}

/// Lookups, and what is known from earlier ones.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use imscore_sip::resolve::{Answer, Config, Destination, LookupId, Output, Question, Record, Resolver, Target};
/// use imscore_sip::uri::SipUri;
///
/// let now = Instant::now();
/// let mut resolver = Resolver::new(Config::new([7; 32]));
/// let uri: SipUri = "sip:bob@far.example:5070".parse()?;
/// let lookup: LookupId = resolver.resolve(Destination::of(&uri).ok_or("a transport")?, now);
/// let asked = resolver.poll_output();
/// assert_eq!(asked, Output::Ask(Question::A("far.example".into())));
///
/// let address = Record::Address("192.0.2.7".parse()?);
/// let answer = Answer::Records(vec![address], Duration::from_secs(60));
/// resolver.handle_answer(&Question::A("far.example".into()), answer, now);
/// let Output::Resolved(found, targets) = resolver.poll_output() else { panic!("it was answered") };
/// assert_eq!(found, lookup);
/// let first: &Target = &targets[0];
/// assert_eq!((first.address, first.domain.as_ref()), ("192.0.2.7:5070".parse()?, "far.example"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Resolver {
    config: Config,
    cache: Cache,
    lookups: BTreeMap<LookupId, Destination>,
    begun: u64,
    /// Questions that wait for their answer.
    asked: BTreeMap<Question, Asked>,
    /// The same by the moment at which they are given up.
    due: BTreeSet<(Instant, Question)>,
    /// Targets that failed, and until when they stand behind the others.
    failed: BTreeMap<(Transport, SocketAddr), Instant>,
    rng: ChaCha8Rng,
    outputs: VecDeque<Output>,
}

/// A question that waits for its answer: until when, and who waits for it.
struct Asked {
    until: Instant,
    lookups: Vec<LookupId>,
}

impl Resolver {
    /// One that knows nothing.
    pub fn new(config: Config) -> Resolver {
        Resolver {
            cache: Cache::default(),
            lookups: BTreeMap::new(),
            begun: 0,
            asked: BTreeMap::new(),
            due: BTreeSet::new(),
            failed: BTreeMap::new(),
            rng: ChaCha8Rng::from_seed(config.seed),
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Gives a host its addresses, whatever a name server says of it, and no services by other names.
    pub fn set_host(&mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        let name: ByteString = name.to_ascii_lowercase().into();
        let (v4, v6) = addresses.into_iter().partition::<Vec<IpAddr>, _>(IpAddr::is_ipv4);
        let records = |addresses: Vec<IpAddr>| addresses.into_iter().map(Record::Address).collect();
        self.cache.fix(Question::A(name.clone()), records(v4));
        self.cache.fix(Question::Aaaa(name.clone()), records(v6));
        self.cache.fix(Question::Naptr(name.clone()), Vec::new());
        for service in plan::SERVICES {
            self.cache.fix(Question::Srv(format!("{service}.{name}").into()), Vec::new());
        }
    }

    /// Gives a service its hosts: `_sip._udp.ims.example`.
    pub fn set_service(&mut self, name: &str, records: Vec<Record>) {
        self.cache.fix(Question::Srv(name.to_ascii_lowercase().into()), records);
    }

    /// Says where a name leads, whatever its port and whatever a name server says of it: one address more, to be tried behind
    /// those that it has. A URI that names a transport finds only those of that transport.
    pub fn add_address(&mut self, name: &str, address: Address) {
        self.cache.place(name.to_ascii_lowercase().into(), address);
    }

    /// Begins a lookup. Its result is an output, at once where all of it is known.
    pub fn resolve(&mut self, destination: Destination, now: Instant) -> LookupId {
        self.begun += 1;
        let id = LookupId(self.begun);
        if self.lookups.len() < LOOKUPS {
            self.lookups.insert(id, destination);
            self.advance(id, now);
        } else {
            self.outputs.push_back(Output::Resolved(id, Vec::new()));
        }
        id
    }

    /// Takes an answer. One that was not asked for, or that comes too late, is dropped.
    pub fn handle_answer(&mut self, question: &Question, answer: Answer, now: Instant) {
        let Some(asked) = self.asked.remove(question) else {
            return;
        };
        self.due.remove(&(asked.until, question.clone()));
        self.cache.put(question.clone(), answer, now);
        for id in asked.lookups {
            self.advance(id, now);
        }
    }

    /// Gives questions up that were not answered within 5 s, or 1.8 s where an old answer can serve.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, question)) = self.due.first().filter(|(until, _)| *until <= now).cloned() {
            self.handle_answer(&question, Answer::Failed, now);
        }
    }

    /// Says that a target failed: by its transport, by silence or by 503 (RFC 3263 §4.3). For 30 s it stands behind
    /// those that did not.
    pub fn failed(&mut self, target: &Target, now: Instant) {
        if self.failed.len() >= FAILED {
            self.failed.retain(|_, until| *until > now);
        }
        if self.failed.len() < FAILED {
            self.failed.insert((target.transport, target.address), now + ASIDE);
        }
    }

    /// Says that a target answers.
    pub fn worked(&mut self, target: &Target) {
        self.failed.remove(&(target.transport, target.address));
    }

    /// Whether a target stands behind others now.
    fn is_aside(&self, target: &Target, now: Instant) -> bool {
        self.failed.get(&(target.transport, target.address)).is_some_and(|until| *until > now)
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Output {
        match self.outputs.pop_front() {
            Some(output) => output,
            None => Output::Wait(self.due.first().map(|(until, _)| *until)),
        }
    }

    /// Finishes a lookup, or asks what it lacks.
    fn advance(&mut self, id: LookupId, now: Instant) {
        let Some(destination) = self.lookups.get(&id) else {
            return;
        };
        match plan::targets(destination, &self.config, &self.cache, &mut self.rng, now) {
            Ok(targets) => {
                self.lookups.remove(&id);
                let targets = self.put_failed_last(targets, now);
                self.outputs.push_back(Output::Resolved(id, targets));
            }
            Err(questions) => {
                for question in questions {
                    let asked = self.asked.entry(question).or_insert_with_key(|question| {
                        self.outputs.push_back(Output::Ask(question.clone()));
                        let patience = if self.cache.has_old(question, now) { PATIENCE_WITH_OLD } else { PATIENCE };
                        self.due.insert((now + patience, question.clone()));
                        Asked { until: now + patience, lookups: Vec::new() }
                    });
                    // Each lookup is told once of each answer.
                    if !asked.lookups.contains(&id) {
                        asked.lookups.push(id);
                    }
                }
            }
        }
    }

    /// Those that failed go last; one whose time is over is probed by this lookup alone.
    fn put_failed_last(&mut self, targets: Vec<Target>, now: Instant) -> Vec<Target> {
        let (mut good, mut bad) = (Vec::with_capacity(targets.len()), Vec::new());
        for target in targets {
            match self.failed.get_mut(&(target.transport, target.address)) {
                Some(until) if *until > now => bad.push(target),
                Some(until) => {
                    *until = now + ASIDE;
                    good.push(target);
                }
                None => good.push(target),
            }
        }
        good.append(&mut bad);
        good
    }
}

/// True where the next target is to be tried after this final response: 503 alone (RFC 3263 §4.3). After a transport
/// error or a time-out it always is.
pub fn fails_over(status: StatusCode) -> bool {
    status == StatusCode::SERVICE_UNAVAILABLE
}
