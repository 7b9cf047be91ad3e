//! The settings of the HSS.

use std::net::{IpAddr, SocketAddr};

use imscore_hss::diameter::{ApplicationId, Origin, dictionary::TGPP};
use imscore_hss::peer::{self, PeerSettings};
use imscore_sip::uri::SipUri;

use super::{Http, in_domain};
use crate::seconds;

super::tree::settings! {
    /// Settings of the HSS.
    struct HssSettings {
        /// Home domain: the realm of Digest, and the domain of every name below that has no dot.
        home_domain: String = "ims.example".into(),
        /// Folder for what has to outlive the process: subscribers, sequence numbers, who is at which S-CSCF. Empty: they
        /// are gone with it.
        data: String = String::new(),
        /// What is logged to standard error: a level (error, warn, info, debug, trace), or levels by module as in
        /// "info,imscore_hss=debug".
        log: String = "info".into(),
        /// How long questions under way may still take after SIGTERM or SIGINT, in seconds.
        drain_seconds: u32 = 5,
        /// Whether alice and bob of the home domain are subscribers, with the passwords that are printed at the start,
        /// unless there are such subscribers already. They are left out where other machines reach the HSS.
        demo_subscribers: bool = true,
        /// Diameter: where I-CSCFs and S-CSCFs ask.
        diameter: DiameterSettings = DiameterSettings::default(),
        /// HTTP: provisioning, health and metrics.
        http: Http = Http::default(),
    }

    /// Diameter: where I-CSCFs and S-CSCFs ask.
    struct DiameterSettings {
        /// Where it listens, TCP.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 3868)),
        /// Its name, Origin-Host.
        host: String = "hss".into(),
        /// Its realm, Origin-Realm. Empty: the home domain.
        realm: String = String::new(),
        /// Who may connect: Diameter names, each with the address that it may connect from, where it is to be no other, as
        /// in scscf.ims.example=192.0.2.7. A name belongs to the realm behind its first dot.
        peers: Vec<String> = ["cscf", "icscf", "scscf"].map(String::from).into(),
        /// How long a peer may be silent before it is asked whether it is there, in seconds.
        watchdog_seconds: u32 = 30,
        /// Connections that have not said yet who they are.
        strangers: u32 = 64,
    }
}

impl HssSettings {
    /// A name in the home domain, unless it has a domain of its own.
    pub fn in_home_domain(&self, name: &str) -> String {
        in_domain(name, &self.home_domain)
    }

    /// True where only this machine can reach it.
    pub fn is_local(&self) -> bool {
        self.diameter.listen.ip().is_loopback() && self.http.listen.ip().is_loopback()
    }

    /// The Diameter node that they describe.
    pub fn node(&self) -> peer::Settings {
        let DiameterSettings { realm, .. } = &self.diameter;
        let realm = if realm.is_empty() { &self.home_domain } else { realm };
        let peers = self.diameter.peers.iter().filter_map(|text| peer(text).ok()).map(|(host, from)| {
            let host = self.in_home_domain(host);
            let realm = host.split_once('.').map_or(host.as_str(), |(_, realm)| realm).to_owned();
            let mut peer = PeerSettings::accept(host, realm);
            peer.from.extend(from);
            peer
        });
        let origin = Origin::new(self.in_home_domain(&self.diameter.host), realm.as_str());
        let mut node = peer::Settings::new(origin, vec![(TGPP, ApplicationId::CX)], peers.collect());
        node.addresses = vec![self.diameter.listen.ip()];
        node.product_name = "imscore HSS".to_owned();
        node.watchdog = seconds(self.diameter.watchdog_seconds);
        node.max_strangers = self.diameter.strangers as usize;
        node
    }
}

/// A peer as the settings have it: its name, and the address that it may connect from.
pub(super) fn peer(text: &str) -> Result<(&str, Option<IpAddr>), String> {
    let (host, from) = match text.split_once('=') {
        Some((host, from)) => (host, Some(from)),
        None => (text, None),
    };
    let wrong = || format!("{text:?} is no peer: write a name, or a name and an address as in scscf=192.0.2.7");
    SipUri::new(host).map_err(|_| wrong())?;
    Ok((host, from.map(str::parse).transpose().map_err(|_| wrong())?))
}
