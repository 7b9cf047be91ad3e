//! User agents: what a phone or a server at the end of a call does on top of transactions.
//!
//! [`Callee`] is the side that is called (RFC 3261 §8.2, §12, §13.3): it takes INVITE, keeps the dialogs, repeats a 2xx
//! until its ACK comes, and answers for itself what has only one right answer. Its owner gets what is left: whether to
//! take the call, and requests such as MESSAGE and OPTIONS. [`Locations`] is what a registrar keeps (§10.3).

mod call;
mod callee;
mod locations;
#[cfg(test)]
mod tests;

use bytestring::ByteString;

pub use callee::Callee;
pub use locations::{Locations, Terms};

use crate::message::{Method, Request};
use crate::transaction::{self, ServerId};
use crate::transport::Flow;

/// Settings of a [`Callee`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Of the transaction layer.
    pub transactions: transaction::Config,
    /// Calls at one time, those that ring among them. Above it an INVITE gets 486.
    pub calls: usize,
    /// User part of the Contact.
    pub user: ByteString,
    /// Methods that are served beside ACK, BYE, CANCEL and INVITE. Others get 405.
    pub methods: Vec<Method>,
    /// Option tags that a Require may name. Others get 420.
    pub supported: Vec<ByteString>,
}

impl Config {
    /// The defaults, over this transaction layer: 10,000 calls, MESSAGE and OPTIONS, no extension.
    pub fn new(transactions: transaction::Config) -> Config {
        Config {
            transactions,
            calls: 10_000,
            user: ByteString::from_static("callee"),
            methods: vec![Method::Message, Method::Options],
            supported: Vec::new(),
        }
    }
}

/// Names a dialog, as its callee sees it (RFC 3261 §12).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DialogId {
    /// The Call-ID of its requests.
    pub call_id: ByteString,
    /// Our tag.
    pub local_tag: ByteString,
    /// The tag of the other side; empty for one that has none (RFC 3261 §12.1.1).
    pub remote_tag: ByteString,
}

/// What a [`Callee`] tells its owner.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// A request that waits for [`Callee::respond`]: an INVITE, a re-INVITE (it has a To tag), or another of
    /// [`Config::methods`].
    Request {
        /// Its transaction.
        id: ServerId,
        /// The request.
        request: Request,
        /// The way that it came.
        flow: Flow,
    },
    /// The caller gave up before there was an answer. It has got 487.
    Cancelled {
        /// The transaction of its INVITE.
        id: ServerId,
    },
    /// The ACK came: the call is up, or goes on after a re-INVITE.
    Confirmed {
        /// The ACK, with the answer in it where the offer was in our 2xx.
        ack: Request,
        /// Its dialog.
        dialog: DialogId,
    },
    /// A call is over.
    Ended {
        /// Its dialog.
        dialog: DialogId,
        /// How it came to its end.
        by: Ended,
    },
}

/// How a call came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By a BYE of the other side, which was answered.
    Bye,
    /// No ACK came within 64*T1 of the 2xx; a BYE was sent (RFC 3261 §13.3.1.4).
    NoAck,
}
