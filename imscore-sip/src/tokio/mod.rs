//! Sockets for an [`Engine`](crate::Engine), with tokio, on Unix: UDP, TCP, TLS and WebSocket over IPv4 and IPv6.
//!
//! An [`Endpoint`] is one engine, its sockets and one task. [`serve`] runs several, one a worker, that share their
//! listeners. Neither knows what a transaction is; what they see to is this:
//!
//! - *Connections.* A message that names one goes there. If it is gone, whoever left a [`Ticket`](crate::Ticket) is
//!   told, and knows better where else to send; a message without a ticket goes to the remote address by another one.
//!   A message that names none takes any open connection to its address, or opens one. An engine that has seen a flow
//!   is told of its end.
//! - *Limits.* Connections in all and from one host, the time to a first byte, for a whole message, for reading what we
//!   send, and in silence; bytes that wait for a peer: [`Settings`]. Whoever exceeds one is closed, alone.
//! - *Bytes that are no SIP.* A datagram is dropped; a stream is closed once the engine's answer has left. Keep-alives
//!   are counted and answered (RFC 5626 §4.4).
//! - *Names.* Questions go to name servers, many at a time, and no message waits for an answer (feature `dns`:
//!   `NameServers`).
//! - *Dead neighbours.* What ICMP says of a datagram is a lost flow too (Linux), so that nobody waits for Timer B or F.
//!
//! A listener on every address of a host (`0.0.0.0`) leaves the choice of the source address to the kernel, so a host
//! with several should list them one by one (RFC 3581 §4).
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use imscore_sip::tokio::{Endpoint, ListenAddress};
//! use imscore_sip::transport::Flow;
//! use imscore_sip::{Engine, Message, Now, Output, ParseError, StatusCode, Ticket, Transmit};
//!
//! /// Answers every request with 200.
//! #[derive(Default)]
//! struct Agreeable(VecDeque<Output<()>>);
//!
//! impl Engine for Agreeable {
//!     type Event = ();
//!     fn handle_message(&mut self, message: Message, flow: Flow, _: Now) {
//!         if let Message::Request(request) = message {
//!             let bytes = request.reply(StatusCode::OK).with_to_tag("1").to_bytes();
//!             self.0.push_back(Output::Transmit(Transmit { flow, domain: None, bytes, ticket: None }));
//!             self.0.push_back(Output::Event(()));
//!         }
//!     }
//!     fn handle_malformed(&mut self, _: &[u8], _: ParseError, _: Flow, _: Now) {}
//!     fn handle_flow_lost(&mut self, _: Flow, _: Now) {}
//!     fn handle_send_failed(&mut self, _: Ticket, _: Now) {}
//!     fn handle_timeout(&mut self, _: Now) {}
//!     fn poll_output(&mut self) -> Output<()> {
//!         self.0.pop_front().unwrap_or(Output::Wait(None))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listen: ListenAddress = "udp:127.0.0.1:0".parse()?;
//! let mut endpoint = Endpoint::bind([listen], |_| Agreeable::default()).await?;
//!
//! let phone = std::net::UdpSocket::bind("127.0.0.1:0")?;
//! let options = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nTo: <sip:a@b>\r\n\r\n";
//! phone.send_to(options.as_bytes(), endpoint.listeners()[0].sent_by.to_string())?;
//!
//! endpoint.next().await;
//! let mut answer = [0; 1_000];
//! let length = phone.recv(&mut answer)?;
//! assert!(answer[..length].starts_with(b"SIP/2.0 200 OK"));
//! # Ok(())
//! # }
//! ```

mod connection;
mod connections;
mod counters;
#[cfg(feature = "dns")]
mod dns;
mod endpoint;
mod flow;
mod gate;
mod icmp;
mod io;
mod listen;
mod mail;
mod ready;
mod seed;
mod settings;
mod shutdown;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "trace")]
mod trace;
pub mod ua;
mod udp;
mod wire;
mod workers;
#[cfg(feature = "ws")]
mod ws;

pub use counters::{Counter, Counters};
#[cfg(feature = "dns")]
pub use dns::NameServers;
pub use endpoint::Endpoint;
pub use flow::FlowHandle;
pub use io::now;
pub use listen::{BindError, ListenAddress, ListenAddressError};
pub use seed::seed;
pub use settings::{Aliases, Settings};
pub use shutdown::Shutdown;
#[cfg(feature = "tls")]
pub use tls::{ClientCertificates, Tls, TlsConfig, TlsError};
#[cfg(feature = "trace")]
pub use trace::TraceFile;
pub use workers::{WorkerPanicked, Workers, serve};
#[cfg(feature = "ws")]
pub use ws::{Origins, WsSettings};
