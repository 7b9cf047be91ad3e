//! The requests that a client transaction makes itself out of the one that it sends: CANCEL (RFC 3261 §9.1), the ACK
//! for a failure (RFC 3261 §17.1.1.3), and the same request for another transport (RFC 3261 §18.1.1).

use bytes::Bytes;

use super::clients::last_param;
use crate::header::Name;
use crate::message::{Message, Method, Request, Response};
use crate::parse::Limits;
use crate::transport::Transport;

/// A CANCEL for the INVITE that was sent as `invite`.
pub(super) fn cancel(invite: &Bytes) -> Option<Bytes> {
    Some(build(&sent(invite)?, &Method::Cancel, None).into_bytes())
}

/// An ACK for a response from 300 to 699 to the INVITE that was sent as `invite`: its To is that of the response.
pub(super) fn ack(invite: &Bytes, response: &Response) -> Option<Bytes> {
    Some(build(&sent(invite)?, &Method::Ack, response.headers.raw(Name::TO)).into_bytes())
}

/// The same request with a top Via, which is one of ours, for another transport and listener. Its branch stays: the peer has not
/// seen it yet.
pub(super) fn over(request: &Bytes, transport: Transport, sent_by: &str, alias: bool) -> Option<Bytes> {
    let mut request = sent(request)?;
    let via = std::str::from_utf8(request.headers.raw(Name::VIA)?).ok()?;
    let (_, params) = via.split_once(';')?;
    let params = [";rport", ";alias"].iter().find_map(|last| params.strip_suffix(last)).unwrap_or(params);
    let via = format!("SIP/2.0/{transport} {sent_by};{params}{}", last_param(transport, alias));
    request.headers.replace_raw(Name::VIA, via.as_bytes());
    if transport.is_reliable() && !request.headers.contains(Name::CONTENT_LENGTH) {
        let length = request.body().len().to_string();
        request.headers.push_raw(Name::CONTENT_LENGTH.as_str(), length.as_bytes());
    }
    Some(request.into_bytes())
}

/// All are rare, so the bytes of the request are read again rather than its parts kept.
fn sent(invite: &Bytes) -> Option<Request> {
    match Message::parse_with(invite.clone(), &Limits::OWN) {
        Ok(Message::Request(request)) => Some(request),
        Ok(Message::Response(_)) | Err(_) => None,
    }
}

/// Request-URI, top Via, From, To, Call-ID, CSeq number and Route are those of the INVITE.
fn build(invite: &Request, method: &Method, to: Option<&[u8]>) -> Request {
    let mut request = Request::new(method, &invite.target());
    let mut vias = 0;
    for (name, value) in invite.headers.named() {
        match name {
            Name::VIA => {
                vias += 1;
                if vias == 1 {
                    request.headers.push_raw(name.as_str(), value);
                }
            }
            Name::TO => request.headers.push_raw(name.as_str(), to.unwrap_or(value)),
            Name::CSEQ => {
                let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let cseq = [&value[..digits], b" ", method.as_str().as_bytes()].concat();
                request.headers.push_raw(name.as_str(), &cseq);
            }
            Name::FROM | Name::CALL_ID | Name::ROUTE => request.headers.push_raw(name.as_str(), value),
            _ => {}
        }
    }
    request.headers.push_raw(Name::MAX_FORWARDS.as_str(), b"70");
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:bob@192.0.2.4 SIP/2.0\r\n\
        Via: SIP/2.0/UDP p.ims.example;branch=z9hG4bK2\r\n\
        Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
        Route: <sip:a.ims.example;lr>, <sip:b.ims.example;lr>\r\n\
        Route: <sip:c.ims.example;lr>\r\n\
        Max-Forwards: 69\r\n\
        From: <sip:alice@ims.example>;tag=1\r\nTo: <sip:bob@ims.example>\r\n\
        Call-ID: 1@192.0.2.1\r\nCSeq: 314159 INVITE\r\nContact: <sip:alice@192.0.2.1>\r\n\
        Require: 100rel\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody";

    fn expected(method: &str, to_tag: &str) -> String {
        format!(
            "{method} sip:bob@192.0.2.4 SIP/2.0\r\nContent-Length: 0\r\n\
             Via: SIP/2.0/UDP p.ims.example;branch=z9hG4bK2\r\n\
             Route: <sip:a.ims.example;lr>, <sip:b.ims.example;lr>\r\nRoute: <sip:c.ims.example;lr>\r\n\
             From: <sip:alice@ims.example>;tag=1\r\nTo: <sip:bob@ims.example>{to_tag}\r\n\
             Call-ID: 1@192.0.2.1\r\nCSeq: 314159 {method}\r\nMax-Forwards: 70\r\n\r\n"
        )
    }

    /// RFC 3261 §9.1.
    #[test]
    fn a_cancel_has_the_marks_of_its_invite() {
        assert_eq!(cancel(&Bytes::from(INVITE)).unwrap(), expected("CANCEL", ""));
    }

    /// RFC 3261 §18.1.1.
    #[test]
    fn only_the_top_via_tells_of_another_transport() {
        let udp = INVITE.replacen("bK2\r\n", "bK2;rport\r\n", 1);
        let tcp = INVITE.replacen("SIP/2.0/UDP p.ims.example", "SIP/2.0/TCP q.ims.example:5062", 1);
        let to_tcp = |alias| over(&Bytes::from(udp.clone()), Transport::Tcp, "q.ims.example:5062", alias).unwrap();
        assert_eq!(to_tcp(false), tcp);
        let aliased = tcp.replacen("bK2\r\n", "bK2;alias\r\n", 1);
        assert_eq!(to_tcp(true), aliased);
        for tcp in [tcp, aliased] {
            assert_eq!(over(&Bytes::from(tcp), Transport::Udp, "p.ims.example", true).unwrap(), udp);
        }
        let unsized_ = udp.replace("Content-Length: 4\r\n", "");
        let sized = over(&Bytes::from(unsized_), Transport::Tcp, "p.ims.example", false).unwrap();
        assert!(sized.ends_with(b"Content-Length: 4\r\n\r\nbody"));
    }

    /// RFC 3261 §17.1.1.3.
    #[test]
    fn an_ack_has_the_to_of_the_response() {
        let busy = "SIP/2.0 486 Busy Here\r\nTo: <sip:bob@ims.example>;tag=2\r\n\r\n";
        let Message::Response(busy) = Message::parse(busy.into()).unwrap() else { panic!("a response") };
        assert_eq!(ack(&Bytes::from(INVITE), &busy).unwrap(), expected("ACK", ";tag=2"));
    }
}
