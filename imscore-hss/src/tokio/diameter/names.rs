//! Peers found by name: the engine [`Discovery`], its clock, and whoever asks name servers for it.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use ::tokio::sync::mpsc;
use ::tokio::task::JoinSet;
use ::tokio::time::{Instant, sleep_until, timeout_at};
use async_trait::async_trait;

use super::Input;
use crate::peer::discovery::{Answer, Discovery, Output, Question};

/// Name servers, whoever asks them: a few lines over the DNS client that a program has already.
///
/// ```no_run
/// use std::{io, sync::Arc, time::Duration};
/// use imscore_hss::diameter::{ApplicationId, Origin, dictionary::TGPP};
/// use imscore_hss::peer::{Settings, discovery::{Answer, NotFound, Question, Record, Search}};
/// use imscore_hss::tokio::{Carriers, Diameter, Names};
///
/// struct OneHost;
///
/// #[async_trait::async_trait]
/// impl Names for OneHost {
///     async fn ask(&self, question: &Question) -> Answer {
///         let record = match question {
///             Question::Srv(_) => Record::srv(0, 1, 3868, "hss.ims.example"),
///             Question::A(_) => Record::Address([192, 0, 2, 1].into()),
///             Question::Naptr(_) | Question::Aaaa(_) => return Answer::Records(Vec::new(), Duration::from_secs(60)),
///         };
///         Answer::Records(vec![record], Duration::from_secs(60))
///     }
/// }
///
/// # async fn find() -> io::Result<()> {
/// let origin = Origin::new("scscf.ims.example", "ims.example");
/// let settings = Settings::new(origin, vec![(TGPP, ApplicationId::CX)], Vec::new());
/// let search = Search::new("ims.example", ApplicationId::CX);
/// let (node, _requests) = Diameter::find(settings, Carriers::default(), search, Arc::new(OneHost)).await?;
/// if let Some(NotFound::Silent(name)) = node.status().await.and_then(|status| status.not_found) {
///     println!("nobody says anything of {name}");
/// }
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Names: Send + Sync {
    /// What they say. Aliases are followed and answers of several parts put together; after five seconds nobody waits any more.
    async fn ask(&self, question: &Question) -> Answer;
}

/// Looks for peers until the node is gone.
pub(super) async fn find(mut discovery: Discovery, names: Arc<dyn Names>, inputs: mpsc::Sender<Input>) {
    let started = Instant::now();
    let mut asked = JoinSet::new();
    discovery.start(Duration::ZERO);
    loop {
        let deadline = loop {
            match discovery.poll_output() {
                Output::Ask(question) => {
                    let names = names.clone();
                    asked.spawn(async move {
                        let answer = names.ask(&question).await;
                        (question, answer)
                    });
                }
                Output::Found(found) => {
                    if inputs.send(Input::Found(found)).await.is_err() {
                        return;
                    }
                }
                Output::Wait(deadline) => break deadline.map(|deadline| started + deadline),
            }
        };
        let answered = match deadline {
            Some(until) if asked.is_empty() => {
                sleep_until(until).await;
                None
            }
            Some(until) => timeout_at(until, asked.join_next()).await.ok().flatten(),
            None => pending().await,
        };
        match answered {
            Some(Ok((question, answer))) => discovery.handle_answer(&question, answer, started.elapsed()),
            // One that panicked; its question is given up in time.
            Some(Err(_)) | None => discovery.handle_timeout(started.elapsed()),
        }
    }
}
