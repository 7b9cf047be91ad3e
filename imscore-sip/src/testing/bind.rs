//! Where the hosts of a test network are.

use std::net::SocketAddr;

use bytestring::ByteString;

use crate::transport::{Address, Listener, Side};

/// An address that a host listens on; in tests the text `udp:192.0.2.1:5060` will do.
///
/// ```
/// use imscore_sip::testing::Bind;
/// use imscore_sip::transport::Side;
///
/// let phones = Bind::from("udp:10.0.0.1:5060").access().behind("203.0.113.9:40000".parse()?);
/// assert_eq!(phones.listener().side, Side::Access);
/// assert_eq!(phones.address.socket, "10.0.0.1:5060".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// Where.
    pub address: Address,
    pub(super) sent_by: Option<ByteString>,
    pub(super) side: Side,
    pub(super) seen_as: SocketAddr,
    pub(super) label: Option<ByteString>,
}

impl Bind {
    /// An address on the core side that calls itself by IP address and port.
    pub fn new(address: Address) -> Bind {
        Bind { address, sent_by: None, side: Side::Core, seen_as: address.socket, label: None }
    }

    /// The address faces phones: TS 24.229 §7.7's timers hold there.
    #[must_use]
    pub fn access(mut self) -> Bind {
        self.side = Side::Access;
        self
    }

    /// What the host's Via and Record-Route say, instead of IP address and port.
    #[must_use]
    pub fn sent_by(mut self, name: impl Into<ByteString>) -> Bind {
        self.sent_by = Some(name.into());
        self
    }

    /// The address stands behind a NAT: everybody else sees `public` and reaches it there.
    #[must_use]
    pub fn behind(mut self, public: SocketAddr) -> Bind {
        self.seen_as = public;
        self
    }

    /// A name for this address alone, where one host plays several parts in a ladder.
    #[must_use]
    pub fn label(mut self, name: impl Into<ByteString>) -> Bind {
        self.label = Some(name.into());
        self
    }

    /// As an engine is told of it.
    pub fn listener(&self) -> Listener {
        let sent_by = self.sent_by.clone().unwrap_or_else(|| self.address.socket.to_string().into());
        Listener { transport: self.address.transport, sent_by, side: self.side }
    }
}

impl From<Address> for Bind {
    fn from(address: Address) -> Bind {
        Bind::new(address)
    }
}

/// For addresses that stand in a test.
///
/// # Panics
/// On text that is no address.
impl From<&str> for Bind {
    #[track_caller]
    fn from(text: &str) -> Bind {
        Bind::new(text.parse().unwrap_or_else(|error| panic!("{error}")))
    }
}
