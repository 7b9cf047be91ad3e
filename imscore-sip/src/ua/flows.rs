//! The flows of registrations, kept alive (RFC 5626 §4.4, RFC 6223).

use super::UserAgent;
use super::agent::Alarm;
use crate::engine::{Engine, Output, Transmit};
use crate::now::Now;
use crate::table::Id;
use crate::transport::Flow;
use crate::transport::keep_alive::{Interval, KeepAlive, Reply, Step};
use crate::wheel::TimerHandle;

/// A flow that is kept alive, and the timer that is set for it.
pub(super) struct Kept {
    keep_alive: KeepAlive,
    timer: Option<TimerHandle>,
}

impl UserAgent {
    /// Keeps a flow alive from now on, so often; one that is kept already goes on unless that has changed.
    pub(super) fn keep_alive(&mut self, flow: Flow, interval: Interval, now: Now) {
        match self.kept_by(&flow) {
            Some(key) if self.kept.get(key).is_some_and(|kept| kept.keep_alive.interval() == interval) => return,
            Some(key) => self.forget_kept(key),
            None => {}
        }
        let first = interval.draw(self.transactions.random());
        let key = self.kept.insert(Kept { keep_alive: KeepAlive::new(flow, interval), timer: None });
        self.step(key, Step::Rest(first), now);
    }

    /// Forgets the flows on which nobody is registered.
    pub(super) fn forget_flows(&mut self) {
        let is_idle = |kept: &Kept| self.registrations.iter().all(|found| found.flow() != Some(kept.keep_alive.flow()));
        let idle: Vec<Id<Kept>> = self.kept.ids().filter(|key| self.kept.get(*key).is_some_and(is_idle)).collect();
        idle.into_iter().for_each(|key| self.forget_kept(key));
    }

    pub(super) fn on_keep_alive_due(&mut self, key: Id<Kept>, now: Now) {
        let random = [self.transactions.random(), self.transactions.random()];
        if let Some(kept) = self.kept.get_mut(key) {
            let step = kept.keep_alive.due(random);
            self.step(key, step, now);
        }
    }

    pub(super) fn on_keep_alive(&mut self, reply: &Reply, flow: &Flow, now: Now) {
        let random = self.transactions.random();
        let Some(key) = self.kept_by(flow) else { return };
        if let Some(step) = self.kept.get_mut(key).and_then(|kept| kept.keep_alive.answered(reply, random)) {
            self.step(key, step, now);
        }
    }

    fn step(&mut self, key: Id<Kept>, step: Step, now: Now) {
        let Some(kept) = self.kept.get_mut(key) else { return };
        let flow = kept.keep_alive.flow();
        let again = match step {
            Step::Send { bytes, again } => {
                self.below.push_back(Output::Transmit(Transmit { flow, domain: None, bytes, ticket: None }));
                again
            }
            Step::Rest(again) => again,
            Step::Failed(_) => {
                self.below.push_back(Output::Close(flow));
                self.transactions.handle_flow_lost(flow, now);
                return self.on_flow_lost(&flow, now);
            }
        };
        let timer = self.alarms.set(now.monotonic + again, Alarm::KeepAlive(key));
        if let Some(old) = kept.timer.replace(timer) {
            self.alarms.cancel(old);
        }
    }

    fn kept_by(&self, flow: &Flow) -> Option<Id<Kept>> {
        self.kept.ids().find(|key| self.kept.get(*key).is_some_and(|kept| kept.keep_alive.flow() == *flow))
    }

    fn forget_kept(&mut self, key: Id<Kept>) {
        if let Some(timer) = self.kept.remove(key).and_then(|kept| kept.timer) {
            self.alarms.cancel(timer);
        }
    }
}
