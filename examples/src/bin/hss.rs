//! A home subscriber server: Cx over Diameter, provisioning over HTTP.
//!
//! ```text
//! cargo run --release --bin hss                                   # on loopback, with alice and bob
//! cargo run --release --bin hss -- --data /var/lib/imscore --peers icscf,scscf=192.0.2.7 --print-config > hss.toml
//! cargo run --release --bin hss -- --config hss.toml
//! ```

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use imscore_examples::cli::Command;
use imscore_examples::hss::Running;
use imscore_examples::program::{self, Signals};
use imscore_examples::settings::HssSettings;

fn main() -> ExitCode {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    program::main(threads, async |command| match command {
        Command::Run(settings) => run(&settings).await,
        Command::Other(..) | Command::Print(_) => Ok(()),
    })
}

async fn run(settings: &HssSettings) -> Result<()> {
    program::log(&settings.log, settings.is_local())?;
    let mut signals = Signals::take()?;
    let hss = Running::start(settings).await?;
    print!("{}", hss.greeting(settings));

    signals.told().await;
    eprintln!("stopping: nothing new is taken, what is under way has {} s", settings.drain_seconds);
    tokio::select! {
        stopped = hss.stop(Duration::from_secs(settings.drain_seconds.into())) => stopped,
        () = signals.told() => anyhow::bail!("stopped at once, being told twice"),
    }
}
