//! The `hss` program, and what the kernel says of it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::lines::{Order, Subscriber};

/// No import of a million takes this long.
const LONGEST: Duration = Duration::from_secs(600);
/// Look-ups of single subscribers before the memory is read.
const LOOK_UPS: usize = 10_000;

/// A process that ends with whoever started it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What an HSS showed.
pub(crate) struct Shown {
    /// From its start until it answered.
    pub(crate) start: Duration,
    /// Its memory in the end, in bytes.
    pub(crate) resident: u64,
    pub(crate) asked: usize,
}

/// What an import took.
pub(crate) struct Imported {
    pub(crate) time: Duration,
    /// Of all cores together, to within a fiftieth of a second.
    pub(crate) cpu: Duration,
    /// Its memory at most, in bytes.
    pub(crate) peak: u64,
}

/// Imports a file into a new base.
pub(crate) fn import(hss: &Path, file: &Path, data: &Path) -> anyhow::Result<Imported> {
    let mut command = Command::new(hss);
    command.arg("import").arg(file).arg("--data").arg(data).stdin(Stdio::null());
    let mut import =
        Running(command.spawn().with_context(|| format!("cannot start {}: build it first", hss.display()))?);
    let (begun, mut peak, mut cpu) = (Instant::now(), 0, Duration::ZERO);
    loop {
        // Of a process that has ended there is nothing to read any more.
        peak = peak.max(status(import.0.id(), "VmHWM:").unwrap_or_default());
        cpu = cpu.max(cpu_time(import.0.id()).unwrap_or_default());
        match import.0.try_wait()? {
            Some(ended) if ended.success() => return Ok(Imported { time: begun.elapsed(), cpu, peak }),
            Some(ended) => bail!("the import ended with {ended}"),
            None if begun.elapsed() > LONGEST => bail!("the import has not ended after {LONGEST:?}"),
            None => sleep(Duration::from_millis(20)),
        }
    }
}

/// Starts an HSS on a base of `count`, asks it for some and then for all, and reads its memory.
pub(crate) fn run(hss: &Path, data: &Path, count: u32) -> anyhow::Result<Shown> {
    let mut command = Command::new(hss);
    command.args(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"]).arg(data);
    let begun = Instant::now();
    let mut running = Running(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
    let greeting = BufReader::new(running.0.stdout.take().context("it has an output")?);
    let address = greeting.lines().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("http://")?;
        Some(rest.split_once('/')?.0.to_owned())
    });
    let address = address.context("the HSS did not say where it listens")?;
    get(&address, "/health")?;
    let start = begun.elapsed();
    let numbers = Order::Random.numbers(count);
    let asked = numbers.iter().take(LOOK_UPS);
    for number in asked.clone() {
        let Subscriber { private_identity, .. } = Subscriber::new(*number);
        let shown = get(&address, &format!("/v1/subscribers/{private_identity}"))?;
        if !shown.contains(&private_identity) {
            bail!("{private_identity} is not there");
        }
    }
    let mut after = String::new();
    for _ in 0..=count / 1000 {
        let page = get(&address, &format!("/v1/subscribers?limit=1000&after={after}"))?;
        let Some((_, next)) = page.rsplit_once("\"next\":\"") else { break };
        after = next.trim_end_matches(['}', '"']).to_owned();
    }
    Ok(Shown { start, resident: resident(running.0.id())?, asked: asked.len() })
}

/// What a GET answers.
fn get(address: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("{path}: {}", head.lines().next().unwrap_or_default());
    }
    Ok(body.to_owned())
}

/// The memory of a process, in bytes.
pub(crate) fn resident(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmRSS:").context("the kernel does not say how much memory the process has")
}

/// A line of `/proc/PID/status`, in bytes.
fn status(pid: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// What all threads of a process have had of the cores: fields 14 and 15 of `/proc/PID/stat`, in hundredths of a second.
fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in brackets, which may hold blanks.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}
