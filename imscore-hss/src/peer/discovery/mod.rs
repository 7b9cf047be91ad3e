//! The Diameter nodes of a realm, found by name (RFC 6733 §5.2): questions for name servers come out, answers go in, and a
//! list of peers is the result, best first, asked for anew when it runs out.
//!
//! ```text
//!   realm ─▶ NAPTR ─▶ aaa+ap16777216:diameter.tcp   S-NAPTR (RFC 6408, RFC 3958)
//!     │               AAA+D2T                       as RFC 3588 had it
//!     │                 │ "s"      │ "a"      │ ""
//!     │ none            ▼          ▼          ▼
//!     └─────────────▶ SRV ───────▶ A, AAAA   NAPTR of another name
//! ```
//!
//! [`Discovery`] is an engine without socket and clock: give it one input, then call [`Discovery::poll_output`] until it says
//! [`Output::Wait`]. What it finds is for [`Peers::set_found`](super::Peers::set_found).
//!
//! ```
//! use std::time::Duration;
//! use imscore_hss::diameter::ApplicationId;
//! use imscore_hss::peer::discovery::{Answer, Discovery, Output, Question, Record, Search};
//!
//! let (now, minute) = (Duration::ZERO, Duration::from_secs(60));
//! let mut discovery = Discovery::new(Search::new("ims.example", ApplicationId::CX), 1);
//! discovery.start(now);
//! let mut peers = Vec::new();
//! while let Output::Ask(question) = discovery.poll_output() {
//!     let record = match &question {
//!         Question::Naptr(_) => None,
//!         Question::Srv(_) => Some(Record::srv(0, 1, 3868, "hss.ims.example")),
//!         Question::A(_) | Question::Aaaa(_) => Some(Record::Address([192, 0, 2, 1].into())),
//!     };
//!     discovery.handle_answer(&question, Answer::Records(record.into_iter().collect(), minute), now);
//!     while let Output::Found(found) = discovery.poll_output() {
//!         peers = found.unwrap();
//!     }
//! }
//! ```
//!
//! Whoever can write into the answers of a name server could send us anywhere, so that what is found is held against the
//! realm: a host has to be in it, or in one of [`Search::domains`], and over TLS its certificate has to have the host's
//! name. RFC 6733 §5.2 asks for as much of certificates alone.
//!
//! Deviation: what was found stays in use for a day while name servers do not answer (RFC 8767), and is not asked for more
//! often than every ten seconds.

mod plan;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

use super::{PeerSettings, Transport};
use crate::diameter::ApplicationId;

/// How long one question waits for its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Shortest and longest time that what was found holds.
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(86_400);
/// How long what was found serves beyond its time while name servers do not answer.
const STALE: Duration = Duration::from_secs(86_400);
/// The first wait after a failure, and the longest: it doubles.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(30);
/// The longest time that it holds that there is nobody.
const NOBODY: Duration = Duration::from_secs(300);
/// Records of one answer that are looked at.
const RECORDS: usize = 64;

/// Whom to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Search {
    /// The realm whose nodes are looked for.
    pub realm: String,
    /// The application that they have to speak.
    pub application: ApplicationId,
    /// What we can speak, best first; it decides where the realm has no preference. TCP.
    pub transports: Vec<Transport>,
    /// Domains besides the realm that hosts may be in. None.
    pub domains: Vec<String>,
    /// Whether IPv6 addresses are asked for; they go behind those of IPv4. No.
    pub ipv6: bool,
    /// Most peers, the best of those that are found. 8.
    pub max_peers: usize,
    /// Whether requests are taken from them. Yes.
    pub may_ask: bool,
}

impl Search {
    /// With the defaults that are named at each setting.
    pub fn new(realm: impl Into<String>, application: ApplicationId) -> Search {
        Search {
            realm: realm.into(),
            application,
            transports: vec![Transport::Tcp],
            domains: Vec::new(),
            ipv6: false,
            max_peers: 8,
            may_ask: true,
        }
    }
}

/// What to ask a name server; names are in lower case, without a dot at their end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Which services a domain has (RFC 3403).
    Naptr(String),
    /// Which hosts have a service (RFC 2782).
    Srv(String),
    /// The IPv4 addresses of a host.
    A(String),
    /// Its IPv6 addresses.
    Aaaa(String),
}

/// What a name server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Records, maybe none, and for how long they hold. Of more than 64 the rest is dropped.
    Records(Vec<Record>, Duration),
    /// Nobody can say now.
    Failed,
}

/// One record; those that do not fit their question say nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Record {
    Naptr { order: u16, preference: u16, flags: String, service: String, replacement: String },
    Srv { priority: u16, weight: u16, port: u16, target: String },
    Address(IpAddr),
}

impl Record {
    /// A host of a service.
    pub fn srv(priority: u16, weight: u16, port: u16, target: impl Into<String>) -> Record {
        Record::Srv { priority, weight, port, target: target.into() }
    }

    /// A service of a domain.
    pub fn naptr(rank: (u16, u16), flags: &str, service: &str, replacement: &str) -> Record {
        let ((order, preference), [flags, service, replacement]) =
            (rank, [flags, service, replacement].map(str::to_owned));
        Record::Naptr { order, preference, flags, service, replacement }
    }
}

/// Why nobody was found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotFound {
    /// The answers are still to come.
    #[error("name servers are being asked for {0}")]
    Asking(String),
    /// Nobody answers, or who answers cannot say.
    #[error("no name server says anything of {0}")]
    Silent(String),
    /// Nothing is written there.
    #[error("{0} has neither NAPTR nor SRV records of Diameter: write some, or give the peer's address")]
    NoRecord(String),
    /// Something else is written there.
    #[error("the NAPTR records of {0} have no transport of ours for the application")]
    NoService(String),
    /// NAPTR records lead in a circle.
    #[error("the NAPTR records of {0} lead in a circle")]
    Circle(String),
    /// The host is not one of the realm.
    #[error("{0} is not in the realm: allow its domain if it is to be a peer")]
    Outside(String),
    /// The host cannot be connected to.
    #[error("{0} has no address")]
    NoAddress(String),
}

/// What the engine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask a name server; say [`Discovery::handle_answer`].
    Ask(Question),
    /// From now on these are the peers, or there are none.
    Found(Result<Vec<PeerSettings>, NotFound>),
    /// Nothing now: call [`Discovery::handle_timeout`] at this time, where there is one.
    Wait(Option<Duration>),
}

/// Looks for the nodes of one realm, again and again.
#[derive(Debug)]
pub struct Discovery {
    search: Search,
    seed: u64,
    /// What was answered in this round.
    known: BTreeMap<Question, Answer>,
    /// What was not, and until when it is waited for.
    asked: BTreeMap<Question, Duration>,
    /// When the next round begins.
    next: Option<Duration>,
    /// Until when what was found serves without an answer.
    stale: Option<Duration>,
    /// The wait after the next failure.
    retry: Duration,
    output: VecDeque<Output>,
}

impl Discovery {
    /// One at rest. `seed` chooses among more hosts than [`Search::max_peers`], the same ones each time.
    pub fn new(mut search: Search, seed: u64) -> Discovery {
        for domain in search.domains.iter_mut().chain([&mut search.realm]) {
            domain.truncate(domain.trim_end_matches('.').len());
        }
        Discovery {
            search,
            seed,
            known: BTreeMap::new(),
            asked: BTreeMap::new(),
            next: None,
            stale: None,
            retry: RETRY,
            output: VecDeque::new(),
        }
    }

    /// Begins to ask.
    pub fn start(&mut self, now: Duration) {
        self.advance(now);
    }

    /// Takes an answer. One that was not asked for, or that comes too late, is dropped.
    pub fn handle_answer(&mut self, question: &Question, mut answer: Answer, now: Duration) {
        if self.asked.remove(question).is_none() {
            return;
        }
        if let Answer::Records(records, _) = &mut answer {
            records.truncate(RECORDS);
        }
        self.known.insert(question.clone(), answer);
        self.advance(now);
    }

    /// The time of the last [`Output::Wait`] has come.
    pub fn handle_timeout(&mut self, now: Duration) {
        let late = |(question, until): (&Question, &Duration)| (*until <= now).then(|| question.clone());
        let late: Vec<_> = self.asked.iter().filter_map(late).collect();
        for question in late {
            self.handle_answer(&question, Answer::Failed, now);
        }
        if self.next.is_some_and(|next| next <= now) {
            self.next = None;
            self.advance(now);
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Output {
        match self.output.pop_front() {
            Some(output) => output,
            None => Output::Wait(self.asked.values().copied().chain(self.next).min()),
        }
    }

    /// Ends the round, or asks what it lacks.
    fn advance(&mut self, now: Duration) {
        match plan::plan(&self.search, self.seed, &self.known, &self.asked) {
            Err(missing) => {
                for question in missing {
                    if !self.asked.contains_key(&question) {
                        self.output.push_back(Output::Ask(question.clone()));
                        self.asked.insert(question, now + PATIENCE);
                    }
                }
            }
            Ok(plan::Plan { found, lasts, whole }) => {
                self.known.clear();
                self.asked.clear();
                let wait = self.finish(found, lasts.clamp(SHORTEST, LONGEST), whole, now);
                self.next = Some(now + wait);
            }
        }
    }

    /// Says what was found. Returns how long until the next round.
    fn finish(
        &mut self,
        found: Result<Vec<PeerSettings>, NotFound>,
        lasts: Duration,
        whole: bool,
        now: Duration,
    ) -> Duration {
        let later = |discovery: &mut Discovery| {
            let wait = discovery.retry;
            discovery.retry = (wait * 2).min(RETRY_MOST);
            wait
        };
        match found {
            Ok(peers) => {
                self.output.push_back(Output::Found(Ok(peers)));
                self.stale = Some(now + lasts + STALE);
                // What could not be said of some of them may be said soon.
                if !whole {
                    return later(self).max(SHORTEST);
                }
                self.retry = RETRY;
                lasts
            }
            // RFC 8767 §4: what was true may still be.
            Err(NotFound::Silent(_)) if self.stale.is_some_and(|until| now < until) => later(self),
            Err(not_found) => {
                self.stale = None;
                let silent = matches!(not_found, NotFound::Silent(_));
                self.output.push_back(Output::Found(Err(not_found)));
                if silent { later(self) } else { lasts.min(NOBODY) }
            }
        }
    }
}

/// True for a host that is the domain, or in it.
pub(super) fn is_in(host: &str, domain: &str) -> bool {
    let (host, domain) = (host.as_bytes(), domain.as_bytes());
    let Some(at) = host.len().checked_sub(domain.len()) else { return false };
    let (before, end) = host.split_at(at);
    !domain.is_empty() && end.eq_ignore_ascii_case(domain) && matches!(before.last(), None | Some(b'.'))
}
