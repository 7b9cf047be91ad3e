//! How INVITEs were answered.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use imscore_sip::header::Via;
use imscore_sip::{Headers, Message, Method};

/// Final responses to INVITEs that an engine received, by what tells transactions from others.
#[derive(Default)]
pub(crate) struct Finals(BTreeMap<String, Answers>);

#[derive(Default)]
struct Answers {
    /// False where it never was one that must be answered.
    due: bool,
    /// True where a request had two methods, one in its first line and one in its CSeq.
    confused: bool,
    /// True where there was one before the INVITE came for the last time: then it may be over, and be told nothing more.
    before: bool,
    /// Those since. A repetition is one and the same.
    since: BTreeSet<Bytes>,
}

impl Finals {
    pub(crate) fn received(&mut self, message: &Message) {
        let Message::Request(request) = message else { return };
        // A sender of RFC 2543 is told from others by more than that.
        if !request.headers.branch().is_some_and(|branch| branch.starts_with("z9hG4bK")) {
            return;
        }
        let Some(transaction) = transaction_of(&request.headers) else { return };
        match (request.is(&Method::Invite), is_invite(&request.headers)) {
            (true, true) => {
                let answers = self.0.entry(transaction).or_default();
                answers.before |= !std::mem::take(&mut answers.since).is_empty();
                answers.due |= request.check().is_ok();
            }
            // Nobody could tell what a response to it is to.
            (true, false) | (false, true) => self.0.entry(transaction).or_default().confused = true,
            (false, false) => {}
        }
    }

    pub(crate) fn sent(&mut self, message: &Message, bytes: &Bytes) {
        if let Message::Response(response) = message
            && response.status().is_final()
            && is_invite(&response.headers)
            && let Some(transaction) = transaction_of(&response.headers)
            && let Some(answers) = self.0.get_mut(&transaction)
        {
            answers.since.insert(bytes.clone());
        }
    }

    /// At the end each has one answer, or any number of 2xx of as many branches.
    pub(crate) fn check(&self, excused: &BTreeSet<String>) {
        for (transaction, answers) in &self.0 {
            let count = answers.since.len();
            let accepted = answers.since.iter().filter(|response| response.starts_with(b"SIP/2.0 2")).count();
            let one = count == 1 || count == accepted && (count > 0 || answers.before || !answers.due);
            assert!(
                one || answers.confused || excused.contains(transaction),
                "{transaction} got {accepted} 2xx among {:?}",
                answers.since
            );
        }
    }
}

fn is_invite(headers: &Headers) -> bool {
    headers.cseq().is_ok_and(|cseq| cseq.method == Method::Invite)
}

/// RFC 3261 §17.2.3: branch and sent-by.
pub(crate) fn transaction_of(headers: &Headers) -> Option<String> {
    let via: Via = headers.first().ok()?;
    Some(format!("{} of {}:{:?}", via.branch()?, via.host(), via.port()))
}
