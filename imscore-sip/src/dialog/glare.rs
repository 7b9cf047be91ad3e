//! What follows a 491: two requests have crossed, and each side tries again at a time of its own (RFC 3261 §14.1).

use std::time::Duration;

/// How long to wait with the next attempt, drawn from `random`: 2.1 to 4 s for the side that made the Call-ID, up to 2 s for
/// the other, in steps of 10 ms.
///
/// ```
/// use imscore_sip::dialog::glare;
///
/// assert_eq!((glare::wait(true, 0).as_millis(), glare::wait(true, 190).as_millis()), (2_100, 4_000));
/// assert_eq!((glare::wait(false, 0).as_millis(), glare::wait(false, 200).as_millis()), (0, 2_000));
/// ```
pub fn wait(is_caller: bool, random: u64) -> Duration {
    let steps = if is_caller { 210 + random % 191 } else { random % 201 };
    Duration::from_millis(steps * 10)
}

/// Seconds for the Retry-After of a 500, 0 to 10: the request came before an earlier one was through (RFC 3261 §14.2,
/// RFC 3311 §5.2).
pub fn retry_after(random: u64) -> u64 {
    random % 11
}
