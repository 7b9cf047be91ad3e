//! Many subscribers at once, a line each: JSON objects as [`Provisioned`] has them, or CSV with a head.
//!
//! Each line is for itself. What cannot be written is reported with its number and is not written; all others are, some
//! thousands of lines in one transaction, so that a crash leaves whole subscribers and nothing else. The same lines again
//! change nothing, and whoever was interrupted starts anew.
//!
//! Who shares a subscription stands behind the line of its holder.
//!
//! The head of CSV names its columns, in any order: `private_identity`, `public_identities` (separated by blanks),
//! `display_name` (of the first of them), `subscription_of` (instead of both), and of the authentication `password`, `realm`, `md5`, `sha256`, or `k`, `opc`, `op`,
//! `topc`, `top`, `amf`. An empty field is none. A line does not end within quotation marks.

use std::mem::take;
use std::sync::Arc;

use csv_core::{ReadRecordResult, Reader};
use imscore_hss::{Hss, Provision, Put, StoreError};
use serde::Serialize;
use thiserror::Error;
use tokio::task::JoinHandle;

use super::Provisioned;

/// Lines of one transaction.
const BATCH: usize = 8_192;
/// Bytes of the lines of one transaction.
const BATCH_BYTES: usize = 8 << 20;
/// Lines of a report, at most; more are counted.
const MAX_ERRORS: usize = 1_000;
/// Columns of CSV, at most.
const MAX_COLUMNS: usize = 32;

/// An import under way.
#[derive(Debug)]
pub struct Import {
    hss: Hss,
    realm: Arc<str>,
    /// Bytes of a line, at most.
    longest: usize,
    /// The beginning of a line whose end is still to come.
    begun: Vec<u8>,
    /// Its end is not worth waiting for.
    too_long: bool,
    number: u64,
    format: Option<Format>,
    batch: Vec<(u64, Provision)>,
    batch_bytes: usize,
    under_way: Option<JoinHandle<Result<Report, StoreError>>>,
    report: Report,
}

#[derive(Clone, Debug)]
enum Format {
    Json,
    Csv(Vec<Column>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    PrivateIdentity,
    PublicIdentities,
    DisplayName,
    SubscriptionOf,
    Password,
    Realm,
    Md5,
    Sha256,
    K,
    Opc,
    Op,
    Topc,
    Top,
    Amf,
}

/// What became of the lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Subscribers that are new.
    pub created: u64,
    /// Subscribers that were there and were something else.
    pub replaced: u64,
    /// Subscribers that were there as they are.
    pub unchanged: u64,
    /// Lines that were not written.
    pub rejected: u64,
    /// The first thousand of them.
    pub errors: Vec<LineError>,
}

/// A line that was not written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineError {
    /// Counted from 1.
    pub line: u64,
    /// Why not. It repeats no secret.
    pub detail: String,
}

/// Why an import ends before its lines do. What was written stays; the same lines again are safe.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The subscriber base failed.
    #[error("the import stopped")]
    Store(#[from] StoreError),
    /// The first line is neither a JSON object nor a head of CSV.
    #[error("line 1 is neither a JSON object nor a head of CSV: {0}")]
    Head(String),
}

impl Import {
    /// Into this HSS, with passwords hashed for `realm`; a line has up to `longest` bytes.
    pub fn new(hss: Hss, realm: &str, longest: usize) -> Import {
        Import {
            hss,
            realm: realm.into(),
            longest,
            begun: Vec::new(),
            too_long: false,
            number: 0,
            format: None,
            batch: Vec::new(),
            batch_bytes: 0,
            under_way: None,
            report: Report::default(),
        }
    }

    /// Takes the next bytes, however they are cut.
    ///
    /// # Errors
    /// There is no sense in going on.
    pub async fn bytes(&mut self, mut bytes: &[u8]) -> Result<(), ImportError> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.begun.is_empty() && !self.too_long {
                self.line(line).await?;
            } else {
                self.begin(line);
                let line = take(&mut self.begun);
                self.line(&line).await?;
            }
            bytes = rest;
        }
        self.begin(bytes);
        Ok(())
    }

    /// The last line need not have an end. Waits until all is written.
    ///
    /// # Errors
    /// There was no sense in going on.
    pub async fn finish(mut self) -> Result<Report, ImportError> {
        if !self.begun.is_empty() || self.too_long {
            let line = take(&mut self.begun);
            self.line(&line).await?;
        }
        self.write().await?;
        self.wait().await?;
        Ok(self.report)
    }

    fn begin(&mut self, part: &[u8]) {
        if self.begun.len() + part.len() > self.longest {
            self.begun.clear();
            self.too_long = true;
        } else if !self.too_long {
            self.begun.extend_from_slice(part);
        }
    }

    async fn line(&mut self, line: &[u8]) -> Result<(), ImportError> {
        self.number += 1;
        if take(&mut self.too_long) || line.len() > self.longest {
            self.report.reject(self.number, format!("a line has at most {} bytes", self.longest));
            return Ok(());
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let provisioned = match &self.format {
            None => {
                let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
                if !line.trim_ascii_start().starts_with(b"{") {
                    self.format = Some(Format::Csv(head(line)?));
                    return Ok(());
                }
                self.format = Some(Format::Json);
                Provisioned::read(line)
            }
            Some(Format::Json) => Provisioned::read(line),
            Some(Format::Csv(columns)) => match fields(line) {
                Some(fields) if fields.len() == columns.len() => {
                    Provisioned::from_columns(columns.iter().copied().zip(fields))
                }
                Some(fields) => {
                    let cause = format!("{} fields, and {} columns", fields.len(), columns.len());
                    self.report.reject(self.number, cause);
                    return Ok(());
                }
                None => {
                    self.report.reject(self.number, "a quotation mark without its other one".to_owned());
                    return Ok(());
                }
            },
        };
        match provisioned.and_then(|provisioned| provisioned.provision(None, &self.realm)) {
            Ok(provision) => {
                self.batch.push((self.number, provision));
                self.batch_bytes += line.len();
            }
            Err(rejected) => self.report.reject(self.number, rejected.to_string()),
        }
        if self.batch.len() >= BATCH || self.batch_bytes >= BATCH_BYTES {
            self.write().await?;
        }
        Ok(())
    }

    /// One batch is written while the next is read.
    async fn write(&mut self) -> Result<(), StoreError> {
        self.wait().await?;
        self.batch_bytes = 0;
        let batch = take(&mut self.batch);
        let hss = self.hss.clone();
        self.under_way = Some(tokio::spawn(async move {
            let (numbers, provisions): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            let mut report = Report::default();
            for (number, put) in numbers.into_iter().zip(hss.put_all(provisions).await?) {
                match put {
                    Ok(Put::Created) => report.created += 1,
                    Ok(Put::Replaced(_)) => report.replaced += 1,
                    Ok(Put::Unchanged) => report.unchanged += 1,
                    Err(error) => report.reject(number, error.to_string()),
                }
            }
            Ok(report)
        }));
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), StoreError> {
        if let Some(under_way) = self.under_way.take() {
            let written = under_way.await.map_err(|error| StoreError::Failed(Arc::new(error)))??;
            self.report.add(written);
        }
        Ok(())
    }
}

impl Report {
    fn reject(&mut self, line: u64, detail: String) {
        self.rejected += 1;
        self.errors.push(LineError { line, detail });
        self.errors.truncate(MAX_ERRORS);
    }

    fn add(&mut self, other: Report) {
        self.created += other.created;
        self.replaced += other.replaced;
        self.unchanged += other.unchanged;
        self.rejected += other.rejected;
        self.errors.extend(other.errors);
        self.errors.sort_by_key(|error| error.line);
        self.errors.truncate(MAX_ERRORS);
    }
}

fn head(line: &[u8]) -> Result<Vec<Column>, ImportError> {
    let names = fields(line).ok_or_else(|| ImportError::Head("a quotation mark without its other one".to_owned()))?;
    let column = |name: &String| match name.trim() {
        "private_identity" => Ok(Column::PrivateIdentity),
        "public_identities" => Ok(Column::PublicIdentities),
        "display_name" => Ok(Column::DisplayName),
        "subscription_of" => Ok(Column::SubscriptionOf),
        "password" => Ok(Column::Password),
        "realm" => Ok(Column::Realm),
        "md5" => Ok(Column::Md5),
        "sha256" => Ok(Column::Sha256),
        "k" => Ok(Column::K),
        "opc" => Ok(Column::Opc),
        "op" => Ok(Column::Op),
        "topc" => Ok(Column::Topc),
        "top" => Ok(Column::Top),
        "amf" => Ok(Column::Amf),
        other => Err(ImportError::Head(format!("{other:?} is no column"))),
    };
    let columns: Vec<_> = names.iter().map(column).collect::<Result<_, _>>()?;
    for needed in [(Column::PrivateIdentity, "private_identity"), (Column::PublicIdentities, "public_identities")] {
        if !columns.contains(&needed.0) {
            return Err(ImportError::Head(format!("there is no {}", needed.1)));
        }
    }
    Ok(columns)
}

/// The fields of a line of CSV (RFC 4180).
fn fields(line: &[u8]) -> Option<Vec<String>> {
    let line = [line, b"\n"].concat();
    let (mut text, mut ends) = (vec![0; line.len()], [0; MAX_COLUMNS]);
    let (ReadRecordResult::Record, _, _, count) = Reader::new().read_record(&line, &mut text, &mut ends) else {
        return None;
    };
    let mut start = 0;
    let field = |end: &usize| {
        let field = text.get(start..*end)?;
        start = *end;
        String::from_utf8(field.to_vec()).ok()
    };
    ends.get(..count)?.iter().map(field).collect()
}

#[cfg(test)]
mod tests {
    use imscore_hss::{Credentials, DigestCredentials};

    use super::*;

    fn hss() -> Hss {
        Hss::with_subscribers([], [0; 32]).unwrap()
    }

    async fn import(hss: &Hss, text: &str, cut: usize) -> Report {
        let mut import = Import::new(hss.clone(), "ims.example", 300);
        for part in text.as_bytes().chunks(cut) {
            import.bytes(part).await.unwrap();
        }
        import.finish().await.unwrap()
    }

    fn line(user: &str, identity: &str) -> String {
        format!(
            "{{\"private_identity\":\"{user}@ims.example\",\"public_identities\":[\"{identity}\"],\
             \"authentication\":{{\"scheme\":\"digest\",\"password\":\"secret\"}}}}"
        )
    }

    #[tokio::test]
    async fn a_line_that_cannot_be_is_reported_and_the_others_are_written() {
        let long = line("long", &format!("tel:+{}", "1".repeat(250)));
        let text = [
            line("alice", "tel:+1"),
            "{".to_owned(),
            String::new(),
            line("bob", "tel:+1"),
            line("carol", "nobody"),
            long,
            format!("{}\r", line("dave", "tel:+2")),
            "{\"private_identity\":\"wonderland\"}".to_owned(),
            line("alice", "tel:+3"),
            line("erin", "tel:+4"),
        ]
        .join("\n");
        for cut in [1, 7, 4096] {
            let hss = hss();
            let report = import(&hss, &text, cut).await;
            assert_eq!(
                (report.created, report.replaced, report.unchanged, report.rejected),
                (3, 1, 0, 5),
                "{report:?}"
            );
            let lines: Vec<_> = report.errors.iter().map(|error| error.line).collect();
            assert_eq!(lines, [2, 4, 5, 6, 8]);
            let said = ["no JSON", "", "\"nobody\"", "at most 300 bytes", "missing field `authentication`"];
            for (error, said) in report.errors.iter().zip(said) {
                assert!(error.detail.contains(said), "{error:?}");
            }
            let alice = hss.get(&"alice@ims.example".parse().unwrap()).await.unwrap().unwrap();
            assert_eq!(alice.public_identities().next().unwrap().as_str(), "tel:+3", "the later line");
            assert!(hss.get(&"bob@ims.example".parse().unwrap()).await.unwrap().is_none());

            let again = import(&hss, &text, cut).await;
            let counted = (again.created, again.replaced, again.unchanged, again.rejected);
            assert_eq!(counted, (0, 2, 2, 5), "Alice is moved there and back: {again:?}");
        }
    }

    #[tokio::test]
    async fn the_same_lines_again_change_nothing() {
        let hss = hss();
        let text: String = (0..20_000).map(|n| line(&format!("user{n}"), &format!("tel:+{n}")) + "\n").collect();
        let report = import(&hss, &text, 1 << 16).await;
        assert_eq!(report, Report { created: 20_000, ..Report::default() });
        let again = import(&hss, &text, 1 << 16).await;
        assert_eq!(again, Report { unchanged: 20_000, ..Report::default() });
    }

    #[tokio::test]
    async fn a_report_has_an_end() {
        let mut text = "{}\n".repeat(MAX_ERRORS);
        for (more, listed) in [("", MAX_ERRORS), ("{}\n", MAX_ERRORS)] {
            text.push_str(more);
            let report = import(&hss(), &text, 4096).await;
            assert_eq!((report.rejected as usize, report.errors.len()), (MAX_ERRORS + more.len().min(1), listed));
        }
    }

    /// Who shares a subscription, in both forms; who comes before its holder is told so and may come again.
    #[tokio::test]
    async fn one_subscription_for_several() {
        let share = "{\"private_identity\":\"tablet@ims.example\",\"subscription_of\":\"alice@ims.example\",\
            \"authentication\":{\"scheme\":\"digest\",\"password\":\"secret\"}}";
        let json = [share.to_owned(), line("alice", "tel:+1"), share.replace("tablet", "watch")].join("\n");
        let csv = "private_identity,public_identities,subscription_of,password\n\
            tablet@ims.example,,alice@ims.example,secret\n\
            alice@ims.example,tel:+1,,secret\n\
            watch@ims.example,,alice@ims.example,secret\n";
        for (text, first) in [(json.as_str(), 1), (csv, 2)] {
            let hss = hss();
            let report = import(&hss, text, 4096).await;
            assert_eq!((report.created, report.rejected), (2, 1), "{report:?}");
            assert_eq!(report.errors[0].line, first);
            assert!(report.errors[0].detail.contains("no subscription of alice@ims.example"), "{report:?}");
            let again = import(&hss, text, 4096).await;
            assert_eq!((again.created, again.unchanged, again.rejected), (1, 2, 0), "{again:?}");
            let alice = hss.get(&"tablet@ims.example".parse().unwrap()).await.unwrap().unwrap();
            let users: Vec<_> = alice.private_identities().map(ToString::to_string).collect();
            assert_eq!(users, ["alice@ims.example", "watch@ims.example", "tablet@ims.example"]);
        }
        let both = csv.replace("tablet@ims.example,,", "tablet@ims.example,tel:+2,");
        let report = import(&hss(), &both, 4096).await;
        assert!(report.errors[0].detail.contains("only authentication goes with it"), "{report:?}");
    }

    #[tokio::test]
    async fn csv_says_the_same() {
        let hss = hss();
        let text = "\u{feff}display_name,private_identity,public_identities,password,k,opc\r\n\
            \"Alice \"\"A\"\", sr.\",alice@ims.example,sip:alice@ims.example  tel:+1,secret,,\r\n\
            ,bob@ims.example,sip:bob@ims.example,,01010101010101010101010101010101,02020202020202020202020202020202\n\
            ,carol@ims.example,sip:carol@ims.example,,,\n\
            ,dave@ims.example\n\
            \"Erin,erin@ims.example,sip:erin@ims.example,secret,,";
        let report = import(&hss, text, 5).await;
        assert_eq!((report.created, report.rejected), (2, 3), "{report:?}");
        let lines: Vec<_> = report.errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [4, 5, 6]);
        let user = "alice@ims.example".parse().unwrap();
        let alice = hss.get(&user).await.unwrap().unwrap();
        let digest = DigestCredentials::from_password(&user, "ims.example", "secret").unwrap();
        assert_eq!(alice.credentials(), &Credentials::Digest(digest));
        let first = alice.identities().next().unwrap();
        assert_eq!(first.extension.as_ref().unwrap().display_name.as_deref(), Some("Alice \"A\", sr."));
        assert_eq!(alice.public_identities().count(), 2);
        let bob = hss.get(&"bob@ims.example".parse().unwrap()).await.unwrap().unwrap();
        assert!(matches!(bob.credentials(), Credentials::Aka(_)));

        for (head, cause) in
            [("name,k", "\"name\" is no column"), ("private_identity", "there is no public_identities")]
        {
            let mut import = Import::new(hss.clone(), "ims.example", 300);
            let error = import.bytes(format!("{head}\n").as_bytes()).await.unwrap_err().to_string();
            assert!(error.contains(cause), "{error}");
        }
    }
}
