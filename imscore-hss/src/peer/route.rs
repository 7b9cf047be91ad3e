//! Which peer a request goes to (RFC 6733 §6.1), and why none.

use std::time::Duration;

use super::overload::Reports;
use super::peers::Peer;
use super::random::Random;
use super::{NoPeer, Obstacle};
use crate::diameter::ApplicationId;
use crate::diameter::base::ReportType;

/// What decides where a request goes.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    pub(super) application: ApplicationId,
    pub(super) realm: String,
    pub(super) host: Option<String>,
    /// Peers that had it already.
    pub(super) tried: Vec<usize>,
}

/// What the choice depends on besides.
pub(super) struct Load<'a> {
    pub(super) reports: &'a Reports,
    pub(super) random: &'a mut Random,
    pub(super) now: Duration,
}

impl Destination {
    /// The peer to use: of those that can take it the ones of the lowest priority, by weight. One that is only back again
    /// comes after all others.
    pub(super) fn choose(&self, peers: &[Peer], mut load: Load<'_>) -> Result<usize, NoPeer> {
        let realm = load.percent(self.application, ReportType::Realm, &self.realm);
        let realm_sheds = load.sheds(realm);
        let mut obstacles = Vec::new();
        let mut usable: Vec<usize> = Vec::new();
        let mut rank = (true, u16::MAX);
        for (at, peer) in peers.iter().enumerate().filter(|(_, peer)| peer.is_listed()) {
            let host = load.percent(self.application, ReportType::Host, &peer.name);
            let obstacle = self.obstacle(at, peer).or_else(|| match (realm_sheds, load.sheds(host)) {
                (true, _) => Some(Obstacle::Overloaded(realm)),
                (false, true) => Some(Obstacle::Overloaded(host)),
                (false, false) => None,
            });
            if let Some(obstacle) = obstacle {
                obstacles.push((peer.name.clone(), obstacle));
                continue;
            }
            let this = (!peer.is_proved(), peer.settings.priority);
            if this < rank || usable.is_empty() {
                usable.clear();
                rank = this;
            }
            if this == rank {
                usable.push(at);
            }
        }
        let weight = |at: &usize| peers.get(*at).map_or(1, |peer| u64::from(peer.settings.weight.max(1)));
        let mut ticket = load.random.below(usable.iter().map(weight).sum());
        for at in usable {
            match ticket.checked_sub(weight(&at)) {
                Some(rest) => ticket = rest,
                None => return Ok(at),
            }
        }
        let (application, realm) = (self.application, self.realm.clone());
        Err(NoPeer { application, realm, peers: obstacles, not_found: None })
    }

    fn obstacle(&self, at: usize, peer: &Peer) -> Option<Obstacle> {
        let settings = &peer.settings;
        let is_host = |host: &String| host.eq_ignore_ascii_case(&peer.name);
        // An agent passes on what is for others; whoever is none takes only what is for itself.
        let is_relay = peer.speaks.as_ref().is_some_and(|speaks| speaks.is_relay());
        if !self.host.as_ref().is_none_or(|host| is_host(host) || is_relay) {
            return Some(Obstacle::NotDestination);
        }
        if !self.host.as_ref().is_some_and(is_host) && !settings.realm.eq_ignore_ascii_case(&self.realm) {
            return Some(Obstacle::Realm(settings.realm.clone()));
        }
        if self.tried.contains(&at) {
            return Some(Obstacle::Tried);
        }
        peer.obstacle().or_else(|| {
            let speaks = peer.speaks.as_ref().is_some_and(|speaks| speaks.speaks(self.application));
            (!speaks).then_some(Obstacle::Application)
        })
    }
}

impl Load<'_> {
    fn percent(&self, application: ApplicationId, kind: ReportType, whose: &str) -> u32 {
        self.reports.reduction(application, kind, whose, self.now)
    }

    /// RFC 7683 §6: as many of a hundred as are asked for, by lot.
    fn sheds(&mut self, percent: u32) -> bool {
        percent > 0 && self.random.below(100) < u64::from(percent)
    }
}
