//! How much memory a subscriber takes, and how long a million of them take into a base on disk.
//!
//! ```text
//! cargo build --release -p imscore-examples --bin hss
//! cargo run --release -p imscore-benches --bin subscribers -- memory
//! cargo run --release -p imscore-benches --bin subscribers -- disk
//! cargo run --release -p imscore-benches --bin subscribers -- write subscribers.csv --order random
//! ```
//!
//! Linux: the figures of processes are those of `/proc`.

mod lines;
mod server;

use std::hint::black_box;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use imscore_hss::{Credentials, DigestCredentials, MemorySubscribers, PrivateIdentity, Subscription};

use lines::{Form, Order, Subscriber};
use server::Imported;

/// Subscribers by the million.
#[derive(Debug, Parser)]
struct Flags {
    #[command(subcommand)]
    what: What,
    /// How many subscribers.
    #[arg(long, global = true, default_value_t = 1_000_000)]
    count: u32,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Bytes of a subscriber in memory: one private identity, a SIP and a telephone URI, Digest with two hashes.
    Memory,
    /// Imports them into a new base, in both forms and both orders, and starts an HSS on it.
    Disk {
        /// The `hss` program.
        #[arg(long, default_value = "target/release/hss")]
        hss: PathBuf,
        /// Only this form.
        #[arg(long)]
        form: Option<Form>,
        /// Only this order.
        #[arg(long)]
        order: Option<Order>,
    },
    /// Writes them to a file, as NDJSON or CSV after its name.
    Write {
        /// The file.
        file: PathBuf,
        /// In which order.
        #[arg(long, default_value = "sorted")]
        order: Order,
    },
}

fn main() -> anyhow::Result<()> {
    let Flags { what, count } = Flags::parse();
    match what {
        What::Memory => memory(count),
        What::Disk { hss, form, order } => {
            let forms = form.map_or(vec![Form::Ndjson, Form::Csv], |form| vec![form]);
            let orders = order.map_or(vec![Order::Sorted, Order::Random], |order| vec![order]);
            for form in forms {
                orders.iter().try_for_each(|order| disk(&hss, form, *order, count))?;
            }
            Ok(())
        }
        What::Write { file, order } => {
            let form = match file.extension().and_then(|end| end.to_str()) {
                Some("csv") => Form::Csv,
                Some("ndjson" | "json") => Form::Ndjson,
                _ => bail!("{}: name it .csv or .ndjson", file.display()),
            };
            lines::write(&file, form, order, count)
        }
    }
}

/// The growth of this process by a base of them, for each.
fn memory(count: u32) -> anyhow::Result<()> {
    let realm: std::sync::Arc<str> = lines::REALM.into();
    let bar = lines::bar(count);
    let subscription = |number| -> anyhow::Result<Subscription> {
        bar.inc(1);
        let Subscriber { private_identity, public_identities, password } = Subscriber::new(number);
        let user: PrivateIdentity = private_identity.parse()?;
        let credentials = Credentials::Digest(DigestCredentials::from_password(&user, realm.clone(), &password)?);
        let public = public_identities.iter().map(|text| text.parse()).collect::<Result<Vec<_>, _>>()?;
        Ok(Subscription::new(user, public, credentials)?)
    };
    for order in [Order::Sorted, Order::Random] {
        let numbers = order.numbers(count);
        let before = server::resident(std::process::id())?;
        let mut failure = None;
        let made = numbers.iter().map_while(|number| subscription(*number).map_err(|error| failure = Some(error)).ok());
        let base = MemorySubscribers::new(made)?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let grown = server::resident(std::process::id())?.saturating_sub(before);
        bar.suspend(|| println!("{order:?}: {} bytes a subscriber", grown / u64::from(count)));
        bar.reset();
        // Given back to the system or not, what is free of it would be used again and hide what the next one takes.
        std::mem::forget(black_box(base));
    }
    bar.finish_and_clear();
    Ok(())
}

fn disk(hss: &Path, form: Form, order: Order, count: u32) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(form.file_name());
    lines::write(&file, form, order, count)?;
    let data = folder.path().join("data");
    let Imported { time, cpu, peak } = server::import(hss, &file, &data)?;
    let size = std::fs::metadata(data.join("subscribers.redb")).context("the base is not there")?.len();
    let running = server::run(hss, &data, count)?;
    println!(
        "{form:?}, {order:?}: imported in {:.1} s, {:.1} s of CPU, {} MB at most, base {} MB; HSS on it: there after \
         {:.2} s, {} MB after {} look-ups and all pages",
        time.as_secs_f64(),
        cpu.as_secs_f64(),
        peak / 1_000_000,
        size / 1_000_000,
        running.start.as_secs_f64(),
        running.resident / 1_000_000,
        running.asked,
    );
    Ok(())
}
