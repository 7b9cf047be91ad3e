//! The torture messages of RFC 4475 and RFC 5118, and the flows of a few other RFCs, read where a corpus lies beside
//! the checkout (`../shared/corpora`) or where `IMSCORE_CORPORA` says. Without it each test is reported as ignored;
//! `tests/it/torture.rs` has messages of our own for the same points.
//!
//! A verdict is held against what reading the message and [`Request::check`](imscore_sip::Request::check) give, and then
//! against what a proxy does on the wire.

#[cfg(feature = "trace")]
mod lines;
mod points;
mod wire;

use std::path::{Path, PathBuf};

use imscore_sip::message::salvage_reply;
use imscore_sip::{Message, StatusCode};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Names of the messages, so that a test is there by name where its message is not.
const RFC_4475: &[&str] = &[
    "badaspec",
    "badbranch",
    "baddate",
    "baddn",
    "badinv01",
    "badvers",
    "bcast",
    "bext01",
    "bigcode",
    "clerr",
    "cparam01",
    "cparam02",
    "dblreq",
    "esc01",
    "esc02",
    "escnull",
    "escruri",
    "insuf",
    "intmeth",
    "inv2543",
    "invut",
    "longreq",
    "ltgtruri",
    "lwsdisp",
    "lwsruri",
    "lwsstart",
    "mcl01",
    "mismatch01",
    "mismatch02",
    "mpart01",
    "multi01",
    "ncl",
    "noreason",
    "novelsc",
    "quotbal",
    "regaut01",
    "regbadct",
    "regescrt",
    "scalar02",
    "scalarlg",
    "sdp01",
    "semiuri",
    "transports",
    "trws",
    "unkscm",
    "unksm2",
    "unreason",
    "wsinv",
    "zeromf",
];

const RFC_5118: &[&str] = &[
    "ipv4-mapped-ipv6",
    "ipv6-bad",
    "ipv6-bug-abnf-3-colons",
    "ipv6-correct-abnf-2-colons",
    "ipv6-good",
    "ipv6-in-sdp",
    "mult-ip-in-header",
    "mult-ip-in-sdp",
    "port-ambiguous",
    "port-unambiguous",
    "via-received-param-no-delim",
    "via-received-param-with-delim",
];

fn main() {
    let rfc_4475 = RFC_4475.iter().map(|name| {
        trial(&format!("torture_rfc4475_{name}"), move |corpora| {
            let corpus = corpora.join("rfc4475");
            let (message, verdict) =
                (corpus.join("msgs").join(format!("{name}.dat")), verdict(&corpus, &format!("{name}.dat"))?);
            judge(name, &message, &verdict)?;
            judge_proxy(&message, &verdict)
        })
    });
    let rfc_5118 = RFC_5118.iter().map(|name| {
        trial(&format!("torture_rfc5118_{}", name.replace('-', "_")), move |corpora| {
            let corpus = corpora.join("rfc5118");
            let (message, verdict) = (corpus.join("msgs").join(name), verdict(&corpus, name)?);
            judge(name, &message, &verdict)?;
            judge_proxy(&message, &verdict)
        })
    });
    let flows = [trial("torture_flows", |corpora| flows(&corpora.join("rfc-flows/msgs")))];
    #[cfg(feature = "trace")]
    let flows = flows.into_iter().chain([trial("torture_p13_every_file_is_valid_json", lines::every_file)]);
    libtest_mimic::run(&Arguments::from_args(), rfc_4475.chain(rfc_5118).chain(flows).collect()).exit();
}

fn trial(name: &str, test: impl FnOnce(&Path) -> Result<(), Failed> + Send + 'static) -> Trial {
    let corpora = corpora();
    let absent = corpora.is_none();
    let run = move || match corpora {
        Some(corpora) => test(&corpora).map(|()| Completion::Completed),
        None => Ok(Completion::ignored_with("there are no corpora")),
    };
    Trial::ignorable_test(name, run).with_ignored_flag(absent)
}

fn corpora() -> Option<PathBuf> {
    let named = std::env::var_os("IMSCORE_CORPORA").map(PathBuf::from);
    let beside =
        || Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(2).take(2).map(|at| at.join("shared/corpora"));
    named.into_iter().chain(beside()).find(|path| path.is_dir())
}

/// What the table that lies with the messages says of one.
struct Verdict {
    /// `accept`, `reject`, `either`, with remarks.
    parser: String,
    /// What goes back or on: `400`, `505`, `forward`, `drop`.
    proxy: String,
}

impl Verdict {
    fn must_reject(&self) -> bool {
        self.parser.starts_with("reject") || self.proxy.starts_with("400") && !self.tolerates()
    }

    fn must_accept(&self) -> bool {
        self.parser.starts_with("accept") && !self.must_reject() && !self.tolerates()
    }

    /// True where an implementation may do either.
    fn tolerates(&self) -> bool {
        self.parser.starts_with("either") || self.parser == "accept, must not break"
    }

    /// True where a proxy may answer with this status, though the table names none.
    fn may_refuse(&self, status: StatusCode) -> bool {
        !self.must_accept() && (400..500).contains(&status.code())
    }

    /// True where a proxy may pass the message on.
    fn may_forward(&self) -> bool {
        let begins_with_status = self.proxy.split(|next: char| !next.is_ascii_digit()).next().map(str::len) == Some(3);
        self.tolerates() || self.proxy.contains("forward") || !self.must_reject() && !begins_with_status
    }

    /// True for a status that the table names; a 400 is right where it names none.
    fn allows(&self, status: StatusCode) -> bool {
        let names_one = self.proxy.split(|character: char| !character.is_ascii_digit()).any(|word| word.len() == 3);
        if names_one { self.proxy.contains(&status.to_string()) } else { status == StatusCode::BAD_REQUEST }
    }
}

fn verdict(corpus: &Path, file: &str) -> Result<Verdict, Failed> {
    let table = std::fs::read_to_string(corpus.join("VERDICTS.tsv"))?;
    let mut lines = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next().unwrap_or_default();
    let row = lines.find(|row| row[0] == file).ok_or(format!("{file} has no verdict"))?;
    let cell =
        |name: &str| head.iter().position(|cell| *cell == name).and_then(|at| row.get(at)).map(|cell| cell.to_string());
    let endpoint = cell("behaviour").or(cell("endpoint_or_registrar")).unwrap_or_default();
    let proxy = cell("proxy_or_cscf").filter(|cell| cell != "same").unwrap_or(endpoint);
    Ok(Verdict { parser: cell("parser").unwrap_or_default(), proxy })
}

/// The message at `path` against its verdict, and against what we know of it by name.
fn judge(name: &str, path: &Path, verdict: &Verdict) -> Result<(), Failed> {
    let bytes = std::fs::read(path)?;
    match read(&bytes) {
        Outcome::Refused { status, why } => {
            if verdict.must_accept() {
                return Err(format!("{status:?}: {why}").into());
            }
            match status {
                Some(status) if !verdict.allows(status) => Err(format!("{status}: {why}").into()),
                Some(_) | None => Ok(()),
            }
        }
        Outcome::Accepted(message) => {
            if verdict.must_reject() {
                return Err("was accepted".into());
            }
            let written = message.to_bytes();
            if bytes[..written.len()] != written {
                return Err("is not written as it was read".into());
            }
            points::of(name, &message).map_err(Failed::from)
        }
    }
}

/// What a proxy does with the message at `path`, against its verdict.
fn judge_proxy(path: &Path, verdict: &Verdict) -> Result<(), Failed> {
    let bytes = std::fs::read(path)?;
    let wire::Outcome { answer, unsupported, forwarded, astray } = wire::send(&bytes);
    let found = format!("{answer:?}, forwarded: {forwarded:?}");
    if astray > 0 {
        return Err(format!("went to somebody who has nothing to do with it: {found}").into());
    }
    let proxy = verdict.proxy.to_ascii_lowercase();
    // RFC 6026 §7.3, §8.9: a response that belongs to no transaction goes nowhere, whatever the table says.
    let is_response = bytes.to_ascii_uppercase().starts_with(b"SIP/");
    let right = if is_response || proxy.starts_with("drop") || proxy.starts_with("discard") {
        answer.is_none() && forwarded.is_none()
    } else if let Some(status) = answer {
        let named = ["416", "420", "483", "400", "501", "505"].iter().any(|named| proxy.contains(named));
        forwarded.is_none() && if named { proxy.contains(&status.to_string()) } else { verdict.may_refuse(status) }
    } else {
        forwarded.is_some() && verdict.may_forward()
    };
    if !right {
        return Err(format!("{}: {found}", verdict.proxy).into());
    }
    let listed = verdict.proxy.split_once("Unsupported: ").map(|(_, listed)| listed.split(", ").collect::<Vec<_>>());
    if listed.is_some_and(|listed| listed != unsupported) {
        return Err(format!("{}: {unsupported:?}", verdict.proxy).into());
    }
    Ok(())
}

/// What reading and checking give.
#[allow(clippy::large_enum_variant)]
enum Outcome {
    Accepted(Message),
    /// The status that goes back; none where the message is dropped.
    Refused {
        status: Option<StatusCode>,
        why: String,
    },
}

fn read(bytes: &[u8]) -> Outcome {
    let message = match Message::parse(bytes.to_vec().into()) {
        Ok(message) => message,
        Err(error) => {
            let status = salvage_reply(bytes, &error).map(|_| error.status());
            return Outcome::Refused { status, why: error.to_string() };
        }
    };
    let (verdict, answered) = match &message {
        Message::Request(request) => (request.check(), true),
        Message::Response(response) => (response.check(), false),
    };
    match verdict {
        Ok(()) => Outcome::Accepted(message),
        Err(rejection) => Outcome::Refused { status: answered.then(|| rejection.status()), why: rejection.to_string() },
    }
}

/// Every message of a flow is one to act on, and goes out as it came in. RFC 5626 §9 prints some without their Via.
fn flows(folder: &Path) -> Result<(), Failed> {
    let mut folders = vec![folder.to_path_buf()];
    let mut count = 0;
    let mut faults = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path)?;
            match read(&bytes) {
                Outcome::Accepted(message) if message.to_bytes() == bytes => count += 1,
                Outcome::Accepted(_) => faults.push(format!("{}: is not written as read", path.display())),
                Outcome::Refused { why, .. } if why == "Via header is missing" => (),
                Outcome::Refused { why, .. } => faults.push(format!("{}: {why}", path.display())),
            }
        }
    }
    if count > 0 && faults.is_empty() {
        Ok(())
    } else {
        Err(format!("{count} flows read\n{}", faults.join("\n")).into())
    }
}
