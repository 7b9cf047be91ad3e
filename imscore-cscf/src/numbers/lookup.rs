//! A number looked up: question by question, until a record gives a URI.

use std::sync::Arc;

use async_trait::async_trait;
use imscore_sip::uri::TelUri;
use imscore_sip::{ByteString, Uri};

use super::naptr::{NaptrRecord, Substitution};

/// Questions of one look-up: a chain of records that are not terminal is no longer than that.
const QUESTIONS: usize = 5;
/// Records that are looked at of one answer.
const RECORDS: usize = 64;
/// Digits of a number (ITU-T E.164 §6).
const DIGITS: usize = 15;

/// Whoever is asked for the NAPTR records of a name.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The records of a name such as `3.2.1.0.5.5.5.1.0.2.1.e164.arpa`; none where there is no such name.
    ///
    /// # Errors
    /// Nobody can say.
    async fn naptr(&self, name: &str) -> Result<Vec<NaptrRecord>, DirectoryError>;
}

/// A directory cannot say what it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the directory of numbers does not answer")]
pub struct DirectoryError;

/// Why a look-up came to no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnumError {
    /// The directory does not answer.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// More than five questions: names that lead to names.
    #[error("the directory of numbers leads from name to name without an end")]
    TooLong,
}

/// The ENUM of one domain.
#[derive(Clone)]
pub struct Enum {
    domain: ByteString,
    directory: Arc<dyn Directory>,
}

impl Enum {
    /// Numbers under this domain: `e164.arpa`, or an operator's own.
    pub fn new(domain: impl Into<ByteString>, directory: Arc<dyn Directory>) -> Enum {
        Enum { domain: domain.into(), directory }
    }

    /// The URI of a global number. `None`: it is no global number, or nobody has it.
    ///
    /// # Errors
    /// The directory does not answer, or leads nowhere.
    pub async fn look_up(&self, number: &TelUri) -> Result<Option<Uri>, EnumError> {
        let digits: String = number.digits().filter(char::is_ascii_digit).collect();
        if !number.is_global() || digits.is_empty() || digits.len() > DIGITS {
            return Ok(None);
        }
        // The application unique string of RFC 6116 §3.1.
        let number = format!("+{digits}");
        let labels = digits.chars().rev().flat_map(|digit| [digit, '.']);
        let mut name: String = labels.chain(self.domain.chars()).collect();
        for _ in 0..QUESTIONS {
            match first_of(self.directory.naptr(&name).await?, &number) {
                Step::Found(uri) => return Ok(Some(uri)),
                Step::Next(next) => name = next,
                Step::Nothing => return Ok(None),
            }
        }
        Err(EnumError::TooLong)
    }
}

enum Step {
    Found(Uri),
    Next(String),
    Nothing,
}

/// What the first record leads to that leads anywhere, in order and preference (RFC 3403 §4.1, RFC 6116 §5). Those that
/// are broken are as if they were not there.
fn first_of(mut records: Vec<NaptrRecord>, number: &str) -> Step {
    records.truncate(RECORDS);
    records.sort_by_key(|record| (record.order, record.preference));
    records.iter().find_map(|record| step(record, number)).unwrap_or(Step::Nothing)
}

fn step(record: &NaptrRecord, number: &str) -> Option<Step> {
    let substituted = || Substitution::read(&record.regexp).ok()?.apply(number);
    if record.is_terminal() {
        let uri = record.is_for_calls().then(substituted)??;
        let uri: Uri = uri.parse().ok()?;
        return matches!(uri, Uri::Sip(_) | Uri::Tel(_)).then_some(Step::Found(uri));
    }
    // RFC 6116 §5.2: what has no flag and no services leads to another name.
    if !record.flags.is_empty() {
        return None;
    }
    let name = if record.regexp.is_empty() { record.replacement.to_string() } else { substituted()? };
    let name = name.strip_suffix('.').unwrap_or(&name);
    (!name.is_empty() && name.len() <= 253).then(|| Step::Next(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;
    use crate::trial::Trial;

    #[derive(Default)]
    struct Zone {
        records: BTreeMap<String, Vec<NaptrRecord>>,
        asked: Mutex<Vec<String>>,
        is_down: bool,
    }

    #[async_trait]
    impl Directory for Zone {
        async fn naptr(&self, name: &str) -> Result<Vec<NaptrRecord>, DirectoryError> {
            self.asked.lock().unwrap().push(name.to_owned());
            if self.is_down { Err(DirectoryError) } else { Ok(self.records.get(name).cloned().unwrap_or_default()) }
        }
    }

    const NAME: &str = "3.2.1.0.5.5.5.1.0.2.1.e164.arpa";

    /// `order preference flags services regexp replacement`, a record a line.
    fn zone(name: &str, lines: &str) -> Zone {
        let record = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().map(|field| field.trim_matches('-')).collect();
            NaptrRecord {
                order: fields[0].parse().unwrap(),
                preference: fields[1].parse().unwrap(),
                flags: fields[2].into(),
                services: fields[3].into(),
                regexp: fields[4].into(),
                replacement: fields[5].into(),
            }
        };
        let records = lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(record).collect();
        Zone { records: [(name.to_owned(), records)].into(), ..Zone::default() }
    }

    fn look_up(zone: Zone, number: &str) -> (Result<Option<String>, EnumError>, Vec<String>) {
        let zone = Arc::new(zone);
        let directory = Enum::new("e164.arpa", zone.clone());
        let found = Trial::new().run(directory.look_up(&number.parse().unwrap()));
        let asked = zone.asked.lock().unwrap().clone();
        (found.map(|uri| uri.map(|uri| uri.as_str().to_owned())), asked)
    }

    #[track_caller]
    fn check(lines: &str, expected: Option<&str>) {
        let (found, asked) = look_up(zone(NAME, lines), "tel:+1-201-555-0123");
        assert_eq!((found, asked), (Ok(expected.map(Into::into)), vec![NAME.to_owned()]), "{lines}");
    }

    /// RFC 6116 §3, §5: the order counts before the preference, and what does not fit is passed over.
    #[test]
    fn the_first_record_that_fits() {
        check("10 10 u E2U+sip !^.*$!sip:bob@h! -", Some("sip:bob@h"));
        check("20 1 u E2U+sip !^.*$!sip:late@h! -\n10 9 u E2U+sip !^.*$!sip:soon@h! -", Some("sip:soon@h"));
        check("10 9 U e2u+SIP !^.*$!sip:late@h! -\n10 1 u E2U+sip !^.*$!sip:soon@h! -", Some("sip:soon@h"));
        check(
            "1 1 u E2U+email:mailto !^.*$!sip:mail@h! -
             2 1 u E2U+sip !^.*$!mailto:bob@h! -
             3 1 u E2U+sip !(!sip:broken@h! -
             4 1 s E2U+sip - other.example
             5 1 u E2U+sip !^\\+44!sip:far@h! -
             6 1 u E2U+pstn:tel !^(.*)$!tel:\\1;npdi;rn=+1202! -",
            Some("tel:+12015550123;npdi;rn=+1202"),
        );
        check("", None);
        check("1 1 u E2U+sip - -", None);
        check("1 1 - - - -", None);
    }

    #[test]
    fn names_that_lead_on() {
        let mut chain = zone(NAME, "1 1 - - - other.example.");
        chain.records.extend(zone("other.example", "1 1 - - !^\\+1(.*)$!\\1.third.example! -").records);
        chain.records.extend(zone("2015550123.third.example", "1 1 u E2U+sip !^.*$!sip:bob@h! -").records);
        let (found, asked) = look_up(chain, "tel:+12015550123");
        assert_eq!(found, Ok(Some("sip:bob@h".into())));
        assert_eq!(asked, [NAME, "other.example", "2015550123.third.example"]);
    }

    /// D12.
    #[test]
    fn d12_names_that_lead_to_themselves() {
        let (found, asked) = look_up(zone(NAME, &format!("1 1 - - - {NAME}")), "tel:+12015550123");
        assert_eq!((found, asked.len()), (Err(EnumError::TooLong), QUESTIONS));
        let many = "1 1 u E2U+sip !^\\+44!sip:far@h! -\n".repeat(RECORDS) + "2 1 u E2U+sip !^.*$!sip:bob@h! -";
        check(&many, None);
        let down = Zone { is_down: true, ..Zone::default() };
        assert_eq!(look_up(down, "tel:+12015550123").0, Err(EnumError::Directory(DirectoryError)));
    }

    #[test]
    fn what_is_no_global_number() {
        for number in ["tel:5550123;phone-context=ims.example", "tel:911", "tel:+1234567890123456", "tel:*21#"] {
            assert_eq!(look_up(Zone::default(), number), (Ok(None), Vec::new()), "{number}");
        }
    }
}
