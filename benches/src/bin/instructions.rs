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
    cx,
    growth::{GROWTHS, Growth, LARGER},
    messages::messages,
    parsers::{FORWARD, HTTPARSE, IMSCORE, LINES, Parser, TYPED},
};

/// Counts the instructions that SIP and Diameter messages take, and fails where they have grown by more than 3 % of what the base
/// says, or where they grow faster than what is read.
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

    /// Count the growth alone
    #[arg(long)]
    growth: bool,

    /// What valgrind is to run, and how often
    #[arg(long, hide = true, num_args = 2, value_names = ["WORK", "TIMES"])]
    work: Option<Vec<String>>,

    /// What valgrind is to run: reads an input of so many pieces so many times
    #[arg(long, hide = true, num_args = 3, value_names = ["GROWTH", "PIECES", "TIMES"])]
    read: Option<Vec<String>>,
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

/// How many times as much an input of [`LARGER`] times the size may take.
const MOST: f64 = 12.0;

/// By version of rustc and name of the work.
type Base = BTreeMap<String, BTreeMap<String, f64>>;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some(work) = &options.work {
        return perform(&work[0], work[1].parse()?);
    }
    if let Some(read) = &options.read {
        return read_pieces(&read[0], read[1].parse()?, read[2].parse()?);
    }
    if !options.growth {
        compare(&options)?;
        println!();
    }
    grow()
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

/// Larger inputs against smaller ones.
fn grow() -> anyhow::Result<()> {
    println!("| {LARGER} times as much of | instructions | of the larger | ratio |");
    println!("| --- | ---: | ---: | ---: |");
    let mut fast = Vec::new();
    for growth in GROWTHS {
        let count = |pieces: usize| {
            difference(2, 12, |times| total(&["--read", growth.name, &pieces.to_string(), &times.to_string()]))
        };
        let (small, large) = (count(growth.times)?, count(growth.times * LARGER)?);
        let ratio = large / small;
        println!("| {} × {} | {small:.0} | {large:.0} | {ratio:.1} |", growth.times, growth.name);
        if ratio > MOST {
            fast.push(growth.name);
        }
    }
    anyhow::ensure!(fast.is_empty(), "{LARGER} times as much takes more than {MOST} times: {}", fast.join(", "));
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

fn difference(fewer: u32, more: u32, total: impl Fn(u32) -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    Ok((total(more)? - total(fewer)?) / f64::from(more - fewer))
}

/// Instructions of a run of this program with those flags.
fn total(flags: &[&str]) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let counts = folder.path().join("counts");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={}", counts.display())])
        .arg(std::env::current_exe()?)
        .args(flags)
        .output()
        .context("valgrind does not start; is it installed?")?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&counts)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")).context("callgrind counted nothing")?;
    Ok(total.trim().parse()?)
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

fn read_pieces(name: &str, pieces: usize, times: u32) -> anyhow::Result<()> {
    let growth: &Growth = GROWTHS.iter().find(|known| known.name == name).context("no such growth")?;
    let input = growth.input(pieces);
    for _ in 0..times {
        (growth.read)(black_box(&input));
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
