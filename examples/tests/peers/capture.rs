//! What goes over loopback, as tshark reads it.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{Outcome, all_in_one::until, process::Process};

/// What is wrong with a Diameter message, in the words of tshark's filters.
const BROKEN: &str = "_ws.malformed || diameter.invalid_avp_len || diameter.avp.invalid-len || \
                      diameter.avp.invalid-data || diameter.avp.pad.missing || diameter.avp.pad.non_zero";

/// A capture that goes on.
pub(crate) struct Capture {
    process: Process,
    file: PathBuf,
}

impl Capture {
    /// Starts to capture what a filter of pcap lets through.
    pub(crate) fn start(filter: &str, folder: &Path) -> Outcome<Self> {
        let file = folder.join("loopback.pcap");
        let mut dumpcap = Command::new("dumpcap");
        dumpcap.args(["-q", "-i", "lo", "-f", filter, "-w"]).arg(&file);
        let mut process = Process::start("dumpcap", &mut dumpcap, folder)?;
        process.wait_for("File:", Duration::from_secs(10))?;
        Ok(Self { process, file })
    }

    /// Waits until each of these commands of Diameter was asked and answered, and ends it. Nothing in it is broken.
    pub(crate) fn check(self, port: u16, commands: &[u32]) -> Outcome {
        let Self { mut process, file } = self;
        for command in commands {
            for is_request in [1, 0] {
                let wanted = format!("diameter.cmd.code == {command} && diameter.flags.request == {is_request}");
                // What was captured last is on its way to the file still, so the file may end in the middle.
                let read = || Ok(read(&file, port, &wanted, &[]).unwrap_or_default());
                until(&mut process, read, |found| !found.is_empty())
                    .map_err(|error| format!("tshark finds no message with {wanted}: {error}"))?;
            }
        }
        process.terminate()?;
        process.exit_within(Duration::from_secs(10))?;
        let broken = read(&file, port, BROKEN, &["-V"])?;
        if broken.is_empty() { Ok(()) } else { Err(format!("tshark finds what is broken:\n{broken}").into()) }
    }
}

/// What of the file a filter of tshark lets through.
fn read(file: &Path, port: u16, filter: &str, more: &[&str]) -> Outcome<String> {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(file).args(["-d", &format!("tcp.port=={port},diameter"), "-Y", filter]).args(more);
    let output = tshark.output()?;
    if !output.status.success() {
        return Err(format!("tshark: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
