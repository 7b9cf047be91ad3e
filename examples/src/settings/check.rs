//! Values that are of the right kind and make no sense.

use imscore_sip::auth::Algorithm;
use imscore_sip::transport::{Address, Transport};
use imscore_sip::uri::SipUri;
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::hss::peer;
use super::{HssSettings, Http, Listen, Root, Settings};

type Wrong = (&'static str, String);

impl Root for Settings {
    fn check(&self) -> Option<(&'static str, String)> {
        let settings = self;
        let is_there = |address: Address| matches!(address.transport, Transport::Udp | Transport::Tcp);
        let sockets = |key, listen: &[Listen]| {
            let other = listen.iter().find(|it| !is_there(it.0))?;
            Some((key, format!("{}: this transport is not there yet, only udp and tcp are", other.0)))
        };
        let Settings { pcscf, icscf, scscf, hss, names, limits, message, transport, .. } = settings;
        host("home_domain", &settings.home_domain)
            .or_else(|| levels(&settings.log).map(|cause| ("log", cause)))
            .or_else(|| (settings.workers > 255).then(|| ("workers", "255 at most".to_owned())))
            .or_else(|| host("pcscf.name", &pcscf.name))
            .or_else(|| host("icscf.name", &icscf.name))
            .or_else(|| host("scscf.name", &scscf.name))
            .or_else(|| sockets("pcscf.access", &pcscf.access))
            .or_else(|| sockets("pcscf.core", &pcscf.core))
            .or_else(|| sockets("icscf.core", &icscf.core))
            .or_else(|| sockets("scscf.core", &scscf.core))
            .or_else(|| pcscf.access.is_empty().then(|| ("pcscf.access", "phones need an address to call".to_owned())))
            .or_else(|| within("scscf.min_expires_seconds", scscf.min_expires_seconds, scscf.expires_seconds))
            .or_else(|| within("scscf.bindings", scscf.bindings, 1_000))
            .or_else(|| scscf.algorithms.is_empty().then(|| ("scscf.algorithms", "it takes one at least".to_owned())))
            .or_else(|| {
                scscf.aka_algorithms.is_empty().then(|| ("scscf.aka_algorithms", "it takes one at least".to_owned()))
            })
            .or_else(|| {
                let unknown =
                    scscf.algorithms.iter().find(|name| Algorithm::find(name).is_none_or(Algorithm::is_aka))?;
                Some(("scscf.algorithms", format!("{unknown:?} is none: write MD5 or SHA-256")))
            })
            .or_else(|| {
                let is_aka = |name: &String| Algorithm::find(name).is_some_and(Algorithm::is_aka);
                let unknown = scscf.aka_algorithms.iter().find(|name| !is_aka(name))?;
                let cause = format!("{unknown:?} is none: write AKAv1-MD5, AKAv2-MD5 or AKAv2-SHA-256");
                Some(("scscf.aka_algorithms", cause))
            })
            .or_else(|| {
                let known = ["in-process", "diameter"].contains(&&*hss.mode);
                (!known).then(|| ("hss.mode", format!("{:?} is none: write in-process or diameter", hss.mode)))
            })
            .or_else(|| (!hss.realm.is_empty()).then(|| host("hss.realm", &hss.realm)).flatten())
            .or_else(|| {
                let is_looked_for = hss.mode == "diameter" && !hss.realm.is_empty();
                let nobody = names.servers.is_empty() && !names.system_servers;
                let cause = "it takes name servers to find an HSS: name them in names.servers";
                (is_looked_for && nobody).then(|| ("hss.realm", cause.to_owned()))
            })
            .or_else(|| hss.domains.iter().find_map(|domain| host("hss.domains", domain)))
            .or_else(|| host("hss.host", &hss.host))
            .or_else(|| host("hss.origin", &hss.origin))
            .or_else(|| within("hss.watchdog_seconds", hss.watchdog_seconds, 3_600))
            .or_else(|| names.hosts.iter().find_map(|it| host("names.hosts", &it.name)))
            .or_else(|| {
                let other = names.hosts.iter().find(|it| !is_there(it.address))?;
                Some(("names.hosts", format!("{other}: this transport is not there yet, only udp and tcp are")))
            })
            .or_else(|| http(&settings.http))
            .or_else(|| within("core_timers.t1", settings.core_timers.t1, 60_000))
            .or_else(|| within("core_timers.t2", settings.core_timers.t2, 600_000))
            .or_else(|| within("core_timers.t4", settings.core_timers.t4, 600_000))
            .or_else(|| within("access_timers.t1", settings.access_timers.t1, 60_000))
            .or_else(|| within("access_timers.t2", settings.access_timers.t2, 600_000))
            .or_else(|| within("access_timers.t4", settings.access_timers.t4, 600_000))
            .or_else(|| within("limits.transactions", limits.transactions, u32::MAX))
            .or_else(|| within("limits.procedures", limits.procedures, u32::MAX))
            .or_else(|| within("limits.procedure_ms", limits.procedure_ms, 600_000))
            .or_else(|| within("message.header_block", message.header_block, 65_535))
            .or_else(|| within("message.line", message.line, 65_535))
            .or_else(|| within("transport.connections", transport.connections, u32::MAX))
    }
}

impl Root for HssSettings {
    fn check(&self) -> Option<(&'static str, String)> {
        let HssSettings { diameter, .. } = self;
        host("home_domain", &self.home_domain)
            .or_else(|| levels(&self.log).map(|cause| ("log", cause)))
            .or_else(|| host("diameter.host", &diameter.host))
            .or_else(|| (!diameter.realm.is_empty()).then(|| host("diameter.realm", &diameter.realm)).flatten())
            .or_else(|| diameter.peers.iter().find_map(|text| Some(("diameter.peers", peer(text).err()?))))
            .or_else(|| within("diameter.watchdog_seconds", diameter.watchdog_seconds, 3_600))
            .or_else(|| within("diameter.strangers", diameter.strangers, 65_536))
            .or_else(|| http(&self.http))
    }
}

fn http(http: &Http) -> Option<Wrong> {
    let open = !http.listen.ip().is_loopback() && http.token_file.is_empty();
    let cause = "is not loopback: others reach it, so it takes a token; name its file with http.token_file";
    open.then(|| ("http.listen", format!("{} {cause}", http.listen)))
        .or_else(|| within("http.connections", http.connections, 100_000))
        .or_else(|| within("http.request_seconds", http.request_seconds, 3_600))
}

fn host(key: &'static str, name: &str) -> Option<Wrong> {
    SipUri::new(name).err().map(|_| (key, format!("{name:?} is neither a host name nor an IP address")))
}

fn within(key: &'static str, value: u32, most: u32) -> Option<Wrong> {
    (!(1..=most).contains(&value)).then(|| (key, format!("{value} is not from 1 to {most}")))
}

/// What is wrong with a list of log levels. Without this a misspelt level would be the name of a module.
fn levels(text: &str) -> Option<String> {
    let is_level = |part: &str| part.rsplit('=').next().is_some_and(|level| level.parse::<LevelFilter>().is_ok());
    match text.split(',').find(|part| !is_level(part)) {
        Some(part) => Some(format!("{part:?} is no level: write error, warn, info, debug, trace or off")),
        None => text.parse::<Targets>().err().map(|error| error.to_string()),
    }
}
