//! Peers that were found by name: they come, change and go (RFC 6733 §5.2).

use std::time::Duration;

use super::{Peer, PeerOrigin, Peers};
use crate::peer::discovery::{NotFound, is_in};
use crate::peer::{Cause, PeerSettings, machine};

impl Peers {
    /// Takes over what was found for a realm, in the place of what was found before. Who is new is connected to, who is gone is
    /// left, and who stays keeps its connection. A peer of the list keeps its settings.
    pub fn set_found(&mut self, found: Result<Vec<PeerSettings>, NotFound>, now: Duration) {
        if self.stopping {
            return;
        }
        let found = match found {
            Ok(found) => {
                self.not_found = None;
                found
            }
            Err(not_found) => {
                self.not_found = Some(not_found);
                Vec::new()
            }
        };
        for at in 0..self.peers.len() {
            let peer = self.peer(at);
            let is_gone = !found.iter().any(|settings| settings.host.eq_ignore_ascii_case(&peer.settings.host));
            if peer.origin == PeerOrigin::Found && is_gone {
                (peer.origin, peer.cause, peer.retry) = (PeerOrigin::Withdrawn, Cause::Withdrawn, None);
                self.drive(at, machine::Event::Stop, now);
            }
        }
        for settings in found {
            let known = |peer: &Peer| peer.settings.host.eq_ignore_ascii_case(&settings.host);
            let at = self.peers.iter().position(known);
            match at.map(|at| (at, self.peer(at).origin)) {
                Some((_, PeerOrigin::List)) => {}
                Some((at, PeerOrigin::Found)) => self.peer(at).settings = settings,
                Some((at, PeerOrigin::Withdrawn)) => {
                    let peer = self.peer(at);
                    (peer.settings, peer.origin) = (settings, PeerOrigin::Found);
                    self.drive(at, machine::Event::Start, now);
                }
                None => {
                    let at = self.place(settings);
                    self.drive(at, machine::Event::Start, now);
                }
            }
        }
    }

    /// A place for a new peer: that of one that is gone, or one more.
    fn place(&mut self, settings: PeerSettings) -> usize {
        let peer = Peer::new(settings, PeerOrigin::Found, self.settings.retry);
        let is_free = |peer: &Peer| !peer.is_listed() && peer.state == machine::State::Closed;
        match self.peers.iter().position(is_free) {
            Some(at) => {
                *self.peer(at) = peer;
                // Who was here before says nothing of who is here now.
                for pending in self.requests.values_mut() {
                    pending.destination.tried.retain(|tried| *tried != at);
                }
                at
            }
            None => {
                self.peers.push(peer);
                self.peers.len() - 1
            }
        }
    }

    /// Why no peer was found by name, where one was looked for.
    pub fn not_found(&self) -> Option<&NotFound> {
        self.not_found.as_ref()
    }

    /// The settings of the peer that goes by this name.
    pub(super) fn listed(&self, host: &str) -> Option<&PeerSettings> {
        self.peers.iter().find(|peer| peer.is_named(host)).map(|peer| &peer.settings)
    }

    /// True where a peer may answer under this name: its own, or, where it was found, one of its realm that nobody else has.
    pub(super) fn may_answer_as(&self, at: usize, host: &str) -> bool {
        let Some(peer) = self.peers.get(at) else { return false };
        let is_taken = |(other, peer): (usize, &Peer)| other != at && peer.is_named(host);
        let is_own = peer.settings.host.eq_ignore_ascii_case(host);
        let is_of_realm = peer.origin == PeerOrigin::Found && is_in(host, &peer.settings.realm);
        (is_own || is_of_realm) && !self.peers.iter().enumerate().any(is_taken)
    }
}
