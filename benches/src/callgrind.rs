//! Instructions of a run of this program, by callgrind.

use std::{fs, process::Command};

use anyhow::Context as _;

/// Instructions of one pass: what `more` passes take above `fewer`, so that start and end do not count. `total` runs so
/// many.
///
/// # Errors
/// What `total` fails with.
pub fn difference(fewer: u32, more: u32, total: impl Fn(u32) -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    Ok((total(more)? - total(fewer)?) / f64::from(more - fewer))
}

/// Instructions of a run of this program with those flags.
///
/// # Errors
/// valgrind is missing, or the run fails.
pub fn total(flags: &[&str]) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let counts = folder.path().join("counts");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={}", counts.display())])
        .arg(std::env::current_exe()?)
        .args(flags)
        .output()
        .context("valgrind does not start; is it installed?")?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&counts)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")).context("callgrind counted nothing")?;
    Ok(total.trim().parse()?)
}
