//! The servers under load and how each is started.

use std::{
    env, fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use serde::Serialize;

use crate::{Workload, kernel::Protocol};

/// A server under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Server {
    Imscore,
    Kamailio,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Imscore => "imscore",
            Self::Kamailio => "kamailio",
        })
    }
}

/// What a server is told: where it listens, where a proxy sends to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) listen: u16,
    pub(crate) next_hop: u16,
    pub(crate) protocol: Protocol,
}

/// Where the programs of a series are.
#[derive(Debug)]
pub(crate) struct Programs {
    imscore: Option<PathBuf>,
    kamailio: Option<PathBuf>,
    pub(crate) sipp: PathBuf,
}

impl Programs {
    /// Looks for all that this series needs, so that nothing is missing halfway.
    pub(crate) fn find(servers: &[Server], workload: Workload, imscore_dir: Option<&Path>) -> anyhow::Result<Self> {
        for (program, package) in [("taskset", "util-linux"), ("setpriv", "util-linux")] {
            installed(program, package)?;
        }
        Ok(Self {
            sipp: installed("sipp", "sip-tester")?,
            kamailio: match servers.contains(&Server::Kamailio) {
                true => {
                    Some(installed("kamailio", "kamailio").context("or measure imscore alone with --server imscore")?)
                }
                false => None,
            },
            imscore: match servers.contains(&Server::Imscore) {
                true => Some(teaching_program(workload, imscore_dir)?),
                false => None,
            },
        })
    }

    /// The command line of a server.
    pub(crate) fn command(
        &self,
        server: Server,
        workload: Workload,
        addresses: Addresses,
        folder: &Path,
    ) -> anyhow::Result<(&Path, Vec<String>)> {
        let Addresses { listen, next_hop, protocol } = addresses;
        let (program, line) = match server {
            Server::Imscore => (
                &self.imscore,
                match workload {
                    Workload::Call => {
                        format!("--listen 127.0.0.1:{listen} --next-hop 127.0.0.1:{next_hop}")
                    }
                    Workload::Reg => {
                        format!("--listen 127.0.0.1:{listen} --realm {REALM} --password {PASSWORD}")
                    }
                },
            ),
            Server::Kamailio => {
                let config = folder.join("kamailio.cfg");
                std::fs::write(&config, include_str!("../../../load/kamailio.cfg"))?;
                let transport = match protocol {
                    Protocol::Udp => "udp",
                    Protocol::Tcp => "tcp",
                };
                let (config, folder) = (config.display(), folder.display());
                (
                    &self.kamailio,
                    // in the foreground, errors to the log; one worker a transport; the plain allocator, the faster one;
                    // 2 GiB shared and 16 MiB a process, reserved and not touched
                    format!(
                        "-f {config} -Y {folder} -DD -E -n 1 -N 1 -x fm -X fm -m 2048 -M 16 \
                         -l udp:127.0.0.1:{listen} -l tcp:127.0.0.1:{listen} \
                         -A NEXT_HOP=\"sip:127.0.0.1:{next_hop};transport={transport}\" \
                         -A REALM=\"{REALM}\" -A PASSWORD=\"{PASSWORD}\""
                    ),
                )
            }
        };
        let program = program.as_deref().with_context(|| format!("{server} takes no part"))?;
        Ok((program, line.split_ascii_whitespace().map(str::to_owned).collect()))
    }
}

/// The realm of every registration.
pub(crate) const REALM: &str = "load.example";

/// The password of every user.
pub(crate) const PASSWORD: &str = "f8Kq2-load";

fn installed(program: &str, package: &str) -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian has servers in sbin, which is not on every user's path
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .with_context(|| format!("{program} is not installed: apt-get install {package}"))
}

fn teaching_program(workload: Workload, folder: Option<&Path>) -> anyhow::Result<PathBuf> {
    let folder = match folder {
        // started in another folder, a relative path would lead elsewhere
        Some(folder) => folder.canonicalize().with_context(|| format!("no folder {}", folder.display()))?,
        None => env::current_exe()?.parent().map(PathBuf::from).unwrap_or_default(),
    };
    let name = match workload {
        Workload::Call => "stateful_proxy",
        Workload::Reg => "registrar",
    };
    let file = folder.join(name);
    if !file.is_file() {
        bail!(
            "{name} is not in {}: cargo build --release -p imscore-examples --bins, \
             or say where it is with --imscore-dir, or measure the peer alone with --server kamailio",
            folder.display()
        );
    }
    Ok(file)
}
