//! How many connections there may be: in all, and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections over all workers of a process.
#[derive(Debug)]
pub(super) struct Gate {
    connections: usize,
    per_address: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    strangers: HashMap<IpAddr, usize>,
}

/// A place among the connections; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Arc<Gate>,
    /// Whose count it stands in.
    stranger: Option<IpAddr>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    InAll,
    FromAddress,
}

impl Gate {
    pub(super) fn new(connections: usize, per_address: usize) -> Arc<Gate> {
        Arc::new(Gate { connections, per_address, open: Mutex::default() })
    }

    /// A place for a connection that a peer opened.
    pub(super) fn admit(self: &Arc<Gate>, address: IpAddr) -> Result<Permit, Full> {
        let source = source(address);
        let mut open = self.open();
        if open.total >= self.connections {
            return Err(Full::InAll);
        }
        let strangers = open.strangers.get(&source).copied().unwrap_or_default();
        if strangers >= self.per_address {
            return Err(Full::FromAddress);
        }
        open.strangers.insert(source, strangers + 1);
        open.total += 1;
        Ok(Permit { gate: self.clone(), stranger: Some(source) })
    }

    /// A place for a connection that we open.
    pub(super) fn leave(self: &Arc<Gate>) -> Option<Permit> {
        let mut open = self.open();
        if open.total >= self.connections {
            return None;
        }
        open.total += 1;
        Some(Permit { gate: self.clone(), stranger: None })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// True where the connection counts against its address.
    pub(super) fn is_stranger(&self) -> bool {
        self.stranger.is_some()
    }

    /// The engine knows the connection: it no longer counts against its address.
    pub(super) fn vouch(&mut self) {
        if let Some(address) = self.stranger.take() {
            let mut open = self.gate.open();
            if let Some(count) = open.strangers.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    open.strangers.remove(&address);
                }
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.vouch();
        self.gate.open().total -= 1;
    }
}

/// One host: an IPv4 address, or the /64 that an IPv6 host can choose its addresses from.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn strangers_of_one_host_share_its_places() {
        let gate = Gate::new(9, 2);
        let mut first = gate.admit(address("2001:db8::1")).unwrap();
        let _second = gate.admit(address("2001:db8::ffff:1")).unwrap();
        assert_eq!(gate.admit(address("2001:db8::2")).unwrap_err(), Full::FromAddress);
        let _other = gate.admit(address("2001:db8:0:1::2")).unwrap();

        first.vouch();
        assert!(!first.is_stranger());
        let third = gate.admit(address("2001:db8::2")).unwrap();
        drop(first);
        assert_eq!(gate.admit(address("2001:db8::2")).unwrap_err(), Full::FromAddress);
        drop(third);
        assert!(gate.admit(address("2001:db8::2")).is_ok());
    }

    #[test]
    fn all_share_the_total_and_nothing_is_left_behind() {
        let gate = Gate::new(2, 2);
        let places = (gate.admit(address("192.0.2.1")).unwrap(), gate.leave().unwrap());
        assert_eq!(gate.admit(address("192.0.2.2")).unwrap_err(), Full::InAll);
        assert!(gate.leave().is_none());
        drop(places);
        let open = gate.open();
        assert_eq!((open.total, open.strangers.len()), (0, 0));
    }
}
