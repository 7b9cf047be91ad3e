//! sipp: the command lines of both sides, the users' file, and what it counted.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{Workload, kernel::Protocol, server::PASSWORD};

/// The files of one series: scenarios and users, written once.
#[derive(Debug)]
pub(crate) struct Scenarios {
    workload: Workload,
    folder: PathBuf,
    /// New calls or registrations a second.
    rate: u32,
    /// Calls or registrations of a run.
    count: u32,
    transport: &'static str,
}

impl Scenarios {
    pub(crate) fn write(
        folder: &Path,
        workload: Workload,
        protocol: Protocol,
        rate: u32,
        count: u32,
    ) -> anyhow::Result<Self> {
        match workload {
            Workload::Call => {
                fs::write(folder.join(CALLER), include_str!("../../../load/caller.xml"))?;
                fs::write(folder.join(CALLEE), include_str!("../../../load/callee.xml"))?;
            }
            Workload::Reg => {
                fs::write(folder.join(REGISTER), include_str!("../../../load/register.xml"))?;
                let mut users = BufWriter::new(File::create(folder.join(USERS))?);
                writeln!(users, "SEQUENTIAL")?;
                for user in 0..count {
                    let user = format!("99970{user:010}");
                    writeln!(users, "{user};[authentication username={user} password={PASSWORD}]")?;
                }
                users.flush()?;
            }
        }
        Ok(Self {
            workload,
            folder: folder.to_owned(),
            rate,
            count,
            // one socket for all: UDP, or one TCP connection
            transport: match protocol {
                Protocol::Udp => "u1",
                Protocol::Tcp => "t1",
            },
        })
    }

    /// The arguments of the called side, where the workload has one.
    pub(crate) fn callee(&self, port: u16) -> Option<Vec<String>> {
        match self.workload {
            Workload::Call => Some(self.arguments(CALLEE, port)),
            Workload::Reg => None,
        }
    }

    /// The arguments of the side that starts calls or registers.
    pub(crate) fn caller(&self, port: u16, server: u16) -> Vec<String> {
        let scenario = match self.workload {
            Workload::Call => CALLER,
            Workload::Reg => REGISTER,
        };
        let mut arguments = self.arguments(scenario, port);
        arguments.extend(words(&format!(
            "127.0.0.1:{server} -r {} -m {} -l 20000 -max_retrans 5 -recv_timeout 8000 -trace_stat -stf {STATISTICS} -fd 1",
            self.rate, self.count
        )));
        if self.workload == Workload::Reg {
            arguments.extend(words(&format!("-inf {USERS}")));
        }
        arguments
    }

    fn arguments(&self, scenario: &str, port: u16) -> Vec<String> {
        words(&format!("-sf {scenario} -i 127.0.0.1 -p {port} -t {} -nostdin -buff_size 8388608", self.transport))
            .collect()
    }

    /// Removes the counts of the run before.
    pub(crate) fn forget_counts(&self) -> anyhow::Result<()> {
        match fs::remove_file(self.folder.join(STATISTICS)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// What sipp counted until now.
    pub(crate) fn counts(&self) -> anyhow::Result<Counts> {
        let statistics = fs::read_to_string(self.folder.join(STATISTICS)).context("sipp wrote no statistics")?;
        Counts::read(&statistics).context("sipp's statistics lack the counts")
    }
}

fn words(line: &str) -> impl Iterator<Item = String> + '_ {
    line.split_ascii_whitespace().map(str::to_owned)
}

/// What sipp counted over a whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) retransmissions: u64,
}

impl Counts {
    /// One line of names, then one line of figures each second, all ended by semicolons; `(C)` marks what is counted from
    /// the start.
    fn read(statistics: &str) -> Option<Self> {
        let (names, figures) = (statistics.lines().next()?, statistics.lines().last()?);
        let figure = |wanted: &str| {
            let column = names.split(';').position(|name| name == wanted)?;
            figures.split(';').nth(column)?.parse().ok()
        };
        Some(Self {
            done: figure("SuccessfulCall(C)")?,
            failed: figure("FailedCall(C)")?,
            retransmissions: figure("Retransmissions(C)")?,
        })
    }
}

const CALLER: &str = "caller.xml";
const CALLEE: &str = "callee.xml";
const REGISTER: &str = "register.xml";
const USERS: &str = "users.csv";
const STATISTICS: &str = "statistics.csv";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_the_last_line() {
        let statistics = "StartTime;SuccessfulCall(P);SuccessfulCall(C);FailedCall(C);Retransmissions(C);\n\
             a;3;3;0;0;\n\
             a;4;7;1;2;\n";
        let counts = Counts { done: 7, failed: 1, retransmissions: 2 };
        assert_eq!(Counts::read(statistics), Some(counts));
    }

    #[test]
    fn no_figures_are_no_counts() {
        assert_eq!(Counts::read("SuccessfulCall(C);FailedCall(C);Retransmissions(C);\n"), None);
        assert_eq!(Counts::read("SuccessfulCall(C);\n1;\n"), None);
    }
}
