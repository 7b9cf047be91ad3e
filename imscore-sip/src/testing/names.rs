//! What a name server says in a network.

use std::collections::BTreeMap;
use std::time::Duration;

use bytestring::ByteString;

use crate::resolve::{Answer, Question, Record};

/// A name server, which every engine of a [`Network`](super::Network) asks. Until there is one, every question fails.
///
/// ```
/// use imscore_sip::testing::{NameServer, Network};
///
/// let zone = "
///     ims.example            NAPTR 10 1 s SIP+D2U _sip._udp.ims.example
///     _sip._udp.ims.example  SRV   1 0 5060 a.ims.example
///     a.ims.example          A     192.0.2.1";
/// Network::new(0).add_name_server(NameServer::new(zone));
/// ```
#[derive(Clone, Debug)]
pub struct NameServer {
    records: BTreeMap<Question, Vec<Record>>,
    ttl: Duration,
    delay: Duration,
    manners: BTreeMap<ByteString, Manner>,
    is_down: bool,
    asked: Vec<Question>,
}

/// How questions for a name are answered, if not by its records.
#[derive(Clone, Copy, Debug)]
enum Manner {
    After(Duration),
    Fails,
}

impl NameServer {
    /// One that has these records, one a line: a name, a type, and what RFC 2782 and RFC 3403 have for it. They hold for a
    /// minute.
    ///
    /// # Panics
    /// On a line that is no record.
    #[track_caller]
    pub fn new(zone: &str) -> NameServer {
        let mut records = BTreeMap::<Question, Vec<Record>>::new();
        for line in zone.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (question, record) = read(line).unwrap_or_else(|| panic!("no record: {line}"));
            records.entry(question).or_default().push(record);
        }
        let (ttl, delay) = (Duration::from_secs(60), Duration::ZERO);
        NameServer { records, ttl, delay, manners: BTreeMap::new(), is_down: false, asked: Vec::new() }
    }

    /// Answers after this long.
    #[must_use]
    pub fn after(self, delay: Duration) -> NameServer {
        NameServer { delay, ..self }
    }

    /// Answers questions for that name after this long.
    #[must_use]
    pub fn slow(mut self, name: &str, delay: Duration) -> NameServer {
        self.manners.insert(name.into(), Manner::After(delay));
        self
    }

    /// Cannot say anything of that name.
    #[must_use]
    pub fn failing(mut self, name: &str) -> NameServer {
        self.manners.insert(name.into(), Manner::Fails);
        self
    }

    /// Is silent from now on, or no longer.
    pub fn set_down(&mut self, is_down: bool) {
        self.is_down = is_down;
    }

    /// What it was asked, in order.
    pub fn asked(&self) -> &[Question] {
        &self.asked
    }

    /// What it says, and after how long. `None`: nothing.
    pub(super) fn ask(&mut self, question: &Question) -> Option<(Duration, Answer)> {
        self.asked.push(question.clone());
        if self.is_down {
            return None;
        }
        let (Question::Naptr(name) | Question::Srv(name) | Question::A(name) | Question::Aaaa(name)) = question;
        let records = || Answer::Records(self.records.get(question).cloned().unwrap_or_default(), self.ttl);
        Some(match self.manners.get(name) {
            Some(Manner::After(delay)) => (*delay, records()),
            Some(Manner::Fails) => (self.delay, Answer::Failed),
            None => (self.delay, records()),
        })
    }
}

fn read(line: &str) -> Option<(Question, Record)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (name, record) = words.split_first()?;
    let name = ByteString::from(*name);
    Some(match *record {
        ["NAPTR", order, preference, flags, service, replacement] => {
            let (order, preference) = (order.parse().ok()?, preference.parse().ok()?);
            let (flags, service, replacement) = (flags.into(), service.into(), replacement.into());
            (Question::Naptr(name), Record::Naptr { order, preference, flags, service, replacement })
        }
        ["SRV", priority, weight, port, target] => {
            let (priority, weight, port) = (priority.parse().ok()?, weight.parse().ok()?, port.parse().ok()?);
            (Question::Srv(name), Record::Srv { priority, weight, port, target: target.into() })
        }
        ["A", address] => (Question::A(name), Record::Address(address.parse().ok()?)),
        ["AAAA", address] => (Question::Aaaa(name), Record::Address(address.parse().ok()?)),
        _ => return None,
    })
}
