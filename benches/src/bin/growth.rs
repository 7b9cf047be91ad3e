//! Counts how what reading takes grows with what is read, under callgrind: what a stranger can make longer, a message
//! can be made expensive with.
//!
//! It is a program of its own: with more callers of the parser in one program the compiler makes other code of it, and
//! `instructions` would count that.

use std::hint::black_box;

use anyhow::Context as _;
use clap::Parser as _;
use imscore_benches::{
    callgrind::{difference, total},
    growth::{GROWTHS, Growth, LARGER},
};

/// How many times as much an input of [`LARGER`] times the size may take.
const MOST: f64 = 12.0;

/// Counts the instructions that inputs of many kinds take, and ten times as much of each, and fails where that takes more
/// than twelve times as many.
///
/// Needs valgrind.
#[derive(clap::Parser)]
struct Options {
    /// What valgrind is to run: reads an input of so many pieces so many times
    #[arg(long, hide = true, num_args = 3, value_names = ["GROWTH", "PIECES", "TIMES"])]
    read: Option<Vec<String>>,
}

fn main() -> anyhow::Result<()> {
    match &Options::parse().read {
        Some(read) => read_pieces(&read[0], read[1].parse()?, read[2].parse()?),
        None => grow(),
    }
}

/// Larger inputs against smaller ones.
fn grow() -> anyhow::Result<()> {
    println!("| {LARGER} times as much of | instructions | of the larger | ratio |");
    println!("| --- | ---: | ---: | ---: |");
    let mut fast = Vec::new();
    for growth in GROWTHS {
        let count = |pieces: usize| {
            difference(2, 12, |times| total(&["--read", growth.name, &pieces.to_string(), &times.to_string()]))
        };
        let (small, large) = (count(growth.times)?, count(growth.times * LARGER)?);
        let ratio = large / small;
        println!("| {} × {} | {small:.0} | {large:.0} | {ratio:.1} |", growth.times, growth.name);
        if ratio > MOST {
            fast.push(growth.name);
        }
    }
    anyhow::ensure!(fast.is_empty(), "{LARGER} times as much takes more than {MOST} times: {}", fast.join(", "));
    Ok(())
}

fn read_pieces(name: &str, pieces: usize, times: u32) -> anyhow::Result<()> {
    let growth: &Growth = GROWTHS.iter().find(|known| known.name == name).context("no such growth")?;
    let input = growth.input(pieces);
    for _ in 0..times {
        (growth.read)(black_box(&input));
    }
    Ok(())
}
