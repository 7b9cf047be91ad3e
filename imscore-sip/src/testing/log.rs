//! What was asked of, and answered by, somebody who speaks no SIP.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Clock;

/// Questions and answers of an HSS, a store, a resolver: an adapter writes them down, a
/// [`Ladder`](super::Ladder) holds them against its lines. Clones share what is written.
///
/// ```
/// use imscore_sip::testing::{Log, Said};
///
/// let log = Log::new();
/// log.asked("Location-Info sip:bob@ims.example");
/// log.answered("sip:scscf.ims.example");
/// let said: Vec<Said> = log.entries();
/// assert!(!said[0].is_answer && said[1].is_answer);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Written>>);

#[derive(Debug, Default)]
struct Written {
    clock: Option<Clock>,
    entries: Vec<Said>,
}

/// One line of a [`Log`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// When, since the network was made.
    pub at: Duration,
    /// Its place among everything that happened in the network.
    pub number: u64,
    /// True for an answer.
    pub is_answer: bool,
    /// `User-Authorization sip:alice@ims.example`.
    pub text: String,
}

impl Log {
    /// An empty log. Until a ladder or [`Log::set_clock`] gives it a clock, all it holds happened at the start.
    pub fn new() -> Log {
        Log::default()
    }

    /// Tells the log the time of a network.
    pub fn set_clock(&self, clock: Clock) {
        self.written(|written| written.clock = Some(clock));
    }

    /// Writes down a question.
    pub fn asked(&self, text: impl Into<String>) {
        self.write(false, text.into());
    }

    /// Writes down an answer.
    pub fn answered(&self, text: impl Into<String>) {
        self.write(true, text.into());
    }

    /// All that was written, in order.
    pub fn entries(&self) -> Vec<Said> {
        self.written(|written| written.entries.clone())
    }

    /// What was written behind the first `count` entries.
    pub(super) fn behind(&self, count: usize) -> Vec<Said> {
        self.written(|written| written.entries.get(count..).unwrap_or_default().to_vec())
    }

    fn write(&self, is_answer: bool, text: String) {
        self.written(|written| {
            let (at, number) =
                written.clock.as_ref().map_or_else(Default::default, |clock| (clock.passed(), clock.number()));
            written.entries.push(Said { at, number, is_answer, text });
        });
    }

    fn written<R>(&self, act: impl FnOnce(&mut Written) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
