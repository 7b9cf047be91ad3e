//! A trace as a picture: who sent what to whom, from top to bottom.

use std::collections::BTreeMap;
use std::fmt;

use super::record::{Direction, Event, Message, Record, Way};
use crate::message::StatusCode;

/// Messages, and steps of dialogs, between those who took part. Its text is for terminals; [`Ladder::to_svg`] is for
/// browsers.
///
/// A side that wrote records has its name, any other its address. What one traced side sent to another stands there once, as
/// its sender wrote it down.
///
/// ```
/// use imscore_sip::trace::{Ladder, Record};
///
/// let line = r#"{"wall":1767225600000,"node":"proxy","event":"message","direction":"in","method":"OPTIONS","bytes":300,
///     "way":{"transport":"UDP","local":"192.0.2.9:5060","remote":"192.0.2.1:5060"}}"#;
/// let ladder = Ladder::of(&[Record::from_json(line)?]);
/// assert!(ladder.to_string().contains("OPTIONS ---"));
/// assert!(ladder.to_svg().starts_with("<svg "));
/// # Ok::<(), imscore_sip::trace::RecordError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    pub(super) columns: Vec<String>,
    pub(super) rungs: Vec<Rung>,
}

/// One line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rung {
    /// Milliseconds since the first.
    pub(super) at: u64,
    /// By their places among the columns; both are one for what only one side knows of.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: String,
}

/// The least distance between two columns, in characters.
const NARROWEST: usize = 24;

impl Ladder {
    /// Draws records, which are in the order of time.
    pub fn of(records: &[Record]) -> Ladder {
        let first = records.first().map_or(0, |record| record.wall);
        let mut names = BTreeMap::new();
        for record in records {
            if let Event::Message(Message { way, .. }) = &record.event {
                names.insert(way.local.as_str(), record.node.as_str());
            }
        }
        let mut ladder = Ladder::default();
        for Record { wall, node, event } in records {
            let at = wall.saturating_sub(first);
            match event {
                Event::Message(message) => {
                    let remote = message.way.remote.as_str();
                    let known = names.get(remote).copied();
                    if known.is_some() && message.direction == Direction::In {
                        continue;
                    }
                    let ends = (node.as_str(), known.unwrap_or(remote));
                    ladder.arrow(at, message.direction, ends, label(message));
                }
                Event::Malformed { way, bytes, .. } => {
                    let remote = names.get(way.remote.as_str()).copied().unwrap_or(&way.remote);
                    ladder.arrow(at, Direction::In, (node, remote), format!("{bytes} bytes, no SIP"));
                }
                Event::Dialog { state, .. } => ladder.note(at, node, format!("dialog {}", state.as_str())),
                Event::FlowLost { way: Way { transport, remote, .. } } => {
                    ladder.note(at, node, format!("lost {transport} {remote}"));
                }
                Event::SendFailed => ladder.note(at, node, "could not send".to_owned()),
                Event::Missed { records } => ladder.note(at, node, format!("{records} records are missing")),
                Event::Transaction { .. } => {}
            }
        }
        ladder
    }

    fn arrow(&mut self, at: u64, direction: Direction, (node, remote): (&str, &str), label: String) {
        let (from, to) = match direction {
            Direction::In => (self.column(remote), self.column(node)),
            Direction::Out => (self.column(node), self.column(remote)),
        };
        self.rungs.push(Rung { at, from, to, label: printable(&label) });
    }

    fn note(&mut self, at: u64, node: &str, label: String) {
        let column = self.column(node);
        self.rungs.push(Rung { at, from: column, to: column, label: printable(&label) });
    }

    fn column(&mut self, name: &str) -> usize {
        let name = printable(name);
        self.columns.iter().position(|column| *column == name).unwrap_or_else(|| {
            self.columns.push(name);
            self.columns.len() - 1
        })
    }
}

/// `180 Ringing`; with the description that it brings, `INVITE, sdp`.
fn label(message: &Message) -> String {
    let what = match message.status.and_then(StatusCode::new) {
        Some(status) => format!("{} {}", status.code(), status.reason()).trim_end().to_owned(),
        None => message.method.clone(),
    };
    match message.content_type.as_deref().and_then(|content_type| content_type.split_once('/')) {
        Some((_, sub)) => format!("{what}, {sub}"),
        None => what,
    }
}

/// Nothing in a trace can move a terminal's cursor or leave the text of an SVG.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |text: &String| text.chars().count();
        let labels = self.rungs.iter().map(|rung| length(&rung.label) + 6);
        let names = self.columns.iter().map(|column| length(column) + 2);
        let width = labels.chain(names).max().unwrap_or_default().max(NARROWEST);
        let head: String = self.columns.iter().map(|column| format!("{column:width$}")).collect();
        writeln!(f, "{:10}{}", "", head.trim_end())?;
        for rung in &self.rungs {
            let line: String = rung.drawn(self.columns.len(), width).into_iter().collect();
            writeln!(f, "{:>5}.{:03} {}", rung.at / 1_000, rung.at % 1_000, line.trim_end())?;
        }
        Ok(())
    }
}

impl Rung {
    fn drawn(&self, columns: usize, width: usize) -> Vec<char> {
        let mut line = vec![' '; columns * width];
        (0..columns).for_each(|column| line[column * width] = '|');
        let (left, right) = (self.from.min(self.to) * width, self.from.max(self.to) * width);
        let text = left + 3;
        if self.from == self.to {
            line[left] = '*';
        } else {
            line[left + 1..right].fill('-');
            match self.from < self.to {
                true => line[right - 1] = '>',
                false => line[left + 1] = '<',
            }
            line[text - 1] = ' ';
            line[text + self.label.chars().count()] = ' ';
        }
        line.iter_mut().skip(text).zip(self.label.chars()).for_each(|(place, character)| *place = character);
        line
    }
}
