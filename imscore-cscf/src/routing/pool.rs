//! The S-CSCFs that an I-CSCF knows, and the choice among them (TS 24.229 §5.3.1.2, TS 29.228 §6.7).

use imscore_hss::{Capabilities, ServerName};

/// An S-CSCF of the pool: its name and what speaks for it.
///
/// ```
/// use imscore_cscf::icscf::ScscfServer;
/// use imscore_hss::ServerName;
///
/// let name: ServerName = "sip:scscf1.ims.example".parse()?;
/// let server = ScscfServer::new(name).with_capabilities([3, 7]).with_priority(1).with_weight(10);
/// assert_eq!((server.capabilities.as_slice(), server.weight), (&[3, 7][..], 10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScscfServer {
    /// Its name, as the HSS is to know it.
    pub name: ServerName,
    /// What it can do, as the operator numbers it.
    pub capabilities: Vec<u32>,
    /// Lower comes first.
    pub priority: u16,
    /// Its share among those of one priority; one of 0 gets what no other of them can take.
    pub weight: u16,
}

/// The S-CSCFs that can be chosen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    servers: Vec<ScscfServer>,
}

/// Why no S-CSCF can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unserved {
    /// There is none, or all that would do were tried.
    NobodyHome,
    /// None has the mandatory capabilities.
    Incapable,
}

impl ScscfServer {
    /// An S-CSCF of priority 0 and weight 1, without capabilities.
    pub fn new(name: ServerName) -> ScscfServer {
        ScscfServer { name, capabilities: Vec::new(), priority: 0, weight: 1 }
    }

    /// With these capabilities.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: impl Into<Vec<u32>>) -> ScscfServer {
        self.capabilities = capabilities.into();
        self
    }

    /// With this priority; lower comes first.
    #[must_use]
    pub fn with_priority(mut self, priority: u16) -> ScscfServer {
        self.priority = priority;
        self
    }

    /// With this share among those of its priority.
    #[must_use]
    pub fn with_weight(mut self, weight: u16) -> ScscfServer {
        self.weight = weight;
        self
    }

    fn has_all(&self, wanted: &[u32]) -> bool {
        wanted.iter().all(|capability| self.capabilities.contains(capability))
    }

    fn count(&self, wanted: &[u32]) -> usize {
        wanted.iter().filter(|capability| self.capabilities.contains(capability)).count()
    }
}

impl From<ServerName> for ScscfServer {
    fn from(name: ServerName) -> ScscfServer {
        ScscfServer::new(name)
    }
}

impl Pool {
    pub(crate) fn new(servers: impl IntoIterator<Item = impl Into<ScscfServer>>) -> Pool {
        Pool { servers: servers.into_iter().map(Into::into).collect() }
    }

    /// The S-CSCF for a user who wants these capabilities, none of those that were tried: what the HSS names itself, else
    /// one with all that is mandatory and the most of what is optional, then of the lowest priority, then by weight.
    pub(crate) fn select(
        &self,
        wanted: &Capabilities,
        tried: &[ServerName],
        random: u64,
    ) -> Result<ServerName, Unserved> {
        let is_new = |name: &ServerName| !tried.contains(name);
        if let Some(name) = wanted.server_names.iter().find(|name| is_new(name)) {
            return Ok(name.clone());
        }
        let mut capable = self.servers.iter().filter(|server| server.has_all(&wanted.mandatory)).peekable();
        if capable.peek().is_none() && !self.servers.is_empty() {
            return Err(Unserved::Incapable);
        }
        let left: Vec<&ScscfServer> = capable.filter(|server| is_new(&server.name)).collect();
        let rank = |server: &ScscfServer| (usize::MAX - server.count(&wanted.optional), server.priority);
        let best = left.iter().map(|server| rank(server)).min().ok_or(Unserved::NobodyHome)?;
        let equals: Vec<&ScscfServer> = left.into_iter().filter(|server| rank(server) == best).collect();
        by_weight(&equals, random).map(|server| server.name.clone()).ok_or(Unserved::NobodyHome)
    }
}

/// One of `servers`, each as often as its weight says.
fn by_weight<'a>(servers: &[&'a ScscfServer], random: u64) -> Option<&'a ScscfServer> {
    let total: u64 = servers.iter().map(|server| u64::from(server.weight)).sum();
    if total == 0 {
        return servers.get((random % servers.len().max(1) as u64) as usize).copied();
    }
    let mut left = random % total;
    servers.iter().copied().find(|server| {
        let weight = u64::from(server.weight);
        let hit = left < weight;
        left = left.saturating_sub(weight);
        hit
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(host: &str) -> ServerName {
        format!("sip:{host}").parse().unwrap()
    }

    fn server(host: &str, capabilities: &[u32]) -> ScscfServer {
        ScscfServer::new(name(host)).with_capabilities(capabilities)
    }

    fn check(servers: &[ScscfServer], wanted: (&[u32], &[u32]), tried: &[&str], expected: Result<&str, Unserved>) {
        let tried: Vec<_> = tried.iter().map(|host| name(host)).collect();
        let wanted = Capabilities::new(wanted.0, wanted.1);
        let chosen = Pool::new(servers.to_vec()).select(&wanted, &tried, 0);
        assert_eq!(chosen, expected.map(name), "{wanted:?} {tried:?}");
    }

    /// TS 24.229 §5.3.1.2, §5.3.1.3.
    #[test]
    fn capabilities_priorities_and_what_was_tried() {
        let pool = [
            server("a", &[1]).with_priority(2),
            server("b", &[1, 2]).with_priority(3),
            server("c", &[1, 2, 3]).with_priority(3),
            server("d", &[]).with_priority(1),
        ];
        for (wanted, tried, expected) in [
            ((&[][..], &[][..]), &[][..], Ok("d")),
            ((&[], &[]), &["d"], Ok("a")),
            ((&[1], &[]), &[], Ok("a")),
            ((&[1], &[2]), &[], Ok("b")),
            ((&[1], &[2, 3]), &[], Ok("c")),
            ((&[1], &[2, 3]), &["c"], Ok("b")),
            ((&[2], &[]), &["b", "c"], Err(Unserved::NobodyHome)),
            ((&[4], &[]), &[], Err(Unserved::Incapable)),
            ((&[1, 4], &[]), &["a"], Err(Unserved::Incapable)),
        ] {
            check(&pool, wanted, tried, expected);
        }
        check(&[], (&[], &[]), &[], Err(Unserved::NobodyHome));
        check(&[], (&[1], &[]), &[], Err(Unserved::NobodyHome));
    }

    #[test]
    fn what_the_hss_names_comes_first() {
        let mut wanted = Capabilities::new([9], []);
        wanted.server_names = vec![name("x"), name("y")];
        let pool = Pool::new([server("a", &[9])]);
        assert_eq!(pool.select(&wanted, &[], 0), Ok(name("x")));
        assert_eq!(pool.select(&wanted, &[name("x")], 0), Ok(name("y")));
        assert_eq!(pool.select(&wanted, &[name("x"), name("y")], 0), Ok(name("a")));
    }

    #[test]
    fn shares_follow_the_weights() {
        let shares = |weights: [u16; 3]| {
            let servers =
                ["a", "b", "c"].iter().zip(weights).map(|(host, weight)| server(host, &[]).with_weight(weight));
            let pool = Pool::new(servers);
            let mut counts = [0; 3];
            for random in 0..12 {
                let chosen = pool.select(&Capabilities::default(), &[], random).unwrap();
                counts[["sip:a", "sip:b", "sip:c"].iter().position(|host| *host == chosen.as_str()).unwrap()] += 1;
            }
            counts
        };
        assert_eq!(shares([1, 2, 3]), [2, 4, 6]);
        assert_eq!(shares([1, 0, 1]), [6, 0, 6]);
        assert_eq!(shares([0, 0, 0]), [4, 4, 4]);
    }
}
