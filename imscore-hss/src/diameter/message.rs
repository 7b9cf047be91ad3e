//! A message: its bytes, and the header in front of them.

use std::fmt;

use bytes::Bytes;
use thiserror::Error;

use super::avp::{Avp, Avps};
use super::dictionary::{self as avp, Definition};
use super::fault::Fault;
use super::frame::MAX_MESSAGE;
use super::header::{CommandFlags, HEADER, Header};
use super::write::Writer;

/// A message as it came in or goes out. A clone shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    header: Header,
    bytes: Bytes,
}

/// Bytes that are no message: 5015, where anybody is to hear of it.
///
/// ```
/// use imscore_hss::diameter::{LengthError, Message};
///
/// let cut: LengthError = Message::parse("\x01".into()).expect_err("one byte");
/// assert_eq!((cut.have, cut.says), (1, None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{have} bytes, of which the length field says {says:?}")]
pub struct LengthError {
    /// How many bytes there are.
    pub have: usize,
    /// How many there should be, where the field is there.
    pub says: Option<usize>,
}

/// Who answers: Origin-Host and Origin-Realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Name of the node.
    pub host: String,
    /// Its realm.
    pub realm: String,
}

impl Message {
    /// Reads the header. What stands behind it is read by who asks for it: a fault there is answered, and the answer
    /// needs what can still be read.
    ///
    /// # Errors
    /// The length field is not the length of the bytes, is no multiple of four, or is larger than a message may be.
    pub fn parse(bytes: Bytes) -> Result<Message, LengthError> {
        let have = bytes.len();
        match Header::read(&bytes) {
            Some((header, length)) if length == have && length % 4 == 0 && length <= MAX_MESSAGE => {
                Ok(Message { header, bytes })
            }
            read => Err(LengthError { have, says: read.map(|(_, length)| length) }),
        }
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// All bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The AVPs in order, unknown ones among them.
    pub fn avps(&self) -> Avps<'_> {
        Avps::new(self.bytes.get(HEADER..).unwrap_or_default())
    }

    /// The first AVP that is defined so. Nothing behind a fault is found.
    pub fn find(&self, definition: &Definition) -> Option<Avp<'_>> {
        self.avps().find(definition)
    }

    /// Text of the first AVP that is defined so.
    pub fn text(&self, definition: &Definition) -> Option<&str> {
        self.find(definition)?.read(definition).ok()
    }

    /// The same message with other identifiers and flags, as it goes out to another peer.
    #[must_use]
    pub fn readdressed(&self, flags: CommandFlags, hop_by_hop: u32, end_to_end: u32) -> Message {
        let header = Header { flags, hop_by_hop, end_to_end, ..self.header };
        let mut bytes = self.bytes.to_vec();
        let written = header.to_bytes();
        // The length in the first four bytes stays.
        if let (Some(to), Some(from)) = (bytes.get_mut(4..HEADER), written.get(4..)) {
            to.copy_from_slice(from);
        }
        Message { header, bytes: Bytes::from(bytes) }
    }

    /// The answer that refuses this request, in the form of RFC 6733 §7.2: the E flag is set for permanent failures as
    /// well (§7.1.5 allows it), since they are found before it is known what else the answer would have to say.
    pub fn refuse(&self, fault: &Fault, origin: &Origin) -> Bytes {
        let header = Header { flags: self.header.answer().flags.with(CommandFlags::ERROR), ..self.header.answer() };
        let write = |routed: bool| {
            let mut out = Writer::new(header);
            self.find(&avp::SESSION_ID).iter().for_each(|session| out.copy(session));
            out.avp(&avp::ORIGIN_HOST, &origin.host.as_str());
            out.avp(&avp::ORIGIN_REALM, &origin.realm.as_str());
            out.avp(&avp::RESULT_CODE, &fault.result().0);
            out.avp(&avp::ERROR_MESSAGE, &fault.reason());
            if let Some(failed) = fault.failed_avp() {
                out.group(&avp::FAILED_AVP, |out| out.bytes(failed));
            }
            let way_back = self.avps().map_while(Result::ok).filter(|avp| routed && avp.is(&avp::PROXY_INFO));
            way_back.for_each(|proxy| out.copy(&proxy));
            out.finish()
        };
        // Where what agents stored leaves no room, they do not get it back. Without it nothing is long.
        write(true).or_else(|_| write(false)).unwrap_or_default()
    }
}

impl Origin {
    /// From the names of node and realm.
    pub fn new(host: impl Into<String>, realm: impl Into<String>) -> Origin {
        Origin { host: host.into(), realm: realm.into() }
    }
}

/// Header and names of AVPs, no values: most are about somebody.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Header { flags, command, application, hop_by_hop, end_to_end, .. } = &self.header;
        write!(f, "{command} {flags:?} {application} {hop_by_hop:08x} {end_to_end:08x} ")?;
        f.debug_list().entries(self.avps().map_while(Result::ok)).finish()
    }
}

/// A request with these AVPs, for tests.
#[cfg(test)]
pub(super) fn sample(write: impl FnOnce(&mut Writer)) -> Message {
    use super::{ApplicationId, CommandCode};
    let mut out = Writer::new(Header::request(CommandCode::LOCATION_INFO, ApplicationId::CX, CommandFlags::PROXIABLE));
    write(&mut out);
    Message::parse(out.finish().unwrap()).unwrap()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ResultCode;
    use super::*;

    #[test]
    fn lengths() {
        let bytes = sample(|_| ()).bytes().clone();
        let parse = |bytes: &[u8]| Message::parse(Bytes::copy_from_slice(bytes)).map(drop);
        assert_eq!(parse(&bytes), Ok(()));
        assert_eq!(parse(&bytes[..19]), Err(LengthError { have: 19, says: None }));
        assert_eq!(parse(&[&bytes[..], &[0; 4]].concat()), Err(LengthError { have: 24, says: Some(20) }));
    }

    /// RFC 6733 §6.2, §7.2.
    #[test]
    fn refusal() {
        let request = sample(|out| {
            out.avp(&avp::SESSION_ID, &"a;1;2");
            out.avp(&avp::ORIGIN_HOST, &"scscf.ims.example");
            out.group(&avp::PROXY_INFO, |out| out.avp(&avp::PROXY_HOST, &"one"));
            out.group(&avp::PROXY_INFO, |out| out.avp(&avp::PROXY_HOST, &"two"));
        });
        let fault = Fault::missing(&avp::PUBLIC_IDENTITY);
        let answer = Message::parse(request.refuse(&fault, &Origin::new("hss.ims.example", "ims.example"))).unwrap();
        assert_eq!(answer.header().flags, CommandFlags::PROXIABLE.with(CommandFlags::ERROR));
        assert_eq!(
            format!("{answer:?}"),
            "Location-Info -PE- Cx 00000000 00000000 [Session-Id[5], Origin-Host[15], Origin-Realm[11], \
             Result-Code[4], Error-Message[24], Failed-AVP[16], Proxy-Info[12], Proxy-Info[12]]"
        );
        assert_eq!(answer.find(&avp::RESULT_CODE).unwrap().read(&avp::RESULT_CODE), Ok(ResultCode::MISSING_AVP.0));
    }

    #[test]
    fn refusal_of_what_leaves_no_room() {
        let request = sample(|out| out.group(&avp::PROXY_INFO, |out| out.bytes(&[0; 65_500])));
        let fault = Fault::new(ResultCode::UNABLE_TO_COMPLY, "no");
        let answer = Message::parse(request.refuse(&fault, &Origin::new("hss", "ims"))).unwrap();
        assert_eq!(answer.text(&avp::ERROR_MESSAGE), Some("no"));
        assert_eq!(answer.find(&avp::PROXY_INFO), None);
    }

    #[test]
    fn other_identifiers_same_avps() {
        let request = sample(|out| out.avp(&avp::SESSION_ID, &"a;1;2"));
        let flags = request.header().flags.with(CommandFlags::RETRANSMITTED);
        let again = request.readdressed(flags, 1, 2);
        assert_eq!(Message::parse(again.bytes().clone()).as_ref(), Ok(&again));
        assert_eq!((again.header().flags, again.header().hop_by_hop, again.header().end_to_end), (flags, 1, 2));
        assert_eq!(again.bytes()[20..], request.bytes()[20..]);
    }

    fn avps() -> impl Strategy<Value = Vec<(u32, u8, Vec<u8>)>> {
        proptest::collection::vec((1u32..700, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..9)), 0..6)
    }

    proptest! {
        /// Whatever flags, padding and unknown AVPs come in go out as they were.
        #[test]
        fn copied_avps_are_the_same_bytes(avps in avps(), filler in any::<u8>()) {
            let mut bytes = vec![1, 0, 0, 0, 0x80, 0, 1, 15, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2];
            for (code, flags, data) in &avps {
                let length = data.len() + if flags & 0x80 == 0 { 8 } else { 12 };
                bytes.extend(code.to_be_bytes());
                bytes.extend([*flags, 0, 0, length as u8]);
                bytes.extend_from_slice(if flags & 0x80 == 0 { &[] } else { &[0, 0, 0x28, 0xaf] });
                bytes.extend_from_slice(data);
                bytes.resize(bytes.len().next_multiple_of(4), filler);
            }
            let length = bytes.len() as u16;
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            let message = Message::parse(Bytes::from(bytes)).unwrap();
            let mut out = Writer::new(*message.header());
            let mut found = 0;
            for avp in message.avps() {
                out.copy(&avp.unwrap());
                found += 1;
            }
            prop_assert_eq!(found, avps.len());
            prop_assert_eq!(out.finish().unwrap(), message.bytes());
        }

        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut bytes = bytes;
            bytes.truncate(bytes.len() / 4 * 4);
            if let Some(length) = bytes.get_mut(..4) {
                length.fill(0);
            }
            let length = bytes.len() as u8;
            if let Some(last) = bytes.get_mut(3) {
                *last = length;
            }
            if let Ok(message) = Message::parse(Bytes::from(bytes)) {
                let _ = format!("{message:?}");
                for avp in message.avps() {
                    if let Err(fault) = avp {
                        let origin = Origin::new("hss", "ims");
                        prop_assert!(Message::parse(message.refuse(&fault, &origin)).is_ok());
                    }
                }
            }
        }
    }
}
