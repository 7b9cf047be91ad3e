//! Name servers, over UDP, and over TCP where an answer is too long for a datagram (RFC 1035 §4.2.1).
//!
//! Each question has a task of its own, so that a slow answer holds up nobody but who waits for it. Nothing is kept here:
//! what was answered, and for how long it holds, is for the engine's [`Resolver`](crate::resolve::Resolver) to know.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytestring::ByteString;
use hickory_net::NetError;
use hickory_net::proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Query, ResponseCode};
use hickory_net::proto::rr::{Name, RData, RecordType};
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::{DnsExchange, DnsHandle, DnsRequestSender, FirstAnswer};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::resolve::{Answer, Question, Record};

/// Questions at one time, each with a socket. One more fails at once.
const QUESTIONS: usize = 512;

/// How long all that one question takes may last: less than a resolver waits.
const PATIENCE: Duration = Duration::from_millis(4_500);

/// How long one name server has for an answer, if there is another.
const TURN: Duration = Duration::from_millis(1_500);

/// When a datagram is repeated, and how many of them go out in all.
const REPEAT: Duration = Duration::from_millis(500);
const DATAGRAMS: u8 = 3;

/// Names that lead to another name, one behind the other (RFC 1034 §3.6.2).
const ALIASES: usize = 8;

/// Records of one answer that are read.
const RECORDS: usize = 64;

/// How long it holds that a name which cannot be one leads nowhere.
pub(super) const NO_NAME: Duration = Duration::from_secs(3_600);

/// Name servers that answer for the whole tree of names, the first before the others. They are asked in turn until one
/// can say something.
///
/// ```
/// use imscore_sip::tokio::{NameServers, Settings};
///
/// let mut settings = Settings::default();
/// settings.name_servers = Some(NameServers::new(["192.0.2.53:53".parse()?]));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServers(Arc<[SocketAddr]>);

impl NameServers {
    /// Those at these addresses.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> NameServers {
        NameServers(addresses.into_iter().collect())
    }

    /// Those of this machine, as `/etc/resolv.conf` has them.
    ///
    /// # Errors
    /// The file cannot be read, or not understood.
    pub fn of_system() -> io::Result<NameServers> {
        let text = std::fs::read("/etc/resolv.conf")?;
        let parsed = resolv_conf::Config::parse(text).map_err(io::Error::other)?;
        Ok(NameServers::new(parsed.nameservers.iter().map(|server| SocketAddr::new(server.into(), 53))))
    }

    /// Where they are.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.0
    }

    /// What they say, within 4.5 s. Aliases are followed, eight of them at most.
    pub async fn answer(&self, question: &Question) -> Answer {
        let (name, kind) = match question {
            Question::Naptr(name) => (name, RecordType::NAPTR),
            Question::Srv(name) => (name, RecordType::SRV),
            Question::A(name) => (name, RecordType::A),
            Question::Aaaa(name) => (name, RecordType::AAAA),
        };
        // With a dot at its end, so that no domain is put behind it.
        let Ok(name) = Name::from_ascii(format!("{}.", name.trim_end_matches('.'))) else {
            return Answer::Records(Vec::new(), NO_NAME);
        };
        let search = Search { name, kind, aliases: 0, shortest: u32::MAX };
        timeout(PATIENCE, self.search(search)).await.unwrap_or(Answer::Failed)
    }

    /// Asks, and asks for the name behind an alias where the answer has not said all.
    async fn search(&self, mut search: Search) -> Answer {
        loop {
            let Some(response) = self.ask(&search.name, search.kind).await else { return Answer::Failed };
            if let Some(answer) = search.read(&response) {
                return answer;
            }
        }
    }

    /// What the first server that can says of a name.
    async fn ask(&self, name: &Name, kind: RecordType) -> Option<DnsResponse> {
        for (at, server) in self.0.iter().enumerate() {
            let turn = if at + 1 < self.0.len() { TURN } else { PATIENCE };
            match timeout(turn, exchange(*server, name, kind)).await {
                Ok(Ok(response)) => {
                    let code = response.metadata.response_code;
                    if code == ResponseCode::NoError || is_nowhere(&response) {
                        return Some(response);
                    }
                    tracing::debug!(%server, %name, %kind, %code, "a name server refuses");
                }
                Ok(Err(error)) => tracing::debug!(%server, %name, %kind, %error, "no answer of a name server"),
                Err(_) => tracing::debug!(%server, %name, %kind, "a name server is silent"),
            }
        }
        None
    }
}

/// One question to one server: over UDP, and over TCP when the answer was cut short.
async fn exchange(server: SocketAddr, name: &Name, kind: RecordType) -> Result<DnsResponse, NetError> {
    let request = || DnsRequest::from_query(Query::query(name.clone(), kind), DnsRequestOptions::default());
    // What it runs beside us ends with it.
    let provider = TokioRuntimeProvider::new();
    let datagrams = UdpClientStream::builder(server, provider.clone())
        .with_timeout(Some(PATIENCE))
        .with_max_retries(DATAGRAMS)
        .with_retry_interval_floor(REPEAT.as_millis() as u64);
    let response = datagrams.build().send_message(request()).first_answer().await?;
    if !response.metadata.truncation {
        return Ok(response);
    }
    let stream: DnsExchange<_> = TcpClientStream::exchange(server, None, PATIENCE, None, provider.clone()).await?;
    stream.send(request()).first_answer().await
}

/// Of what name records are wanted, and what was said so far.
struct Search {
    name: Name,
    kind: RecordType,
    /// How many names led to this one.
    aliases: usize,
    /// The shortest time that anything holds, in seconds.
    shortest: u32,
}

impl Search {
    /// What a response comes to. `None`: it names an alias, of which it says nothing.
    fn read(&mut self, response: &DnsResponse) -> Option<Answer> {
        let before = self.aliases;
        loop {
            let records = self.records(response);
            if !records.is_empty() {
                return Some(self.answer(records));
            }
            match self.alias(response) {
                Some(_) if self.aliases >= ALIASES => return Some(Answer::Failed),
                Some(alias) => {
                    self.aliases += 1;
                    self.name = alias;
                }
                // A server that knows one zone says nothing of what its aliases lead to in another.
                None if self.aliases > before && response.soa().is_none() && !is_nowhere(response) => return None,
                None => {
                    // RFC 2308 §5: how long that holds, the start of the zone says.
                    self.shortest = self.shortest.min(response.negative_ttl().unwrap_or_default());
                    return Some(self.answer(Vec::new()));
                }
            }
        }
    }

    fn records(&mut self, response: &DnsResponse) -> Vec<Record> {
        let mut records = Vec::new();
        for found in response.answers.iter().filter(|it| it.name == self.name && it.record_type() == self.kind) {
            self.shortest = self.shortest.min(found.ttl);
            if records.len() < RECORDS {
                records.extend(record(&found.data));
            }
        }
        records
    }

    fn alias(&mut self, response: &DnsResponse) -> Option<Name> {
        response.answers.iter().filter(|it| it.name == self.name).find_map(|it| {
            let RData::CNAME(alias) = &it.data else { return None };
            self.shortest = self.shortest.min(it.ttl);
            Some(alias.0.clone())
        })
    }

    fn answer(&self, records: Vec<Record>) -> Answer {
        Answer::Records(records, Duration::from_secs(self.shortest.into()))
    }
}

/// RFC 2308 §2.1.
fn is_nowhere(response: &DnsResponse) -> bool {
    response.metadata.response_code == ResponseCode::NXDomain
}

// A wildcard: of the types of others, which no enum ends, none is asked for.
#[allow(clippy::wildcard_enum_match_arm)]
fn record(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(address) => Record::Address(address.0.into()),
        RData::AAAA(address) => Record::Address(address.0.into()),
        RData::SRV(srv) => {
            Record::Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target: text(&srv.target) }
        }
        RData::NAPTR(naptr) => Record::Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: String::from_utf8_lossy(&naptr.flags).into_owned().into(),
            service: String::from_utf8_lossy(&naptr.services).into_owned().into(),
            replacement: text(&naptr.replacement),
        },
        _ => return None,
    })
}

fn text(name: &Name) -> ByteString {
    name.to_ascii().into()
}

/// The questions of one endpoint.
pub(super) struct Names {
    servers: Option<NameServers>,
    asked: JoinSet<(Question, Answer)>,
    waker: Waker,
}

impl Names {
    pub(super) fn new(servers: Option<NameServers>, waker: Waker) -> Names {
        Names { servers, asked: JoinSet::new(), waker }
    }

    /// Asks. `Err`: there is nobody to ask, or too much is asked already.
    pub(super) fn ask(&mut self, question: Question) -> Result<(), Question> {
        let Some(servers) = self.servers.clone().filter(|_| self.asked.len() < QUESTIONS) else {
            return Err(question);
        };
        self.asked.spawn(async move {
            let answer = servers.answer(&question).await;
            (question, answer)
        });
        self.waker.wake_by_ref();
        Ok(())
    }

    /// The next answer.
    pub(super) fn poll(&mut self) -> Poll<(Question, Answer)> {
        loop {
            return match self.asked.poll_join_next(&mut Context::from_waker(&self.waker)) {
                Poll::Ready(Some(Ok(answered))) => Poll::Ready(answered),
                // One that panicked; its question is given up by who asked it.
                Poll::Ready(Some(Err(_))) => continue,
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            };
        }
    }
}
