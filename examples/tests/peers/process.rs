//! A child process whose lines can be waited for, and which never outlives its owner.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::Outcome;

/// A running program. What it prints goes to `NAME.log` in the test's folder.
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: mpsc::Receiver<String>,
    printed: Vec<String>,
}

impl Process {
    pub(crate) fn start(name: &str, command: &mut Command, folder: &Path) -> Outcome<Self> {
        let mut child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name} does not start: {error}"))?;
        let log = Arc::new(Mutex::new(File::create(folder.join(format!("{name}.log")))?));
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            follow(stdout, Arc::clone(&log), sender.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            follow(stderr, log, sender);
        }
        Ok(Self { name: name.to_owned(), child, lines, printed: Vec::new() })
    }

    /// The first line with `text` among those that nobody has waited for yet.
    pub(crate) fn wait_for(&mut self, text: &str, within: Duration) -> Outcome<String> {
        let deadline = Instant::now() + within;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.printed.push(line.clone());
                    if line.contains(text) {
                        return Ok(line);
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return Err(format!("{} did not print {text:?} within {within:?}", self.name).into());
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(format!("{} ended without printing {text:?}", self.name).into());
                }
            }
        }
    }

    /// The status that the program ends with by itself.
    pub(crate) fn exit_within(&mut self, within: Duration) -> Outcome<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.printed.push(line),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return Err(format!("{} did not end within {within:?}", self.name).into());
                }
                // Both pipes are closed: it has ended or is about to.
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(self.child.wait()?),
            }
        }
    }

    /// An error if the program has ended.
    pub(crate) fn alive(&mut self) -> Outcome {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("{} ended with {status}", self.name).into()),
        }
    }

    /// Every line that was waited through so far.
    pub(crate) fn printed(&self) -> &[String] {
        &self.printed
    }

    /// Asks the program to end, as an operator or an orchestrator does.
    pub(crate) fn terminate(&self) -> Outcome {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        if status.success() { Ok(()) } else { Err(format!("{} had ended already", self.name).into()) }
    }

    /// Ends the program without notice: `kill -9`.
    pub(crate) fn kill(&mut self) -> Outcome {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a program that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies lines to the log and to whoever waits for one, until the program closes the pipe.
fn follow(pipe: impl Read + Send + 'static, log: Arc<Mutex<File>>, sender: mpsc::Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Ok(mut log) = log.lock() {
                let _ = writeln!(log, "{line}");
            }
            // Nobody waits any more: the log still wants the rest.
            let _ = sender.send(line);
        }
    });
}
