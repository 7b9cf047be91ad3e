//! Traces of a driver: whose they are, and a file that takes them.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use crate::trace::{Event, Observer, Record};
use crate::transport::Listener;

/// Records that wait to be written. Beyond it they are lost, and the next that is written says how many.
const WAITING: usize = 4_096;

/// Writes a trace, a line of JSON a record, in a thread of its own: a disk that is slow holds up no message. Clones write to
/// the same place. The last one that goes waits until all is written.
///
/// ```
/// use imscore_sip::tokio::{Settings, TraceFile};
///
/// let mut settings = Settings::default();
/// settings.trace = Some(TraceFile::new("proxy", std::io::sink())?.plain());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct TraceFile {
    node: String,
    is_plain: bool,
    queue: Arc<Queue>,
}

struct Queue {
    records: Option<SyncSender<Record>>,
    missed: AtomicU64,
    writer: Option<thread::JoinHandle<()>>,
}

impl TraceFile {
    /// A trace of the node of that name, to that writer. Identities are hashes.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn new(node: &str, writer: impl Write + Send + 'static) -> io::Result<TraceFile> {
        let (records, queued) = sync_channel(WAITING);
        let thread = thread::Builder::new().name("sip-trace".to_owned()).spawn(move || {
            if let Err(error) = write(&queued, io::BufWriter::new(writer)) {
                tracing::warn!(%error, "the trace ends here");
            }
        })?;
        let queue = Queue { records: Some(records), missed: AtomicU64::new(0), writer: Some(thread) };
        Ok(TraceFile { node: node.to_owned(), is_plain: false, queue: Arc::new(queue) })
    }

    /// As [`Observer::plain`].
    #[must_use]
    pub fn plain(self) -> TraceFile {
        TraceFile { is_plain: true, ..self }
    }

    pub(super) fn observer(&self, listeners: &[Listener]) -> Observer {
        let queue = self.queue.clone();
        let observer = Observer::new(&self.node, listeners, move |record| queue.push(record));
        if self.is_plain { observer.plain() } else { observer }
    }
}

impl Queue {
    fn push(&self, record: Record) {
        let Some(records) = &self.records else { return };
        let missed = self.missed.swap(0, Ordering::Relaxed);
        if missed > 0 {
            let Record { wall, node, .. } = &record;
            let gap = Record { wall: *wall, node: node.clone(), event: Event::Missed { records: missed } };
            if records.try_send(gap).is_err() {
                self.missed.fetch_add(missed + 1, Ordering::Relaxed);
                return;
            }
        }
        if let Err(TrySendError::Full(_)) = records.try_send(record) {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.records = None;
        if let Some(writer) = self.writer.take() {
            // Its panic has been written to the standard error.
            let _ = writer.join();
        }
    }
}

/// Writes what there is, and flushes when there is no more for now.
fn write(queued: &Receiver<Record>, mut writer: impl Write) -> io::Result<()> {
    while let Ok(record) = queued.recv() {
        writeln!(writer, "{}", record.to_json())?;
        for record in queued.try_iter() {
            writeln!(writer, "{}", record.to_json())?;
        }
        writer.flush()?;
    }
    Ok(())
}

/// Two are equal where they write to one place.
impl PartialEq for TraceFile {
    fn eq(&self, other: &TraceFile) -> bool {
        Arc::ptr_eq(&self.queue, &other.queue)
    }
}

impl Eq for TraceFile {}

impl fmt::Debug for TraceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceFile").field("node", &self.node).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A place that is closed until somebody opens it.
    #[derive(Clone, Default)]
    struct Gate(Arc<Mutex<Vec<u8>>>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn record(wall: u64) -> Record {
        Record { wall, node: "n".to_owned(), event: Event::SendFailed }
    }

    #[test]
    fn what_cannot_be_written_in_time_is_counted() {
        let gate = Gate::default();
        let file = TraceFile::new("n", gate.clone()).unwrap();
        let closed = gate.0.lock().unwrap();
        // The thread holds what it has taken, a queue's length at most, and waits; the queue fills behind it.
        let mut given = 0;
        while file.queue.missed.load(Ordering::Relaxed) < 10 {
            file.queue.push(record(given));
            given += 1;
        }
        drop(closed);
        // There is room again once something has been written.
        while file.queue.missed.load(Ordering::Relaxed) > 0 {
            file.queue.push(record(given));
            given += 1;
            thread::yield_now();
        }
        drop(file);
        let text = String::from_utf8(gate.0.lock().unwrap().clone()).unwrap();
        let (mut written, mut missed) = (0, 0);
        for line in text.lines() {
            if let Event::Missed { records } = Record::from_json(line).unwrap().event {
                missed += records;
            } else {
                written += 1;
            }
        }
        assert!(missed >= 10);
        assert_eq!(written + missed, given, "each record was written or counted");
    }
}
