//! What a phone says next, written from what it remembers.

use super::dialog::{branch, tag, text};
use super::{Dialog, Incoming, Outgoing, Phone};
use crate::auth::Login;
use crate::header::Name;
use crate::message::{Message, Request, Response};
use crate::testing::{Draft, HOME, sdp_answer, sdp_offer_at};
use crate::transport::Transport;

/// Why a phone has nothing to write a message from.
///
/// ```
/// use imscore_sip::testing::{Draft, NothingToSend, Phone};
///
/// let mut phone = Phone::new("alice", vec![imscore_sip::testing::Bind::from("udp:192.0.2.1:5060").listener()]);
/// let answer: Result<Draft, NothingToSend> = phone.response(200, None);
/// assert_eq!(answer, Err(NothingToSend::NotAsked));
/// assert!(phone.send_again("INVITE").is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NothingToSend {
    /// It is in no dialog, or in none with that peer.
    #[error("it is in no such dialog")]
    NoDialog,
    /// It has sent no such request.
    #[error("it has sent no such request")]
    NoRequest,
    /// An INVITE has no final answer yet, so there is nothing to acknowledge.
    #[error("its INVITE has no final response")]
    NoFinalResponse,
    /// No reliable provisional response has come (RFC 3262 §4).
    #[error("no response with RSeq has come")]
    NotReliable,
    /// No challenge has come that a password answers.
    #[error("it has not been challenged")]
    NotChallenged,
    /// It has not been asked.
    #[error("it was not asked")]
    NotAsked,
}

impl Phone {
    /// A request outside of any dialog. A REGISTER goes on with the Call-ID and CSeq of the last (RFC 3261 §10.2);
    /// everything else takes the Service-Route that the phone was given (RFC 3608 §6.1).
    pub fn request(&mut self, method: &str, target: &str) -> Draft {
        let unique = self.unique();
        let draft = self.own(Draft::request_numbered(method, target, &unique));
        let draft = match method {
            "INVITE" => draft.sdp(self.offer()),
            "MESSAGE" => draft.body("text/plain", format!("Hello from {}.", self.name)),
            "REGISTER" => {
                let draft = draft.address("To", &self.identity).header("Expires", "3600");
                return match &self.registration {
                    None => draft,
                    Some(last) => {
                        draft.header("Call-ID", &last.call_id).header("From", &last.from).cseq(last.sequence + 1)
                    }
                };
            }
            _ => draft,
        };
        self.service_route.iter().fold(draft, |draft, route| draft.add("Route", route))
    }

    /// What the phone says next: ACK and CANCEL for its last INVITE, PRACK for the last reliable response, and every other
    /// method in the dialog that it spoke in last, or in the last whose other side has a tag that begins with `with`.
    ///
    /// # Errors
    /// Where there is nothing to go by.
    pub fn next(&mut self, method: &str, with: Option<&str>) -> Result<Draft, NothingToSend> {
        match method {
            "CANCEL" => self.invite(with).map(|invite| cancel(invite, "CANCEL")),
            "ACK" => {
                let invite = self.invite(with)?;
                let response = invite.response.as_ref().ok_or(NothingToSend::NoFinalResponse)?;
                if response.status().is_provisional() {
                    return Err(NothingToSend::NoFinalResponse);
                }
                if !response.status().is_success() {
                    return Ok(ack_of_failure(invite, response));
                }
                let (sequence, call_id) = (invite.sequence, invite.call_id.clone());
                let dialog = self.dialog(with, |dialog| dialog.call_id == call_id)?;
                Ok(self.within(&dialog, "ACK").without("Contact").cseq(sequence))
            }
            "PRACK" => {
                let dialog = self.dialog(with, |dialog| dialog.reliable.is_some())?;
                let acknowledged = dialog.reliable.clone().ok_or(NothingToSend::NotReliable)?;
                Ok(self.within(&dialog, method).header("RAck", acknowledged))
            }
            "INVITE" | "UPDATE" => {
                let dialog = self.dialog(with, |_| true)?;
                let offer = self.offer();
                Ok(self.within(&dialog, method).sdp(offer))
            }
            _ => {
                let dialog = self.dialog(with, |_| true)?;
                Ok(self.within(&dialog, method))
            }
        }
    }

    /// A response to the request that waits for one: of that method, else the last. A 1xx is taken for an INVITE where
    /// one waits. Of a method whose requests are all answered, the last is answered again.
    ///
    /// # Errors
    /// Where it was not asked.
    pub fn response(&self, status: u16, method: Option<&str>) -> Result<Draft, NothingToSend> {
        let asked = self.asked(status, method).ok_or(NothingToSend::NotAsked)?;
        let draft = Draft::response_tagged(&asked.request, status, &asked.tag);
        let draft = if draft.value("Contact").is_some() { draft.header("Contact", self.contact()) } else { draft };
        Ok(match (asked.method.as_str(), status) {
            ("REGISTER", 200..300) => registered(&asked.request, draft),
            (_, 401 | 407) => {
                let name = if status == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
                let nonce = &asked.tag;
                draft.header(name, format!(r#"Digest realm="{HOME}", nonce="{nonce}", algorithm=MD5, qop="auth""#))
            }
            ("INVITE" | "UPDATE", 183 | 200..300) => {
                let offer = asked.request.body();
                match std::str::from_utf8(&offer).ok().filter(|offer| !offer.is_empty()) {
                    Some(offer) => draft.sdp(sdp_answer(offer, &self.host(), 50_000)),
                    None if asked.method == "INVITE" => draft.sdp(self.offer()),
                    None => draft,
                }
            }
            _ => draft,
        })
    }

    /// The request with the answer to the last 401 or 407 that the phone got. Without a user name, it is the phone's
    /// identity without its scheme.
    ///
    /// # Errors
    /// Where there is no challenge that can be answered.
    pub fn authorized(&mut self, draft: Draft, username: Option<&str>, password: &str) -> Result<Draft, NothingToSend> {
        let cnonce = self.unique();
        let identity = self.identity.split_once(':').map_or(self.identity.as_str(), |(_, rest)| rest);
        let login = Login::new(username.unwrap_or(identity), password);
        let (challenge, count) = self.challenge.as_mut().ok_or(NothingToSend::NotChallenged)?;
        *count += 1;
        let mut request = draft.request();
        let answered = login.authorize(&mut request, challenge, &cnonce, *count);
        answered.map_err(|_| NothingToSend::NotChallenged)?;
        Ok(Draft::of(&Message::Request(request)))
    }

    /// Makes a provisional response to the request of that draft reliable: Require and the next RSeq (RFC 3262 §3).
    #[must_use]
    pub fn reliably(&mut self, draft: Draft) -> Draft {
        let wanted = branch(draft.message().headers());
        let asked = self.incoming.iter_mut().rev().find(|asked| asked.branch == wanted);
        let number = asked.map_or(1, |asked| {
            asked.reliable += 1;
            asked.reliable
        });
        draft.header("Require", "100rel").header("RSeq", number.to_string())
    }

    /// The message that the phone would answer with that status.
    fn asked(&self, status: u16, method: Option<&str>) -> Option<&Incoming> {
        let of = |method: &str| {
            let mut all = self.incoming.iter().rev().filter(|asked| asked.method == method);
            let last = all.clone().next();
            all.find(|asked| !asked.is_answered).or(last)
        };
        let waiting = |asked: &&Incoming| !asked.is_answered;
        match method {
            Some(method) => of(method),
            None if status < 200 => of("INVITE").filter(waiting).or_else(|| self.incoming.iter().rev().find(waiting)),
            None => self.incoming.iter().rev().find(waiting),
        }
    }

    fn dialog(&self, with: Option<&str>, which: impl Fn(&Dialog) -> bool) -> Result<Dialog, NothingToSend> {
        let begins = |dialog: &&Dialog| with.is_none_or(|name| tag(&dialog.remote).starts_with(name));
        let found = self.dialogs.iter().rev().filter(begins).find(|dialog| which(dialog));
        found.cloned().ok_or(NothingToSend::NoDialog)
    }

    /// The last INVITE; with a peer named, the last one of a dialog with it.
    fn invite(&self, with: Option<&str>) -> Result<&Outgoing, NothingToSend> {
        let dialog = with.and_then(|_| self.dialog(with, |_| true).ok());
        let is_wanted = |sent: &&Outgoing| dialog.as_ref().is_none_or(|dialog| dialog.call_id == sent.call_id);
        let mut invites = self.outgoing.iter().rev().filter(|sent| sent.method == "INVITE").filter(is_wanted);
        invites.next().ok_or(NothingToSend::NoRequest)
    }

    /// RFC 3261 §12.2.1.1.
    fn within(&mut self, dialog: &Dialog, method: &str) -> Draft {
        let unique = self.unique();
        let draft = self.own(Draft::request_numbered(method, &dialog.target, &unique));
        let draft = draft.header("From", &dialog.local).header("To", &dialog.remote).header("Call-ID", &dialog.call_id);
        let draft = draft.cseq(dialog.sequence + 1);
        dialog.routes.iter().fold(draft, |draft, route| draft.add("Route", route))
    }

    /// The draft with the phone's own Via, From and Contact.
    fn own(&self, draft: Draft) -> Draft {
        let draft = match self.listeners.first() {
            Some(first) => draft.via(&format!("{} {}", first.transport, first.sent_by)),
            None => draft,
        };
        let draft = draft.address("From", &self.identity);
        if draft.value("Contact").is_some() { draft.header("Contact", self.contact()) } else { draft }
    }

    fn contact(&self) -> String {
        let Some(first) = self.listeners.first() else {
            return String::new();
        };
        let user = self.identity.strip_prefix("sip:").and_then(|identity| identity.split('@').next());
        let transport = match first.transport == Transport::Udp {
            true => String::new(),
            false => format!(";transport={}", first.transport.as_str().to_ascii_lowercase()),
        };
        format!("<sip:{}@{}{transport}>", user.unwrap_or(&self.name), first.sent_by)
    }

    fn offer(&self) -> String {
        sdp_offer_at(&self.host(), 40_000)
    }

    fn host(&self) -> String {
        let sent_by = self.listeners.first().map(|first| first.sent_by.to_string()).unwrap_or_default();
        let host = sent_by.rsplit_once(':').map_or(sent_by.as_str(), |(host, _)| host);
        host.trim_matches(['[', ']']).to_string()
    }
}

/// RFC 3261 §17.1.1.3: all as the INVITE has it, but To as the response has it.
pub(super) fn ack_of_failure(invite: &Outgoing, response: &Response) -> Draft {
    cancel(invite, "ACK").header("To", text(&response.headers, Name::TO))
}

/// CANCEL, or the ACK of a failure: the top Via, Request-URI, Route and all that names the call as the INVITE has them
/// (RFC 3261 §9.1, §17.1.1.3).
fn cancel(invite: &Outgoing, method: &str) -> Draft {
    let Message::Request(request) = invite.draft.message() else { panic!("an INVITE is a request") };
    let draft = Draft::request_numbered(method, &request.target(), "");
    let copied = ["Via", "From", "To", "Call-ID"]
        .into_iter()
        .fold(draft, |draft, name| draft.header(name, invite.draft.value(name).unwrap_or_default()));
    let routes = request.headers.raw_all("Route").map(|route| String::from_utf8_lossy(route).into_owned());
    routes.fold(copied.cseq(invite.sequence), |draft, route| draft.add("Route", route))
}

/// RFC 3261 §10.3 step 8 and RFC 3327 §5.3: the bindings with what is left of them, and the Path.
fn registered(request: &Request, mut draft: Draft) -> Draft {
    let expires = request.headers.raw("Expires").map_or("3600".into(), String::from_utf8_lossy).into_owned();
    for contact in super::values(&request.headers, Name::CONTACT) {
        let has_own = contact.contains(";expires=");
        draft = draft.add("Contact", if has_own { contact } else { format!("{contact};expires={expires}") });
    }
    let path = request.headers.raw_all("Path").map(|path| String::from_utf8_lossy(path).into_owned());
    path.fold(draft, |draft, path| draft.add("Path", path))
}
