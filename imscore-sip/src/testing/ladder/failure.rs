//! How a ladder fails, and how that is shown.

use std::fmt;

use super::happening::Happening;
use super::script::Line;

/// What is wrong with what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something was sent that no line names at that point.
    Extra,
    /// Nothing was sent where a line names something.
    Missing,
    /// What the next line behind a step or an input names was sent before it.
    Early,
    /// What a line names was sent later than the line stands.
    Late,
    /// What a line names was sent, but something else before it.
    Order,
    /// Something was sent that is not as the line says.
    Different,
    /// A line cannot be read, or says something that cannot be done.
    Script,
}

/// Why a ladder failed: as text, the script as far as it went, with `-` at the line that failed, `+` at what happened.
///
/// ```
/// use imscore_sip::testing::{Failure, Fault, Ladder, Phone};
///
/// let silent = |listeners| Phone::new("bob", listeners);
/// let mut ladder =
///     Ladder::new().engine("bob", ["udp:192.0.2.2:5060"], silent).peer("alice", "udp:192.0.2.1:5060");
/// let failure: Failure = ladder
///     .try_run(
///         "alice -> bob  OPTIONS sip:bob@ims.example
///          bob -> alice  200",
///     )
///     .expect_err("bob says nothing");
/// assert_eq!((failure.fault, failure.line), (Fault::Missing, 2));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong.
    pub fault: Fault,
    /// The line of the script, counted from 1; one behind the last where it failed at the end.
    pub line: usize,
    text: String,
}

impl Failure {
    /// A failure of the script itself.
    pub(super) fn of_script(line: usize, cause: impl fmt::Display) -> Failure {
        Failure { fault: Fault::Script, line, text: format!("line {line}: {cause}") }
    }

    /// `at`: which of the lines. `happened`: what no line has named, `details`: what else helps.
    pub(super) fn shown(
        fault: Fault,
        lines: &[Line],
        at: usize,
        happened: &[Happening],
        (why, details): (&str, &[String]),
    ) -> Failure {
        let line = lines.get(at).map_or_else(|| lines.last().map_or(1, |last| last.number + 1), |line| line.number);
        let mut text = format!("line {line}: {why}\n\n");
        for done in &lines[..at.min(lines.len())] {
            text.push_str(&format!("  {:>3}  {}\n", done.number, done.text));
        }
        let is_expected = matches!(fault, Fault::Missing | Fault::Late | Fault::Order | Fault::Different);
        if let Some(line) = lines.get(at).filter(|_| is_expected) {
            text.push_str(&format!("- {:>3}  {}\n", line.number, line.text));
        }
        for happening in happened {
            text.push_str(&format!("+      {happening}\n"));
        }
        let rest = &lines[lines.len().min(at + usize::from(is_expected))..];
        for line in rest.iter().take(3) {
            text.push_str(&format!("  {:>3}  {}\n", line.number, line.text));
        }
        if rest.len() > 3 {
            text.push_str("       …\n");
        }
        for detail in details {
            text.push_str(&format!("\n{detail}\n"));
        }
        Failure { fault, line, text }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.fault, self.text)
    }
}

impl std::error::Error for Failure {}
