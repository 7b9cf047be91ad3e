//! BGCF: finds the way out for what is for no user of the network (TS 24.229 §5.6).
//!
//! It chooses by the number that is called or by its domain, tries the ways in their order, and goes on to the next when
//! one answers 503, does not answer, or cannot be reached. It keeps nothing, stays on no path, and does not look at what a
//! session is about.
//!
//! ```
//! use imscore_cscf::Node;
//! use imscore_cscf::bgcf::{Bgcf, Routes, Settings, Way};
//!
//! let routes = Routes::default().with_number("+", [Way::new("sip:gateway.ims.example;lr".parse()?)]);
//! let node = Node::default().role("bgcf.ims.example", Bgcf::new(Settings::default(), routes?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod routes;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use imscore_sip::header::Name;
use imscore_sip::transport::Side;
use imscore_sip::{Request, Response, StatusCode, Uri};

pub use routes::{RouteError, Routes, Way};

use crate::call::{Call, Origin};
use crate::role::{Decision, Refused, Role, Target, Targets, Verdict};

const PATIENCE: &str = "patience";

/// Settings of a BGCF.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// How long a way may take to say anything but 100; after that the next one is tried.
    pub patience: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { patience: Duration::from_secs(4) }
    }
}

/// The BGCF role.
#[derive(Debug)]
pub struct Bgcf {
    settings: Settings,
    routes: RwLock<Arc<Routes>>,
}

/// What is kept while one way has the request.
struct Leaving {
    request: Request,
    /// What is left to try, the next one last.
    left: Vec<Target>,
    /// The branch that is being tried.
    branch: usize,
    /// It rings somewhere: what comes now is the other network's answer.
    is_under_way: bool,
}

impl Bgcf {
    /// A BGCF with this table.
    pub fn new(settings: Settings, routes: Routes) -> Bgcf {
        Bgcf { settings, routes: RwLock::new(Arc::new(routes)) }
    }

    /// Another table from now on. Requests under way go on with the ways that they have.
    pub fn set_routes(&self, routes: Routes) {
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routes);
    }

    fn routes(&self) -> Arc<Routes> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The targets for a URI, the one to try first last.
    fn targets(&self, call: &Call, uri: &Uri) -> Option<Vec<Target>> {
        let routes = self.routes();
        let ways = routes::in_order(routes.find(uri)?, || call.random());
        let target =
            |way: &Way| Target { routes: way.hops.iter().map(|hop| hop.text().clone()).collect(), ..Target::default() };
        Some(ways.into_iter().rev().map(target).collect())
    }
}

impl Leaving {
    fn next(&mut self) -> Option<(Request, Targets)> {
        let target = self.left.pop()?;
        self.branch += 1;
        Some((self.request.clone(), Targets::from_iter([target])))
    }
}

#[async_trait]
impl Role for Bgcf {
    async fn on_request(&self, call: &mut Call, request: Request) -> Result<Decision, Refused> {
        // It serves the trust domain only: whoever could ask here could call at the network's expense.
        if matches!(call.origin(), Origin::Peer { side: Side::Access, .. }) {
            return Err(StatusCode::FORBIDDEN.into());
        }
        if request.headers.contains(Name::ROUTE) {
            return Ok(Decision::forward(request));
        }
        let uri = request.uri().map_err(|_| StatusCode::BAD_REQUEST)?;
        let Some(mut left) = self.targets(call, &uri) else {
            return match uri {
                // Where no way is given, DNS may know one.
                Uri::Sip(_) => Ok(Decision::forward(request)),
                Uri::Tel(_) => Err(StatusCode::NOT_FOUND.into()),
                Uri::Other(_) => Err(StatusCode::UNSUPPORTED_URI_SCHEME.into()),
            };
        };
        let first = left.pop().ok_or(StatusCode::NOT_FOUND)?;
        if !left.is_empty() {
            call.set_timer(PATIENCE, self.settings.patience);
            call.keep(Leaving { request: request.clone(), left, branch: 0, is_under_way: false });
        }
        Ok(Decision::forward_to(request, first))
    }

    fn on_response(&self, call: &mut Call, response: Response) -> Verdict {
        let branch = call.branch();
        let Some(leaving) = call.kept::<Leaving>() else { return Verdict::Pass(response) };
        let status = response.status();
        if branch < leaving.branch {
            // It was given up; only that it succeeds all the same is of interest.
            return if status.is_success() { Verdict::Pass(response) } else { Verdict::Drop };
        }
        leaving.is_under_way |= !status.is_final();
        let has_failed = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::REQUEST_TIMEOUT].contains(&status);
        if !has_failed || leaving.is_under_way {
            return Verdict::Pass(response);
        }
        match leaving.next() {
            Some((request, targets)) => {
                call.set_timer(PATIENCE, self.settings.patience);
                Verdict::Retry(request, targets)
            }
            None => Verdict::Pass(response),
        }
    }

    fn on_timer(&self, call: &mut Call, _timer: &'static str) {
        let Some(leaving) = call.kept::<Leaving>().filter(|leaving| !leaving.is_under_way) else { return };
        if let Some((request, targets)) = leaving.next() {
            call.stop();
            call.fork(request, targets);
            call.set_timer(PATIENCE, self.settings.patience);
        }
    }
}
