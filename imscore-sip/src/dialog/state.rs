//! One dialog.

use bytestring::ByteString;

use super::DialogId;
use crate::header::{
    Authorization, CSeq, CallId, Cause, Contact, From, HeaderError, MaxForwards, Name, ProxyAuthorization, RAck,
    RecordRoute, Route, To, TypedHeader,
};
use crate::message::{Headers, Method, Request, Response};

/// CSeq numbers are below 2^31 (RFC 3261 §8.1.1.5).
const LAST: u32 = (1 << 31) - 1;

/// One end of a dialog (RFC 3261 §12): who the two sides are, the way to the other, and the CSeq of both.
#[derive(Clone, Debug)]
pub struct Dialog {
    id: DialogId,
    /// Our side and the other, tags included, as From and To of our requests.
    local: From,
    remote: To,
    /// CSeq of our last request.
    local_sequence: u32,
    /// CSeq of the other side's last; none before its first (RFC 3261 §12.1.2).
    remote_sequence: Option<u32>,
    target: ByteString,
    /// First hop first.
    route_set: Vec<Route>,
    is_confirmed: bool,
    is_caller: bool,
}

/// A request is older than one that was served, and gets 500 (RFC 3261 §12.2.2).
///
/// ```
/// use imscore_sip::dialog::{Dialog, OutOfOrder};
/// use imscore_sip::{Message, Method};
///
/// let invite = "INVITE sip:bob@ims.example SIP/2.0\r\nFrom: <sip:alice@ims.example>;tag=a\r\nCSeq: 7 INVITE\r\n\
///               To: <sip:bob@ims.example>\r\nCall-ID: 1\r\nContact: <sip:alice@192.0.2.1>\r\n\r\n";
/// let Message::Request(invite) = Message::parse(invite.into())? else { panic!("a request") };
/// let mut bob = Dialog::of_request(&invite, "b")?;
/// let earlier = imscore_sip::header::CSeq { number: 6, method: Method::Info };
/// let info = imscore_sip::Request::new(&Method::Info, "sip:bob@192.0.2.2").with(earlier);
/// assert_eq!(bob.receive(&info), Err(OutOfOrder));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("CSeq is not above that of an earlier request")]
pub struct OutOfOrder;

impl Dialog {
    /// The dialog that a request makes for whoever is asked, once it is answered with that To tag (RFC 3261 §12.1.1).
    ///
    /// # Errors
    /// A header that a dialog is made of is missing or cannot be read.
    pub fn of_request(request: &Request, local_tag: &str) -> Result<Dialog, HeaderError> {
        let headers = &request.headers;
        let (to, from): (To, From) = (headers.first()?, headers.first()?);
        Ok(Dialog {
            id: DialogId {
                call_id: headers.first::<CallId>()?.text().clone(),
                local_tag: local_tag.into(),
                remote_tag: from.tag().unwrap_or_default().into(),
            },
            local_sequence: 0,
            remote_sequence: Some(headers.cseq()?.number),
            target: target(headers)?,
            route_set: hops(headers)?,
            local: From(to.with_tag(local_tag).0),
            remote: To(from.0),
            is_confirmed: false,
            is_caller: false,
        })
    }

    /// The dialog that a response makes for whoever asked (RFC 3261 §12.1.2). Without a Contact, which a 2xx must have, the
    /// target stays the Request-URI.
    ///
    /// # Errors
    /// A header that a dialog is made of is missing or cannot be read.
    pub fn of_response(request: &Request, response: &Response) -> Result<Dialog, HeaderError> {
        let headers = &response.headers;
        let missing = HeaderError { name: Name::TO, cause: Cause::Missing };
        let mut dialog = Dialog {
            id: DialogId::of_response(response).ok_or(missing)?,
            local: headers.first()?,
            remote: headers.first()?,
            local_sequence: headers.cseq()?.number,
            remote_sequence: None,
            target: request.target(),
            route_set: Vec::new(),
            is_confirmed: false,
            is_caller: true,
        };
        dialog.take(response)?;
        Ok(dialog)
    }

    /// The dialog that a NOTIFY makes for the subscriber, where it comes before or without a 2xx of its own (RFC 6665 §4.4.1):
    /// that of the SUBSCRIBE, whose CSeq was `local_sequence`.
    ///
    /// # Errors
    /// A header that a dialog is made of is missing or cannot be read.
    pub fn of_notify(notify: &Request, local_sequence: u32) -> Result<Dialog, HeaderError> {
        let local_tag = notify.headers.to_tag().unwrap_or_default().to_owned();
        let dialog = Dialog::of_request(notify, &local_tag)?;
        Ok(Dialog { local_sequence, is_caller: true, is_confirmed: true, ..dialog })
    }

    /// What it is known by.
    pub fn id(&self) -> &DialogId {
        &self.id
    }

    /// True once there was a 2xx; before, it is early.
    pub fn is_confirmed(&self) -> bool {
        self.is_confirmed
    }

    /// True for the side that made the Call-ID, which waits longer after a 491 (RFC 3261 §14.1).
    pub fn is_caller(&self) -> bool {
        self.is_caller
    }

    /// Where the other side is.
    pub fn target(&self) -> &ByteString {
        &self.target
    }

    /// Who the other side is.
    pub fn remote(&self) -> &To {
        &self.remote
    }

    /// Who this side is.
    pub fn local(&self) -> &From {
        &self.local
    }

    /// A 2xx to the request that made the dialog: the route set is as it says and stands from now on (RFC 3261 §13.2.2.4).
    ///
    /// # Errors
    /// A Record-Route that cannot be read; the dialog is confirmed all the same, by the way it had.
    pub fn confirm(&mut self, response: &Response) -> Result<(), HeaderError> {
        let taken = if self.is_confirmed { Ok(()) } else { self.take(response) };
        self.is_confirmed = true;
        taken
    }

    /// As the side that sends the 2xx.
    pub fn confirm_as_callee(&mut self) {
        self.is_confirmed = true;
    }

    /// A request of this side, with the next CSeq, by the route set to the target (RFC 3261 §12.2.1.1). Via, and Contact where
    /// one is due, are still missing; a strict router on the way is for [`make_strict`](crate::proxy::route::make_strict).
    pub fn request(&mut self, method: &Method) -> Request {
        self.local_sequence = (self.local_sequence + 1).min(LAST);
        self.numbered(method, self.local_sequence)
    }

    /// The ACK for a 2xx to `invite`, with its credentials (RFC 3261 §13.2.2.4).
    pub fn ack(&self, invite: &Request) -> Request {
        let number = invite.headers.cseq().map_or(self.local_sequence, |cseq| cseq.number);
        let mut ack = self.numbered(&Method::Ack, number);
        invite.headers.typed::<Authorization>().flatten().for_each(|answer| ack.headers.push(&answer));
        invite.headers.typed::<ProxyAuthorization>().flatten().for_each(|answer| ack.headers.push(&answer));
        ack
    }

    /// The PRACK for a reliable provisional response (RFC 3262 §4).
    pub fn prack(&mut self, acknowledged: RAck) -> Request {
        self.request(&Method::Prack).with(acknowledged)
    }

    /// Moves our CSeq on to that of a request which was built from another, say to answer a challenge.
    pub fn raise_sequence(&mut self, number: u32) {
        self.local_sequence = self.local_sequence.max(number).min(LAST);
    }

    /// The next CSeq of this side.
    pub fn next_sequence(&mut self) -> u32 {
        self.local_sequence = (self.local_sequence + 1).min(LAST);
        self.local_sequence
    }

    /// Takes note of the CSeq of a request of the other side, ACK and CANCEL apart.
    ///
    /// # Errors
    /// One that is not above the last.
    pub fn receive(&mut self, request: &Request) -> Result<(), OutOfOrder> {
        let number = request.headers.cseq().map_err(|_| OutOfOrder)?.number;
        if self.remote_sequence.is_some_and(|last| number <= last) {
            return Err(OutOfOrder);
        }
        self.remote_sequence = Some(number);
        Ok(())
    }

    /// Goes on to the Contact of a request or response that refreshes the target, where it has one (RFC 3261 §12.2.1.2,
    /// §12.2.2; RFC 3311 §5; RFC 6665 §4.4.1).
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Ok(target) = target(headers) {
            self.target = target;
        }
    }

    /// Route set and target of a response that makes or confirms the dialog.
    fn take(&mut self, response: &Response) -> Result<(), HeaderError> {
        self.refresh_target(&response.headers);
        self.route_set = hops(&response.headers)?;
        self.route_set.reverse();
        Ok(())
    }

    fn numbered(&self, method: &Method, number: u32) -> Request {
        let mut request = Request::new(method, &self.target)
            .with(MaxForwards(70))
            .with(self.local.clone())
            .with(self.remote.clone())
            .with(CallId::new(self.id.call_id.clone()))
            .with(CSeq { number, method: method.clone() });
        for hop in &self.route_set {
            request.headers.push(hop);
        }
        request
    }
}

/// The URI of the Contact.
fn target(headers: &Headers) -> Result<ByteString, HeaderError> {
    let contact: Contact = headers.first()?;
    let malformed = HeaderError { name: Contact::NAME, cause: Cause::Malformed };
    Ok(contact.uri().ok_or(malformed)?.text())
}

/// The Record-Route as routes, in its order.
fn hops(headers: &Headers) -> Result<Vec<Route>, HeaderError> {
    headers.typed::<RecordRoute>().map(|hop| hop.map(|hop| Route(hop.0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::StatusCode;
    use crate::testing;

    fn invite() -> Request {
        testing::request("INVITE", "sip:bob@ims.example")
            .header("CSeq", "7 INVITE")
            .add("Record-Route", "<sip:192.0.2.9;lr>, <sip:192.0.2.8;lr>")
            .request()
    }

    fn response(status: u16, contact: &str, routes: &str) -> Response {
        response_to(&invite(), status, contact, routes)
    }

    fn response_to(invite: &Request, status: u16, contact: &str, routes: &str) -> Response {
        let draft = testing::response(invite, status).to_tag("b").header("Contact", contact);
        draft.header("Record-Route", routes).response()
    }

    fn routes(request: &Request) -> Vec<String> {
        request.headers.all::<Route>().unwrap().iter().map(|route| route.uri().to_string()).collect()
    }

    /// RFC 3261 §12.1.1: in the order of the request; §12.1.2: of the response, reversed.
    #[test]
    fn both_ends_take_the_same_way() {
        let invite = invite();
        let mut callee = Dialog::of_request(&invite, "b").unwrap();
        let bye = callee.request(&Method::Bye);
        assert_eq!(routes(&bye), ["sip:192.0.2.9;lr", "sip:192.0.2.8;lr"]);
        assert_eq!(bye.headers.cseq().unwrap().number, 1);

        let ringing = response_to(&invite, 180, "<sip:bob@192.0.2.2>", "<sip:192.0.2.9;lr>, <sip:192.0.2.8;lr>");
        let mut caller = Dialog::of_response(&invite, &ringing).unwrap();
        let prack = caller.prack(RAck { response: 5, number: 7, method: Method::Invite });
        assert_eq!(routes(&prack), ["sip:192.0.2.8;lr", "sip:192.0.2.9;lr"]);
        assert_eq!((prack.target().as_ref(), prack.headers.cseq().unwrap().number), ("sip:bob@192.0.2.2", 8));
        assert_eq!(prack.headers.raw("RAck"), Some(&b"5 7 INVITE"[..]));
        assert_eq!(*callee.id(), caller.id().reversed());
        assert_eq!(DialogId::of_request(&bye).as_ref(), Some(caller.id()));
    }

    /// RFC 3261 §13.2.2.4: the 2xx has the last word, once.
    #[test]
    fn a_2xx_settles_the_route_set() {
        let mut caller =
            Dialog::of_response(&invite(), &response(183, "<sip:early@192.0.2.2>", "<sip:192.0.2.8;lr>")).unwrap();
        assert!(!caller.is_confirmed());
        caller.confirm(&response(200, "<sip:late@192.0.2.2>", "<sip:192.0.2.7;lr>")).unwrap();
        let mut challenged = invite();
        challenged.headers.push_raw("Proxy-Authorization", b"Digest realm=\"a\"");
        let ack = caller.ack(&challenged);
        assert_eq!((routes(&ack), ack.target().as_ref()), (vec!["sip:192.0.2.7;lr".to_owned()], "sip:late@192.0.2.2"));
        assert_eq!(ack.headers.raw("CSeq"), Some(&b"7 ACK"[..]));
        assert!(ack.headers.contains("Proxy-Authorization"));
        // A repetition by another way, and a refresh, leave the routes alone.
        caller.confirm(&response(200, "<sip:late@192.0.2.2>", "<sip:192.0.2.6;lr>")).unwrap();
        caller.refresh_target(&response(200, "<sip:new@192.0.2.3>", "<sip:192.0.2.6;lr>").headers);
        let bye = caller.request(&Method::Bye);
        assert_eq!((routes(&bye), bye.target().as_ref()), (vec!["sip:192.0.2.7;lr".to_owned()], "sip:new@192.0.2.3"));
    }

    /// RFC 3261 §12.2.2.
    #[test]
    fn requests_come_in_order() {
        let mut callee = Dialog::of_request(&invite(), "b").unwrap();
        let bye = |number| testing::request("BYE", "sip:bob@ims.example").cseq(number).request();
        for (number, expected) in [(7, Err(OutOfOrder)), (9, Ok(())), (9, Err(OutOfOrder)), (8, Err(OutOfOrder))] {
            assert_eq!(callee.receive(&bye(number)), expected, "{number}");
        }
        let mut caller = Dialog::of_response(&invite(), &response(180, "<sip:b@192.0.2.2>", "<sip:h;lr>")).unwrap();
        assert_eq!(caller.receive(&bye(0)), Ok(()), "the first of the other side sets it");
    }

    #[test]
    fn numbers_end() {
        let mut caller = Dialog::of_response(&invite(), &response(180, "<sip:b@192.0.2.2>", "<sip:h;lr>")).unwrap();
        caller.raise_sequence(u32::MAX);
        assert_eq!(caller.request(&Method::Bye).headers.cseq().unwrap().number, LAST);
        assert_eq!(caller.next_sequence(), LAST);
    }

    #[test]
    fn what_is_no_dialog() {
        let without = |name: &str| testing::request("INVITE", "sip:bob@ims.example").without(name).request();
        for name in ["Contact", "Call-ID", "CSeq", "From", "To"] {
            assert!(Dialog::of_request(&without(name), "b").is_err(), "{name}");
        }
        let untagged = invite().reply(StatusCode::TRYING);
        assert!(Dialog::of_response(&invite(), &untagged).is_err());
        let bare = testing::response(&invite(), 180).to_tag("b").without("Contact").response();
        assert_eq!(Dialog::of_response(&invite(), &bare).unwrap().target(), "sip:bob@ims.example");
    }
}
