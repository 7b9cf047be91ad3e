//! Times every parser on every message, by the CPU time of one thread, and prints a Markdown table.

use std::{fmt::Write as _, hint::black_box, path::PathBuf, time::Duration};

use bytes::Bytes;
use clap::Parser as _;
use imscore_benches::{
    messages::{Sample, messages, messages_in},
    parsers::{Parser, parsers},
    stats::{geometric_mean, median},
};
use rustix::time::{ClockId, clock_gettime};

/// Times SIP parsers, message by message.
///
/// All parsers take turns in each round, so that a slow spell of the machine meets each of them; a figure is the median of
/// its rounds. Pin the program to one core for steadier figures: `taskset -c 1 cargo run ...`.
#[derive(clap::Parser)]
struct Options {
    /// Time the *.sip files of this folder in place of the twelve built-in messages
    #[arg(long, value_name = "DIR")]
    messages: Option<PathBuf>,

    /// Rounds, each of 0.2 ms for a parser and a message
    #[arg(long, default_value_t = 201, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Only parsers with this word in their names
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let samples = match &options.messages {
        Some(folder) => messages_in(folder)?,
        None => messages(),
    };
    let mut parsers = parsers();
    if let Some(word) = &options.only {
        parsers.retain(|parser| parser.name.contains(word));
        anyhow::ensure!(!parsers.is_empty(), "no parser has '{word}' in its name");
    }
    let mut cells: Vec<Cell> =
        samples.iter().flat_map(|sample| parsers.iter().map(move |parser| Cell::new(*parser, sample))).collect();
    for _ in 0..options.rounds {
        cells.iter_mut().for_each(Cell::round);
    }
    print!("{}", table(&samples, &parsers, &cells));
    Ok(())
}

/// One parser on one message.
struct Cell {
    parser: Parser,
    /// None when the parser rejects the message.
    input: Option<Bytes>,
    /// Messages in a round.
    batch: u32,
    /// Nanoseconds a message, one figure a round.
    rounds: Vec<f64>,
}

impl Cell {
    fn new(parser: Parser, sample: &Sample) -> Self {
        let mut cell = Self { parser, input: (parser.prepare)(&sample.bytes), batch: 1, rounds: Vec::new() };
        if let Some(input) = &cell.input {
            while cell.spend(input) < ROUND {
                cell.batch *= 2;
            }
        }
        cell
    }

    fn round(&mut self) {
        if let Some(input) = &self.input {
            let spent = self.spend(input).as_nanos() as f64;
            self.rounds.push(spent / f64::from(self.batch));
        }
    }

    fn spend(&self, input: &Bytes) -> Duration {
        let start = thread_cpu_time();
        for _ in 0..self.batch {
            black_box((self.parser.parse)(black_box(input)));
        }
        thread_cpu_time().saturating_sub(start)
    }
}

/// At least this long is a round of one cell: a thousand times what reading the clock takes.
const ROUND: Duration = Duration::from_micros(200);

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn table(samples: &[Sample], parsers: &[Parser], cells: &[Cell]) -> String {
    let mut out = String::from("Microseconds of thread CPU time a message; the median of the rounds.\n\n");
    let mut row = |first: &str, bytes: &str, rest: &mut dyn Iterator<Item = String>| {
        let rest: Vec<String> = rest.collect();
        let _ = writeln!(out, "| {first} | {bytes} | {} |", rest.join(" | "));
    };
    row("message", "bytes", &mut parsers.iter().map(|parser| parser.name.to_owned()));
    row("---", "---:", &mut parsers.iter().map(|_| "---:".to_owned()));
    for (sample, cells) in samples.iter().zip(cells.chunks(parsers.len())) {
        row(&sample.name, &sample.bytes.len().to_string(), &mut cells.iter().map(|cell| micros(median(&cell.rounds))));
    }
    let mean = |column: usize| {
        let medians: Vec<f64> = cells
            .iter()
            .skip(column)
            .step_by(parsers.len())
            .map(|cell| median(&cell.rounds))
            .filter(|median| !median.is_nan())
            .collect();
        micros(geometric_mean(&medians))
    };
    row("**geometric mean**", "", &mut (0..parsers.len()).map(mean));
    for parser in parsers {
        let _ = write!(out, "\n- {}: {}", parser.name, parser.reads);
    }
    out.push('\n');
    out
}

fn micros(nanos: f64) -> String {
    if nanos.is_nan() {
        return "rejects it".to_owned();
    }
    format!("{:.2}", nanos / 1000.0)
}
