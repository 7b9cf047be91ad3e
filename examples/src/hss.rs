//! The HSS that the settings describe: subscribers, Diameter, and the HTTP beside it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use imscore_cscf::Drain;
use imscore_hss::ScscfNodes;
use imscore_hss::tokio::{Diameter, serve_cx};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::http::{self, Limits, Operations, Provisioning, Server, Token};
use crate::metrics::Metrics;
use crate::settings::HssSettings;
use crate::subscribers::{self, Demo};

/// An HSS at work.
#[derive(Debug)]
pub struct Running {
    diameter: Diameter,
    serving: JoinHandle<()>,
    http: Server,
    drain: Drain,
    demo: Vec<Demo>,
}

impl Running {
    /// Starts what the settings describe. HTTP comes last: who can reach it can register.
    ///
    /// # Errors
    /// A folder, an address or a name that cannot be used, and what to do about it.
    pub async fn start(settings: &HssSettings) -> Result<Running> {
        let token = Token::read(&settings.http.token_file)?;
        let hss = subscribers::open(&settings.data).await?;
        let demo = match settings.demo_subscribers && settings.is_local() {
            true => subscribers::add_demo(&hss, &settings.home_domain).await?,
            false => Vec::new(),
        };
        let listen = settings.diameter.listen;
        let (diameter, requests) = Diameter::start(settings.node(), Some(listen)).await.with_context(|| {
            format!("{listen}: Diameter cannot listen there; stop what does (`ss -ltnp` shows it), or use --listen")
        })?;
        let serving = tokio::spawn(serve_cx(diameter.clone(), requests, hss.clone(), hss.scscf_nodes()));
        let drain = Drain::default();
        let operations = Operations {
            metrics: Arc::new(metrics(hss.scscf_nodes())),
            diameter: Some(diameter.clone()),
            drain: drain.clone(),
        };
        let provisioning = Provisioning { hss, realm: settings.home_domain.as_str().into(), token };
        let router = http::router(operations, Some(provisioning), Limits::from(&settings.http));
        let http = Server::start(&settings.http, router).await?;
        Ok(Running { diameter, serving, http, drain, demo })
    }

    /// Where Diameter listens.
    pub fn diameter_address(&self) -> Option<SocketAddr> {
        self.diameter.local_addr()
    }

    /// Where HTTP listens.
    pub fn http_address(&self) -> SocketAddr {
        self.http.address()
    }

    /// Takes leave of every peer, which ask others from then on, and ends once they have agreed, after `grace` at the
    /// latest.
    ///
    /// # Errors
    /// HTTP had ended by a defect.
    pub async fn stop(self, grace: Duration) -> Result<()> {
        self.drain.start();
        // What is over the time is cut off.
        let _ = timeout(grace, self.diameter.stop()).await;
        let mut serving = self.serving;
        if timeout(grace, &mut serving).await.is_err() {
            serving.abort();
            let _ = serving.await;
        }
        self.http.stop().await
    }

    /// What listens where, who may ask, who is there, and how to provision: ten lines.
    pub fn greeting(&self, settings: &HssSettings) -> String {
        let (domain, http) = (&settings.home_domain, self.http.address());
        let diameter = self.diameter_address().unwrap_or(settings.diameter.listen);
        let node = settings.node();
        let peers: Vec<_> = node.peers.iter().map(|peer| peer.host.as_str()).collect();
        let mut lines = vec![
            format!("HSS of {domain}"),
            format!("  Diameter {diameter}, TCP   as {}, realm {}", node.origin.host, node.origin.realm),
            format!("  peers    {}", if peers.is_empty() { "none".to_owned() } else { peers.join(", ") }),
            format!("  HTTP     http://{http}/v1/subscribers, /health, /metrics"),
            match settings.data.as_str() {
                "" => "  data     in memory, gone with the process; --data keeps them".to_owned(),
                folder => format!("  data     {folder}"),
            },
        ];
        lines.extend(subscribers::demo_lines(&self.demo));
        lines.push(format!("Put subscribers in: curl -X PUT http://{http}/v1/subscribers/NAME%40{domain} -d …"));
        lines.push("Ctrl-C ends it.".to_owned());
        lines.join("\n") + "\n"
    }
}

fn metrics(scscfs: ScscfNodes) -> Metrics {
    Metrics::default().with(move |page| {
        let help = "Registration-Terminations and Push-Profiles that did not reach their S-CSCF.";
        page.counter("imscore_hss_announcements_lost_total", help, &[], scscfs.lost());
    })
}
