//! The transaction layer alone, with an owner that answers, asks, cancels and forgets.

use std::collections::{BTreeMap, BTreeSet};

use imscore_sip::transaction::{ClientId, Event, ServerId, Transactions};
use imscore_sip::{Now, Request, StatusCode};

use super::{Input, METHODS, STATUSES, Subject, config, flow, outgoing, transaction_of};

pub(super) struct Layer {
    engine: Transactions,
    servers: Vec<(ServerId, Request)>,
    clients: Vec<ClientId>,
    /// How each client transaction went on.
    outcomes: BTreeMap<ClientId, Outcome>,
    ended: BTreeSet<ServerId>,
    abandoned: BTreeSet<String>,
}

#[derive(Default)]
struct Outcome {
    finals: usize,
    accepted: usize,
    failed: usize,
    ended: bool,
    terminated: bool,
}

impl Layer {
    pub(super) fn new(now: Now) -> Layer {
        Layer {
            engine: Transactions::new(config(24), now),
            servers: Vec::new(),
            clients: Vec::new(),
            outcomes: BTreeMap::new(),
            ended: BTreeSet::new(),
            abandoned: BTreeSet::new(),
        }
    }

    fn outcome(&mut self, id: ClientId) -> &mut Outcome {
        let outcome = self.outcomes.entry(id).or_default();
        assert!(!outcome.ended && !outcome.terminated, "{id:?} is over");
        outcome
    }

    fn live(&self, id: ServerId) {
        assert!(!self.ended.contains(&id), "{id:?} is over");
    }
}

impl Subject for Layer {
    type Engine = Transactions;

    fn engine(&mut self) -> &mut Transactions {
        &mut self.engine
    }

    fn told(&mut self, event: Event, _: Now) {
        match event {
            Event::Request { id, request, .. } => self.servers.push((id, request)),
            Event::Cancel { id, invite, request, .. } => {
                invite.into_iter().for_each(|invite| self.live(invite));
                self.servers.push((id, request));
            }
            Event::Ack { .. } => {}
            Event::Response { id, response } => {
                let outcome = self.outcome(id);
                outcome.finals += usize::from(response.status().is_final());
                outcome.accepted += usize::from(response.status().is_success());
            }
            Event::Failed { id, .. } => self.outcome(id).failed += 1,
            Event::ClientEnded { id } => self.outcome(id).ended = true,
            Event::Unacknowledged { id } | Event::Undelivered { id } => self.live(id),
            Event::ServerEnded { id } => assert!(self.ended.insert(id), "{id:?} ended twice"),
        }
    }

    fn act(&mut self, input: &mut Input<'_>, now: Now) {
        let what = input.choice(6);
        match what {
            0 => {
                // ACK and CANCEL do not go this way.
                let method = METHODS[[0, 3, 4, 5][input.choice(4)]];
                let way = flow(input.choice(3));
                let id = self.engine.request(outgoing(method), way, None, now);
                self.clients.push(id);
                self.outcomes.entry(id).or_default();
            }
            1 | 2 if !self.servers.is_empty() => {
                let (id, request) = &self.servers[input.choice(self.servers.len())];
                let status = StatusCode::new(input.pick(&STATUSES)).expect("a status");
                self.engine.respond(*id, request.reply(status).with_to_tag("us"), now);
            }
            3 if !self.clients.is_empty() => {
                self.engine.cancel(self.clients[input.choice(self.clients.len())], now);
            }
            4 if !self.clients.is_empty() => {
                let id = self.clients[input.choice(self.clients.len())];
                self.engine.terminate(id);
                self.outcomes.entry(id).or_default().terminated = true;
            }
            5 if !self.servers.is_empty() => {
                let (id, request) = self.servers.swap_remove(input.choice(self.servers.len()));
                match input.choice(2) {
                    0 => {
                        self.engine.abandon(id);
                        self.abandoned.extend(transaction_of(&request.headers));
                    }
                    _ => self.engine.respond_statelessly(id, request.reply(StatusCode::UNAUTHORIZED)),
                }
            }
            _ => {}
        }
    }

    fn settle(&mut self, now: Now) {
        for (id, request) in std::mem::take(&mut self.servers) {
            self.engine.respond(id, request.reply(StatusCode::BUSY_HERE).with_to_tag("us"), now);
        }
        self.clients.iter().for_each(|id| self.engine.cancel(*id, now));
    }

    fn size(&self) -> usize {
        self.engine.server_count() + self.engine.client_count()
    }

    fn abandoned(&self) -> &BTreeSet<String> {
        &self.abandoned
    }

    /// One end for each: a response that is passed on once, any number of 2xx, or a failure.
    fn check(&self) {
        for (id, outcome) in &self.outcomes {
            let once = outcome.finals + outcome.failed == 1;
            let accepted = outcome.accepted > 0 && outcome.accepted == outcome.finals && outcome.failed == 0;
            assert!(outcome.terminated || outcome.ended && (once || accepted), "{id:?} has no end");
        }
    }
}
