//! Flags of the core: a few of its own, and one for each setting.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches, Parser};

use crate::settings::{Entry, Settings, SettingsError, flag, load};

/// Another name for the flag of a setting.
const ALIASES: [(&str, &str); 3] = [("home_domain", "domain"), ("pcscf.access", "listen"), ("http.listen", "http")];

/// A whole IMS core in one process: P-CSCF, I-CSCF, S-CSCF and HSS.
///
/// Two phones can register and call each other at once: alice and bob are there already. More subscribers come by HTTP.
#[derive(Debug, Parser)]
#[command(name = "all_in_one", version, after_help = "--help describes a flag for each setting, too.")]
struct Flags {
    /// Reads settings from this file; flags override them.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Writes the settings as a file, with a comment for each, and ends.
    #[arg(long)]
    print_config: bool,
}

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Run with these settings.
    Run(Box<Settings>),
    /// Print this and end.
    Print(String),
}

/// Why the command line cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The flags are wrong, or help was asked for: clap knows what to print and how to exit.
    #[error(transparent)]
    Flags(#[from] clap::Error),
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// Reads the command line, the program's name first, and the settings file that it names.
///
/// # Errors
/// What is wrong with it; also that `--help` or `--version` was asked for.
pub fn parse(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Command, CliError> {
    let entries: Vec<Entry> = Settings::default().entries();
    let values = || entries.iter().filter(|entry| entry.value.is_some());
    let matches = Flags::command().args(values().map(argument)).try_get_matches_from(arguments)?;
    let flags = Flags::from_arg_matches(&matches)?;
    let overrides = values().filter_map(|entry| Some((entry.path.as_str(), given(&matches, &entry.path)?)));
    let settings = load(flags.config.as_deref(), overrides)?;
    Ok(if flags.print_config { Command::Print(settings.to_toml()) } else { Command::Run(Box::new(settings)) })
}

fn given<'a>(matches: &'a ArgMatches, path: &str) -> Option<&'a str> {
    matches.get_one::<String>(path).map(String::as_str)
}

fn argument(entry: &Entry) -> Arg {
    let default = match &entry.value {
        Some(toml::Value::Array(items)) => items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(","),
        Some(toml::Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    let kind = match &entry.value {
        Some(toml::Value::Array(_)) => "A,B,…",
        Some(toml::Value::Boolean(_)) => "BOOL",
        Some(toml::Value::Integer(_)) => "N",
        _ => "TEXT",
    };
    let section = entry.path.rsplit_once('.').map_or("core", |(section, _)| section);
    let comment: Vec<_> = entry.comment.iter().map(|line| line.trim()).collect();
    let default = if default.is_empty() { default } else { format!(" [default: {default}]") };
    let aliases = ALIASES.iter().filter(|(path, _)| *path == entry.path).map(|(_, alias)| *alias);
    Arg::new(entry.path.clone())
        .long(flag(&entry.path))
        .visible_aliases(aliases)
        .value_name(kind)
        .help(format!("{}{default}", comment.join(" ")))
        .help_heading(format!("Settings: {section}"))
        .hide_short_help(
            ALIASES.iter().all(|(path, _)| *path != entry.path) && !["data", "log"].contains(&&*entry.path),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Settings {
        match parse(["all_in_one"].iter().chain(arguments)) {
            Ok(Command::Run(settings)) => *settings,
            other => panic!("{other:?}"),
        }
    }

    fn refused(arguments: &[&str]) -> String {
        parse(["all_in_one"].iter().chain(arguments)).unwrap_err().to_string()
    }

    #[test]
    fn flags_override_the_file_which_overrides_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("core.toml");
        std::fs::write(&file, "home_domain = \"a.example\"\n[http]\nlisten = \"127.0.0.1:1\"\n").unwrap();
        let config = ["--config", file.to_str().unwrap()];
        let settings = run(&[&config[..], &["--http", "[::1]:2", "--listen", "udp:[::1]:3,tcp:[::1]:4"]].concat());
        assert_eq!(settings.home_domain, "a.example");
        assert_eq!(settings.http.listen.to_string(), "[::1]:2");
        let access: Vec<_> = settings.pcscf.access.iter().map(|it| it.0.to_string()).collect();
        assert_eq!(access, ["udp:[::1]:3", "tcp:[::1]:4"]);
        assert_eq!(settings.icscf, Settings::default().icscf);
        assert_eq!(run(&[]), Settings::default());
    }

    #[test]
    fn every_setting_has_a_flag() {
        for Entry { path, value, .. } in Settings::default().entries() {
            let Some(value) = value else { continue };
            let text = match path.as_str() {
                "http.listen" => "192.0.2.1:9",
                "log" => "debug",
                "scscf.algorithms" => "SHA-256",
                _ if value.is_array() => "udp:192.0.2.1:9",
                _ if value.is_integer() => "77",
                _ if value.is_bool() => "false",
                _ => "other.example",
            };
            let settings = run(&[&format!("--{}", flag(&path)), text]);
            let changed: Vec<_> =
                settings.entries().into_iter().zip(Settings::default().entries()).filter(|(a, b)| a != b).collect();
            assert!(matches!(&changed[..], [(entry, _)] if entry.path == path), "{path}: {changed:?}");
        }
    }

    #[test]
    fn print_config_is_a_file_that_gives_the_same_settings() {
        let Ok(Command::Print(text)) = parse(["all_in_one", "--print-config", "--domain", "b.example"]) else {
            panic!("nothing to print")
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("core.toml");
        std::fs::write(&file, text).unwrap();
        assert_eq!(run(&["--config", file.to_str().unwrap()]), run(&["--domain", "b.example"]));
    }

    #[test]
    fn errors_name_what_was_wrong() {
        assert!(refused(&["--pcscf-acess", "x"]).contains("'--pcscf-access'"));
        assert!(refused(&["--http", "8080"]).starts_with("--http-listen 8080: "));
        assert!(refused(&["--config", "/nonexistent.toml"]).starts_with("/nonexistent.toml: "));
        assert!(refused(&["stray"]).contains("stray"));
    }

    #[test]
    fn help_describes_every_setting() {
        let help = refused(&["--help"]);
        for entry in Settings::default().entries().iter().filter(|entry| entry.value.is_some()) {
            assert!(help.contains(&format!("--{} <", flag(&entry.path))), "{}", entry.path);
        }
        assert!(help.contains("[default: udp:127.0.0.1:5060,tcp:127.0.0.1:5060]"));
        let short = refused(&["-h"]);
        assert!(short.contains("--listen") && !short.contains("--core-timers-t1"), "{short}");
    }
}
