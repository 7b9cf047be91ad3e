//! A home subscriber server: Cx over Diameter, provisioning over HTTP.
//!
//! ```text
//! cargo run --release --bin hss                                   # on loopback, with alice and bob
//! cargo run --release --bin hss -- --data /var/lib/imscore --peers icscf,scscf=192.0.2.7 --print-config > hss.toml
//! cargo run --release --bin hss -- --config hss.toml
//! cargo run --release --bin hss -- import subscribers.csv --data /var/lib/imscore
//! ```

use std::fs::File;
use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use imscore_examples::cli::Command;
use imscore_examples::hss::Running;
use imscore_examples::program::{self, Signals};
use imscore_examples::settings::HssSettings;
use imscore_examples::subscribers::{self, Import, LineError, Report};
use indicatif::{ProgressBar, ProgressStyle};

fn main() -> ExitCode {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    program::main(threads, async |command| match command {
        Command::Run(settings) => run(&settings).await,
        Command::Other(settings, _, matches) => {
            import(&settings, matches.get_one("file").expect("it is required")).await
        }
        Command::Print(_) => Ok(()),
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

/// Into the folder of the settings, without an HSS at work.
async fn import(settings: &HssSettings, file: &String) -> Result<()> {
    if settings.data.is_empty() {
        anyhow::bail!("name the folder of the subscribers with --data");
    }
    let (mut input, length): (Box<dyn Read>, u64) = match file.as_str() {
        "-" => (Box::new(std::io::stdin()), 0),
        name => {
            let file = File::open(name).with_context(|| format!("{name}: it cannot be read"))?;
            let length = file.metadata()?.len();
            (Box::new(file), length)
        }
    };
    let hss = subscribers::open(&settings.data).await?;
    let mut import = Import::new(hss, &settings.home_domain, settings.http.body as usize);
    let template = "{bar:40} {percent} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left";
    let bar = ProgressBar::new(length).with_style(ProgressStyle::with_template(template)?);
    let mut bytes = vec![0; 1 << 20];
    loop {
        let count = input.read(&mut bytes).with_context(|| format!("{file}: it cannot be read to its end"))?;
        if count == 0 {
            break;
        }
        import.bytes(&bytes[..count]).await?;
        bar.inc(count as u64);
    }
    let Report { created, replaced, unchanged, rejected, errors } = import.finish().await?;
    bar.finish_and_clear();
    println!("{created} created, {replaced} replaced, {unchanged} unchanged, {rejected} rejected");
    for LineError { line, detail } in &errors {
        eprintln!("{file}, line {line}: {detail}");
    }
    match rejected {
        0 => Ok(()),
        _ => anyhow::bail!("{rejected} lines were not written; the others were"),
    }
}
