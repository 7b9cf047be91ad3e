//! The load rig: sipp on loopback against imscore and Kamailio in turn, and the CPU time that each server took for it.

mod kernel;
mod process;
mod report;
mod run;
mod server;
mod sipp;

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context as _;
use clap::{Parser as _, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::{
    report::{Measured, table},
    run::{Bench, Interrupted},
    server::Server,
};

/// Drives imscore and Kamailio with sipp on loopback, one after the other, and compares the CPU time they take.
///
/// Each server runs alone on one core, sipp on another. What counts is the CPU time of the server's processes for one call
/// or one registration, and its ratio between the two servers within one run of this program: times and rates of
/// different days or machines say little.
///
/// Needs the Debian packages sip-tester and kamailio, and imscore's teaching programs:
/// cargo build --release -p imscore-examples --bins
#[derive(clap::Parser)]
#[command(name = "load", version)]
struct Options {
    /// What is measured
    workload: Workload,

    /// One TCP connection to the server in place of UDP
    #[arg(long)]
    tcp: bool,

    /// Calls or registrations a second [default: 2000 calls, 4000 registrations]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    rate: Option<u32>,

    /// How long sipp starts new ones, in each run
    #[arg(long, value_name = "S", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,

    /// Runs of each server; they alternate
    #[arg(long, value_name = "R", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,

    /// Which servers take part
    #[arg(long, value_enum, default_value_t = Servers::Both)]
    server: Servers,

    /// Where stateful_proxy and registrar are [default: beside this program]
    #[arg(long, value_name = "DIR")]
    imscore_dir: Option<PathBuf>,

    /// The server's port; the two sides of sipp take the next two
    #[arg(long, default_value_t = 15060, value_parser = clap::value_parser!(u16).range(1..=65_533))]
    port: u16,

    /// The core of the server
    #[arg(long, value_name = "CPU", default_value_t = 0)]
    server_cpu: usize,

    /// The core of sipp
    #[arg(long, value_name = "CPU", default_value_t = 1)]
    load_cpu: usize,

    /// Append one line of JSON for each run to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Workload {
    /// INVITE, 180, 200, ACK, BYE, 200 through a record-routing stateful proxy
    Call,
    /// REGISTER, 401, REGISTER with MD5 Digest, 200 at a registrar
    Reg,
}

impl Workload {
    fn unit(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Reg => "registration",
        }
    }

    fn default_rate(self) -> u32 {
        match self {
            Self::Call => 2000,
            Self::Reg => 4000,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Servers {
    Imscore,
    Kamailio,
    Both,
}

impl Servers {
    fn list(self) -> &'static [Server] {
        match self {
            Self::Imscore => &[Server::Imscore],
            Self::Kamailio => &[Server::Kamailio],
            Self::Both => &[Server::Imscore, Server::Kamailio],
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match measure(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("stopped");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the whole series and prints its table. False when calls or registrations failed.
fn measure(options: &Options) -> anyhow::Result<bool> {
    let servers = options.server.list();
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))?;

    let bench = Bench::prepare(options, interrupted)?;
    let mut journal = match &options.json {
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            Some(file.with_context(|| format!("cannot write {}", path.display()))?)
        }
        None => None,
    };

    let runs = u64::from(options.repeat) * servers.len() as u64;
    let progress = ProgressBar::new(runs * u64::from(options.seconds))
        .with_style(ProgressStyle::with_template("{bar:30} {elapsed} {msg}")?);
    let mut measured: Vec<Measured> = Vec::new();
    for round in 0..options.repeat {
        // the order turns with each round: a drift of the machine favours neither server
        for step in 0..servers.len() {
            let server = servers[(step + round as usize) % servers.len()];
            progress.set_message(format!("{server}, run {} of {runs}", measured.len() + 1));
            let done = progress.position();
            let run = bench.run(server, |seconds| progress.set_position(done + seconds))?;
            progress.set_position(done + u64::from(options.seconds));
            progress.suspend(|| eprintln!("{run}"));
            if let Some(file) = &mut journal {
                writeln!(file, "{}", serde_json::to_string(&run)?)?;
            }
            measured.push(run);
        }
    }
    progress.finish_and_clear();
    print!("{}", table(&measured));
    Ok(measured.iter().all(|run| run.failed == 0))
}
