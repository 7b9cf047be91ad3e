//! The settings of the programs: a tree each, with the reference deployment as its default. [`Settings`] is that of the
//! core, [`HssSettings`] that of the HSS.
//!
//! A tree is read from a TOML file and overridden by flags; [`Root::to_toml`] writes the file. Comment, default, key of
//! the file and flag have one source, the declaration of the tree.

mod check;
mod hss;
mod read;
mod tree;

use std::net::SocketAddr;

use imscore_sip::transport::Address;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use hss::{DiameterSettings, HssSettings};
pub(crate) use read::flag;
pub use read::{SettingsError, load};
pub use tree::{Entry, Host, Listen, Setting};

/// The whole of a program's settings.
pub trait Root: Setting + Default + PartialEq + Serialize + DeserializeOwned {
    /// The first value that makes no sense: its key, and why.
    fn check(&self) -> Option<(&'static str, String)>;

    /// Every table and value with its comment, in the order of the file.
    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.append("", &[], &mut entries);
        entries
    }

    /// The file with these values, a comment for each.
    fn to_toml(&self) -> String {
        let mut out = String::new();
        for Entry { path, comment, value } in self.entries() {
            let (_, key) = path.rsplit_once('.').unwrap_or(("", &path));
            if value.is_none() || !out.is_empty() {
                out.push('\n');
            }
            out.extend(comment.iter().map(|line| format!("#{line}\n")));
            out.push_str(&match value {
                Some(value) => format!("{key} = {value}\n"),
                None => format!("[{path}]\n"),
            });
        }
        out
    }
}

tree::settings! {
    /// Settings of the IMS core.
    struct Settings {
        /// Home domain: the realm of Digest, and the domain of every name below that has no dot.
        home_domain: String = "ims.example".into(),
        /// Folder for what has to outlive the process, the subscribers. Empty: they are gone with it.
        data: String = String::new(),
        /// What is logged to standard error: a level (error, warn, info, debug, trace), or levels by module as in
        /// "info,imscore_sip=debug".
        log: String = "info".into(),
        /// File that a trace is added to: every message, and each step of transactions and dialogs, as lines of JSON.
        /// Empty: there is none. Only where phones are on this machine are identities and bodies in it as they are.
        trace: String = String::new(),
        /// Workers, each with a thread, tables and UDP sockets of its own. 0: one for each CPU.
        workers: u32 = 0,
        /// How long calls and registrations under way may still take after SIGTERM or SIGINT, in seconds.
        drain_seconds: u32 = 30,
        /// Whether alice and bob of the home domain are subscribers, with the passwords that are printed at the start,
        /// unless there are such subscribers already. They are left out where phones from other machines could register.
        demo_subscribers: bool = true,
        /// P-CSCF: where phones register and call.
        pcscf: Pcscf = Pcscf::default(),
        /// I-CSCF: finds the S-CSCF of a user.
        icscf: Icscf = Icscf::default(),
        /// S-CSCF: registers users and serves their calls.
        scscf: Scscf = Scscf::default(),
        /// The HSS that the I-CSCF and the S-CSCF ask.
        hss: HssAt = HssAt::default(),
        /// Hosts that are no function of this core: where they are.
        names: Names = Names::default(),
        /// HTTP: provisioning, health and metrics.
        http: Http = Http::default(),
        /// Timers of RFC 3261 between servers, in milliseconds.
        core_timers: CoreTimers = CoreTimers::default(),
        /// Timers of TS 24.229 section 7.7 from the P-CSCF towards phones, in milliseconds.
        access_timers: AccessTimers = AccessTimers::default(),
        /// What one worker takes on at a time; above it new requests get 503.
        limits: Limits = Limits::default(),
        /// What one message may hold; above it a request gets 400, 414 or 513, and a connection is closed.
        message: MessageLimits = MessageLimits::default(),
        /// Sockets and connections.
        transport: Transport = Transport::default(),
    }

    /// P-CSCF: where phones register and call.
    struct Pcscf {
        /// Its name in Path and Record-Route.
        name: String = "pcscf".into(),
        /// Where phones reach it.
        access: Vec<Listen> = listen(5060),
        /// Where the other functions reach it.
        core: Vec<Listen> = listen(5058),
        /// What Via says towards phones, host or host:port, where that is not the address above. Empty: the address.
        advertised: String = String::new(),
        /// How long after the loss of a phone's connection its calls are ended, if it does not come back, in seconds.
        grace_seconds: u32 = 32,
    }

    /// I-CSCF: finds the S-CSCF of a user.
    struct Icscf {
        /// Its name.
        name: String = "icscf".into(),
        /// Where the other functions reach it.
        core: Vec<Listen> = listen(5052),
        /// How long the HSS may take over an answer, in milliseconds.
        hss_timeout_ms: u32 = 4_000,
    }

    /// S-CSCF: registers users and serves their calls.
    struct Scscf {
        /// Its name in Service-Route and Record-Route.
        name: String = "scscf".into(),
        /// Where the other functions reach it.
        core: Vec<Listen> = listen(5054),
        /// How long a registration holds where the phone asks for nothing, and at most, in seconds.
        expires_seconds: u32 = 3_600,
        /// Phones that ask for less get 423, in seconds.
        min_expires_seconds: u32 = 60,
        /// Contacts of one registration set.
        bindings: u32 = 10,
        /// How long an answer to a challenge may take, in seconds.
        challenge_seconds: u32 = 240,
        /// Digest algorithms that it challenges with, in this order: MD5, SHA-256. Many phones know MD5 alone.
        algorithms: Vec<String> = vec!["MD5".into()],
        /// Algorithms that it challenges USIMs with, in this order: AKAv1-MD5, AKAv2-MD5, AKAv2-SHA-256.
        aka_algorithms: Vec<String> = vec!["AKAv1-MD5".into()],
        /// How long the HSS and the store may take over an answer, in milliseconds.
        timeout_ms: u32 = 4_000,
    }

    /// The HSS that the I-CSCF and the S-CSCF ask.
    struct HssAt {
        /// "in-process": in this process, with the subscribers in the folder above, and provisioned here. "diameter": a
        /// process of its own, as the program hss is, asked over Diameter and provisioned there.
        mode: String = "in-process".into(),
        /// For "diameter": the realm of the HSS, where its hosts are to be found by name (NAPTR and SRV records of the name
        /// servers below). Empty: it is the home domain, and the HSS is at the address below.
        realm: String = String::new(),
        /// Domains besides the realm that a host which is found may be in.
        domains: Vec<String> = Vec::new(),
        /// Where the HSS listens, for "diameter" without a realm.
        address: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 3868)),
        /// The Diameter name of the HSS at this address.
        host: String = "hss".into(),
        /// The Diameter name of this process. The HSS has it among its peers.
        origin: String = "cscf".into(),
        /// How long the HSS may be silent before it is asked whether it is there, in seconds.
        watchdog_seconds: u32 = 30,
    }

    /// Hosts that are no function of this core.
    struct Names {
        /// Where hosts are, as in "scscf2=udp:192.0.2.7:5054", whatever name servers say. The addresses of one host are tried in
        /// their order, as RFC 3263 has it for those that a name server gives.
        hosts: Vec<Host> = Vec::new(),
        /// Name servers, as in "192.0.2.53:53", asked in turn for all other hosts. With neither these nor those of the system
        /// nobody knows other hosts.
        servers: Vec<SocketAddr> = Vec::new(),
        /// Whether the name servers in /etc/resolv.conf are asked too, behind these.
        system_servers: bool = false,
    }

    /// HTTP: provisioning, health and metrics.
    struct Http {
        /// Where it listens. Beyond loopback it takes a token.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)),
        /// File with the token of provisioning, 16 characters or more: a request has to show it in its Authorization header
        /// as Bearer. Empty: nobody is asked who he is.
        token_file: String = String::new(),
        /// Bytes of a request's body, and of a line of an import.
        body: u32 = 65_536,
        /// Connections at a time; more of them wait.
        connections: u32 = 256,
        /// How long a connection may be without a request, and a request may take to come in, in seconds.
        request_seconds: u32 = 20,
    }

    /// Timers of RFC 3261.
    struct CoreTimers {
        /// An estimate of the round trip.
        t1: u32 = 500,
        /// The longest interval between repetitions.
        t2: u32 = 4_000,
        /// How long a message stays in the network.
        t4: u32 = 5_000,
    }

    /// Timers of TS 24.229 section 7.7.
    struct AccessTimers {
        /// An estimate of the round trip.
        t1: u32 = 2_000,
        /// The longest interval between repetitions.
        t2: u32 = 16_000,
        /// How long a message stays in the network.
        t4: u32 = 17_000,
    }

    /// What one worker takes on at a time.
    struct Limits {
        /// Transactions.
        transactions: u32 = 400_000,
        /// Procedures that wait for an answer of the HSS or the store.
        procedures: u32 = 100_000,
        /// How long a procedure may take before its request gets 504, in milliseconds.
        procedure_ms: u32 = 10_000,
    }

    /// What one message may hold.
    struct MessageLimits {
        /// Bytes of the whole.
        bytes: u32 = 65_536,
        /// Bytes of start line and headers, up to 65535.
        header_block: u32 = 32_768,
        /// Header lines.
        lines: u32 = 256,
        /// Bytes of a header line with its continuation lines, up to 65535.
        line: u32 = 8_192,
        /// Continuation lines of a header.
        folds: u32 = 64,
        /// Bytes of a Request-URI.
        uri: u32 = 2_048,
        /// Bytes of a method.
        method: u32 = 64,
        /// Bytes of a header name.
        name: u32 = 256,
    }

    /// Sockets and connections.
    struct Transport {
        /// Bytes that the kernel is asked to hold for a UDP socket, in each direction.
        udp_buffer: u32 = 4 << 20,
        /// Connections of a worker.
        connections: u32 = 16_384,
        /// Connections from one address that nobody has registered on.
        connections_per_address: u32 = 64,
        /// How long a new connection may be without a byte, in seconds.
        first_byte_seconds: u32 = 5,
        /// How long a message may take from its first byte to its last, in seconds.
        whole_message_seconds: u32 = 20,
        /// How long a connection may be without a byte, in seconds.
        idle_seconds: u32 = 200,
        /// The same where somebody has registered on it.
        idle_registered_seconds: u32 = 3_900,
        /// How long opening a connection may take, in milliseconds.
        connect_ms: u32 = 2_000,
        /// Bytes that wait for one peer to read them.
        unsent: u32 = 1 << 20,
    }
}

/// The reference deployment listens on loopback, by UDP and TCP.
fn listen(port: u16) -> Vec<Listen> {
    use imscore_sip::transport::Transport::{Tcp, Udp};
    let socket = SocketAddr::from(([127, 0, 0, 1], port));
    [Udp, Tcp].map(|transport| Listen(Address { transport, socket })).into()
}

impl Settings {
    /// A name in the home domain, unless it has a domain of its own.
    pub fn in_home_domain(&self, name: &str) -> String {
        in_domain(name, &self.home_domain)
    }

    /// True where the HSS is in this process.
    pub fn is_own_hss(&self) -> bool {
        self.hss.mode != "diameter"
    }

    /// The realm of the HSS.
    pub fn hss_realm(&self) -> &str {
        if self.is_hss_found() { &self.hss.realm } else { &self.home_domain }
    }

    /// True where the HSS is found by name.
    pub fn is_hss_found(&self) -> bool {
        !self.hss.realm.is_empty()
    }

    /// The Diameter name of the HSS.
    pub fn hss_host(&self) -> String {
        self.in_home_domain(&self.hss.host)
    }

    /// True where only this machine can reach the P-CSCF.
    pub fn is_local(&self) -> bool {
        self.pcscf.access.iter().all(|listen| listen.0.socket.ip().is_loopback())
    }
}

/// A name in that domain, unless it has one of its own.
fn in_domain(name: &str, domain: &str) -> String {
    if name.contains('.') { name.to_owned() } else { format!("{name}.{domain}") }
}
