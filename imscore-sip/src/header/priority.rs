//! Who goes first: Priority (RFC 3261 §20.26) for people, Resource-Priority and Accept-Resource-Priority (RFC 4412)
//! for networks.

use std::fmt;

use bytestring::ByteString;

use super::tokens::words;
use super::{Cause, Name, TypedHeader};
use crate::parse::grammar;
use crate::parse::params::push_token;

words! {
    /// How urgent a request is to its sender: `emergency`, `urgent`, `normal`, `non-urgent`, and `psap-callback` (RFC
    /// 7090) for a call that a public safety answering point returns.
    Priority PRIORITY list: false rule: grammar::token, same: str::eq_ignore_ascii_case;
}

macro_rules! resources {
    ($($(#[$doc:meta])* $type:ident $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $type {
            text: ByteString,
            dot: usize,
        }

        impl $type {
            /// A namespace and a priority in it, of which what their rules do not allow is left out.
            pub fn new(namespace: &str, priority: &str) -> $type {
                let mut text = String::with_capacity(namespace.len() + priority.len() + 1);
                push_token(&mut text, &namespace.replace('.', ""));
                let dot = text.len();
                text.push('.');
                push_token(&mut text, &priority.replace('.', ""));
                $type { text: text.into(), dot }
            }

            /// The namespace as it stands, `wps`; compared without regard to case.
            pub fn namespace(&self) -> &str {
                self.text.get(..self.dot).unwrap_or_default()
            }

            /// The priority as it stands, `0`; the namespace says which of two is above the other.
            pub fn priority(&self) -> &str {
                self.text.get(self.dot + 1..).unwrap_or_default()
            }
        }

        impl TypedHeader for $type {
            const NAME: Name = Name::$name;
            const LIST: bool = true;

            fn read(value: ByteString) -> Result<$type, Cause> {
                Ok($type { dot: dot(&value)?, text: value })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }
    )*};
}

resources! {
    /// A priority that the request is to be served with (RFC 4412 §3.1).
    ///
    /// ```
    /// use imscore_sip::header::{AcceptResourcePriority, Priority, ResourcePriority, TypedHeader};
    ///
    /// let priority = ResourcePriority::decode(&"wps.0".into())?;
    /// assert_eq!((priority.namespace(), priority.priority()), ("wps", "0"));
    /// assert_eq!(AcceptResourcePriority::new("ets", "2").to_string(), "ets.2");
    /// assert!(Priority::from("emergency").is("Emergency"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ResourcePriority RESOURCE_PRIORITY;
    /// A priority that the sender of a response serves (RFC 4412 §3.2).
    AcceptResourcePriority ACCEPT_RESOURCE_PRIORITY;
}

/// `namespace "." r-priority`: two tokens without dots. Where the dot is.
fn dot(value: &str) -> Result<usize, Cause> {
    grammar::whole(value.as_bytes(), grammar::token)?;
    match value.split_once('.') {
        Some((namespace, priority)) if !namespace.is_empty() && !priority.is_empty() && !priority.contains('.') => {
            Ok(namespace.len())
        }
        Some(_) | None => Err(Cause::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities() {
        assert!(Priority::decode(&"Emergency".into()).unwrap().is("emergency"));
        assert!(Priority::decode(&"very urgent".into()).is_err());
    }

    #[test]
    fn resources() {
        let flash = ResourcePriority::decode(&"dsn.flash-override".into()).unwrap();
        assert_eq!((flash.namespace(), flash.priority()), ("dsn", "flash-override"));
        let built = AcceptResourcePriority::new("w.ps", "0");
        assert_eq!((built.to_string().as_str(), built.namespace(), built.priority()), ("wps.0", "wps", "0"));
        for text in ["", "wps", "wps.", ".0", "wps.0.1", "wps. 0", "wps.0;x"] {
            assert_eq!(
                ResourcePriority::decode(&text.into()).map_err(|error| error.cause),
                Err(Cause::Malformed),
                "{text}"
            );
        }
    }
}
