//! WebSocket as a transport (RFC 7118), on both sides: one message in each frame, so that nothing is cut out of a
//! stream. A message may come in several frames; then all of them together are bounded.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config, client_async_with_config};

use super::Settings;
use super::wire::{Carrier, Wire};
use crate::transport::keep_alive::PING;

/// What a connection reads at once.
const READ_BUFFER: usize = 4_096;

/// Pings, pongs and empty messages within [`WINDOW`]. Whoever sends more keeps nothing alive but us.
const CONTROL: u32 = 64;
const WINDOW: Duration = Duration::from_secs(10);

/// Settings of WebSocket listeners and connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WsSettings {
    /// The web pages that may connect.
    pub origins: Origins,
    /// What we ask for where we connect.
    pub path: ByteString,
}

impl Default for WsSettings {
    fn default() -> WsSettings {
        WsSettings { origins: Origins::default(), path: ByteString::from_static("/") }
    }
}

/// Which web pages may open a WebSocket, by what browsers write in `Origin` (RFC 6455 §10.2).
///
/// A page that anybody may write runs in the network of whoever looks at it. It has no password of theirs, but it can try some,
/// and ask who answers where; so a page of another host is refused unless it is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// Pages of the host that they connect to, on any port, and clients that are no pages and name none. A name that its owner
    /// points at this host counts as this host: where that matters, list them.
    #[default]
    SameHost,
    /// These, as browsers write them, `https://phone.ims.example`; nobody who names none.
    Listed(Vec<ByteString>),
    /// All.
    Any,
}

impl Origins {
    fn allow(&self, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(header::ORIGIN).iter().map(HeaderValue::as_bytes);
        let (origin, is_only) = (named.next(), named.next().is_none());
        is_only
            && match self {
                Origins::Any => true,
                Origins::Listed(origins) => {
                    origin.is_some_and(|origin| origins.iter().any(|allowed| allowed.as_bytes() == origin))
                }
                Origins::SameHost => origin.is_none_or(|origin| {
                    let page = std::str::from_utf8(origin).ok().and_then(|origin| origin.split_once("://"));
                    let asked = headers.get(header::HOST).and_then(|host| host.to_str().ok());
                    page.zip(asked).is_some_and(|((_, page), asked)| host(page).eq_ignore_ascii_case(host(asked)))
                }),
            }
    }
}

/// An authority without its port.
fn host(authority: &str) -> &str {
    authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map_or(authority, |(host, _)| host)
}

/// An open WebSocket.
pub(super) struct Frames {
    socket: WebSocketStream<Wire>,
    control: u32,
    window: Option<Instant>,
    awaits_pong: bool,
}

/// What came in.
pub(super) enum Frame {
    Message(Bytes),
    /// The answer to our ping.
    Pong,
    /// Two empty lines, which are answered with one, as on a stream (RFC 5626 §4.4.1).
    EmptyLines,
    /// A ping, whose answer waits to be flushed, or what needs none.
    KeepAlive,
    /// The peer may not do that. It was told so, and the connection is to be closed.
    Violation,
}

fn config(most: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(usize::MAX)
        .max_message_size(Some(most))
        .max_frame_size(Some(most))
}

/// The handshake with a client: it must offer `sip` (RFC 7118 §4.2), and be of a page that may connect.
pub(super) async fn accept(wire: Wire, settings: &WsSettings, most: usize) -> io::Result<Carrier> {
    // The callback's type is that of the library.
    #[allow(clippy::result_large_err)]
    let check = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        if !settings.origins.allow(request.headers()) {
            return Err(refusal(StatusCode::FORBIDDEN));
        }
        if !has_sip(request.headers()) {
            return Err(refusal(StatusCode::BAD_REQUEST));
        }
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("sip"));
        Ok(response)
    };
    let socket = accept_hdr_async_with_config(wire, check, Some(config(most))).await;
    Ok(carrier(socket.map_err(io::Error::other)?))
}

/// The handshake with a server, which must agree to `sip`.
pub(super) async fn connect(
    wire: Wire,
    remote: SocketAddr,
    name: Option<&str>,
    settings: &Settings,
) -> io::Result<Carrier> {
    let host = name.map_or_else(|| remote.to_string(), |name| format!("{name}:{}", remote.port()));
    let scheme = if matches!(wire, Wire::Plain(_)) { "ws" } else { "wss" };
    let uri = format!("{scheme}://{host}{}", settings.ws.path);
    let mut request = uri.into_client_request().map_err(io::Error::other)?;
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("sip"));
    let config = config(settings.limits.message);
    let (socket, response) = client_async_with_config(request, wire, Some(config)).await.map_err(io::Error::other)?;
    match has_sip(response.headers()) {
        true => Ok(carrier(socket)),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn carrier(socket: WebSocketStream<Wire>) -> Carrier {
    Carrier::Frames(Box::new(Frames { socket, control: 0, window: None, awaits_pong: false }))
}

fn refusal(status: StatusCode) -> ErrorResponse {
    let mut response = ErrorResponse::new(None);
    *response.status_mut() = status;
    response
}

/// True where a list of subprotocols names ours.
fn has_sip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
    lists.filter_map(|list| list.to_str().ok()).any(|list| list.split(',').any(|name| name.trim() == "sip"))
}

impl Frames {
    /// What comes next. An error, or `None`: nothing more.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>, now: Instant) -> Poll<Option<Frame>> {
        loop {
            let next = match Pin::new(&mut self.socket).poll_next(context) {
                Poll::Ready(next) => next,
                Poll::Pending => return Poll::Pending,
            };
            let code = match next {
                Some(Ok(Message::Text(text))) if !is_empty_line(text.as_bytes()) => {
                    return Poll::Ready(Some(Frame::Message(text.into())));
                }
                Some(Ok(Message::Binary(bytes))) if !is_empty_line(&bytes) => {
                    return Poll::Ready(Some(Frame::Message(bytes)));
                }
                Some(Ok(Message::Close(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Pong(_))) if std::mem::take(&mut self.awaits_pong) => {
                    return Poll::Ready(Some(Frame::Pong));
                }
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_) | Message::Ping(_) | Message::Pong(_)))) => {
                    if self.may_ping(now) {
                        let asks = matches!(&message, Message::Text(lines) if lines.as_bytes() == PING);
                        return Poll::Ready(Some(if asks { Frame::EmptyLines } else { Frame::KeepAlive }));
                    }
                    // Nothing follows a close, not even the last pong.
                    let _ = self.poll_flush(context);
                    CloseCode::Policy
                }
                Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => return Poll::Ready(None),
                Some(Err(Error::Capacity(_))) => CloseCode::Size,
                Some(Err(Error::Utf8(_))) => CloseCode::Invalid,
                Some(Err(Error::Protocol(_))) => CloseCode::Protocol,
                Some(Err(_)) | None => return Poll::Ready(None),
            };
            self.say_goodbye(code);
            return Poll::Ready(Some(Frame::Violation));
        }
    }

    /// Reads what is of no interest any more, up to the end.
    pub(super) fn poll_discard(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<()> {
        let mut read = ReadBuf::new(buffer);
        match Pin::new(self.socket.get_mut()).poll_read(context, &mut read) {
            Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Room for one more message.
    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.socket).poll_ready(context)
    }

    /// Takes a message: as text where it is text (RFC 7118 §4.2). A ping goes as a ping frame (RFC 7118 §6).
    pub(super) fn start_send(&mut self, bytes: Bytes) -> Result<(), Error> {
        if bytes == PING {
            self.awaits_pong = true;
            return Pin::new(&mut self.socket).start_send(Message::Ping(Bytes::new()));
        }
        let message = match Utf8Bytes::try_from(bytes.clone()) {
            Ok(text) => Message::Text(text),
            Err(_) => Message::Binary(bytes),
        };
        Pin::new(&mut self.socket).start_send(message)
    }

    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    /// Says that nothing more comes, and sends nothing more.
    pub(super) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.say_goodbye(CloseCode::Normal);
        match self.poll_flush(context) {
            Poll::Ready(_) => Pin::new(self.socket.get_mut()).poll_shutdown(context).map(drop),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Only the first counts.
    fn say_goodbye(&mut self, code: CloseCode) {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static("") };
        let _ = Pin::new(&mut self.socket).start_send(Message::Close(Some(frame)));
    }

    fn may_ping(&mut self, now: Instant) -> bool {
        if self.window.is_none_or(|window| now >= window + WINDOW) {
            (self.window, self.control) = (Some(now), 0);
        }
        self.control += 1;
        self.control <= CONTROL
    }
}

/// What keeps a connection alive by RFC 5626 §4.4.1, which RFC 7118 leaves possible.
fn is_empty_line(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}
