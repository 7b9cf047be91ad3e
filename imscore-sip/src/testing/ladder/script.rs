//! The text of a ladder, line by line.

use std::fmt;
use std::time::Duration;

use crate::testing::Bind;
use crate::transport::Transport;

/// A script that was read.
pub(super) struct Script {
    pub(super) peers: Vec<Declaration>,
    pub(super) lines: Vec<Line>,
}

/// `alice = udp:192.0.2.1:5060 tel:+15550100`.
pub(super) struct Declaration {
    pub(super) name: String,
    pub(super) binds: Vec<Bind>,
    pub(super) identity: Option<String>,
}

/// One line, and those that continue it.
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: usize,
    /// As it stands, without its comment.
    pub(super) text: String,
    pub(super) what: What,
}

pub(super) enum What {
    /// `+500ms`
    Step(Duration),
    /// `alice -> proxy  INVITE sip:bob@ims.example`
    Arrow(Arrow),
}

pub(super) struct Arrow {
    pub(super) from: Party,
    pub(super) to: Party,
    /// Method, status, or whatever else stands first behind the arrow.
    pub(super) subject: String,
    /// The Request-URI behind a method, the method behind a status.
    pub(super) object: Option<String>,
    pub(super) words: Vec<Word>,
    /// All behind the arrow, for an oracle.
    pub(super) text: String,
}

impl Arrow {
    /// The value of a word that is no header.
    pub(super) fn option(&self, wanted: &str) -> Option<&str> {
        let found = self.words.iter().find(|word| matches!(word, Word::Is(name, _) if name == wanted));
        found.and_then(|word| if let Word::Is(_, value) = word { Some(value.as_str()) } else { None })
    }

    pub(super) fn has_flag(&self, wanted: &str) -> bool {
        self.words.iter().any(|word| matches!(word, Word::Flag(flag) if flag == wanted))
    }
}

/// `proxy`, or `proxy/tcp`.
pub(super) struct Party {
    pub(super) name: String,
    pub(super) transport: Option<Transport>,
}

/// What an arrow says beyond subject and object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// `Name=value`
    Is(String, String),
    /// `Name+=value`
    Add(String, String),
    /// `Name~=text`
    Has(String, String),
    /// `Name!~=text`
    Lacks(String, String),
    /// `Name#=2`
    Count(String, usize),
    /// `+Name`
    Present(String),
    /// `-Name`
    Absent(String),
    /// `again`, `100rel`
    Flag(String),
}

/// What makes a line unreadable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {cause}")]
pub(super) struct Unreadable {
    pub(super) line: usize,
    pub(super) cause: String,
}

impl Script {
    pub(super) fn read(text: &str) -> Result<Script, Unreadable> {
        let mut script = Script { peers: Vec::new(), lines: Vec::new() };
        for (number, text) in joined(text) {
            let fail = |cause: &str| Unreadable { line: number, cause: cause.to_string() };
            let words = words(&text).0.ok_or_else(|| fail("a quote is not closed"))?;
            match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                [step] if step.starts_with('+') => {
                    let time = duration(&step[1..]).ok_or_else(|| fail("no time such as +500ms or +1.5s"))?;
                    script.lines.push(Line { number, text, what: What::Step(time) });
                }
                [name, "=", addresses @ ..] => {
                    let declared =
                        declaration(name, addresses).ok_or_else(|| fail("no address such as udp:192.0.2.1:5060"))?;
                    script.peers.push(declared);
                }
                [from, "->", to, subject, rest @ ..] => {
                    let arrow =
                        arrow([from, to, subject], rest).ok_or_else(|| fail("a transport or a number is wrong"))?;
                    script.lines.push(Line { number, text, what: What::Arrow(arrow) });
                }
                _ => return Err(fail("neither `from -> to  what`, `+time` nor `name = address`")),
            }
        }
        Ok(script)
    }
}

/// The lines that say something, each with those that begin with `|` behind it, comments taken off.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line[..words(line).1].trim();
        match (line.strip_prefix('|'), lines.last_mut()) {
            (Some(more), Some((_, before))) => *before = format!("{before} {}", more.trim()),
            (_, _) if line.is_empty() => {}
            (_, _) => lines.push((index + 1, line.to_string())),
        }
    }
    lines
}

/// The words of a line, and where its comment begins. A value may be quoted with either quote, right behind the first `=`
/// of a word; elsewhere a quote is a character like others. A semicolon at the start of a word begins a comment; in a URI
/// it stands further in. `None`: a quote is not closed.
fn words(line: &str) -> (Option<Vec<String>>, usize) {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut end = line.len();
    for (at, character) in line.char_indices() {
        let opens = word.ends_with('=') && word.matches('=').count() == 1;
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') if opens => quote = Some(character),
            (None, ';') if word.is_empty() => {
                end = at;
                break;
            }
            (None, _) if character.is_whitespace() => {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
            }
            (_, _) => word.push(character),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    (quote.is_none().then_some(words), end)
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|character: char| character.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let nanoseconds = (number.parse::<f64>().ok()? * seconds * 1e9).round();
    (nanoseconds >= 0.0).then(|| Duration::from_nanos(nanoseconds as u64))
}

fn declaration(name: &str, words: &[&str]) -> Option<Declaration> {
    let (identities, addresses): (Vec<&str>, Vec<&str>) =
        words.iter().partition(|word| ["sip:", "sips:", "tel:"].iter().any(|scheme| word.starts_with(scheme)));
    let binds = addresses.iter().map(|address| address.parse().ok().map(Bind::new)).collect::<Option<Vec<Bind>>>()?;
    let identity = identities.first().map(|identity| identity.to_string());
    (!binds.is_empty()).then(|| Declaration { name: name.to_string(), binds, identity })
}

fn arrow([from, to, subject]: [&str; 3], rest: &[&str]) -> Option<Arrow> {
    let is_status = subject.len() == 3 && subject.bytes().all(|byte| byte.is_ascii_digit());
    let is_object = |word: &&&str| match is_status {
        true => word.bytes().all(|byte| byte.is_ascii_uppercase()),
        false => is_target(word),
    };
    let object = rest.first().filter(is_object).map(|word| word.to_string());
    let further = &rest[usize::from(object.is_some())..];
    Some(Arrow {
        from: party(from)?,
        to: party(to)?,
        subject: subject.to_string(),
        object,
        words: further.iter().map(|text| word(text)).collect::<Option<Vec<Word>>>()?,
        text: [&[subject], rest].concat().join(" "),
    })
}

fn party(text: &str) -> Option<Party> {
    match text.split_once('/') {
        None => Some(Party { name: text.to_string(), transport: None }),
        Some((name, transport)) => Some(Party { name: name.to_string(), transport: Some(Transport::find(transport)?) }),
    }
}

/// A URI, or `*`: a colon comes before any sign of an operator.
fn is_target(word: &str) -> bool {
    word == "*" || word.find([':', '=']).is_some_and(|at| word.as_bytes()[at] == b':')
}

fn word(text: &str) -> Option<Word> {
    let Some((name, value)) = text.split_once('=') else {
        return Some(match text.split_at_checked(1) {
            Some(("+", name)) => Word::Present(name.to_string()),
            Some(("-", name)) => Word::Absent(name.to_string()),
            _ => Word::Flag(text.to_string()),
        });
    };
    let value = value.to_string();
    Some(match name {
        _ if name.ends_with("!~") => Word::Lacks(name[..name.len() - 2].to_string(), value),
        _ if name.ends_with('~') => Word::Has(name[..name.len() - 1].to_string(), value),
        _ if name.ends_with('+') => Word::Add(name[..name.len() - 1].to_string(), value),
        _ if name.ends_with('#') => Word::Count(name[..name.len() - 1].to_string(), value.parse().ok()?),
        _ => Word::Is(name.to_string(), value),
    })
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(line: &str) -> Arrow {
        match Script::read(line).map(|mut script| script.lines.remove(0).what) {
            Ok(What::Arrow(arrow)) => arrow,
            Ok(What::Step(_)) => panic!("a step: {line}"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn an_arrow_is_read() {
        let line = "alice/tcp -> proxy INVITE sip:bob@a;user=phone X=1 Y+=2 Z~=3 V!~=4 Via#=5 +A -B again ; comment";
        let read = arrow(line);
        assert_eq!((read.from.name.as_str(), read.from.transport), ("alice", Some(Transport::Tcp)));
        assert_eq!((read.subject.as_str(), read.object.as_deref()), ("INVITE", Some("sip:bob@a;user=phone")));
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        let ((x, one), (y, two), (z, three), (v, four)) =
            (pair("X", "1"), pair("Y", "2"), pair("Z", "3"), pair("V", "4"));
        let expected = [
            Word::Is(x, one),
            Word::Add(y, two),
            Word::Has(z, three),
            Word::Lacks(v, four),
            Word::Count("Via".into(), 5),
            Word::Present("A".into()),
            Word::Absent("B".into()),
            Word::Flag("again".into()),
        ];
        assert_eq!(read.words, expected);
    }

    #[test]
    fn quotes_hold_a_value_together() {
        let read = arrow(r#"a -> b 200 P-Asserted-Identity='"A ; B" <sip:a@b>' Subject="it's" A~=b="c" ; "comment""#);
        let identity = Word::Is("P-Asserted-Identity".into(), r#""A ; B" <sip:a@b>"#.into());
        let inner = Word::Has("A".into(), r#"b="c""#.into());
        assert_eq!(read.words, [identity, Word::Is("Subject".into(), "it's".into()), inner]);
        assert!(Script::read("a -> b 200 Subject='open").is_err());
    }

    #[test]
    fn a_bar_continues_the_line_above() {
        let read = arrow("a -> b REGISTER sip:b ; first\n  ; between\n | Expires=0 ; last\n|-Path");
        assert_eq!(read.words, [Word::Is("Expires".into(), "0".into()), Word::Absent("Path".into())]);
    }

    #[test]
    fn times_have_a_unit() {
        for (text, expected) in [
            ("500ms", Some(Duration::from_millis(500))),
            ("1.5s", Some(Duration::from_millis(1500))),
            ("0.1ms", Some(Duration::from_micros(100))),
            ("3m", Some(Duration::from_secs(180))),
            ("1h", Some(Duration::from_secs(3600))),
            ("5", None),
            ("5d", None),
            ("-5s", None),
            ("s", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn a_declaration_has_addresses_and_may_have_an_identity() {
        let script = Script::read("alice = tcp:192.0.2.1:5060 tel:+1555").map(|script| script.peers);
        let Ok([alice]) = script.as_deref() else { panic!("one peer") };
        assert_eq!((alice.binds.len(), alice.identity.as_deref()), (1, Some("tel:+1555")));
        for text in ["alice = tel:+1555", "alice = udp:192.0.2.1", "alice =", "alice -> bob", "+5", "a -> b/sctp 200"] {
            assert!(Script::read(text).is_err(), "{text}");
        }
    }
}
