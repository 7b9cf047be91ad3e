//! The core that the settings describe: HSS, CSCFs, the node that they stand in, and the HTTP beside it.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};
use imscore_cscf::icscf::{self, Icscf};
use imscore_cscf::pcscf::{self, Pcscf};
use imscore_cscf::scscf::{self, Scscf};
use imscore_cscf::tokio::{Running, serve_with};
use imscore_cscf::{Drain, Listen, Node};
use imscore_hss::diameter::{ApplicationId, Origin, dictionary::TGPP};
use imscore_hss::peer::discovery::Search;
use imscore_hss::peer::{self, PeerSettings};
use imscore_hss::state::{Clock, MemoryState};
use imscore_hss::tokio::{Carriers, CxHss, CxSettings, Diameter};
use imscore_hss::{Hss, HssCache, ServerName};
use imscore_sip::auth::Algorithm;
use imscore_sip::tokio::{NameServers, TraceFile, seed};
use imscore_sip::transaction::Timers;
use imscore_sip::transport::Side;

use crate::http::{self, Operations, Provisioning, Server, Token};
use crate::metrics::{Metrics, Page};
use crate::names::DiameterNames;
use crate::settings::{self, Settings};
use crate::subscribers::{self, Demo};
use crate::{milliseconds, seconds};

/// A core at work.
pub struct Core {
    running: Running,
    pcscf: Arc<Pcscf>,
    diameter: Option<Diameter>,
    http: Server,
    demo: Vec<Demo>,
}

impl Core {
    /// Starts what the settings describe. HTTP comes last: who can reach it can call.
    ///
    /// # Errors
    /// A folder, an address or a name that cannot be used, and what to do about it.
    pub async fn start(settings: &Settings) -> Result<Core> {
        let token = Token::read(&settings.http.token_file)?;
        let Asked { cache, own, diameter } = hss(settings).await?;
        let demo = match &own {
            Some(hss) if settings.demo_subscribers && settings.is_local() => {
                subscribers::add_demo(hss, &settings.home_domain).await?
            }
            Some(_) | None => Vec::new(),
        };
        let clock = Clock::new(0);
        let pcscf = Arc::new(pcscf(settings)?);
        let node = node(settings, &cache, pcscf.clone(), clock)?;
        let drain: Drain = node.drain();
        let workers = match settings.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers as usize,
        };
        let mut driver = transport(settings);
        driver.name_servers = name_servers(&settings.names)?;
        driver.trace = trace(settings)?;
        let running = serve_with(node, workers, driver).await?;
        let metrics = Arc::new(metrics(&running, &pcscf, &drain));
        let operations = Operations { metrics, diameter: diameter.clone(), drain };
        let realm: Arc<str> = settings.home_domain.as_str().into();
        let provisioning = own.map(|hss| Provisioning { hss, realm, token });
        let http =
            Server::start(&settings.http, http::router(operations, provisioning, (&settings.http).into())).await?;
        Ok(Core { running, pcscf, diameter, http, demo })
    }

    /// Where HTTP listens.
    pub fn http_address(&self) -> SocketAddr {
        self.http.address()
    }

    /// Who is there from the start.
    pub fn demo(&self) -> &[Demo] {
        &self.demo
    }

    /// Waits until a worker has ended by a defect.
    pub async fn ended(&mut self) {
        self.running.ended().await;
    }

    /// Takes nothing new, lets requests and calls that are under way end, for `grace` at most, and stops.
    ///
    /// # Errors
    /// A worker had panicked.
    pub async fn stop(self, grace: Duration) -> Result<()> {
        self.running.stop_when(grace, || self.pcscf.dialogs() == 0).await?;
        if let Some(diameter) = &self.diameter {
            diameter.stop().await;
        }
        self.http.stop().await
    }
}

/// The HSS that the functions of the core ask.
struct Asked {
    cache: Arc<dyn HssCache>,
    /// Where it is in this process.
    own: Option<Hss>,
    /// Where it is elsewhere.
    diameter: Option<Diameter>,
}

async fn hss(settings: &Settings) -> Result<Asked> {
    if settings.is_own_hss() {
        let own = subscribers::open(&settings.data).await?;
        return Ok(Asked { cache: Arc::new(own.clone()), own: Some(own), diameter: None });
    }
    let realm = settings.hss_realm();
    let origin = Origin::new(settings.in_home_domain(&settings.hss.origin), settings.home_domain.as_str());
    let mut node = peer::Settings::new(origin, vec![(TGPP, ApplicationId::CX)], Vec::new());
    node.watchdog = seconds(settings.hss.watchdog_seconds);
    let (diameter, requests) = match name_servers(&settings.names)?.filter(|_| settings.is_hss_found()) {
        Some(servers) => {
            let mut search = Search::new(realm, ApplicationId::CX);
            search.domains.clone_from(&settings.hss.domains);
            Diameter::find(node, Carriers::default(), search, Arc::new(DiameterNames(servers))).await?
        }
        None => {
            node.peers = vec![PeerSettings::connect(settings.hss_host(), realm, settings.hss.address.to_string())];
            Diameter::start(node, None).await?
        }
    };
    let scscf: ServerName = format!("sip:{}", settings.in_home_domain(&settings.scscf.name)).parse()?;
    let cache = CxHss::new(diameter.clone(), requests, CxSettings::new(realm, scscf));
    Ok(Asked { cache: Arc::new(cache), own: None, diameter: Some(diameter) })
}

fn pcscf(settings: &Settings) -> Result<Pcscf> {
    let mut own = pcscf::Settings::new(
        settings.in_home_domain(&settings.pcscf.name),
        settings.in_home_domain(&settings.icscf.name),
        seed()?,
    );
    own.visited_network = settings.home_domain.as_str().into();
    own.grace = seconds(settings.pcscf.grace_seconds);
    Ok(Pcscf::new(own))
}

fn node(settings: &Settings, cache: &Arc<dyn HssCache>, pcscf: Arc<Pcscf>, clock: Clock) -> Result<Node> {
    let [pcscf_name, icscf_name, scscf_name] =
        [&settings.pcscf.name, &settings.icscf.name, &settings.scscf.name].map(|name| settings.in_home_domain(name));

    let mut own = icscf::Settings::new(icscf_name.as_str());
    own.home_network = settings.home_domain.as_str().into();
    own.hss_timeout = milliseconds(settings.icscf.hss_timeout_ms);
    let pool: ServerName = format!("sip:{scscf_name}").parse()?;
    let icscf = Icscf::new(own, cache.clone(), [pool]);

    let mut own = scscf::Settings::new(scscf_name.as_str(), icscf_name.as_str());
    own.home_domains = vec![settings.home_domain.as_str().into()];
    own.expires = settings.scscf.expires_seconds;
    own.min_expires = settings.scscf.min_expires_seconds;
    own.max_bindings = settings.scscf.bindings as usize;
    own.challenge_life = seconds(settings.scscf.challenge_seconds);
    let named = |names: &[String]| names.iter().filter_map(|name| Algorithm::find(name)).collect();
    own.algorithms = named(&settings.scscf.algorithms);
    own.aka_algorithms = named(&settings.scscf.aka_algorithms);
    own.timeout = milliseconds(settings.scscf.timeout_ms);
    let store = Arc::new(MemoryState::new(clock.clone(), u64::from_be_bytes(seed()?)));
    let scscf = Scscf::new(own, cache.clone(), store)?;

    let mut node = Node::default()
        .shared_role(pcscf_name.as_str(), pcscf)
        .role(icscf_name.as_str(), icscf)
        .role(scscf_name.as_str(), scscf)
        .clock(clock)
        .settings(limits(settings));
    let listeners = [
        (&settings.pcscf.access, &pcscf_name, Side::Access, settings.pcscf.advertised.as_str()),
        (&settings.pcscf.core, &pcscf_name, Side::Core, ""),
        (&settings.icscf.core, &icscf_name, Side::Core, ""),
        (&settings.scscf.core, &scscf_name, Side::Core, ""),
    ];
    for (listens, role, side, advertised) in listeners {
        for settings::Listen(address) in listens {
            let listen = Listen { address: *address, advertised: advertised.into(), role: role.as_str().into(), side };
            node = node.listen_as(listen);
        }
    }
    for host in &settings.names.hosts {
        node = node.host(settings.in_home_domain(&host.name), host.address);
    }
    Ok(node)
}

fn limits(settings: &Settings) -> imscore_cscf::Settings {
    let timers = |t1, t2, t4| Timers { t1: milliseconds(t1), t2: milliseconds(t2), t4: milliseconds(t4) };
    let mut own = imscore_cscf::Settings::default();
    own.deadline = milliseconds(settings.limits.procedure_ms);
    own.procedures = settings.limits.procedures as usize;
    own.transactions = settings.limits.transactions as usize;
    own.core_timers = timers(settings.core_timers.t1, settings.core_timers.t2, settings.core_timers.t4);
    own.access_timers = timers(settings.access_timers.t1, settings.access_timers.t2, settings.access_timers.t4);
    own
}

fn transport(settings: &Settings) -> imscore_sip::tokio::Settings {
    let (message, transport) = (&settings.message, &settings.transport);
    let mut own = imscore_sip::tokio::Settings::default();
    own.limits.message = message.bytes as usize;
    own.limits.header_block = message.header_block as usize;
    own.limits.lines = message.lines as usize;
    own.limits.line = message.line as usize;
    own.limits.folds = message.folds as usize;
    own.limits.uri = message.uri as usize;
    own.limits.method = message.method as usize;
    own.limits.name = message.name as usize;
    own.udp_buffer = transport.udp_buffer as usize;
    own.connections = transport.connections as usize;
    own.connections_per_address = transport.connections_per_address as usize;
    own.first_byte = seconds(transport.first_byte_seconds);
    own.whole_message = seconds(transport.whole_message_seconds);
    own.idle = seconds(transport.idle_seconds);
    own.idle_known = seconds(transport.idle_registered_seconds);
    own.connect = milliseconds(transport.connect_ms);
    own.unsent = transport.unsent as usize;
    own
}

fn trace(settings: &Settings) -> Result<Option<TraceFile>> {
    if settings.trace.is_empty() {
        return Ok(None);
    }
    let file = OpenOptions::new().create(true).append(true).open(&settings.trace).with_context(|| {
        format!("{}: the trace cannot be written; choose another file with --trace", settings.trace)
    })?;
    let trace = TraceFile::new("core", file)?;
    Ok(Some(if settings.is_local() { trace.plain() } else { trace }))
}

/// Who is asked for hosts that are not in the table.
fn name_servers(names: &settings::Names) -> Result<Option<NameServers>> {
    let mut servers = names.servers.clone();
    if names.system_servers {
        let of_system =
            NameServers::of_system().context("/etc/resolv.conf; write the name servers into names.servers")?;
        servers.extend(of_system.addresses());
    }
    Ok((!servers.is_empty()).then(|| NameServers::new(servers)))
}

fn metrics(running: &Running, pcscf: &Arc<Pcscf>, drain: &Drain) -> Metrics {
    let (workers, sockets) = (running.counters(), running.transport_counters().to_vec());
    let (pcscf, drain) = (pcscf.clone(), drain.clone());
    Metrics::default()
        .with(move |page| {
            for (number, counters) in workers.iter().enumerate() {
                let number = number.to_string();
                let labels: [(&str, &str); 1] = [("worker", number.as_str())];
                let mut count = |name: &str, help, value: &std::sync::atomic::AtomicU64| {
                    page.counter(name, help, &labels, value.load(Ordering::Relaxed));
                };
                count("imscore_requests_total", "Requests given to a role.", &counters.requests);
                count("imscore_role_panics_total", "Procedures that panicked.", &counters.panics);
                count("imscore_overdue_total", "Procedures that took longer than their deadline.", &counters.overdue);
                count("imscore_overload_total", "Requests refused because a limit was reached.", &counters.overload);
                count("imscore_unroutable_total", "Requests that could be sent nowhere.", &counters.unroutable);
                let contexts = counters.contexts.load(Ordering::Relaxed);
                page.gauge("imscore_contexts", "Requests under way.", &labels, contexts);
            }
        })
        .with(move |page| {
            for (number, counters) in sockets.iter().enumerate() {
                let number = number.to_string();
                for (name, value) in counters.iter() {
                    let name = format!("imscore_transport_{name}_total");
                    page.counter(&name, "Of the sockets of a worker.", &[("worker", number.as_str())], value);
                }
            }
        })
        .with(move |page: &mut Page| {
            page.gauge("imscore_registered_flows", "Flows of registered phones.", &[], pcscf.registered_flows() as u64);
            page.gauge("imscore_dialogs", "Dialogs of the phones of the P-CSCF.", &[], pcscf.dialogs() as u64);
            page.gauge("imscore_draining", "1 while nothing new is taken.", &[], u64::from(drain.is_started()));
        })
}
