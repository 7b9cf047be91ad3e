//! The connections: machine and watchdog of each peer, and the first message of everybody.

use std::time::Duration;

use super::{Connection, Peer, Peers};
use crate::diameter::base::DisconnectCause;
use crate::diameter::{CommandCode, Fault, Header, Message, ResultCode};
use crate::peer::machine::{self, Side};
use crate::peer::{Cause, ConnectionId, Event, Output, PeerSettings, capabilities, watchdog};

impl Peers {
    /// Carries an event through the machine of a peer.
    pub(super) fn drive(&mut self, at: usize, event: machine::Event, now: Duration) {
        self.drive_cer(at, event, None, now);
    }

    /// As [`drive`](Peers::drive); `earlier` is what a CER that is rejected must not replace.
    pub(super) fn drive_cer(
        &mut self,
        at: usize,
        event: machine::Event,
        mut earlier: Option<(ConnectionId, Message)>,
        now: Duration,
    ) {
        let mut actions = Vec::new();
        let peer = self.peer(at);
        peer.state = peer.state.on(event, &mut actions);
        if matches!(peer.state, machine::State::Closed | machine::State::Open(_)) {
            peer.exchange = None;
        }
        for action in actions {
            match action {
                machine::Action::Connect => self.connect(at),
                machine::Action::SendCer => {
                    let identifiers = self.identifiers();
                    let cer = capabilities::cer(&self.settings, identifiers);
                    self.peer(at).cer = Some(identifiers.0);
                    self.transmit_to(at, Side::I, &cer);
                }
                machine::Action::Accept => {
                    if let Some((_, cer)) = &self.peer(at).responder {
                        let header = *cer.header();
                        let cea = capabilities::cea(&self.settings, &header, Ok(()));
                        self.transmit_to(at, Side::R, &cea);
                    }
                }
                machine::Action::Reject => {
                    let rejected = std::mem::replace(&mut self.peer(at).responder, earlier.take());
                    if let Some((connection, cer)) = rejected {
                        let fault = Fault::new(ResultCode::ELECTION_LOST, "there is a connection already");
                        self.transmit(connection, &capabilities::cea(&self.settings, cer.header(), Err(&fault)));
                        self.counters.refused += 1;
                        self.close(connection);
                    }
                }
                machine::Action::Close(side) => {
                    if let Some(connection) = self.peer(at).forget(side) {
                        self.close(connection);
                    }
                }
                machine::Action::SendDpr(side) => {
                    let identifiers = self.identifiers();
                    let cause = match self.stopping {
                        true => DisconnectCause::Rebooting,
                        false => DisconnectCause::DoNotWantToTalkToYou,
                    };
                    let dpr = capabilities::dpr(&self.settings, cause, identifiers);
                    self.transmit_to(at, side, &dpr);
                }
                // The answer needs the request: it was sent before the event.
                machine::Action::SendDpa(_) => {}
                machine::Action::Up => self.up(at, now),
                machine::Action::Down => self.down(at, now),
                machine::Action::Arm => self.peer(at).exchange = Some(now + self.settings.exchange),
            }
        }
        self.retry_later(at, now);
    }

    pub(super) fn connect(&mut self, at: usize) {
        let peer = self.peer(at);
        let PeerSettings { host, addresses, transport, .. } = &peer.settings;
        let Some(address) = addresses.get(peer.attempts % addresses.len().max(1)).cloned() else { return };
        let (host, transport) = (host.clone(), *transport);
        peer.attempts = peer.attempts.wrapping_add(1);
        let connection =
            self.connection(Connection { peer: Some(at), arrival: None, names: Vec::new(), deadline: None });
        self.peer(at).initiator = Some(connection);
        self.output.push_back(Output::Connect { connection, transport, address, host });
    }

    pub(super) fn up(&mut self, at: usize, now: Duration) {
        let first = self.settings.retry;
        let peer = self.peer(at);
        (peer.retry, peer.backoff, peer.attempts) = (None, first, 0);
        if let machine::State::Open(Side::R) = peer.state
            && let Some((_, cer)) = &peer.responder
        {
            let cer = cer.clone();
            let listed = |host: &str| self.listed(host);
            let speaks = capabilities::judge(&self.settings, listed, &cer, None).ok().map(|peer| peer.speaks);
            self.peer(at).speaks = speaks;
        }
        let peer = self.peer(at).name.clone();
        self.output.push_back(Output::Event(Event::Up { peer }));
        self.watch(at, watchdog::Event::Up, now);
        self.send_waiting(now);
    }

    pub(super) fn down(&mut self, at: usize, now: Duration) {
        let peer = self.peer(at);
        peer.silence = None;
        let event = Event::Down { peer: peer.name.clone(), cause: peer.cause.clone() };
        self.output.push_back(Output::Event(event));
        self.watch(at, watchdog::Event::Lost, now);
        self.failover(at, true, now);
    }

    /// After a connection is gone: when to try again. A peer that said that it does not want us is left alone for long.
    pub(super) fn retry_later(&mut self, at: usize, now: Duration) {
        let (stopping, most, unwanted) = (self.stopping, self.settings.retry_most, self.settings.unwanted);
        let spread = self.random.below(256) as u32;
        let peer = self.peer(at);
        let idle = peer.state == machine::State::Closed && peer.retry.is_none();
        if stopping || !idle || peer.settings.addresses.is_empty() || !peer.is_listed() {
            return;
        }
        let wait = match peer.cause {
            Cause::Left(DisconnectCause::Busy | DisconnectCause::DoNotWantToTalkToYou) => unwanted,
            Cause::Left(DisconnectCause::Rebooting)
            | Cause::Connecting
            | Cause::Unreachable(_)
            | Cause::NoAnswer
            | Cause::Refused(_)
            | Cause::AnotherName(_)
            | Cause::Lost
            | Cause::Silent
            | Cause::Stopped
            | Cause::Withdrawn => {
                let wait = peer.backoff;
                // Each address has its turn before the wait grows.
                if peer.attempts.is_multiple_of(peer.settings.addresses.len()) {
                    peer.backoff = (wait * 2).min(most);
                }
                // Up to a quarter more, so that those who lost one peer do not come back at once.
                wait + wait * spread / 1024
            }
        };
        peer.retry = Some(now + wait);
    }

    /// Carries an event through the watchdog of a peer.
    pub(super) fn watch(&mut self, at: usize, event: watchdog::Event, now: Duration) {
        let mut actions = Vec::new();
        let peer = self.peer(at);
        peer.watchdog = peer.watchdog.on(event, &mut actions);
        for action in actions {
            match action {
                watchdog::Action::SendDwr => {
                    let identifiers = self.identifiers();
                    let dwr = capabilities::dwr(&self.settings, identifiers);
                    if let Some(connection) = self.peer(at).open() {
                        self.transmit(connection, &dwr);
                    }
                }
                watchdog::Action::Arm => {
                    // RFC 3539 §3.4.1: up to two seconds of thirty more or less.
                    let tw = self.settings.watchdog;
                    let jitter = tw / 15;
                    let spread = jitter * 2 * self.random.below(1024) as u32 / 1024;
                    self.peer(at).silence = Some(now + tw - jitter + spread);
                }
                watchdog::Action::Failover => self.failover(at, false, now),
                watchdog::Action::Failback => self.send_waiting(now),
                watchdog::Action::Close => {
                    self.peer(at).cause = Cause::Silent;
                    self.drive(at, machine::Event::Silent, now);
                }
            }
        }
    }

    /// The first message on a connection that a peer opened: a CER, or the end of it (RFC 6733 §5.6.1).
    pub(super) fn first(&mut self, connection: ConnectionId, message: &Message, now: Duration) {
        let header = *message.header();
        if header.command != CommandCode::CAPABILITIES_EXCHANGE || !header.is_request() {
            return self.close(connection);
        }
        let Some(known) = self.connections.get(&connection) else { return };
        let arrival = known.arrival.map(|at| (at, &*known.names));
        let capabilities = match capabilities::judge(&self.settings, |host| self.listed(host), message, arrival) {
            Ok(capabilities) => capabilities,
            Err(fault) => {
                self.counters.refused += 1;
                self.transmit(connection, &capabilities::cea(&self.settings, &header, Err(&fault)));
                return self.close(connection);
            }
        };
        let is_peer = |peer: &Peer| peer.is_named(&capabilities.host);
        let Some(at) = self.peers.iter().position(is_peer) else { return self.close(connection) };
        if let Some(known) = self.connections.get_mut(&connection) {
            (known.peer, known.deadline) = (Some(at), None);
        }
        let ours = self.settings.origin.host.to_ascii_lowercase();
        let wins = ours > capabilities.host.to_ascii_lowercase();
        let earlier = self.peer(at).responder.replace((connection, message.clone()));
        self.drive_cer(at, machine::Event::Cer { wins }, earlier, now);
    }

    /// The first message on a connection that we opened: the CEA, or the end of it.
    pub(super) fn first_answer(&mut self, at: usize, message: &Message, now: Duration) {
        let header = message.header();
        let expected = self.peer(at).cer == Some(header.hop_by_hop);
        let is_cea = header.command == CommandCode::CAPABILITIES_EXCHANGE && !header.is_request() && expected;
        let cause = match capabilities::read_cea(message) {
            _ if !is_cea => Cause::Refused(ResultCode::UNABLE_TO_COMPLY),
            Ok(answers) if self.may_answer_as(at, &answers.host) => {
                let peer = self.peer(at);
                (peer.name, peer.speaks) = (answers.host, Some(answers.speaks));
                return self.drive(at, machine::Event::Cea, now);
            }
            Ok(peer) => Cause::AnotherName(peer.host),
            Err(result) => Cause::Refused(result),
        };
        self.peer(at).cause = cause;
        self.drive(at, machine::Event::NoCea, now);
    }

    /// A DPR: answer it, then wait until the peer closes.
    pub(super) fn leave(&mut self, at: usize, side: Side, request: &Header, now: Duration) {
        let dpa = capabilities::answer(&self.settings, request);
        self.transmit_to(at, side, &dpa);
        self.drive(at, machine::Event::Dpr, now);
    }
}
