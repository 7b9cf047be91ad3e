mod called;
mod calling;
mod challenges;
mod flows;
mod names;
mod notifier;
mod referral;
mod registration;
mod replies;
mod session;
mod subscriber;

use std::cell::RefCell;
use std::rc::Rc;

use super::{CallHandle, Config, Event, UserAgent};
use crate::owned::Owned;
use crate::sdp::SessionDescription;
use crate::testing::{Host, Ladder, sdp_offer_at};
use crate::transport::{Flow, Listener, ListenerId, Transport};
use crate::uri::Uri;
use crate::{Now, transaction};

/// An agent whose events are noted, and the last call and the last request that it was told of.
#[derive(Default)]
struct Notes {
    told: Vec<String>,
    call: Option<CallHandle>,
    request: Option<transaction::ServerId>,
}

type Shared = Rc<RefCell<Notes>>;
type Owner = Box<dyn FnMut(&mut UserAgent, Event, Now)>;
type Alice = Owned<UserAgent, Owner>;

/// A ladder with a user agent alice at 192.0.2.1, whose proxy is at 192.0.2.9.
struct Stage {
    ladder: Ladder,
    notes: Shared,
}

impl Stage {
    fn new(change: impl FnOnce(Config) -> Config) -> Stage {
        Stage::over(Transport::Udp, change)
    }

    fn over(transport: Transport, change: impl FnOnce(Config) -> Config) -> Stage {
        let notes = Shared::default();
        let ladder = Ladder::new();
        let now = ladder.now();
        let noted = notes.clone();
        let build = move |listeners: Vec<Listener>| -> Alice {
            let mut config = Config::new(transaction::Config::new([3; 32], listeners));
            config.identity = "sip:alice@ims.example".parse().unwrap();
            config.user = "alice".into();
            let remote = "192.0.2.9:5060".parse().unwrap();
            let listener = ListenerId(0);
            config.proxy = Some(Flow { transport, listener, remote, connection: None }.into());
            let note: Owner = Box::new(move |_: &mut UserAgent, event: Event, _: Now| noted.borrow_mut().note(event));
            Owned::new(UserAgent::new(change(config), now), now, note)
        };
        let at = |host: u8| format!("{transport}:192.0.2.{host}:5060").to_lowercase();
        let ladder = ladder.engine("alice", [at(1).as_str()], build).peer("proxy", at(9).as_str());
        Stage { ladder, notes }
    }

    fn host(&mut self) -> Host<Alice> {
        self.ladder.network().find("alice").expect("alice is there")
    }

    /// Gives alice something to do.
    fn alice<R>(&mut self, act: impl FnOnce(&mut UserAgent, Now) -> R) -> R {
        let host = self.host();
        self.ladder.network().with(host, |alice, now| act(alice.engine_mut(), now))
    }

    #[track_caller]
    fn run(&mut self, script: &str) {
        self.ladder.run(script);
    }

    /// What alice's owner was told since the last time.
    #[track_caller]
    fn told(&mut self, expected: &[&str]) {
        let told = std::mem::take(&mut self.notes.borrow_mut().told);
        assert_eq!(told, expected);
    }

    fn invite(&mut self) -> CallHandle {
        self.alice(|alice, now| alice.invite(&bob(), Some(&offer(1)), now))
    }

    /// The call of the last event.
    fn call(&self) -> CallHandle {
        self.notes.borrow().call.expect("there was a call")
    }

    /// Neither calls, nor requests, nor moments are left.
    #[track_caller]
    fn is_over(&mut self) {
        self.run("+5m");
        let left = self.alice(|alice, _| {
            (alice.calls(), alice.pending(), alice.dialogs.len(), alice.waiting.len() + alice.open.len())
        });
        assert_eq!(left, (0, (0, 0), 0, 0));
    }
}

impl Notes {
    fn note(&mut self, event: Event) {
        self.told.push(text(&event));
        if let Event::Request { id, call, .. } = event {
            self.request = Some(id);
            self.call = call.or(self.call);
        }
    }
}

/// An event in a few words.
fn text(event: &Event) -> String {
    let status = |response: &crate::Response| response.status().code();
    match event {
        Event::Request { request, .. } => request.method().to_string(),
        Event::Cancelled { .. } => "cancelled".to_owned(),
        Event::Progress { response, .. } => format!("progress {}", status(response)),
        Event::Answered { response, .. } => format!("answered {}", status(response)),
        Event::Confirmed { .. } => "confirmed".to_owned(),
        Event::Agreed { .. } => "agreed".to_owned(),
        Event::OfferRefused { response, .. } => format!("offer refused {:?}", response.as_ref().map(status)),
        Event::Ended { by: super::Ended::Refused(response), .. } => format!("refused {}", status(response)),
        Event::Ended { by, .. } => format!("{by:?}"),
        Event::Response { response, .. } => format!("response {}", status(response)),
        Event::Failed { cause, .. } => format!("{cause:?}"),
        Event::Notified { notify, .. } => {
            let state = notify.headers.raw("Subscription-State").map(String::from_utf8_lossy).unwrap_or_default();
            format!("notified {state}")
        }
        Event::Unsubscribed { by: super::Unsubscribed::Refused(response), .. } => {
            format!("refused {}", status(response))
        }
        Event::Unsubscribed { by, .. } => format!("unsubscribed {by:?}"),
        Event::Watched { .. } => "watched".to_owned(),
        Event::WatcherGone { .. } => "gone".to_owned(),
        Event::Registered { expires, .. } => format!("registered {}", expires.as_secs()),
        Event::Unregistered { response, again, .. } => {
            format!("unregistered {:?} {}", response.as_ref().map(status), again.is_some())
        }
    }
}

fn bob() -> Uri {
    "sip:bob@ims.example".parse().unwrap()
}

/// A description of alice, of that version.
fn offer(version: u32) -> SessionDescription {
    let text = sdp_offer_at("192.0.2.1", 40_000);
    let origin = text.lines().find(|line| line.starts_with("o=")).unwrap();
    let words: Vec<&str> = origin.split(' ').collect();
    let newer = format!("{} {} {version} {}", words[0], words[1], words[3..].join(" "));
    SessionDescription::parse(text.replace(origin, &newer).into()).unwrap()
}
