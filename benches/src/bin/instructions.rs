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
    messages::messages,
    parsers::{FORWARD, HTTPARSE, IMSCORE, LINES, Parser, TYPED},
};

/// Counts the instructions that parsing takes, and fails where they have grown by more than 3 % of what the base says.
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

    /// What valgrind is to run: reads all messages so many times
    #[arg(long, hide = true, num_args = 2, value_names = ["PARSER", "TIMES"])]
    work: Option<Vec<String>>,
}

/// Counted, httparse first.
const PARSERS: [Parser; 5] = [HTTPARSE, LINES, IMSCORE, TYPED, FORWARD];

/// What a ratio may grow by.
const TOLERANCE: f64 = 0.03;

/// By version of rustc and name of the parser.
type Base = BTreeMap<String, BTreeMap<String, f64>>;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some(work) = &options.work {
        return perform(&work[0], work[1].parse()?);
    }
    let version = rustc_version()?;
    let mut base = read(&options.base)?;
    let counts = PARSERS.map(|parser| count(parser.name));
    let [httparse, ..] = &counts;
    let httparse = *httparse.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
    println!("| instructions for the twelve messages | counted | to httparse | base, rustc {version} |");
    println!("| --- | ---: | ---: | ---: |");
    let mut grown = Vec::new();
    for (parser, counted) in PARSERS.iter().zip(counts) {
        let counted = counted?;
        let ratio = counted / httparse;
        let known = base.entry(version.clone()).or_default();
        let before = known.get(parser.name).copied();
        let shown = before.map_or("none".to_owned(), |before| format!("{before:.3}"));
        println!("| {} | {counted:.0} | {ratio:.3} | {shown} |", parser.name);
        if before.is_some_and(|before| ratio > before * (1.0 + TOLERANCE)) {
            grown.push(parser.name);
        }
        if options.write {
            known.insert(parser.name.to_owned(), (ratio * 1000.0).round() / 1000.0);
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

/// Instructions of one pass over all messages: what more passes take above fewer, so that start and end do not count.
fn count(parser: &str) -> anyhow::Result<f64> {
    const FEWER: u32 = 20;
    const MORE: u32 = 120;
    Ok((total(parser, MORE)? - total(parser, FEWER)?) / f64::from(MORE - FEWER))
}

fn total(parser: &str, times: u32) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let counts = folder.path().join("counts");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={}", counts.display())])
        .arg(std::env::current_exe()?)
        .args(["--work", parser, &times.to_string()])
        .output()
        .context("valgrind does not start; is it installed?")?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&counts)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")).context("callgrind counted nothing")?;
    Ok(total.trim().parse()?)
}

fn perform(parser: &str, times: u32) -> anyhow::Result<()> {
    let parser = PARSERS.iter().find(|known| known.name == parser).context("no such parser")?;
    let inputs: Vec<_> = messages().iter().filter_map(|sample| (parser.prepare)(&sample.bytes)).collect();
    for _ in 0..times {
        for input in &inputs {
            black_box((parser.parse)(black_box(input)));
        }
    }
    Ok(())
}
