//! The proxy core, with an owner that forks, answers, hands on within the process, and asks by itself.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use imscore_sip::proxy::{Config, ContextId, Event, Hop, Proxy};
use imscore_sip::{Now, Request, StatusCode};

use super::{Input, STATUSES, Subject, config, flow, outgoing};

pub(super) struct Core {
    engine: Proxy,
    waiting: Vec<(ContextId, Request)>,
    ended: HashSet<ContextId>,
    /// How each request of the owner's own was answered.
    answers: BTreeMap<u64, Vec<StatusCode>>,
    /// One response among so many is not passed on.
    discards: usize,
    turn: usize,
    abandoned: BTreeSet<String>,
}

impl Core {
    pub(super) fn new(now: Now) -> Core {
        Core {
            engine: Proxy::new(Config::new(config(64)), now),
            waiting: Vec::new(),
            ended: HashSet::new(),
            answers: BTreeMap::new(),
            discards: usize::MAX,
            turn: 0,
            abandoned: BTreeSet::new(),
        }
    }

    fn live(&self, id: ContextId) {
        assert!(!self.ended.contains(&id), "{id:?} is over");
    }

    fn hop(input: &mut Input<'_>) -> Hop {
        match input.choice(6) {
            0 | 1 => Hop::Flow(flow(0)),
            2 => Hop::Flow(flow(1)),
            3 => Hop::Flow(flow(2)),
            4 => Hop::Local(0),
            _ => Hop::Nowhere(StatusCode::TEMPORARILY_UNAVAILABLE),
        }
    }
}

impl Subject for Core {
    type Engine = Proxy;

    fn engine(&mut self) -> &mut Proxy {
        &mut self.engine
    }

    fn told(&mut self, event: Event, now: Now) {
        match event {
            Event::Request { id, request, .. } => {
                self.live(id);
                self.waiting.push((id, request));
            }
            Event::Response { id, branch, response } => {
                self.live(id);
                self.turn += 1;
                match self.turn.is_multiple_of(self.discards) {
                    true => self.engine.discard(id, branch, response.status().is_final(), now),
                    false => self.engine.pass(id, branch, response, now),
                }
            }
            Event::Ack { request, .. } => self.engine.send_ack(request, flow(0)),
            Event::Cancelled { id } => self.live(id),
            Event::Ended { id } => assert!(self.ended.insert(id), "{id:?} ended twice"),
            Event::Answer { token, response } => self.answers.entry(token).or_default().push(response.status()),
            Event::FlowLost { .. } => {}
        }
    }

    fn act(&mut self, input: &mut Input<'_>, now: Now) {
        let what = input.choice(8);
        if what == 6 {
            let token = self.answers.len() as u64;
            self.answers.insert(token, Vec::new());
            let method = ["INVITE", "BYE", "OPTIONS", "REGISTER"][input.choice(4)];
            return self.engine.originate(outgoing(method), Self::hop(input), token, now);
        }
        if what == 7 {
            self.discards = input.choice(4) + 1;
            return;
        }
        if self.waiting.is_empty() {
            return;
        }
        let (id, request) = self.waiting[input.choice(self.waiting.len())].clone();
        match what {
            0 | 1 => {
                let hops = (0..=input.choice(4)).map(|_| (request.clone(), Self::hop(input))).collect();
                self.engine.fork(id, hops, now);
                // Else branches may come again.
                if what == 0 {
                    self.engine.close(id, now);
                }
            }
            2 => self.engine.close(id, now),
            3 => self.engine.open(id, now),
            4 => {
                let status = StatusCode::new(input.pick(&STATUSES)).expect("a status");
                self.engine.reply(id, request.reply(status), now);
            }
            _ => self.engine.stop(id, now),
        }
    }

    fn settle(&mut self, now: Now) {
        self.discards = usize::MAX;
        for (id, request) in std::mem::take(&mut self.waiting) {
            self.engine.fork(id, [(request, Hop::Nowhere(StatusCode::NOT_FOUND))].into_iter().collect(), now);
            self.engine.close(id, now);
        }
    }

    fn size(&self) -> usize {
        let transactions = self.engine.transactions();
        self.engine.len() + transactions.server_count() + transactions.client_count()
    }

    fn abandoned(&self) -> &BTreeSet<String> {
        &self.abandoned
    }

    fn check(&self) {
        for (token, answers) in &self.answers {
            let accepted = answers.iter().all(|status| status.is_success());
            assert!(answers.len() == 1 || accepted && !answers.is_empty(), "{token} of our own got {answers:?}");
        }
    }
}
