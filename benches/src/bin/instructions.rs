//! Counts instructions under callgrind, and holds the ratio to httparse against a base that was measured before.
//!
//! Instructions are the same whatever else a machine does. The ratio to httparse, counted in the same run, takes most of
//! the compiler's version out; what is left of it is why each version of rustc has a base of its own.

use std::{
    collections::BTreeMap,
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use clap::Parser as _;
use imscore_benches::{
    callgrind::{difference, total},
    cx,
    messages::messages,
    parsers::{FORWARD, HTTPARSE, IMSCORE, LINES, Parser, TYPED},
};

/// Counts the instructions that SIP and Diameter messages take, and fails where they have grown by more than 3 % of what the base
/// says.
///
/// Needs valgrind, and rustc in the path to tell its version.
#[derive(clap::Parser)]
struct Options {
    /// Ratios to httparse, by version of rustc
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.toml"))]
    base: PathBuf,

    /// Write what was counted into the base
    #[arg(long)]
    write: bool,

    /// What valgrind is to run, and how often
    #[arg(long, hide = true, num_args = 2, value_names = ["WORK", "TIMES"])]
    work: Option<Vec<String>>,
}

/// Something that is counted; once is twelve messages.
#[derive(Clone, Copy)]
enum Work {
    /// The twelve SIP messages, by a parser.
    Parse(Parser),
    /// A command of Cx, written.
    Write { name: &'static str, command: &'static str },
    /// One, read.
    Read { name: &'static str, command: &'static str },
}

/// Counted, httparse first.
const WORK: [Work; 8] = [
    Work::Parse(HTTPARSE),
    Work::Parse(LINES),
    Work::Parse(IMSCORE),
    Work::Parse(TYPED),
    Work::Parse(FORWARD),
    Work::Write { name: "Multimedia-Auth-Request, write", command: "Multimedia-Auth-Request" },
    Work::Read { name: "Multimedia-Auth-Request, read", command: "Multimedia-Auth-Request" },
    Work::Read { name: "Multimedia-Auth-Answer, read", command: "Multimedia-Auth-Answer" },
];

/// Diameter messages of one pass, as many as there are of SIP.
const MESSAGES: usize = 12;

/// What a ratio may grow by.
const TOLERANCE: f64 = 0.03;

/// By version of rustc and name of the work.
type Base = BTreeMap<String, BTreeMap<String, f64>>;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some(work) = &options.work {
        return perform(&work[0], work[1].parse()?);
    }
    compare(&options)
}

/// The ratios to httparse against those of the base.
fn compare(options: &Options) -> anyhow::Result<()> {
    let version = rustc_version()?;
    let mut base = read(&options.base)?;
    let counts = WORK.map(|work| count(work.name()));
    let [httparse, ..] = &counts;
    let httparse = *httparse.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
    println!("| instructions for the twelve messages | counted | to httparse | base, rustc {version} |");
    println!("| --- | ---: | ---: | ---: |");
    let mut grown = Vec::new();
    for (work, counted) in WORK.iter().zip(counts) {
        let name = work.name();
        let counted = counted?;
        let ratio = counted / httparse;
        let known = base.entry(version.clone()).or_default();
        let before = known.get(name).copied();
        let shown = before.map_or("none".to_owned(), |before| format!("{before:.3}"));
        println!("| {name} | {counted:.0} | {ratio:.3} | {shown} |");
        if before.is_some_and(|before| ratio > before * (1.0 + TOLERANCE)) {
            grown.push(name);
        }
        if options.write {
            known.insert(name.to_owned(), (ratio * 1000.0).round() / 1000.0);
        }
    }
    if options.write {
        fs::write(&options.base, toml::to_string(&base)?)?;
        return Ok(());
    }
    if base[&version].is_empty() {
        println!("\nThere is no base for rustc {version}: --write makes one.");
    }
    anyhow::ensure!(
        grown.is_empty(),
        "{} more than {:.0} % above the base: make it faster, or say in a commit why it costs that and run with --write",
        grown.join(", "),
        TOLERANCE * 100.0
    );
    Ok(())
}

fn read(base: &Path) -> anyhow::Result<Base> {
    match fs::read_to_string(base) {
        Ok(text) => toml::from_str(&text).with_context(|| base.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Base::new()),
        Err(error) => Err(error).with_context(|| base.display().to_string()),
    }
}

fn rustc_version() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("--version").output().context("rustc does not start")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_ascii_whitespace().nth(1).map(str::to_owned).context("rustc tells no version")
}

/// Instructions of one pass over twelve messages: what more passes take above fewer, so that start and end do not count.
fn count(work: &str) -> anyhow::Result<f64> {
    difference(20, 120, |times| total(&["--work", work, &times.to_string()]))
}

fn perform(name: &str, times: u32) -> anyhow::Result<()> {
    let work = WORK.iter().find(|work| work.name() == name).context("no such work")?;
    let command = |name| cx::command(name).context("no such command");
    match work {
        Work::Parse(parser) => {
            let inputs: Vec<_> = messages().iter().filter_map(|sample| (parser.prepare)(&sample.bytes)).collect();
            for _ in 0..times {
                for input in &inputs {
                    black_box((parser.parse)(black_box(input)));
                }
            }
        }
        Work::Write { command: name, .. } => {
            let command = command(name)?;
            for _ in 0..times as usize * MESSAGES {
                black_box((command.write)());
            }
        }
        Work::Read { command: name, .. } => {
            let command = command(name)?;
            let bytes = (command.write)();
            for _ in 0..times as usize * MESSAGES {
                anyhow::ensure!((command.read)(black_box(&bytes)), "what was written is read");
            }
        }
    }
    Ok(())
}

impl Work {
    fn name(&self) -> &'static str {
        match self {
            Work::Parse(parser) => parser.name,
            Work::Write { name, .. } | Work::Read { name, .. } => name,
        }
    }
}
