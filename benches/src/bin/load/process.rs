//! Processes that end with the rig, whatever ends it.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};

use crate::kernel;

/// A child process on one core. Dropping it ends it and its own children, so none outlives an error or a panic; should the
/// rig itself be killed, the kernel ends it (`setpriv --pdeathsig`).
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` on core `cpu` in `folder`, where its output goes to a file.
    pub(crate) fn start(
        name: impl Into<String>,
        cpu: usize,
        folder: &Path,
        program: impl AsRef<OsStr>,
        arguments: &[String],
    ) -> anyhow::Result<Self> {
        let name = name.into();
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new("taskset")
            .args(["--cpu-list", &cpu.to_string(), "setpriv", "--pdeathsig", "TERM"])
            .arg(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log })
    }

    /// The process with all its descendants.
    pub(crate) fn tree(&self) -> anyhow::Result<Vec<u32>> {
        Ok(kernel::tree(self.child.id())?)
    }

    /// How it ended, or none while it runs.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Fails, with the end of its output, when it has ended.
    pub(crate) fn expect_running(&mut self) -> anyhow::Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => Err(self.failure(status)),
        }
    }

    /// The error that says how it ended and what it said last.
    pub(crate) fn failure(&self, status: ExitStatus) -> anyhow::Error {
        let output = fs::read(&self.log).unwrap_or_default();
        let output = String::from_utf8_lossy(&output);
        let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n    ");
        anyhow::anyhow!("{} ended with {status}; it said last:\n    {last}", self.name)
    }

    fn signal(pid: u32, signal: Signal) {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            let _already_gone = kill_process(pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let tree = self.tree().unwrap_or_default();
        Self::signal(self.child.id(), Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        // children first would let the parent start others
        for pid in tree {
            Self::signal(pid, Signal::KILL);
        }
        let _already_gone = self.child.wait();
    }
}

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(3);

/// How much of a failed process's output an error shows.
const LAST_LINES: usize = 8;
