//! Questions to the HSS and to the state store, each with a time after which nobody waits for its answer.

use std::future::Future;
use std::time::Duration;

use imscore_hss::HssError;
use imscore_hss::state::StateError;

use crate::call::Call;

/// What may be asked outside the node: no answer is as good as no way there.
pub(crate) trait NoAnswer {
    const NO_ANSWER: Self;
}

impl NoAnswer for HssError {
    const NO_ANSWER: HssError = HssError::Unreachable;
}

impl NoAnswer for StateError {
    const NO_ANSWER: StateError = StateError::Unreachable;
}

/// The answer to `question`, if it comes within `time`.
pub(crate) async fn ask<T, E: NoAnswer>(
    call: &Call,
    time: Duration,
    question: impl Future<Output = Result<T, E>> + Send,
) -> Result<T, E> {
    call.within(time, question).await.unwrap_or(Err(E::NO_ANSWER))
}
