//! Roles behind one proxy core.
//!
//! A [`Node`] says which roles there are, by name, and where they listen; a [`Worker`] is the engine that is built from it,
//! one for each core of the machine. A request whose next hop is a role of the node is handed to it as a value; the same
//! roles speak SIP on the wire when they are split over machines. Route, Record-Route, Max-Forwards and the headers of TS
//! 24.229 are the same either way.
//!
//! ```
//! # use imscore_cscf::{Call, Decision, Node, Refused, Role};
//! # use imscore_sip::{Request, transport::Side};
//! # struct Screening;
//! # #[async_trait::async_trait]
//! # impl Role for Screening {
//! #     async fn on_request(&self, _: &mut Call, request: Request) -> Result<Decision, Refused> {
//! #         Ok(Decision::forward(request))
//! #     }
//! # }
//! let node = Node::default()
//!     .role("screening.ims.example", Screening)
//!     .host("sip.far.example", "udp:192.0.2.7:5060".parse()?)
//!     .listen("udp:127.0.0.1:5060".parse()?, "screening.ims.example", Side::Core);
//! # Ok::<(), imscore_sip::transport::AddressError>(())
//! ```

pub(crate) mod shared;
pub(crate) mod tasks;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use imscore_hss::state::Clock;
use imscore_sip::ByteString;
use imscore_sip::proxy::route;
use imscore_sip::resolve::Exits;
use imscore_sip::transaction::Timers;
use imscore_sip::transport::{Address, Listener, ListenerId, Side, Transport};
use imscore_sip::uri::SipUri;

pub use worker::{Counters, Worker};

use crate::role::Role;

/// The description of a node: roles by name, listeners, names of other hosts. Cheap to clone.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use imscore_cscf::pcscf::{Pcscf, Settings as PcscfSettings};
/// use imscore_cscf::{Drain, Listen, Node, Settings, Worker};
/// use imscore_sip::Now;
/// use imscore_sip::transport::{Listener, Side, Transport};
///
/// let mut settings = Settings::default();
/// settings.deadline = Duration::from_secs(5);
/// let pcscf = Pcscf::new(PcscfSettings::new("pcscf.ims.example", "icscf.ims.example", [7; 16]));
/// let node = Node::default().role("pcscf.ims.example", pcscf).settings(settings).listen_as(Listen {
///     address: "udp:0.0.0.0:5060".parse()?,
///     advertised: "203.0.113.1:5060".into(),
///     role: "pcscf.ims.example".into(),
///     side: Side::Access,
/// });
/// let drain: Drain = node.drain();
///
/// // What a driver does for each core of the machine:
/// let now = Now { monotonic: std::time::Instant::now(), wall: 1_767_225_600_000 };
/// let listener = Listener { transport: Transport::Udp, sent_by: "203.0.113.1:5060".into(), side: Side::Access };
/// let worker = Worker::new(Arc::new(node), (0, 1), [7; 32], vec![listener], now);
/// assert!(worker.is_idle());
/// drain.start();
/// assert!(drain.is_started());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Node {
    pub(crate) roles: Vec<(ByteString, Arc<dyn Role>)>,
    pub(crate) listens: Vec<Listen>,
    pub(crate) hosts: Vec<(ByteString, Address)>,
    pub(crate) settings: Settings,
    pub(crate) drain: Drain,
    pub(crate) clocks: Vec<Clock>,
}

/// Tells a node to take nothing new: REGISTER, INVITE and SUBSCRIBE outside a dialog get 503 with Retry-After, what is
/// under way goes on. Clones are one switch.
#[derive(Clone, Debug, Default)]
pub struct Drain(Arc<AtomicBool>);

impl Drain {
    /// Takes nothing new from now on.
    pub fn start(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// True once it was told.
    pub fn is_started(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// An address that a node listens on, and the role that gets what names no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub address: Address,
    /// What our Via says there; the bound address, where it is empty.
    pub advertised: ByteString,
    /// Name of the role that it belongs to.
    pub role: ByteString,
    /// Phones, or other servers. What comes from a phone goes to the listener's role, whatever its Route says.
    pub side: Side,
}

/// Limits and times of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// After this long without a decision the caller gets 504.
    pub deadline: Duration,
    /// Procedures under way in a worker; above it new requests get 503.
    pub procedures: usize,
    /// Transactions in a worker; above it new requests get 503.
    pub transactions: usize,
    /// Timers between servers.
    pub core_timers: Timers,
    /// Timers towards phones.
    pub access_timers: Timers,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            deadline: Duration::from_secs(10),
            procedures: 100_000,
            transactions: 400_000,
            core_timers: Timers::CORE,
            access_timers: Timers::ACCESS,
        }
    }
}

impl Node {
    /// Adds a role under a name, by which Route, Record-Route and Service-Route know it.
    #[must_use]
    pub fn role(self, name: impl Into<ByteString>, role: impl Role + 'static) -> Node {
        self.shared_role(name, Arc::new(role))
    }

    /// Adds a role that is used elsewhere too.
    #[must_use]
    pub fn shared_role(mut self, name: impl Into<ByteString>, role: Arc<dyn Role>) -> Node {
        let name: ByteString = name.into();
        self.roles.push((name.to_ascii_lowercase().into(), role));
        self
    }

    /// Listens on an address for one of the roles.
    #[must_use]
    pub fn listen(self, address: Address, role: impl Into<ByteString>, side: Side) -> Node {
        self.listen_as(Listen { address, advertised: ByteString::new(), role: role.into(), side })
    }

    /// Listens as described.
    #[must_use]
    pub fn listen_as(mut self, listen: Listen) -> Node {
        self.listens.push(listen);
        self
    }

    /// Says where a host name is, whatever its port and whatever a name server says: the static table of names in this core. A
    /// name may have several addresses, which are tried in their order.
    #[must_use]
    pub fn host(mut self, name: impl Into<ByteString>, address: Address) -> Node {
        let name: ByteString = name.into();
        self.hosts.push((name.to_ascii_lowercase().into(), address));
        self
    }

    /// Puts other limits and times in place.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Node {
        self.settings = settings;
        self
    }

    /// A clock that its workers drive: that of a store or HSS in the same process.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Node {
        self.clocks.push(clock);
        self
    }

    /// The switch that makes its workers drain.
    pub fn drain(&self) -> Drain {
        self.drain.clone()
    }

    /// The role of a name.
    pub(crate) fn find_role(&self, name: &str) -> Option<usize> {
        self.roles.iter().position(|(role, _)| role.eq_ignore_ascii_case(name))
    }

    /// Where a URI leads without a choice: the one address of a host in the table, or the address that it has itself. `None`:
    /// that takes a resolver.
    pub(crate) fn find_host(&self, uri: &SipUri) -> Option<Address> {
        let mut named = self.hosts.iter().filter(|(name, _)| name.eq_ignore_ascii_case(uri.host())).map(|(_, at)| *at);
        let fits = |address: &Address| match uri.is_secure() {
            true => address.transport.is_secure(),
            false => uri.transport().is_none_or(|asked| Transport::find(asked) == Some(address.transport)),
        };
        match (named.next(), named.next()) {
            (Some(only), None) if fits(&only) => Some(only),
            (Some(_), _) => None,
            (None, _) => route::address(uri).map(|(transport, socket)| Address { transport, socket }),
        }
    }

    /// From which of its listeners requests to other servers leave.
    pub(crate) fn exits(&self, listeners: &[Listener]) -> Exits {
        let is_ipv6 =
            |id: ListenerId| self.listens.get(usize::from(id.0)).is_some_and(|listen| listen.address.socket.is_ipv6());
        Exits::new(listeners, is_ipv6)
    }
}
