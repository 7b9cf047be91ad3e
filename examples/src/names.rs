//! Name servers for Diameter: the DNS client of `imscore-sip`, as `imscore-hss` asks for it.

use async_trait::async_trait;
use imscore_hss::peer::discovery::{Answer, Question, Record};
use imscore_hss::tokio::Names;
use imscore_sip::resolve;
use imscore_sip::tokio::NameServers;

/// Asks these name servers.
#[derive(Clone, Debug)]
pub struct DiameterNames(pub NameServers);

#[async_trait]
impl Names for DiameterNames {
    async fn ask(&self, question: &Question) -> Answer {
        let question = match question {
            Question::Naptr(name) => resolve::Question::Naptr(name.as_str().into()),
            Question::Srv(name) => resolve::Question::Srv(name.as_str().into()),
            Question::A(name) => resolve::Question::A(name.as_str().into()),
            Question::Aaaa(name) => resolve::Question::Aaaa(name.as_str().into()),
        };
        match self.0.answer(&question).await {
            resolve::Answer::Records(records, lasts) => Answer::Records(records.iter().map(record).collect(), lasts),
            resolve::Answer::Failed => Answer::Failed,
        }
    }
}

fn record(of: &resolve::Record) -> Record {
    match of {
        resolve::Record::Naptr { order, preference, flags, service, replacement } => {
            Record::naptr((*order, *preference), flags, service, replacement)
        }
        resolve::Record::Srv { priority, weight, port, target } => {
            Record::srv(*priority, *weight, *port, target.to_string())
        }
        resolve::Record::Address(address) => Record::Address(*address),
    }
}
