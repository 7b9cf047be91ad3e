//! What engines did, and whether a line of the script names it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::script::{Arrow, Party, Word};
use crate::header::Name;
use crate::message::{Headers, Message, Response};
use crate::testing::phone::{cseq_method, header_values};
use crate::testing::trace::Seconds;
use crate::testing::{Endpoint, Said, Sent};
use crate::transport::Transport;

/// Something that a line has to name.
#[derive(Clone)]
pub(super) struct Happening {
    pub(super) at: Duration,
    pub(super) number: u64,
    what: Deed,
}

#[derive(Clone)]
#[allow(clippy::large_enum_variant)]
enum Deed {
    Sent { from: Endpoint, to: Endpoint, transport: Transport, bytes: Bytes, message: Option<Message> },
    Said { oracle: String, is_answer: bool, text: String },
}

/// What a comparison has to know beside the line.
#[derive(Default)]
pub(super) struct Known {
    /// Host by label of one of its addresses.
    pub(super) labels: BTreeMap<String, String>,
    /// What was named so far: to whom, and the bytes.
    pub(super) sent: Vec<(String, Bytes)>,
}

impl Happening {
    pub(super) fn of_message(sent: &Sent) -> Happening {
        let Sent { from, to, transport, bytes, .. } = sent.clone();
        let what = Deed::Sent { from, to, transport, bytes, message: sent.message() };
        Happening { at: sent.at, number: sent.number, what }
    }

    pub(super) fn of_oracle(oracle: &str, said: Said) -> Happening {
        let Said { at, number, is_answer, text } = said;
        Happening { at, number, what: Deed::Said { oracle: oracle.to_string(), is_answer, text } }
    }

    /// True where subject and ends are those of the line, whatever its assertions say.
    pub(super) fn resembles(&self, arrow: &Arrow, known: &Known) -> bool {
        self.differences_of_subject(arrow, known).is_empty()
    }

    /// What is not as the line says.
    pub(super) fn differences(&self, arrow: &Arrow, known: &Known) -> Vec<String> {
        let mut found = self.differences_of_subject(arrow, known);
        if let Deed::Sent { to, bytes, message: Some(message), .. } = &self.what
            && found.is_empty()
        {
            let is_again = known.sent.iter().any(|(before, sent)| *before == to.to_string() && sent == bytes);
            found.extend(arrow.words.iter().filter_map(|word| difference(message, word, is_again)));
        }
        found
    }

    pub(super) fn remember(&self, known: &mut Known) {
        if let Deed::Sent { to, bytes, .. } = &self.what {
            known.sent.push((to.to_string(), bytes.clone()));
        }
    }

    /// The receiver of a response, and the response.
    pub(super) fn response(&self) -> Option<(String, &Response)> {
        match &self.what {
            Deed::Sent { to, message: Some(Message::Response(response)), .. } => Some((to.to_string(), response)),
            Deed::Sent { .. } | Deed::Said { .. } => None,
        }
    }

    /// The bytes of a message as text.
    pub(super) fn in_full(&self) -> Option<String> {
        match &self.what {
            Deed::Sent { bytes, .. } => Some(String::from_utf8_lossy(bytes).trim_end().to_string()),
            Deed::Said { .. } => None,
        }
    }

    fn differences_of_subject(&self, arrow: &Arrow, known: &Known) -> Vec<String> {
        let mut found = Vec::new();
        let mut expect = |is_so: bool, what: &str, is: &dyn fmt::Display, wanted: &dyn fmt::Display| {
            if !is_so {
                found.push(format!("{what} is {is}, not {wanted}"));
            }
        };
        match &self.what {
            Deed::Sent { from, to, transport, message, .. } => {
                for (end, party, what) in [(from, &arrow.from, "the sender"), (to, &arrow.to, "the receiver")] {
                    expect(is_party(end, party, known), what, end, party);
                    let wanted = party.transport.unwrap_or(*transport);
                    expect(*transport == wanted, "the transport", transport, &wanted);
                }
                match message {
                    None => expect(false, "it", &"no message", &arrow.subject),
                    Some(Message::Request(request)) => {
                        let method = request.method();
                        expect(method.as_str() == arrow.subject, "it", &method, &arrow.subject);
                        let (target, wanted) = (request.target(), arrow.object.as_deref().unwrap_or("*"));
                        expect(matches(wanted, &target), "the Request-URI", &target, &wanted);
                    }
                    Some(Message::Response(response)) => {
                        let (status, method) = (response.status().to_string(), cseq_method(&response.headers));
                        expect(status == arrow.subject, "it", &status, &arrow.subject);
                        let wanted = arrow.object.as_ref().unwrap_or(&method);
                        expect(method == *wanted, "the method of CSeq", &method, wanted);
                    }
                }
            }
            Deed::Said { oracle, is_answer, text } => {
                let party = if *is_answer { &arrow.from } else { &arrow.to };
                expect(party.name == *oracle, "the oracle", oracle, party);
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                expect(matches(&arrow.text, &text), "it", &text, &arrow.text);
            }
        }
        found
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  ", Seconds(self.at))?;
        match &self.what {
            Deed::Sent { from, to, message, .. } => {
                write!(f, "{from} -> {to}  ")?;
                match message {
                    None => f.write_str("bytes that are no message"),
                    Some(Message::Request(request)) => write!(f, "{} {}", request.method(), request.target()),
                    Some(Message::Response(response)) => {
                        write!(f, "{} {}", response.status(), cseq_method(&response.headers))
                    }
                }
            }
            Deed::Said { oracle, is_answer: true, text } => write!(f, "{oracle} ->  {text}"),
            Deed::Said { oracle, is_answer: false, text } => write!(f, "-> {oracle}  {text}"),
        }
    }
}

fn is_party(end: &Endpoint, party: &Party, known: &Known) -> bool {
    let name = end.to_string();
    name == party.name || known.labels.get(&name) == Some(&party.name) || end.address.to_string() == party.name
}

fn difference(message: &Message, word: &Word, is_again: bool) -> Option<String> {
    let headers = message.headers();
    let joined = |name: &str| joined(message, name);
    let fail = |is_so: bool, text: String| (!is_so).then_some(text);
    match word {
        Word::Is(name, wanted) => {
            let value = joined(name);
            let is = value.as_deref().unwrap_or("absent");
            let is_so = value.as_ref().is_some_and(|value| matches(wanted, value));
            fail(is_so, format!("{name} is {is}, not {wanted}"))
        }
        Word::Has(name, wanted) => {
            let value = joined(name).unwrap_or_default();
            fail(value.contains(wanted.as_str()), format!("{name} is {value}, without {wanted}"))
        }
        Word::Lacks(name, unwanted) => {
            let value = joined(name).unwrap_or_default();
            fail(!value.contains(unwanted.as_str()), format!("{name} is {value}, with {unwanted}"))
        }
        Word::Count(name, wanted) => {
            let count = count(headers, name);
            fail(count == *wanted, format!("{name} has {count} values, not {wanted}"))
        }
        Word::Present(name) => fail(joined(name).is_some(), format!("{name} is absent")),
        Word::Absent(name) => joined(name).map(|value| format!("{name} is {value}, not absent")),
        Word::Flag(flag) if flag == "again" => fail(is_again, "it was not sent before".into()),
        Word::Add(name, _) => Some(format!("{name}+= is for what a peer sends")),
        Word::Flag(flag) => Some(format!("{flag} is nothing that can be asserted")),
    }
}

/// All values of a header between commas, or the body, or `sdp` where that is what the body holds.
fn joined(message: &Message, name: &str) -> Option<String> {
    let headers = message.headers();
    let body = || match message {
        Message::Request(request) => request.body(),
        Message::Response(response) => response.body(),
    };
    match name {
        "body" => Some(String::from_utf8_lossy(&body()).into_owned()).filter(|body| !body.is_empty()),
        "sdp" => (headers.raw(Name::CONTENT_TYPE) == Some(b"application/sdp") && !body().is_empty())
            .then(|| String::from_utf8_lossy(&body()).into_owned()),
        _ => {
            let lines: Vec<String> =
                headers.raw_all(name).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
            (!lines.is_empty()).then(|| lines.join(", "))
        }
    }
}

fn count(headers: &Headers, name: &str) -> usize {
    match Name::find(name.as_bytes()) {
        Some(name) => header_values(headers, name).len(),
        None => headers.raw_all(name).count(),
    }
}

/// True where the text is the pattern, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let (first, mut last) = (parts.next().unwrap_or_default(), None);
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    for part in parts {
        if let Some(middle) = last.replace(part) {
            match rest.find(middle) {
                Some(at) => rest = &rest[at + middle.len()..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |last: &str| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*b*c*", "abxcx", true),
            ("*b*c*", "acxb", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
