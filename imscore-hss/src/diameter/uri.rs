//! DiameterURI (RFC 6733 §4.3.1): where a node listens.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// `aaa://hss.ims.example:3868;transport=tcp`
///
/// ```
/// use imscore_hss::diameter::{DiameterUri, Transport, UriError};
///
/// let uri: DiameterUri = "aaas://hss.ims.example:5868;transport=tcp".parse()?;
/// assert_eq!((uri.host.as_str(), uri.port(), uri.transport), ("hss.ims.example", 5_868, Transport::Tcp));
/// assert_eq!("sip:hss.ims.example".parse::<DiameterUri>(), Err(UriError::Scheme));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiameterUri {
    /// `aaas`: TLS.
    pub secure: bool,
    /// The node's name, as its Origin-Host has it.
    pub host: String,
    /// The port, where it is not [`DiameterUri::port`]'s default.
    pub explicit_port: Option<u16>,
    /// The transport.
    pub transport: Transport,
}

/// Transport of a [`DiameterUri`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// `tcp`, also where none is named.
    #[default]
    Tcp,
    /// `sctp`
    Sctp,
}

/// Why a text is no URI of a Diameter node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UriError {
    /// Neither `aaa://` nor `aaas://`.
    #[error("a Diameter URI begins with aaa:// or aaas://")]
    Scheme,
    /// No domain name.
    #[error("a Diameter URI names a host")]
    Host,
    /// No port.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// UDP, RADIUS or something unknown.
    #[error("only Diameter over tcp or sctp is spoken here")]
    Protocol,
}

impl DiameterUri {
    /// The port to connect to: 3868, and 5658 with TLS, where none is named.
    pub fn port(&self) -> u16 {
        self.explicit_port.unwrap_or(if self.secure { 5658 } else { 3868 })
    }
}

impl FromStr for DiameterUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<DiameterUri, UriError> {
        let (scheme, rest) = text.split_once("://").ok_or(UriError::Scheme)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "aaa" => false,
            "aaas" => true,
            _ => return Err(UriError::Scheme),
        };
        let mut parameters = rest.split(';');
        let authority = parameters.next().unwrap_or_default();
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port != 0).ok_or(UriError::Port)?)),
            None => (authority, None),
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if host.is_empty() || host.len() > 255 || !host.bytes().all(is_name) {
            return Err(UriError::Host);
        }
        let mut uri = DiameterUri { secure, host: host.to_owned(), explicit_port: port, transport: Transport::Tcp };
        for parameter in parameters {
            match parameter.to_ascii_lowercase().as_str() {
                "transport=tcp" | "protocol=diameter" => {}
                "transport=sctp" => uri.transport = Transport::Sctp,
                _ => return Err(UriError::Protocol),
            }
        }
        Ok(uri)
    }
}

impl fmt::Display for DiameterUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "aaas" } else { "aaa" }, self.host)?;
        if let Some(port) = self.explicit_port {
            write!(f, ":{port}")?;
        }
        match self.transport {
            Transport::Tcp => Ok(()),
            Transport::Sctp => f.write_str(";transport=sctp"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        let check = |text: &str, expected: Result<(&str, u16), UriError>| {
            let uri = text.parse::<DiameterUri>();
            let found = uri.as_ref().map(|uri| (uri.host.as_str(), uri.port())).map_err(|error| *error);
            assert_eq!(found, expected, "{text}");
            if let Ok(uri) = uri {
                assert_eq!(uri.to_string().parse(), Ok(uri));
            }
        };
        check("aaa://hss.ims.example", Ok(("hss.ims.example", 3868)));
        check("AAAS://hss.ims.example", Ok(("hss.ims.example", 5658)));
        check("aaa://hss.ims.example:6666;transport=tcp;protocol=diameter", Ok(("hss.ims.example", 6666)));
        check("aaa://hss.ims.example;transport=sctp", Ok(("hss.ims.example", 3868)));
        check("hss.ims.example", Err(UriError::Scheme));
        check("sip://hss.ims.example", Err(UriError::Scheme));
        check("aaa://", Err(UriError::Host));
        check("aaa://a b", Err(UriError::Host));
        check("aaa://a:0", Err(UriError::Port));
        check("aaa://a:65536", Err(UriError::Port));
        check("aaa://a:1813;transport=udp;protocol=radius", Err(UriError::Protocol));
    }
}
