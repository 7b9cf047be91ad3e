//! What the Linux kernel knows of processes and ports, from `/proc`.

use std::{fmt, fs, io, time::Duration};

use serde::Serialize;

/// A process and all its descendants.
pub(crate) fn tree(root: u32) -> io::Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // a process may end between the listing and this line
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if let Some(parent) = parent(&stat) {
            parents.push((pid, parent));
        }
    }
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(&pid) = tree.get(next) {
        tree.extend(parents.iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| *child));
        next += 1;
    }
    Ok(tree)
}

/// The fourth field of `/proc/PID/stat`; the second is a name in brackets that may hold spaces and brackets.
fn parent(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The time that all threads of these processes have spent on a core, by the scheduler's own account: nanoseconds, where
/// `/proc/PID/stat` counts in ticks of 10 ms. A thread that has ended is not in it.
pub(crate) fn cpu_time(processes: &[u32]) -> Duration {
    let mut nanos = 0;
    for pid in processes {
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
            continue;
        };
        for thread in threads.flatten() {
            let schedstat = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
            let spent = schedstat.split_ascii_whitespace().next();
            nanos += spent.and_then(|spent| spent.parse().ok()).unwrap_or(0);
        }
    }
    Duration::from_nanos(nanos)
}

/// The memory of these processes in KiB, each shared page counted once (PSS).
pub(crate) fn memory_kib(processes: &[u32]) -> u64 {
    let pss = |pid: &u32| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    processes.iter().filter_map(pss).sum()
}

/// A transport of loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Protocol {
    Udp,
    Tcp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

/// Whether somebody has bound this UDP port, or listens on this TCP port, on any IPv4 address.
pub(crate) fn is_open(protocol: Protocol, port: u16) -> bool {
    let (file, state) = match protocol {
        Protocol::Udp => ("/proc/net/udp", "07"),
        Protocol::Tcp => ("/proc/net/tcp", "0A"),
    };
    fs::read_to_string(file).is_ok_and(|sockets| lists(&sockets, state, port))
}

/// Lines look like `  7: 0100007F:3AD4 00000000:0000 0A …`: slot, local address and port, remote ones, state, all in hex.
fn lists(sockets: &str, state: &str, port: u16) -> bool {
    let port = format!("{port:04X}");
    sockets.lines().skip(1).any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let local = fields.next().and_then(|local| local.rsplit_once(':'));
        local.is_some_and(|(_, local)| local == port) && fields.nth(1) == Some(state)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parent_of_a_process_with_brackets_in_its_name() {
        assert_eq!(parent("71 (a) b (c) S 33 71 71 0"), Some(33));
        assert_eq!(parent("71 (a"), None);
    }

    #[test]
    fn only_a_listening_socket_on_that_local_port_counts() {
        let sockets = "  sl  local_address rem_address   st\n\
             0: 0100007F:3AD4 00000000:0000 0A 00000000:00000000\n\
             1: 0100007F:1F90 0100007F:3AD5 01 00000000:00000000\n";
        assert!(lists(sockets, "0A", 0x3AD4));
        assert!(!lists(sockets, "0A", 0x3AD5), "the remote port");
        assert!(!lists(sockets, "0A", 0x1F90), "connected, not listening");
    }
}
