//! How a program with settings starts, hears that it is to end, and ends.

use std::process::ExitCode;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::{self, CliError, Command, Program};

/// Reads the command line and does what it says, in a runtime of so many threads.
pub fn main<S: Program>(threads: usize, run: impl AsyncFnOnce(Command<S>) -> Result<()>) -> ExitCode {
    let command = match cli::parse(std::env::args_os()) {
        Ok(Command::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Ok(command) => command,
        Err(CliError::Flags(error)) => error.exit(),
        Err(CliError::Settings(error)) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    match runtime.context("no runtime").and_then(|runtime| runtime.block_on(run(command))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Logs to standard error. Where `reveal` is true identities stand in the log as they are, else as hashes.
///
/// # Errors
/// `levels` names none.
pub fn log(levels: &str, reveal: bool) -> Result<()> {
    let filter: Targets =
        levels.parse().with_context(|| format!("log {levels:?}: write a level such as info, or levels by module"))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    imscore_sip::pii::reveal(reveal);
    Ok(())
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes them from now on. Before anything listens: who sees the port may send the signal.
    ///
    /// # Errors
    /// The system does not allow it.
    pub fn take() -> Result<Signals> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits until one of them comes.
    pub async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
