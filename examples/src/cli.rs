//! Flags of the programs: a few of their own, and one for each setting.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use crate::settings::{Entry, HssSettings, Root, Settings, SettingsError, flag, load};

/// A program, as its help describes it.
pub trait Program: Root {
    /// Its name.
    const NAME: &'static str;
    /// What it is, in one sentence.
    const ABOUT: &'static str;
    /// The rest of what `--help` says first.
    const MORE: &'static str;
    /// Settings with a shorter flag; `-h` shows them.
    const ALIASES: &'static [(&'static str, &'static str)];
    /// Other settings that `-h` shows.
    const SHORT: &'static [&'static str];

    /// What else it can do than run.
    fn subcommands() -> Vec<clap::Command> {
        Vec::new()
    }
}

impl Program for Settings {
    const NAME: &'static str = "all_in_one";
    const ABOUT: &'static str = "A whole IMS core in one process: P-CSCF, I-CSCF, S-CSCF and HSS.";
    const MORE: &'static str = "Two phones can register and call each other at once: alice and bob are there already. \
                                More subscribers come by HTTP.\n\n\
                                With --hss diameter the HSS is a process of its own, the program hss, asked over Diameter.";
    const ALIASES: &'static [(&'static str, &'static str)] =
        &[("home_domain", "domain"), ("pcscf.access", "listen"), ("http.listen", "http"), ("hss.mode", "hss")];
    const SHORT: &'static [&'static str] = &["data", "log", "trace"];
}

impl Program for HssSettings {
    const NAME: &'static str = "hss";
    const ABOUT: &'static str = "A home subscriber server: Cx over Diameter, provisioning over HTTP.";
    const MORE: &'static str = "It answers the I-CSCFs and S-CSCFs that diameter.peers names, and tells an S-CSCF when \
                                a user of its is taken away or changed. Digest, Milenage and TUAK. With --data the \
                                subscribers, their sequence numbers and who is at which S-CSCF outlive the process.";
    const ALIASES: &'static [(&'static str, &'static str)] = &[
        ("home_domain", "domain"),
        ("diameter.listen", "listen"),
        ("diameter.peers", "peers"),
        ("http.listen", "http"),
    ];
    const SHORT: &'static [&'static str] = &["data", "log"];

    fn subcommands() -> Vec<clap::Command> {
        let file = Arg::new("file").value_name("FILE").required(true).help("NDJSON or CSV; - is standard input");
        let import = clap::Command::new("import")
            .about("Reads subscribers from a file into the folder of --data, and ends")
            .long_about(
                "Reads subscribers from a file into the folder of --data, and ends.\n\n\
                 A line is a subscriber: a JSON object as HTTP takes it, with its private_identity, or a line of CSV under a \
                 head of private_identity, public_identities (separated by blanks) and password, or k and opc. A line that \
                 cannot be is reported by its number and left out; the others are written. The same file again changes \
                 nothing, so an import that was interrupted is simply started again. While the HSS is running, use \
                 POST /v1/subscribers:import.",
            );
        vec![import.arg(file)]
    }
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Command<S> {
    /// Run with these settings.
    Run(Box<S>),
    /// Do what this subcommand says, with these settings.
    Other(Box<S>, String, ArgMatches),
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
pub fn parse<S: Program>(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Command<S>, CliError> {
    let entries: Vec<Entry> = S::default().entries();
    let values = || entries.iter().filter(|entry| entry.value.is_some());
    let all = command::<S>().args(values().map(argument::<S>)).try_get_matches_from(arguments)?;
    // Flags before a subcommand count for it, and those behind it stand with it alone.
    let matches = all.subcommand().map_or(&all, |(_, matches)| matches);
    let overrides = values().filter_map(|entry| Some((entry.path.as_str(), given(matches, &entry.path)?)));
    let settings: S = load(matches.get_one::<PathBuf>("config").map(PathBuf::as_path), overrides)?;
    if matches.get_flag("print-config") {
        return Ok(Command::Print(settings.to_toml()));
    }
    let settings = Box::new(settings);
    Ok(match all.subcommand() {
        Some((name, matches)) => Command::Other(settings, name.to_owned(), matches.clone()),
        None => Command::Run(settings),
    })
}

fn command<S: Program>() -> clap::Command {
    clap::Command::new(S::NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about(S::ABOUT)
        .long_about(format!("{}\n\n{}", S::ABOUT, S::MORE))
        .after_help("--help describes a flag for each setting, too.")
        .after_long_help("")
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .global(true)
                .help("Reads settings from this file; flags override them"),
        )
        .arg(
            Arg::new("print-config")
                .long("print-config")
                .action(ArgAction::SetTrue)
                .global(true)
                .help("Writes the settings as a file, with a comment for each, and ends"),
        )
        .subcommands(S::subcommands())
}

fn given<'a>(matches: &'a ArgMatches, path: &str) -> Option<&'a str> {
    matches.get_one::<String>(path).map(String::as_str)
}

fn argument<S: Program>(entry: &Entry) -> Arg {
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
    let section = entry.path.rsplit_once('.').map_or(S::NAME, |(section, _)| section);
    let comment: Vec<_> = entry.comment.iter().map(|line| line.trim()).collect();
    let default = if default.is_empty() { default } else { format!(" [default: {default}]") };
    let aliases = S::ALIASES.iter().filter(|(path, _)| *path == entry.path).map(|(_, alias)| *alias);
    Arg::new(entry.path.clone())
        .long(flag(&entry.path))
        .global(true)
        .visible_aliases(aliases)
        .value_name(kind)
        .help(format!("{}{default}", comment.join(" ")))
        .help_heading(format!("Settings: {section}"))
        .hide_short_help(S::ALIASES.iter().all(|(path, _)| *path != entry.path) && !S::SHORT.contains(&&*entry.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Settings {
        match parse::<Settings>(["all_in_one"].iter().chain(arguments)) {
            Ok(Command::Run(settings)) => *settings,
            other => panic!("{other:?}"),
        }
    }

    fn refused(arguments: &[&str]) -> String {
        parse::<Settings>(["all_in_one"].iter().chain(arguments)).unwrap_err().to_string()
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
                "http.listen" => "[::1]:9",
                "log" => "debug",
                "hss.mode" => "diameter",
                "hss.domains" => "other.example",
                "names.hosts" => "far=udp:192.0.2.1:9",
                "names.servers" => "192.0.2.1:53",
                "names.system_servers" => "true",
                "hss.address" => "192.0.2.1:9",
                "scscf.algorithms" => "SHA-256",
                "scscf.aka_algorithms" => "AKAv2-SHA-256",
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
        let Ok(Command::Print(text)) = parse::<Settings>(["all_in_one", "--print-config", "--domain", "b.example"])
        else {
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
    #[test]
    fn the_hss_has_flags_and_a_file_of_its_own() {
        let parse = |arguments: &[&str]| parse::<HssSettings>(["hss"].iter().chain(arguments));
        let Ok(Command::Print(text)) = parse(&["--print-config", "--listen", "[::1]:1", "--peers", "a.example,b=::1"])
        else {
            panic!("nothing to print")
        };
        assert!(text.contains("\n[diameter]\n") && text.contains("listen = \"[::1]:1\""), "{text}");
        assert!(text.contains("peers = [\"a.example\", \"b=::1\"]"), "{text}");
        for (arguments, cause) in [
            (
                &["--http", "0.0.0.0:8080"][..],
                "http.listen: 0.0.0.0:8080 is not loopback: others reach it, so it takes",
            ),
            (&["--peers", "a=b"], "diameter.peers: \"a=b\" is no peer"),
            (&["--diameter-host", "a b"], "diameter.host: \"a b\" is neither"),
        ] {
            let error = parse(arguments).unwrap_err().to_string();
            assert!(error.starts_with(cause), "{error}");
        }
        assert!(parse(&["--http", "0.0.0.0:8080", "--http-token-file", "token"]).is_ok());
        for arguments in [["--data", "there", "import", "file"], ["import", "file", "--data", "there"]] {
            let Ok(Command::Other(settings, name, matches)) = parse(&arguments) else { panic!("a subcommand") };
            assert_eq!((settings.data.as_str(), name.as_str()), ("there", "import"));
            assert_eq!(matches.get_one::<String>("file").map(String::as_str), Some("file"));
        }
        let help = parse(&["--help"]).unwrap_err().to_string();
        for said in
            ["A home subscriber server", "Usage: hss", "[default: 127.0.0.1:3868]", "--diameter-watchdog-seconds"]
        {
            assert!(help.contains(said), "{said}: {help}");
        }
    }
}
