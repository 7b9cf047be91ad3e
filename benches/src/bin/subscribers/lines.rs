//! The subscribers, and how they are written.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

/// The home domain.
pub(crate) const REALM: &str = "ims.example";

/// What an operator has of one.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) private_identity: String,
    pub(crate) public_identities: [String; 2],
    pub(crate) password: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Form {
    /// A JSON object a line.
    Ndjson,
    /// A head, and a line for each.
    Csv,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Order {
    /// That of their names.
    Sorted,
    /// Another one, the same each time.
    Random,
}

impl Subscriber {
    pub(crate) fn new(number: u32) -> Subscriber {
        Subscriber {
            private_identity: format!("user{number:07}@{REALM}"),
            public_identities: [format!("sip:user{number:07}@{REALM}"), format!("tel:+1201{number:07}")],
            password: format!("secret of {number}"),
        }
    }
}

impl Form {
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Form::Ndjson => "subscribers.ndjson",
            Form::Csv => "subscribers.csv",
        }
    }

    fn head(self) -> &'static str {
        match self {
            Form::Ndjson => "",
            Form::Csv => "private_identity,public_identities,password\n",
        }
    }

    fn line(self, subscriber: &Subscriber) -> String {
        let Subscriber { private_identity, public_identities: [sip, tel], password } = subscriber;
        match self {
            Form::Ndjson => format!(
                "{{\"private_identity\":\"{private_identity}\",\"public_identities\":[\"{sip}\",\"{tel}\"],\
                 \"authentication\":{{\"scheme\":\"digest\",\"password\":\"{password}\"}}}}\n"
            ),
            Form::Csv => format!("{private_identity},{sip} {tel},{password}\n"),
        }
    }
}

impl Order {
    /// The numbers from 0 on, in this order.
    pub(crate) fn numbers(self, count: u32) -> Vec<u32> {
        let mut numbers: Vec<_> = (0..count).collect();
        match self {
            Order::Sorted => {}
            Order::Random => {
                // Fisher and Yates, over a linear congruence of 64 bits.
                let mut state = 7_u64;
                for at in (1..numbers.len()).rev() {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    numbers.swap(at, (state >> 33) as usize % (at + 1));
                }
            }
        }
        numbers
    }
}

pub(crate) fn write(file: &Path, form: Form, order: Order, count: u32) -> anyhow::Result<()> {
    let bar = bar(count);
    let mut out = BufWriter::new(File::create(file).with_context(|| format!("cannot write {}", file.display()))?);
    out.write_all(form.head().as_bytes())?;
    for number in order.numbers(count) {
        out.write_all(form.line(&Subscriber::new(number)).as_bytes())?;
        bar.inc(1);
    }
    out.flush()?;
    bar.finish_and_clear();
    Ok(())
}

pub(crate) fn bar(count: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} subscribers  {eta} left");
    ProgressBar::new(count.into()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_has_each_number_once() {
        let mut numbers = Order::Random.numbers(10_000);
        let sorted = Order::Sorted.numbers(10_000);
        assert_ne!(numbers, sorted);
        numbers.sort_unstable();
        assert_eq!(numbers, sorted);
    }
}
