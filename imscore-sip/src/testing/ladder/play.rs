//! Goes through a script: says what peers say, holds what engines do against the lines.

use std::time::Duration;

use super::failure::{Failure, Fault};
use super::happening::Happening;
use super::script::{Arrow, Line, What, Word};
use super::{Ladder, Peer};
use crate::testing::phone::NothingToSend;
use crate::testing::{Bind, Draft, sdp_offer};
use crate::transport::{Address, Transport};

/// How long after a line that is not met the network goes on, to see whether it is late only.
const PATIENCE: Duration = Duration::from_secs(200);

/// One run of a script.
pub(super) struct Play<'a> {
    pub(super) ladder: &'a mut Ladder,
    pub(super) lines: &'a [Line],
    /// What happened and was not named yet, in order.
    pub(super) unnamed: Vec<Happening>,
}

impl Play<'_> {
    pub(super) fn run(mut self) -> Result<(), Failure> {
        for at in 0..self.lines.len() {
            match &self.lines[at].what {
                What::Step(time) => self.wait(at, *time)?,
                What::Arrow(arrow) if self.ladder.peer_named(&arrow.from.name).is_some() => self.say(at, arrow)?,
                What::Arrow(arrow) => self.expect(at, arrow)?,
            }
        }
        self.all_named(self.lines.len())
    }

    /// Lets everything happen that is due now.
    fn settle(&mut self) {
        self.ladder.network.settle();
        self.ladder.collect(&mut self.unnamed);
    }

    /// Before time passes, before a peer says something and at the end everything sent has been named.
    fn all_named(&mut self, at: usize) -> Result<(), Failure> {
        self.settle();
        match self.unnamed.is_empty() {
            true => Ok(()),
            false => Err(self.unexpected(at)),
        }
    }

    fn wait(&mut self, at: usize, time: Duration) -> Result<(), Failure> {
        self.all_named(at)?;
        let until = self.ladder.network.passed() + time;
        self.ladder.network.run_until(until);
        self.ladder.collect(&mut self.unnamed);
        match self.unnamed.first() {
            Some(first) if first.at < until => Err(self.unexpected(at)),
            _ => Ok(()),
        }
    }

    fn expect(&mut self, at: usize, arrow: &Arrow) -> Result<(), Failure> {
        self.settle();
        let known = &self.ladder.known;
        let Some(first) = self.unnamed.first() else {
            return Err(self.absent(at, arrow));
        };
        let mut differences = first.differences(arrow, known);
        if differences.is_empty() && self.is_stray(first) {
            differences.push("no request of that peer has its branch and method".to_string());
        }
        if differences.is_empty() {
            let named = self.unnamed.remove(0);
            named.remember(&mut self.ladder.known);
            return Ok(());
        }
        let resembling = self.unnamed.iter().position(|later| later.resembles(arrow, known));
        let is_next =
            |happening: &Happening| self.next_arrow(at + 1).is_some_and(|next| happening.resembles(next, known));
        let (fault, why) = match resembling {
            Some(0) => (Fault::Different, differences.join("; ")),
            Some(_) => (Fault::Order, "something else came first".to_string()),
            None if is_next(first) => (Fault::Missing, "this did not happen, what the next line names did".to_string()),
            None => (Fault::Different, differences.join("; ")),
        };
        let details: Vec<String> = first.in_full().into_iter().collect();
        Err(Failure::shown(fault, self.lines, at, &self.unnamed, (&why, &details)))
    }

    /// True for a response to a peer that belongs to nothing the peer has sent.
    fn is_stray(&self, happening: &Happening) -> bool {
        let Some((name, response)) = happening.response() else {
            return false;
        };
        let peer = self.ladder.peer_named(&name);
        peer.is_some_and(|peer| !self.ladder.network.engine(peer.host).has_asked(response))
    }

    /// The next line that names something, where no peer speaks and no time passes before it.
    fn next_arrow(&self, from: usize) -> Option<&Arrow> {
        self.arrows(from, false).next()
    }

    fn arrows(&self, from: usize, over_breaks: bool) -> impl Iterator<Item = &Arrow> {
        let lines = self.lines.get(from..).unwrap_or_default().iter();
        let is_named = |arrow: &Arrow| self.ladder.peer_named(&arrow.from.name).is_none();
        lines
            .map_while(move |line| match &line.what {
                What::Arrow(arrow) if is_named(arrow) => Some(Some(arrow)),
                What::Step(_) | What::Arrow(_) => over_breaks.then_some(None),
            })
            .flatten()
    }

    /// Something happened that no line has named before the break at `at`.
    fn unexpected(&mut self, at: usize) -> Failure {
        let known = &self.ladder.known;
        let first = &self.unnamed[0];
        let is_early = self.arrows(at, true).next().is_some_and(|next| first.resembles(next, known));
        let (fault, why) = match is_early {
            true => (Fault::Early, format!("came at {}, before its line", super::Seconds(first.at))),
            false => (Fault::Extra, "something happened that no line names".to_string()),
        };
        let details: Vec<String> = first.in_full().into_iter().collect();
        Failure::shown(fault, self.lines, at, &self.unnamed, (&why, &details))
    }

    /// Nothing happened at a line; perhaps it does later.
    fn absent(&mut self, at: usize, arrow: &Arrow) -> Failure {
        let now = self.ladder.network.passed();
        let mut after = Vec::new();
        while after.len() < 1000 && self.ladder.network.next_time().is_some_and(|next| next <= now + PATIENCE) {
            self.ladder.network.step();
            self.ladder.collect(&mut after);
            let late = after.iter().position(|later| later.resembles(arrow, &self.ladder.known));
            if let Some(late) = late {
                let why = format!("came at {}, not at {}", super::Seconds(after[late].at), super::Seconds(now));
                return Failure::shown(Fault::Late, self.lines, at, &after[..=late], (&why, &[]));
            }
        }
        let why = match after.len() {
            0 => "this did not happen, and nothing else either".to_string(),
            count => format!("this did not happen; what came later ({count}) is not it"),
        };
        after.truncate(5);
        Failure::shown(Fault::Missing, self.lines, at, &after, (&why, &[]))
    }

    fn say(&mut self, at: usize, arrow: &Arrow) -> Result<(), Failure> {
        self.all_named(at)?;
        let number = self.lines[at].number;
        let fail = |cause: String| Failure::of_script(number, cause);
        let ladder = &mut *self.ladder;
        let Some(Peer { host, transport, .. }) = ladder.peer_named(&arrow.from.name).cloned() else {
            return Err(fail(format!("no peer is named {}", arrow.from)));
        };
        if arrow.subject == "close" {
            ladder.network.disconnect(&arrow.from.name, &ladder.host_of(&arrow.to.name));
            return Ok(());
        }
        let transport = arrow.from.transport.or(arrow.to.transport).unwrap_or(transport);
        let to = ladder.address(&arrow.to.name, transport);
        let to = to.ok_or_else(|| fail(format!("{} does not listen on {transport}", arrow.to)))?;
        if let Some(raw) = arrow.subject.strip_prefix('$') {
            let Some(draft) = ladder.drafts.get(raw).cloned() else {
                return Err(fail(format!("no message is named {raw}")));
            };
            let draft = edited(draft, &arrow.words).map_err(fail)?;
            ladder.network.with(host, |phone, _| phone.send(draft, to));
            return Ok(());
        }
        let (with, user, password) = (arrow.option("with"), arrow.option("user"), arrow.option("password"));
        let (is_again, is_reliable) = (arrow.has_flag("again"), arrow.has_flag("100rel"));
        let object = arrow.object.as_deref();
        let edits = |draft: Draft| edited(draft, &arrow.words);
        let said = ladder.network.with(host, |phone, _| -> Result<(), String> {
            let nothing = |cause: NothingToSend| cause.to_string();
            if let Ok(status) = arrow.subject.parse::<u16>() {
                let draft = phone.response(status, object).map_err(nothing)?;
                let draft = if is_reliable { phone.reliably(draft) } else { draft };
                phone.reply(edits(draft)?);
            } else if is_again {
                phone.send_again(&arrow.subject).map_err(nothing)?;
            } else {
                let draft = match object {
                    None => phone.next(&arrow.subject, with).map_err(nothing)?,
                    Some(target) => match ["ACK", "BYE", "CANCEL", "PRACK", "UPDATE"].contains(&arrow.subject.as_str())
                    {
                        true => match phone.next(&arrow.subject, with) {
                            Ok(draft) => draft.target(target),
                            Err(_) => phone.request(&arrow.subject, target),
                        },
                        false => phone.request(&arrow.subject, target),
                    },
                };
                let draft = edits(draft)?;
                let draft = match password {
                    Some(password) => phone.authorized(draft, user, password).map_err(nothing)?,
                    None => draft,
                };
                phone.send(draft, to);
            }
            Ok(())
        });
        said.map_err(|cause| fail(format!("{}: {cause}", arrow.from)))
    }
}

/// A draft with what the words of a line change in it.
fn edited(draft: Draft, words: &[Word]) -> Result<Draft, String> {
    words.iter().try_fold(draft, |draft, word| {
        Ok(match word {
            Word::Is(name, value) => match name.as_str() {
                "with" | "user" | "password" => draft,
                "From" | "To" => draft.address(name, value),
                "body" => {
                    let kind = draft.value("Content-Type").unwrap_or("text/plain").to_string();
                    draft.body(&kind, value.clone())
                }
                _ => draft.header(name, value),
            },
            Word::Add(name, value) => draft.add(name, value),
            Word::Present(name) if name == "sdp" => draft.sdp(sdp_offer()),
            Word::Absent(name) if matches!(name.as_str(), "sdp" | "body") => draft.body("", ""),
            Word::Absent(name) => draft.without(name),
            Word::Flag(flag) if matches!(flag.as_str(), "again" | "100rel") => draft,
            Word::Flag(other) | Word::Present(other) => return Err(format!("{other} changes nothing in a message")),
            Word::Has(name, _) | Word::Lacks(name, _) | Word::Count(name, _) => {
                return Err(format!("{name} is asserted, but a peer sends this"));
            }
        })
    })
}

impl Ladder {
    fn peer_named(&self, name: &str) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.name == name)
    }

    /// The host behind the name of a host or of one of its addresses.
    fn host_of(&self, name: &str) -> String {
        self.known.labels.get(name).map_or(name, String::as_str).to_string()
    }

    /// Where a peer sends what is for that name.
    fn address(&self, name: &str, transport: Transport) -> Option<Address> {
        let (_, binds) = self.engines.iter().find(|(host, _)| *host == self.host_of(name))?;
        let is_named = |bind: &&Bind| bind.label.as_deref() == Some(name);
        let has_label = binds.iter().any(|bind| is_named(&bind));
        let mut spoken = binds.iter().filter(|bind| bind.address.transport == transport);
        let found = spoken.find(|bind| !has_label || is_named(bind))?;
        Some(Address { transport, socket: found.seen_as })
    }
}
