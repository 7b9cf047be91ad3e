//! Settings that describe themselves: the comment of a field is its documentation in Rust, in the file and in `--help`.

use std::fmt;
use std::net::SocketAddr;

use imscore_sip::transport::Address;
use serde::{Deserialize, Serialize, de};

/// Declares the structs of a settings tree, each field with its comment and its default. Fields with a table of their own
/// come last, as TOML wants it.
macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        struct $section:ident { $($(#[doc = $comment:literal])+ $key:ident: $kind:ty = $default:expr,)+ }
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $section { $($(#[doc = $comment])+ pub $key: $kind,)+ }

        impl Default for $section {
            fn default() -> Self {
                $section { $($key: $default,)+ }
            }
        }

        impl $crate::settings::tree::Setting for $section {
            fn append(&self, path: &str, comment: &[&'static str], out: &mut Vec<$crate::settings::tree::Entry>) {
                $crate::settings::tree::Entry::section(path, comment, out);
                $($crate::settings::tree::Setting::append(
                    &self.$key,
                    &$crate::settings::tree::join(path, stringify!($key)),
                    &[$($comment),+],
                    out,
                );)+
            }
        }
    )+};
}
pub(super) use settings;

/// One line of the file, or the head of a table, with its comment.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Keys from the root, joined by dots.
    pub path: String,
    /// The comment, line by line.
    pub comment: Vec<&'static str>,
    /// The value; `None` for a table.
    pub value: Option<toml::Value>,
}

impl Entry {
    pub(super) fn section(path: &str, comment: &[&'static str], out: &mut Vec<Entry>) {
        if !path.is_empty() {
            out.push(Entry { path: path.to_owned(), comment: comment.to_vec(), value: None });
        }
    }
}

/// A value or a table of settings.
pub trait Setting {
    /// Appends what stands at `path`, in the order of the file.
    fn append(&self, path: &str, comment: &[&'static str], out: &mut Vec<Entry>);
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

macro_rules! values {
    ($($kind:ty: $this:ident => $value:expr;)+) => {$(
        impl Setting for $kind {
            fn append(&self, path: &str, comment: &[&'static str], out: &mut Vec<Entry>) {
                let $this = self;
                out.push(Entry { path: path.to_owned(), comment: comment.to_vec(), value: Some($value.into()) });
            }
        }
    )+};
}

values! {
    bool: this => *this;
    u32: this => i64::from(*this);
    String: this => this.as_str();
    SocketAddr: this => this.to_string();
    Vec<String>: this => this.clone();
    Vec<SocketAddr>: this => this.iter().map(SocketAddr::to_string).collect::<Vec<_>>();
    Vec<Listen>: this => this.iter().map(|listen| listen.0.to_string()).collect::<Vec<_>>();
    Vec<Host>: this => this.iter().map(Host::to_string).collect::<Vec<_>>();
}

/// A host and where it is, as text: `scscf2=udp:192.0.2.7:5054`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name; one without a dot is in the home domain.
    pub name: String,
    /// One of its addresses.
    pub address: Address,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.address)
    }
}

impl Serialize for Host {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let Some((name, address)) = text.split_once('=') else {
            return Err(de::Error::custom(format!(
                "'{text}': write a host and its address, like scscf2=udp:192.0.2.7:5054"
            )));
        };
        Ok(Host { name: name.to_owned(), address: address.parse().map_err(de::Error::custom)? })
    }
}

/// A transport and an address to listen on, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub Address);

impl Serialize for Listen {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Listen).map_err(de::Error::custom)
    }
}
