//! I-CSCF: finds the S-CSCF of a user (TS 24.229 §5.3).
//!
//! It asks the HSS, chooses an S-CSCF where nobody has the user yet, and tries another one where the chosen one does not
//! answer. It keeps nothing and stays on no path.
//!
//! ```
//! # use std::sync::Arc;
//! use imscore_cscf::Node;
//! use imscore_cscf::icscf::{Icscf, Settings};
//! use imscore_hss::{Hss, ServerName};
//!
//! let hss = Arc::new(Hss::with_subscribers([], [0; 32])?);
//! let scscf: ServerName = "sip:scscf.ims.example".parse()?;
//! let icscf = Icscf::new(Settings::new("icscf.ims.example"), hss, [scscf]);
//! let node = Node::default().role("icscf.ims.example", icscf);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod registration;
mod session;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use imscore_hss::{Capabilities, HssCache, HssError, LocationInfoRequest, ServerName, UserAuthorizationRequest};
use imscore_sip::transport::Side;
use imscore_sip::uri::SipUri;
use imscore_sip::{ByteString, Method, Request, Response, StatusCode};

use crate::ask::ask;
use crate::call::{Call, Origin};
use crate::role::{Decision, Refused, Role, Verdict};
use crate::routing::{Pool, Unserved};

pub use crate::routing::ScscfServer;

/// The I-CSCF role.
pub struct Icscf {
    settings: Settings,
    hss: Arc<dyn HssCache>,
    pool: Pool,
}

/// Settings of an I-CSCF.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Its own name, as the node knows it: an HSS that names it as an S-CSCF makes no loop.
    pub name: ByteString,
    /// The visited network of a REGISTER that names none and is for a number.
    pub home_network: ByteString,
    /// After this long without an answer the HSS counts as unreachable.
    pub hss_timeout: Duration,
}

impl Settings {
    /// The defaults for an I-CSCF of this name: its network is the domain that it is in.
    pub fn new(name: impl Into<ByteString>) -> Settings {
        let name = name.into();
        let home_network = name.split_once('.').map_or(name.as_ref(), |(_, network)| network).into();
        Settings { name, home_network, hss_timeout: Duration::from_secs(4) }
    }
}

impl Icscf {
    /// An I-CSCF that chooses among these S-CSCFs.
    pub fn new(
        settings: Settings,
        hss: Arc<dyn HssCache>,
        scscfs: impl IntoIterator<Item = impl Into<ScscfServer>>,
    ) -> Icscf {
        Icscf { settings, hss, pool: Pool::new(scscfs) }
    }

    async fn ask<T>(
        &self,
        call: &Call,
        question: impl Future<Output = Result<T, HssError>> + Send,
    ) -> Result<T, HssError> {
        ask(call, self.settings.hss_timeout, question).await
    }

    /// An S-CSCF with these capabilities that was not tried yet.
    fn select(&self, call: &Call, wanted: &Capabilities, tried: &[ServerName]) -> Result<ServerName, NotFound> {
        self.pool.select(wanted, tried, call.random()).map_err(NotFound::Unserved)
    }

    /// The URI of an S-CSCF, unless it leads back here.
    fn uri_of(&self, name: &ServerName) -> Result<SipUri, NotFound> {
        let uri: SipUri = name.as_str().parse().map_err(|_| NotFound::Name)?;
        if uri.host().eq_ignore_ascii_case(&self.settings.name) {
            return Err(NotFound::Loop);
        }
        Ok(uri)
    }
}

#[async_trait]
impl Role for Icscf {
    async fn on_request(&self, call: &mut Call, request: Request) -> Result<Decision, Refused> {
        // TS 24.229 §5.3.1.2, §5.3.2.1: it serves the trust domain only.
        if matches!(call.origin(), Origin::Peer { side: Side::Access, .. }) {
            return Err(StatusCode::FORBIDDEN.into());
        }
        if request.is(&Method::Register) {
            self.register(call, request).await
        } else {
            self.locate(call, request).await
        }
    }

    fn on_response(&self, call: &mut Call, response: Response) -> Verdict {
        match call.kept::<Search>() {
            Some(search) if search.goes_on_after(response.status()) => Verdict::Resume(response),
            Some(_) | None => Verdict::Pass(response),
        }
    }

    async fn on_resume(&self, call: &mut Call, failure: Response) -> Result<Decision, Refused> {
        let Some(search) = call.kept::<Search>().map(|search| search.clone()) else {
            return Ok(Decision::Reply(failure));
        };
        match search.query {
            Query::Registration(query) => self.register_elsewhere(call, search.request, query, search.tried).await,
            Query::Session(query) => self.locate_elsewhere(call, search.request, query, search.tried).await,
        }
    }
}

/// What is kept while an S-CSCF has the request: all that another try takes.
#[derive(Clone)]
struct Search {
    request: Request,
    query: Query,
    tried: Vec<ServerName>,
}

#[derive(Clone)]
enum Query {
    Registration(UserAuthorizationRequest),
    Session(LocationInfoRequest),
}

impl Search {
    /// Whether this answer of an S-CSCF says that another one is to be tried.
    fn goes_on_after(&self, status: StatusCode) -> bool {
        match &self.query {
            Query::Registration(_) => registration::is_unanswered(status),
            Query::Session(_) => session::is_unanswered(status),
        }
    }
}

/// Why a request gets to no S-CSCF.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum NotFound {
    /// The HSS has nobody, or does not answer.
    #[error(transparent)]
    Hss(#[from] HssError),
    /// Nobody can be chosen.
    #[error("no S-CSCF can be chosen")]
    Unserved(Unserved),
    /// The HSS names this I-CSCF.
    #[error("the HSS names the I-CSCF itself")]
    Loop,
    /// The HSS names something that is no URI.
    #[error("the HSS names an S-CSCF by what is no URI")]
    Name,
}

impl NotFound {
    /// The answer to what the HSS cannot be blamed for alone; `hss` answers the rest.
    fn refuse(self, hss: impl FnOnce(HssError) -> Refused) -> Refused {
        match self {
            NotFound::Hss(error) => hss(error),
            NotFound::Unserved(Unserved::NobodyHome) => StatusCode::SERVER_TIMEOUT.into(),
            // TS 24.229 §5.3.1.3: no S-CSCF has the mandatory capabilities.
            NotFound::Unserved(Unserved::Incapable) => StatusCode::BUSY_EVERYWHERE.into(),
            NotFound::Loop => StatusCode::LOOP_DETECTED.into(),
            NotFound::Name => StatusCode::TEMPORARILY_UNAVAILABLE.into(),
        }
    }
}

/// 480, with the time after which the HSS wants to be asked again.
fn unavailable(retry_after: Option<Duration>) -> Refused {
    let refused = Refused::new(StatusCode::TEMPORARILY_UNAVAILABLE);
    match retry_after {
        Some(time) => refused.with("Retry-After", time.as_secs().max(1).to_string()),
        None => refused,
    }
}

#[cfg(test)]
mod tests;
