//! A whole IMS core in one process: P-CSCF, I-CSCF, S-CSCF and HSS.
//!
//! ```text
//! cargo run --release                      # on loopback, with alice and bob
//! cargo run --release -- --data /var/lib/imscore --print-config > core.toml
//! cargo run --release -- --config core.toml
//! cargo run --release -- --hss diameter --http 127.0.0.1:8081     # the HSS is a process of its own: see hss.rs
//! ```

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use imscore_examples::cli::Command;
use imscore_examples::core::Core;
use imscore_examples::program::{self, Signals};
use imscore_examples::settings::{Listen, Settings};
use imscore_examples::subscribers::{Demo, demo_lines};

fn main() -> ExitCode {
    program::main(1, async |command| match command {
        Command::Run(settings) => run(&settings).await,
        Command::Other(..) | Command::Print(_) => Ok(()),
    })
}

async fn run(settings: &Settings) -> Result<()> {
    // On a laptop one wants to see who calls whom; where strangers call, the log gets hashes.
    program::log(&settings.log, settings.is_local())?;
    let mut signals = Signals::take()?;
    let mut core = Core::start(settings).await?;
    print!("{}", greeting(settings, core.demo()));

    tokio::select! {
        () = signals.told() => {}
        () = core.ended() => anyhow::bail!("a worker ended by a defect; its panic is above"),
    }
    eprintln!("stopping: nothing new is taken, what is under way has {} s", settings.drain_seconds);
    tokio::select! {
        stopped = core.stop(Duration::from_secs(settings.drain_seconds.into())) => stopped,
        () = signals.told() => anyhow::bail!("stopped at once, being told twice"),
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
    ];
    if settings.is_own_hss() {
        lines.push(format!("  HTTP     http://{http}/v1/subscribers, /health, /metrics"));
    } else {
        lines.push(format!("  HTTP     http://{http}/health, /metrics"));
        lines.push(match settings.is_hss_found() {
            true => format!("  HSS      of the realm {}   (Diameter, found by name)", settings.hss.realm),
            false => format!("  HSS      {} at {}   (Diameter)", settings.hss_host(), settings.hss.address),
        });
        return lines.join("\n") + "\nSubscribers are provisioned at the HSS. Ctrl-C ends it.\n";
    }
    lines.extend(demo_lines(demo));
    if demo.is_empty() {
        lines.push(format!("Put subscribers in: curl -X PUT http://{http}/v1/subscribers/NAME%40{domain} -d …"));
    } else {
        lines.push(format!("Register two phones by the address of 'phones' as outbound proxy, realm {domain},"));
        lines.push(format!("and call sip:bob@{domain} from the one of alice. Ctrl-C ends it."));
    }
    lines.join("\n") + "\n"
}
