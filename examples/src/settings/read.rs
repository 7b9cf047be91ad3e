//! From text to settings, with errors that name the place.

use std::ops::Range;
use std::path::Path;
use std::{fs, io};

use thiserror::Error;

use super::Root;

/// Why there are no settings.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{file}: {error}")]
    File {
        /// Its name.
        file: String,
        /// Why not.
        error: io::Error,
    },
    /// The file is no TOML, or a key or value of it is none that there is.
    #[error("{file}, line {line}: {cause}")]
    Line {
        /// Its name.
        file: String,
        /// Counted from 1.
        line: usize,
        /// The key, where there is one, and what is wrong.
        cause: String,
    },
    /// A flag has a value that its setting cannot have.
    #[error("--{flag} {value}: {cause}")]
    Flag {
        /// Its name, without the dashes.
        flag: String,
        /// What it was given.
        value: String,
        /// What is wrong.
        cause: String,
    },
    /// A value is of the right kind, and makes no sense.
    #[error("{key}: {cause}")]
    Value {
        /// Keys from the root, joined by dots.
        key: &'static str,
        /// What is wrong.
        cause: String,
    },
}

/// The settings of a file, if there is one, with `overrides` in their places: the path of a setting, and its value as a
/// flag has it.
///
/// # Errors
/// The first thing that is wrong.
pub fn load<'a, S: Root>(
    file: Option<&Path>,
    overrides: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<S, SettingsError> {
    let mut settings = match file {
        Some(file) => {
            let name = file.display().to_string();
            match fs::read_to_string(file) {
                Ok(text) => parse(&name, &text)?,
                Err(error) => return Err(SettingsError::File { file: name, error }),
            }
        }
        None => S::default(),
    };
    for (path, value) in overrides {
        settings = replace(&settings, path, value)?;
    }
    match settings.check() {
        None => Ok(settings),
        Some((key, cause)) => Err(SettingsError::Value { key, cause }),
    }
}

fn parse<S: Root>(file: &str, text: &str) -> Result<S, SettingsError> {
    let failed = |at: Option<Range<usize>>, key: &str, cause: &str| {
        let before = at.and_then(|at| text.get(..at.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let separator = if key.is_empty() { "" } else { ": " };
        let cause = format!("{key}{separator}{}", cause.replace('\n', ": "));
        SettingsError::Line { file: file.to_owned(), line, cause }
    };
    let document = toml::Deserializer::parse(text).map_err(|error| failed(error.span(), "", error.message()))?;
    let settings: S = serde_path_to_error::deserialize(document).map_err(|error| {
        let key = error.path().to_string();
        failed(error.inner().span(), if key == "." { "" } else { &key }, error.inner().message())
    })?;
    match settings.check() {
        // What the file leaves out has its default, which is right unless the file contradicts it elsewhere.
        Some((key, cause)) => Err(failed(span(text, key), key, &cause)),
        None => Ok(settings),
    }
}

/// Where the value of a key stands.
fn span(text: &str, path: &str) -> Option<Range<usize>> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut keys = path.split('.');
    let mut value = document.get_ref().get(keys.next()?)?;
    for key in keys {
        value = value.get_ref().get(key)?;
    }
    Some(value.span())
}

/// The settings with another value at `path`, whose kind is that of the present one.
fn replace<S: Root>(settings: &S, path: &str, text: &str) -> Result<S, SettingsError> {
    let failed = |cause: String| SettingsError::Flag { flag: flag(path), value: text.to_owned(), cause };
    let entry = settings.entries().into_iter().find(|entry| entry.path == path);
    let present = entry.and_then(|entry| entry.value).ok_or_else(|| failed("there is no such setting".into()))?;
    let value = match present {
        toml::Value::Array(_) => text.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>().into(),
        toml::Value::Integer(_) => text.parse::<i64>().map_err(|error| failed(error.to_string()))?.into(),
        toml::Value::Boolean(_) => text.parse::<bool>().map_err(|error| failed(error.to_string()))?.into(),
        toml::Value::String(_) | toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => {
            toml::Value::from(text)
        }
    };
    // The tree is strings, numbers and tables, all of which TOML has.
    let mut root = toml::Table::try_from(settings).map_err(|error| failed(error.to_string()))?;
    if let Some(place) = place(&mut root, path) {
        *place = value;
    }
    S::deserialize(root).map_err(|error| failed(error.message().to_owned()))
}

fn place<'a>(table: &'a mut toml::Table, path: &str) -> Option<&'a mut toml::Value> {
    match path.split_once('.') {
        Some((key, rest)) => place(table.get_mut(key)?.as_table_mut()?, rest),
        None => table.get_mut(path),
    }
}

/// The flag of a setting: `--pcscf-access` for `pcscf.access`.
pub(crate) fn flag(path: &str) -> String {
    path.replace(['.', '_'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{HssSettings, Settings};

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        assert_eq!(parse::<Settings>("core.toml", text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn the_printed_file_is_the_defaults() {
        let printed = Settings::default().to_toml();
        assert_eq!(parse::<Settings>("printed", &printed).unwrap(), Settings::default());
        assert_eq!(parse::<HssSettings>("printed", &HssSettings::default().to_toml()).unwrap(), HssSettings::default());
    }

    #[test]
    fn every_printed_value_is_read_back() {
        let values = [
            ("pcscf.access", "tcp:[::1]:1"),
            ("names.hosts", "a=udp:[::1]:1,a=tcp:[::1]:2"),
            ("names.servers", "[::1]:53"),
            ("http.listen", "[::1]:2"),
            ("log", "debug"),
            ("demo_subscribers", "false"),
            ("message.uri", "3"),
        ];
        let changed: Settings = load(None, values).unwrap();
        assert_ne!(changed, Settings::default());
        assert_eq!(parse::<Settings>("printed", &changed.to_toml()).unwrap(), changed);
    }

    #[test]
    fn each_value_has_a_comment_and_stands_once() {
        for entries in [Settings::default().entries(), HssSettings::default().entries()] {
            assert!(entries.iter().all(|entry| !entry.comment.is_empty()));
            assert!(entries.iter().all(|entry| entries.iter().filter(|other| other.path == entry.path).count() == 1));
        }
        let printed = Settings::default().to_toml();
        assert!(printed.starts_with("# Home domain: "), "{printed}");
        assert!(
            printed
                .contains("\n\n# Where phones reach it.\naccess = [\"udp:127.0.0.1:5060\", \"tcp:127.0.0.1:5060\"]\n"),
            "{printed}"
        );
    }

    #[test]
    fn what_the_file_leaves_out_has_its_default() {
        let settings: Settings = parse("", "home_domain = \"example.net\"\n[http]\nbody = 1\n").unwrap();
        assert_eq!(settings.home_domain, "example.net");
        assert_eq!(settings.http.body, 1);
        assert_eq!(settings.http.listen, Settings::default().http.listen);
    }

    #[test]
    fn an_error_names_file_line_and_key() {
        let keys =
            "core.toml, line 2: home_domane: unknown field `home_domane`, expected one of `home_domain`, `data`, ";
        let error = parse::<Settings>("core.toml", "home_domain = \"a\"\nhome_domane = \"a\"").unwrap_err().to_string();
        assert!(error.starts_with(keys), "{error}");
        refused("\n\nworkers = \"two\"", "core.toml, line 3: workers: invalid type: string \"two\", expected u32");
        refused(
            "[pcscf]\ncore = []\naccess = [\n  \"udp:127.0.0.1:1\",\n  \"ucp:127.0.0.1:1\",\n]",
            "core.toml, line 3: \
            pcscf.access[1]: 'ucp:127.0.0.1:1' is no address: write a transport and a socket address, like \
            udp:127.0.0.1:5060 or tcp:[::1]:5060",
        );
        refused(
            "[names]\nhosts = [\"a\"]",
            "core.toml, line 2: names.hosts[0]: 'a': write a host and its address, like scscf2=udp:192.0.2.7:5054",
        );
        refused(
            "[names]\nhosts = [\"a=tls:192.0.2.7:5061\"]",
            "core.toml, line 2: names.hosts: a=tls:192.0.2.7:5061: this transport is not there yet, only udp and tcp are",
        );
        refused("[http]\nbody = -1", "core.toml, line 2: http.body: invalid value: integer `-1`, expected u32");
        refused(
            "[http]\n\nlisten = 8080",
            "core.toml, line 3: http.listen: invalid type: integer `8080`, expected socket address",
        );
        refused("data = \"a\"\ndata = \"b\"", "core.toml, line 2: duplicate key");
        refused("[message]\nuri = 9\nline = 65536", "core.toml, line 3: message.line: 65536 is not from 1 to 65535");
        refused(
            "\nlog = \"loud\"",
            "core.toml, line 2: log: \"loud\" is no level: write error, warn, info, debug, trace or off",
        );
        refused(
            "home_domain = \"a b\"",
            "core.toml, line 1: home_domain: \"a b\" is neither a host name nor an IP address",
        );
    }

    #[test]
    fn a_value_that_makes_no_sense_is_refused() {
        for (path, value, cause) in [
            ("pcscf.access", "tls:127.0.0.1:5061", "pcscf.access: tls:127.0.0.1:5061: this transport"),
            ("workers", "256", "workers: 255 at most"),
            ("workers", "some", "--workers some: invalid digit"),
            ("http.listen", "8080", "--http-listen 8080: invalid socket address"),
            ("demo_subscribers", "no", "--demo-subscribers no: "),
            ("core_timers.t1", "0", "core_timers.t1: 0 is not from 1 to 60000"),
            ("scscf.expires_seconds", "59", "scscf.min_expires_seconds: 60 is not from 1 to 59"),
            ("scscf.algorithms", "MD5,md4", "scscf.algorithms: \"md4\" is none: write MD5 or SHA-256"),
            ("hss.domains", "a b", "hss.domains: \"a b\" is neither a host name nor an IP address"),
            ("scscf.aka_algorithms", "AKAv1-MD5,MD5", "scscf.aka_algorithms: \"MD5\" is none: write AKAv1-MD5,"),
            ("no.such", "1", "--no-such 1: there is no such setting"),
            ("http", "1", "--http 1: there is no such setting"),
        ] {
            let error = load::<Settings>(None, [(path, value)]).unwrap_err().to_string();
            assert!(error.starts_with(cause), "{error}");
        }
    }

    #[test]
    fn an_hss_is_found_by_name_servers() {
        let found = |more: Option<(&'static str, &'static str)>| {
            load::<Settings>(None, [("hss.mode", "diameter"), ("hss.realm", "b.example")].into_iter().chain(more))
        };
        let error = found(None).unwrap_err().to_string();
        assert_eq!(error, "hss.realm: it takes name servers to find an HSS: name them in names.servers");
        assert_eq!(found(Some(("names.servers", "192.0.2.53:53"))).unwrap().hss_realm(), "b.example");
        assert_eq!(Settings::default().hss_realm(), "ims.example");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = load::<Settings>(Some(Path::new("/nonexistent/core.toml")), []).unwrap_err().to_string();
        assert!(error.starts_with("/nonexistent/core.toml: "), "{error}");
    }
}
