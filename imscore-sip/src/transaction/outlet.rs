//! What both halves of the layer work with: settings, timers, outputs, counters.

use std::collections::VecDeque;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::config::{Config, Counters};
use super::event::Event;
use super::journal::Transitions;
use super::leg::Leg;
use super::{client_invite, client_non_invite, server_invite, server_non_invite};
use crate::engine::{Output, Ticket, Transmit};
use crate::now::Now;
use crate::transport::{Flow, Listener, ListenerId, Peer, Side, Transport};
use crate::wheel::{TimerHandle, Wheel};

/// The timers of the layer: which transaction, by its slot, and which timer of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    ClientInvite(u32, client_invite::Timer),
    ClientOther(u32, client_non_invite::Timer),
    ServerInvite(u32, server_invite::Timer),
    ServerOther(u32, server_non_invite::Timer),
}

/// The two timers that a transaction may have at one time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pending {
    /// A, E or G: when to send again.
    pub(super) repeat: Option<TimerHandle>,
    /// Any other: when a state ends.
    pub(super) end: Option<TimerHandle>,
}

pub(super) struct Outlet {
    pub(super) config: Config,
    pub(super) rng: ChaCha8Rng,
    pub(super) wheel: Wheel<Alarm>,
    pub(super) outputs: VecDeque<Output<Event>>,
    pub(super) counters: Counters,
    pub(super) transitions: Transitions,
}

impl Outlet {
    pub(super) fn new(config: Config, now: Now) -> Outlet {
        let mut rng = ChaCha8Rng::from_seed(config.seed);
        rng.set_stream(u64::from(config.worker));
        Outlet {
            config,
            rng,
            wheel: Wheel::new(now.monotonic),
            outputs: VecDeque::new(),
            counters: Counters::default(),
            transitions: Transitions::default(),
        }
    }

    pub(super) fn listener(&self, flow: &Flow) -> Option<&Listener> {
        self.config.listeners.get(usize::from(flow.listener.0))
    }

    /// Where what is too long for a datagram goes instead (RFC 3261 §18.1.1): over TCP, from the same side, and from
    /// the same host where it has both. Towards phones there is no other way than the flow that they opened.
    pub(super) fn stream_beside(&self, flow: &Flow) -> Option<Flow> {
        let listener = self.listener(flow).filter(|listener| listener.side == Side::Core)?;
        let streams = || {
            let all = self.config.listeners.iter().zip(0..);
            all.filter(|(other, _)| other.transport == Transport::Tcp && other.side == Side::Core)
        };
        let host = host(&listener.sent_by);
        let (_, id) = streams().find(|(other, _)| self::host(&other.sent_by) == host).or_else(|| streams().next())?;
        Some(Flow { transport: Transport::Tcp, listener: ListenerId(id), ..*flow })
    }

    pub(super) fn leg(&self, flow: &Flow) -> Leg {
        let timers = match self.listener(flow).map_or(Side::Core, |listener| listener.side) {
            Side::Core => self.config.core,
            Side::Access => self.config.access,
        };
        Leg { timers, reliable: flow.transport.is_reliable() }
    }

    /// How often a peer is to send keep-alives on that flow, in seconds.
    pub(super) fn keep_alive_of(&self, flow: &Flow) -> Option<u32> {
        self.listener(flow).filter(|listener| listener.side == Side::Access).and(self.config.keep_alive)
    }

    pub(super) fn random(&mut self) -> u64 {
        self.rng.next_u64()
    }

    pub(super) fn transmit(&mut self, to: impl Into<Peer>, bytes: Bytes, ticket: Option<Ticket>) {
        let Peer { flow, domain } = to.into();
        self.outputs.push_back(Output::Transmit(Transmit { flow, domain, bytes, ticket }));
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Sets a timer in place of the one that `place` names.
    pub(super) fn arm(&mut self, place: &mut Option<TimerHandle>, after: std::time::Duration, alarm: Alarm, now: Now) {
        self.stop(place);
        *place = Some(self.wheel.set(now.monotonic + after, alarm));
    }

    pub(super) fn stop(&mut self, place: &mut Option<TimerHandle>) {
        if let Some(handle) = place.take() {
            self.wheel.cancel(handle);
        }
    }
}

/// A sent-by without its port.
fn host(sent_by: &str) -> &str {
    sent_by.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map_or(sent_by, |(host, _)| host)
}

/// Tickets of server transactions have the top bit of the slot set.
const SERVER: u32 = 1 << 31;

/// Whose [`Ticket`] it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Client { slot: u32, generation: u32 },
    Server { slot: u32, generation: u32 },
}

impl Holder {
    pub(super) fn ticket(self) -> Ticket {
        let (slot, generation) = match self {
            Holder::Client { slot, generation } => (slot, generation),
            Holder::Server { slot, generation } => (slot | SERVER, generation),
        };
        Ticket(u64::from(slot) << 32 | u64::from(generation))
    }

    pub(super) fn of(ticket: Ticket) -> Holder {
        let (slot, generation) = ((ticket.0 >> 32) as u32, ticket.0 as u32);
        match slot & SERVER {
            0 => Holder::Client { slot, generation },
            _ => Holder::Server { slot: slot & !SERVER, generation },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_names_its_holder() {
        for holder in [
            Holder::Client { slot: 5, generation: u32::MAX },
            Holder::Server { slot: 5, generation: u32::MAX },
            Holder::Server { slot: 0, generation: 0 },
        ] {
            assert_eq!(Holder::of(holder.ticket()), holder);
        }
    }
}
