//! What a run gave, as a line, as JSON, and as a row of the table.

use std::fmt::{self, Write as _};

use imscore_benches::stats::median;
use serde::Serialize;

use crate::{Workload, kernel::Protocol, server::Server};

/// One run of one server.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) server: Server,
    pub(crate) workload: Workload,
    pub(crate) transport: Protocol,
    /// New calls or registrations a second, as asked for.
    pub(crate) rate: u32,
    /// From sipp's start to its end.
    pub(crate) seconds: f64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Messages that sipp sent again.
    pub(crate) retransmissions: u64,
    /// CPU microseconds of all threads of the server for each one done.
    pub(crate) cpu_us: f64,
    pub(crate) memory_before_kib: u64,
    pub(crate) memory_after_kib: u64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, done, failed, retransmissions, cpu_us, .. } = self;
        let unit = self.workload.unit();
        write!(
            f,
            "{server}: {done} {unit}s, {failed} failed, {retransmissions} retransmissions, {cpu_us:.1} µs a {unit}"
        )
    }
}

/// The medians of a series of one workload, transport and rate; a row for each server, then the ratio.
pub(crate) fn table(series: &[Measured]) -> String {
    let mut out = String::new();
    let Some(first) = series.first() else {
        return out;
    };
    let unit = first.workload.unit();
    let _ = writeln!(
        out,
        "| server | {unit}s a second, {} | failed | sent again | CPU µs a {unit} | lowest to highest | runs |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        first.transport
    );
    for server in [Server::Imscore, Server::Kamailio] {
        let runs: Vec<&Measured> = series.iter().filter(|run| run.server == server).collect();
        if runs.is_empty() {
            continue;
        }
        let cpu = cpu_us(&runs);
        let rates: Vec<f64> = runs.iter().map(|run| run.done as f64 / run.seconds).collect();
        let _ = writeln!(
            out,
            "| {server} | {:.0} | {} | {} | {:.1} | {:.1} to {:.1} | {} |",
            median(&rates),
            runs.iter().map(|run| run.failed).sum::<u64>(),
            runs.iter().map(|run| run.retransmissions).sum::<u64>(),
            median(&cpu),
            cpu.iter().copied().fold(f64::INFINITY, f64::min),
            cpu.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            runs.len()
        );
    }
    if let Some(ratio) = ratio(series) {
        let _ = writeln!(out, "\nimscore takes {ratio:.2} of Kamailio's CPU time (ratio of the medians).");
    }
    out
}

/// The median of imscore over that of Kamailio; none unless both ran.
fn ratio(series: &[Measured]) -> Option<f64> {
    let of = |server| {
        let runs: Vec<&Measured> = series.iter().filter(|run| run.server == server).collect();
        median(&cpu_us(&runs))
    };
    let ratio = of(Server::Imscore) / of(Server::Kamailio);
    ratio.is_finite().then_some(ratio)
}

fn cpu_us(runs: &[&Measured]) -> Vec<f64> {
    runs.iter().map(|run| run.cpu_us).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(server: Server, cpu_us: f64) -> Measured {
        Measured {
            server,
            workload: Workload::Call,
            transport: Protocol::Udp,
            rate: 100,
            seconds: 2.0,
            done: 200,
            failed: 1,
            retransmissions: 0,
            cpu_us,
            memory_before_kib: 0,
            memory_after_kib: 0,
        }
    }

    #[test]
    fn the_table_has_medians_and_their_ratio() {
        let series = [
            run(Server::Imscore, 50.0),
            run(Server::Kamailio, 130.0),
            run(Server::Kamailio, 100.0),
            run(Server::Imscore, 90.0),
            run(Server::Imscore, 60.0),
            run(Server::Kamailio, 120.0),
        ];
        let table = table(&series);
        assert!(table.contains("| imscore | 100 | 3 | 0 | 60.0 | 50.0 to 90.0 | 3 |"), "{table}");
        assert!(table.contains("takes 0.50 of"), "{table}");
    }

    #[test]
    fn one_server_has_no_ratio() {
        assert!(ratio(&[run(Server::Kamailio, 1.0)]).is_none());
    }
}
