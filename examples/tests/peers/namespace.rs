//! A network and a process namespace for each test.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::OnceLock,
};

use crate::Outcome;

/// Names the one test to run; set for the process inside.
const TEST: &str = "IMSCORE_PEERS_TEST";
/// The folder of that test.
const FOLDER: &str = "IMSCORE_PEERS_FOLDER";

/// How many lines of each log a failure shows.
const SHOWN_LINES: usize = 60;

/// The test to run and its folder, in the process inside.
pub(crate) fn inside() -> Option<(String, PathBuf)> {
    Some((env::var(TEST).ok()?, env::var_os(FOLDER)?.into()))
}

/// What keeps this machine from giving a test namespaces of its own.
pub(crate) fn missing() -> Option<&'static str> {
    match *unshare() {
        Some(_) => None,
        None => Some("unshare with network namespaces"),
    }
}

/// Runs one test inside namespaces; an error has its message and the ends of its logs.
pub(crate) fn run(test: &str) -> Outcome {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("peers-{}-{test}", process::id()));
    fs::create_dir_all(&folder)?;
    let arguments = unshare().as_deref().unwrap_or_default();
    let output = Command::new("unshare")
        .args(arguments)
        .args(["sh", "-c", "ip link set lo up && exec \"$0\""])
        .arg(env::current_exe()?)
        .env(TEST, test)
        .env(FOLDER, &folder)
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        fs::remove_dir_all(&folder)?;
        return Ok(());
    }
    let mut report = String::from_utf8_lossy(&output.stderr).into_owned();
    append_logs(&mut report, &folder)?;
    Err(format!("{report}\n{} has what it left behind", folder.display()).into())
}

/// The arguments that make namespaces on this machine: as root, or as an ordinary user who
/// becomes root inside.
fn unshare() -> &'static Option<Vec<&'static str>> {
    static ARGUMENTS: OnceLock<Option<Vec<&'static str>>> = OnceLock::new();
    ARGUMENTS.get_or_init(|| {
        const BOTH: &[&str] = &["--net", "--pid", "--fork", "--kill-child"];
        [BOTH.to_vec(), [&["--map-root-user"], BOTH].concat()].into_iter().find(|arguments| {
            Command::new("unshare")
                .args(arguments)
                .args(["ip", "link", "set", "lo", "up"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })
    })
}

fn append_logs(report: &mut String, folder: &Path) -> Outcome {
    let mut logs: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    for path in logs {
        let bytes = fs::read(&path)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let shown = lines.len().saturating_sub(SHOWN_LINES);
        report.push_str(&format!("\n--- {}\n{}\n", path.display(), lines[shown..].join("\n")));
    }
    Ok(())
}
