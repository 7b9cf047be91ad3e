//! One run: start the server, let it settle, load it, take its CPU time before and after.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use tempfile::TempDir;

use crate::{
    Options, Workload,
    kernel::{self, Protocol},
    process::Process,
    report::Measured,
    server::{Addresses, Programs, Server},
    sipp::Scenarios,
};

/// All that the runs of a series share.
#[derive(Debug)]
pub(crate) struct Bench {
    workload: Workload,
    protocol: Protocol,
    rate: u32,
    seconds: u32,
    port: u16,
    server_cpu: usize,
    load_cpu: usize,
    programs: Programs,
    scenarios: Scenarios,
    folder: TempDir,
    interrupted: Arc<AtomicBool>,
}

/// Somebody pressed Ctrl-C or sent SIGTERM.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl Error for Interrupted {}

impl Bench {
    /// Finds the programs and writes the files of the series. `interrupted` ends a run early once it is set.
    pub(crate) fn prepare(options: &Options, interrupted: Arc<AtomicBool>) -> anyhow::Result<Self> {
        ensure!(
            options.server_cpu != options.load_cpu,
            "server and sipp need a core each: --server-cpu and --load-cpu are both {}",
            options.load_cpu
        );
        let workload = options.workload;
        let protocol = if options.tcp { Protocol::Tcp } else { Protocol::Udp };
        let rate = options.rate.unwrap_or(workload.default_rate());
        let folder = tempfile::Builder::new().prefix("imscore-load-").tempdir()?;
        Ok(Self {
            workload,
            protocol,
            rate,
            seconds: options.seconds,
            port: options.port,
            server_cpu: options.server_cpu,
            load_cpu: options.load_cpu,
            programs: Programs::find(options.server.list(), workload, options.imscore_dir.as_deref())?,
            scenarios: Scenarios::write(folder.path(), workload, protocol, rate, rate * options.seconds)?,
            folder,
            interrupted,
        })
    }

    /// Loads `server` once, from its start to its end. `progress` is told the seconds that the load has lasted.
    pub(crate) fn run(&self, server: Server, progress: impl Fn(u64)) -> anyhow::Result<Measured> {
        let addresses = Addresses { listen: self.port, next_hop: self.port + 1, protocol: self.protocol };
        let caller_port = self.port + 2;
        for port in [addresses.listen, addresses.next_hop, caller_port] {
            ensure!(
                !kernel::is_open(Protocol::Udp, port) && !kernel::is_open(Protocol::Tcp, port),
                "port {port} is taken: choose others with --port"
            );
        }
        let folder = self.folder.path();

        let (program, arguments) = self.programs.command(server, self.workload, addresses, folder)?;
        let mut under_load = Process::start(server.to_string(), self.server_cpu, folder, program, &arguments)?;
        self.wait_for_port(&mut under_load, Protocol::Udp, addresses.listen)?;
        self.wait_for_port(&mut under_load, Protocol::Tcp, addresses.listen)?;

        let mut callee = match self.scenarios.callee(addresses.next_hop) {
            Some(arguments) => {
                let mut callee = Process::start("callee", self.load_cpu, folder, &self.programs.sipp, &arguments)?;
                self.wait_for_port(&mut callee, self.protocol, addresses.next_hop)?;
                Some(callee)
            }
            None => None,
        };

        self.wait_until_quiet(&under_load)?;
        let processes = under_load.tree()?;
        let memory_before = kernel::memory_kib(&processes);
        let cpu_before = kernel::cpu_time(&processes);
        let start = Instant::now();

        self.scenarios.forget_counts()?;
        let arguments = self.scenarios.caller(caller_port, addresses.listen);
        let mut caller = Process::start("caller", self.load_cpu, folder, &self.programs.sipp, &arguments)?;
        let patience = Duration::from_secs(u64::from(self.seconds) * 2 + 30);
        let status = loop {
            if let Some(status) = caller.ended()? {
                break status;
            }
            under_load.expect_running()?;
            if let Some(callee) = &mut callee {
                callee.expect_running()?;
            }
            if start.elapsed() > patience {
                bail!("sipp has not ended after {} s: the server does not keep up", patience.as_secs());
            }
            progress(start.elapsed().as_secs().min(self.seconds.into()));
            self.pause()?;
        };
        let took = start.elapsed();
        let cpu_time = kernel::cpu_time(&processes).saturating_sub(cpu_before);
        // 0: all done; 1: some failed; else sipp itself did
        if !matches!(status.code(), Some(0 | 1)) {
            return Err(caller.failure(status));
        }
        let counts = self.scenarios.counts()?;
        ensure!(counts.done > 0, "{server} completed none of {} {}s", counts.failed, self.workload.unit());
        Ok(Measured {
            server,
            workload: self.workload,
            transport: self.protocol,
            rate: self.rate,
            seconds: took.as_secs_f64(),
            done: counts.done,
            failed: counts.failed,
            retransmissions: counts.retransmissions,
            cpu_us: cpu_time.as_secs_f64() * 1e6 / counts.done as f64,
            memory_before_kib: memory_before,
            memory_after_kib: kernel::memory_kib(&processes),
        })
    }

    fn wait_for_port(&self, process: &mut Process, protocol: Protocol, port: u16) -> anyhow::Result<()> {
        let start = Instant::now();
        while !kernel::is_open(protocol, port) {
            process.expect_running()?;
            ensure!(start.elapsed() < START_UP, "nobody opened {protocol} port {port} in {} s", START_UP.as_secs());
            self.pause()?;
        }
        Ok(())
    }

    /// Until the server spends next to nothing: the CPU time of its start is no part of the measurement.
    fn wait_until_quiet(&self, server: &Process) -> anyhow::Result<()> {
        let start = Instant::now();
        let mut before = kernel::cpu_time(&server.tree()?);
        let mut quiet = 0;
        while quiet < QUIET_PAUSES {
            ensure!(start.elapsed() < START_UP, "the server is busy before any load");
            self.pause()?;
            let now = kernel::cpu_time(&server.tree()?);
            quiet = if now.saturating_sub(before) < PAUSE / 50 { quiet + 1 } else { 0 };
            before = now;
        }
        Ok(())
    }

    fn pause(&self) -> anyhow::Result<()> {
        thread::sleep(PAUSE);
        ensure!(!self.interrupted.load(Ordering::Relaxed), Interrupted);
        Ok(())
    }
}

/// Between two looks at the processes.
const PAUSE: Duration = Duration::from_millis(100);

/// So many pauses in a row, each with less than 2 % of a core, are quiet.
const QUIET_PAUSES: u32 = 5;

/// How long a server may take to open its ports and settle.
const START_UP: Duration = Duration::from_secs(15);
