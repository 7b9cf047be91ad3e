//! A whole IMS core in one process: P-CSCF, I-CSCF, S-CSCF and HSS.
//!
//! ```text
//! cargo run --release                      # on loopback, with alice and bob
//! cargo run --release -- --data /var/lib/imscore --print-config > core.toml
//! cargo run --release -- --config core.toml
//! ```

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use imscore_examples::cli::{self, CliError, Command};
use imscore_examples::core::{Core, Demo};
use imscore_examples::settings::{Listen, Settings};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    let settings = match cli::parse(std::env::args_os()) {
        Ok(Command::Run(settings)) => settings,
        Ok(Command::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(CliError::Flags(error)) => error.exit(),
        Err(CliError::Settings(error)) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    match runtime.context("no runtime").and_then(|runtime| runtime.block_on(run(&settings))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: &Settings) -> Result<()> {
    let filter: Targets = (settings.log.parse())
        .with_context(|| format!("log {:?}: write a level such as info, or levels by module", settings.log))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    // On a laptop one wants to see who calls whom; where strangers call, the log gets hashes.
    imscore_sip::pii::reveal(settings.is_local());

    // Before anything listens: who sees the port may send the signal.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut core = Core::start(settings).await?;
    print!("{}", greeting(settings, core.demo()));

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = core.ended() => anyhow::bail!("a worker ended by a defect; its panic is above"),
    }
    eprintln!("stopping: nothing new is taken, what is under way has {} s", settings.drain_seconds);
    tokio::select! {
        stopped = core.stop(Duration::from_secs(settings.drain_seconds.into())) => stopped,
        _ = terminate.recv() => anyhow::bail!("stopped at once, being told twice"),
        _ = interrupt.recv() => anyhow::bail!("stopped at once, being told twice"),
    }
}

/// What listens where, who is there, and how to call: ten lines.
fn greeting(settings: &Settings, demo: &[Demo]) -> String {
    let all = |listens: &[Listen]| listens.iter().map(|listen| listen.0.to_string()).collect::<Vec<_>>().join(", ");
    let (domain, http) = (&settings.home_domain, settings.http.listen);
    let mut lines = vec![
        format!("IMS core of {domain}"),
        format!("  phones   {}", all(&settings.pcscf.access)),
        format!("  P-CSCF   {}   (core side)", all(&settings.pcscf.core)),
        format!("  I-CSCF   {}", all(&settings.icscf.core)),
        format!("  S-CSCF   {}", all(&settings.scscf.core)),
        format!("  HTTP     http://{http}/v1/subscribers, /health, /metrics"),
    ];
    for Demo { private_identity, public_identities, password } in demo {
        let identities: Vec<_> = public_identities.iter().map(ToString::to_string).collect();
        let password = password.map_or("as it was provisioned".to_owned(), |password| format!("password {password}"));
        lines.push(format!("  {private_identity}   {password}   {}", identities.join(", ")));
    }
    if demo.is_empty() {
        lines.push(format!("Put subscribers in: curl -X PUT http://{http}/v1/subscribers/NAME%40{domain} -d …"));
    } else {
        lines.push(format!("Register two phones by the address of 'phones' as outbound proxy, realm {domain},"));
        lines.push(format!("and call sip:bob@{domain} from the one of alice. Ctrl-C ends it."));
    }
    lines.join("\n") + "\n"
}
