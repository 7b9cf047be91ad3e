//! Who writes a trace.

use bytes::Bytes;

use super::dialogs::Dialogs;
use super::record::{Direction, Event, Message as Seen, Raw, Record, Way};
use crate::engine::Transmit;
use crate::header::{ContentType, From, Name, To};
use crate::message::{Headers, Message};
use crate::now::Now;
use crate::parse::{Limits, ParseError};
use crate::pii::masked;
use crate::transaction::{End, Transition, Transitions};
use crate::transport::{Flow, Listener};
use crate::uri::Uri;

/// Writes down what an engine is given and gives out. Each record goes to the sink at once.
///
/// ```
/// use std::time::Instant;
/// use imscore_sip::trace::{Event, Observer};
/// use imscore_sip::transport::{Flow, ListenerId, Transport};
/// use imscore_sip::{Message, Now};
///
/// let (sink, records) = std::sync::mpsc::channel();
/// let mut observer = Observer::new("proxy", &[], move |record| drop(sink.send(record)));
/// let remote = "192.0.2.1:5060".parse()?;
/// let flow = Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None };
/// let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
///
/// let message = "MESSAGE sip:bob@ims.example SIP/2.0\r\nFrom: <sip:alice@ims.example>;tag=1\r\n\r\n";
/// observer.on_message(&Message::parse(message.into())?, &flow, now);
/// let record = records.recv()?;
/// assert!(!record.to_json().contains("alice"));
/// let Event::Message(seen) = record.event else { panic!("a message") };
/// assert_eq!((seen.method.as_str(), seen.way.remote.as_str()), ("MESSAGE", "192.0.2.1:5060"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Observer {
    node: String,
    locals: Vec<String>,
    is_plain: bool,
    dialogs: Dialogs,
    sink: Box<dyn FnMut(Record) + Send>,
}

impl Observer {
    /// An observer of the engine that listens there, by the name that its records have.
    pub fn new(node: &str, listeners: &[Listener], sink: impl FnMut(Record) + Send + 'static) -> Observer {
        Observer {
            node: node.to_owned(),
            locals: listeners.iter().map(|listener| listener.sent_by.to_string()).collect(),
            is_plain: false,
            dialogs: Dialogs::default(),
            sink: Box::new(sink),
        }
    }

    /// Shows identities as they are, and messages as a whole, passwords' hashes and what is said in MESSAGEs among it. It is
    /// for laptops and labs.
    #[must_use]
    pub fn plain(self) -> Observer {
        Observer { is_plain: true, ..self }
    }

    /// A message came in.
    pub fn on_message(&mut self, message: &Message, flow: &Flow, now: Now) {
        self.message(Direction::In, message, &message.kept(), flow, now);
    }

    /// A message goes out.
    pub fn on_transmit(&mut self, transmit: &Transmit, now: Now) {
        let Transmit { flow, bytes, .. } = transmit;
        if let Ok(message) = Message::parse_with(bytes.clone(), &Limits::OWN) {
            self.message(Direction::Out, &message, bytes, flow, now);
        }
    }

    /// Bytes came in that are no message.
    pub fn on_malformed(&mut self, bytes: &[u8], error: &ParseError, flow: &Flow, now: Now) {
        let raw = self.is_plain.then(|| Raw::of(bytes));
        let event = Event::Malformed { way: self.way(flow), error: error.to_string(), bytes: bytes.len(), raw };
        self.write(event, now);
    }

    /// A connection or neighbour is gone.
    pub fn on_flow_lost(&mut self, flow: &Flow, now: Now) {
        self.write(Event::FlowLost { way: self.way(flow) }, now);
    }

    /// Something that went out did not get far.
    pub fn on_send_failed(&mut self, now: Now) {
        self.write(Event::SendFailed, now);
    }

    /// Takes what transactions did since the last time.
    pub fn on_transitions(&mut self, transitions: Option<&mut Transitions>, now: Now) {
        let Some(transitions) = transitions else { return };
        transitions.keep();
        while let Some(Transition { end, branch, method, standing }) = transitions.take() {
            let event = Event::Transaction {
                end: match end {
                    End::Client => "client".to_owned(),
                    End::Server => "server".to_owned(),
                },
                branch: branch.map(|branch| branch.to_string()),
                method: method.to_string(),
                state: standing.as_str().to_owned(),
            };
            self.write(event, now);
        }
    }

    fn message(&mut self, direction: Direction, message: &Message, bytes: &Bytes, flow: &Flow, now: Now) {
        let headers = message.headers();
        let cseq = headers.cseq().ok();
        let (method, status, target) = match message {
            Message::Request(request) => {
                let target = request.uri().map_or_else(|_| request.target(), |uri| uri.address_of_record());
                (request.method().to_string(), None, Some(self.shown(&target)))
            }
            Message::Response(response) => {
                let method = cseq.as_ref().map(|cseq| cseq.method.to_string()).unwrap_or_default();
                (method, Some(response.status().code()), None)
            }
        };
        let seen = Seen {
            direction,
            way: self.way(flow),
            method,
            status,
            target,
            call_id: headers.raw(Name::CALL_ID).map(|id| self.shown(&String::from_utf8_lossy(id))),
            cseq: cseq.map(|cseq| cseq.number),
            branch: headers.branch().map(str::to_owned),
            from: headers.first::<From>().ok().map(|from| self.identity(from.uri())),
            from_tag: headers.from_tag().map(str::to_owned),
            to: headers.first::<To>().ok().map(|to| self.identity(to.uri())),
            to_tag: headers.to_tag().map(str::to_owned),
            content_type: content_type(headers),
            bytes: bytes.len(),
            raw: self.is_plain.then(|| Raw::of(bytes)),
        };
        self.write(Event::Message(seen), now);
        if let Some(((call_id, from_tag, to_tag), state)) = self.dialogs.on(message) {
            let call_id = self.shown(&call_id);
            self.write(Event::Dialog { call_id, from_tag, to_tag, state }, now);
        }
    }

    fn identity(&self, uri: &Uri) -> String {
        self.shown(&uri.address_of_record())
    }

    fn shown(&self, text: &str) -> String {
        if self.is_plain { text.to_owned() } else { masked(text) }
    }

    fn way(&self, flow: &Flow) -> Way {
        Way {
            transport: flow.transport.to_string(),
            local: self.locals.get(usize::from(flow.listener.0)).cloned().unwrap_or_default(),
            remote: flow.remote.to_string(),
            connection: flow.connection.map(|connection| connection.0.get()),
        }
    }

    fn write(&mut self, event: Event, now: Now) {
        (self.sink)(Record { wall: now.wall, node: self.node.clone(), event });
    }
}

/// Without parameters, in which a stranger may say anything.
fn content_type(headers: &Headers) -> Option<String> {
    let content_type = headers.first::<ContentType>().ok()?;
    Some(format!("{}/{}", content_type.main(), content_type.sub()))
}
