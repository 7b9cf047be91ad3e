//! Transport addresses as settings have them: `udp:127.0.0.1:5060`.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::Transport;

/// A transport and a socket address.
///
/// ```
/// use imscore_sip::transport::{Address, AddressError, Transport};
///
/// let address: Address = "tcp:[::1]:5060".parse()?;
/// assert_eq!(address.transport, Transport::Tcp);
/// let error: AddressError = "5060".parse::<Address>().expect_err("no transport");
/// assert!(error.to_string().starts_with("'5060' is no address"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// What is spoken there.
    pub transport: Transport,
    /// Where; a port of 0 means any, where one listens.
    pub socket: SocketAddr,
}

/// Why a text is no [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no address: write a transport and a socket address, like udp:127.0.0.1:5060 or tcp:[::1]:5060")]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let parsed = text.split_once(':').and_then(|(transport, socket)| {
            Some(Address { transport: Transport::find(transport)?, socket: socket.parse().ok()? })
        });
        parsed.ok_or_else(|| AddressError(text.to_string()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.as_str().to_ascii_lowercase(), self.socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_they_are_written() {
        for text in ["udp:127.0.0.1:5060", "tcp:[::1]:5060", "tls:192.0.2.1:0"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in ["127.0.0.1:5060", "udp:localhost:5060", "udp:127.0.0.1", "pigeon:127.0.0.1:5060", ""] {
            assert!(text.parse::<Address>().unwrap_err().to_string().contains("like udp:127.0.0.1:5060"), "{text}");
        }
    }
}
