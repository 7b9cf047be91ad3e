//! The requests: which are let in, which wait for an answer, and where they go when nobody answers.

use std::time::Duration;

use super::{Peers, Pending};
use crate::diameter::dictionary as avp;
use crate::diameter::{Avp, CommandFlags, DiameterUri, Fault, Message, ResultCode};
use crate::peer::capabilities::Speaks;
use crate::peer::duplicates::Seen;
use crate::peer::route::{Destination, Load};
use crate::peer::{ConnectionId, Event, Failure, NoPeer, Obstacle, Output, RequestId, Ticket};

impl Peers {
    /// A request of a peer.
    pub(super) fn asked(&mut self, at: usize, connection: ConnectionId, message: Message, now: Duration) {
        let origin = match self.admit(at, &message) {
            Ok(origin) => origin.to_owned(),
            Err(fault) => return self.refuse(connection, &message, &fault),
        };
        match self.duplicates.see(&origin, &message, connection, now) {
            Seen::First => {
                let peer = self.peer(at).name.clone();
                let ticket = Ticket { connection, origin };
                self.output.push_back(Output::Event(Event::Request { ticket, peer, request: message }));
            }
            Seen::InWork => self.counters.duplicates += 1,
            Seen::Answered(answer) => {
                self.counters.duplicates += 1;
                let header = *answer.header();
                let answer = answer.readdressed(header.flags, message.header().hop_by_hop, header.end_to_end);
                self.transmit(connection, &answer);
            }
        }
    }

    /// Whether a request is for us, and may come this way (RFC 6733 §6.1.4, §2.9). Says whose it is.
    pub(super) fn admit<'a>(&mut self, at: usize, message: &'a Message) -> Result<&'a str, Fault> {
        let header = *message.header();
        header.check()?;
        let ours = |(_, application): &(u32, _)| *application == header.application;
        if !self.settings.applications.iter().any(ours) {
            return Err(Fault::new(ResultCode::APPLICATION_UNSUPPORTED, "another application"));
        }
        let us = &self.settings.origin;
        let (mut origin, mut misdirected) = (None, None);
        for avp in message.avps() {
            let avp = avp?;
            if avp.is(&avp::ORIGIN_HOST) {
                origin = origin.or(Some(avp));
            } else if avp.is(&avp::DESTINATION_HOST) && !avp.data().eq_ignore_ascii_case(us.host.as_bytes()) {
                misdirected = Some((ResultCode::UNABLE_TO_DELIVER, "for another host"));
            } else if avp.is(&avp::DESTINATION_REALM) && !avp.data().eq_ignore_ascii_case(us.realm.as_bytes()) {
                misdirected = misdirected.or(Some((ResultCode::REALM_NOT_SERVED, "for another realm")));
            }
        }
        if let Some((result, reason)) = misdirected {
            return Err(Fault::new(result, reason));
        }
        let origin = origin.ok_or_else(|| Fault::missing(&avp::ORIGIN_HOST))?;
        let origin: &str = origin.read(&avp::ORIGIN_HOST)?;
        let peer = self.peer(at);
        // Only an agent brings what others ask.
        let is_relay = peer.speaks.as_ref().is_some_and(Speaks::is_relay);
        if !peer.settings.may_ask || !is_relay && !peer.name.eq_ignore_ascii_case(origin) {
            return Err(Fault::new(ResultCode::AUTHORIZATION_REJECTED, "may not ask this"));
        }
        Ok(origin)
    }

    pub(super) fn refuse(&mut self, connection: ConnectionId, message: &Message, fault: &Fault) {
        self.counters.refused += 1;
        let bytes = message.refuse(fault, &self.settings.origin);
        self.output.push_back(Output::Transmit { connection, bytes });
    }

    /// An answer: of the one who was asked, or of nobody.
    pub(super) fn answered(&mut self, connection: ConnectionId, answer: Message, now: Duration) {
        let header = *answer.header();
        let known = self.hops.get(&header.hop_by_hop).filter(|(asked, _)| *asked == connection).map(|(_, id)| *id);
        let Some((id, pending)) = known.and_then(|id| Some((id, self.requests.get(&id)?))) else {
            self.counters.unsolicited += 1;
            return;
        };
        let sent = pending.message.header();
        if (sent.command, pending.end_to_end) != (header.command, header.end_to_end) {
            self.counters.unsolicited += 1;
            return;
        }
        if pending.heeds_reports {
            self.reports.note(&answer, now);
        }
        if header.is_error() && self.try_elsewhere(id, &answer, now) {
            return;
        }
        self.finish(id, |request| Event::Answer { request, answer });
    }

    /// After a protocol error: another peer may do better, or the one that the answer names.
    pub(super) fn try_elsewhere(&mut self, id: RequestId, answer: &Message, now: Duration) -> bool {
        let result = answer.find(&avp::RESULT_CODE).and_then(|avp| avp.read(&avp::RESULT_CODE).ok()).map(ResultCode);
        let Some(pending) = self.requests.get_mut(&id) else { return false };
        pending.destination.tried.extend(pending.at.map(|(at, _)| at));
        let mut destination = pending.destination.clone();
        match result {
            Some(ResultCode::REDIRECT_INDICATION) => {
                let hosts = answer.avps().map_while(Result::ok).filter(|avp| avp.is(&avp::REDIRECT_HOST));
                let uri = |avp: Avp<'_>| avp.read::<&str>(&avp::REDIRECT_HOST).ok()?.parse::<DiameterUri>().ok();
                for uri in hosts.filter_map(uri) {
                    destination.host = Some(uri.host);
                    if let Ok(peer) = self.choose(&destination, now) {
                        self.send_again(id, peer);
                        return true;
                    }
                }
                false
            }
            Some(ResultCode::UNABLE_TO_DELIVER | ResultCode::TOO_BUSY | ResultCode::LOOP_DETECTED) => {
                match self.choose(&destination, now) {
                    Ok(peer) => {
                        self.send_again(id, peer);
                        true
                    }
                    Err(_) => false,
                }
            }
            Some(_) | None => false,
        }
    }

    /// The request was answered, with an error: it is no repetition (RFC 6733 §3, T flag).
    pub(super) fn send_again(&mut self, id: RequestId, peer: usize) {
        if let Some(pending) = self.requests.get_mut(&id) {
            pending.unanswered = false;
        }
        self.send(id, peer);
    }

    /// What a peer has not answered goes to others, with the T flag (RFC 6733 §5.5.4). What nobody takes stays where it is
    /// while the connection stands, waits for a peer to come up where it is gone, and fails where its host was fixed.
    pub(super) fn failover(&mut self, at: usize, gone: bool, now: Duration) {
        let mine = |(id, pending): (&RequestId, &Pending)| pending.at.is_some_and(|(on, _)| on == at).then_some(*id);
        let ids: Vec<_> = self.requests.iter().filter_map(mine).collect();
        for id in ids {
            let Some(pending) = self.requests.get_mut(&id) else { continue };
            if gone {
                pending.at = None;
            }
            let mut destination = pending.destination.clone();
            destination.tried.push(at);
            match self.choose(&destination, now) {
                Ok(peer) => self.send(id, peer),
                Err(no_peer) if gone && (self.stopping || destination.host.is_some()) => {
                    self.finish(id, |request| Event::Failed { request, failure: Failure::NoPeer(no_peer) });
                }
                Err(_) => {}
            }
        }
    }

    /// Requests that wait for a peer.
    pub(super) fn send_waiting(&mut self, now: Duration) {
        let waiting = |(id, pending): (&RequestId, &Pending)| pending.at.is_none().then_some(*id);
        let ids: Vec<_> = self.requests.iter().filter_map(waiting).collect();
        for id in ids {
            let Some(destination) = self.requests.get(&id).map(|pending| pending.destination.clone()) else { continue };
            if let Ok(peer) = self.choose(&destination, now) {
                self.send(id, peer);
            }
        }
    }

    pub(super) fn choose(&mut self, destination: &Destination, now: Duration) -> Result<usize, NoPeer> {
        let load = Load { reports: &self.reports, random: &mut self.random, now };
        let mut chosen = destination.choose(&self.peers, load);
        if let Err(no_peer) = &mut chosen {
            no_peer.not_found.clone_from(&self.not_found);
            let shed = |(_, obstacle): &(String, Obstacle)| matches!(obstacle, Obstacle::Overloaded(_));
            self.counters.shed += u64::from(no_peer.peers.iter().any(shed));
        }
        chosen
    }

    pub(super) fn send(&mut self, id: RequestId, at: usize) {
        let hop = self.hop_by_hop();
        let Some(connection) = self.peer(at).open() else { return };
        let Some(pending) = self.requests.get_mut(&id) else { return };
        let header = *pending.message.header();
        let flags = if pending.unanswered { header.flags.with(CommandFlags::RETRANSMITTED) } else { header.flags };
        self.counters.retransmitted += u64::from(pending.unanswered);
        pending.unanswered = true;
        pending.at = Some((at, connection));
        pending.hops.push(hop);
        let message = pending.message.readdressed(flags, hop, pending.end_to_end);
        self.hops.insert(hop, (connection, id));
        self.transmit(connection, &message);
    }

    pub(super) fn finish(&mut self, id: RequestId, event: impl FnOnce(RequestId) -> Event) {
        if let Some(pending) = self.requests.remove(&id) {
            self.deadlines.remove(&(pending.deadline, id));
            for hop in pending.hops {
                self.hops.remove(&hop);
            }
            self.output.push_back(Output::Event(event(id)));
        }
    }
}
