//! Requests inside a dialog, and the records of dialogs that a P-CSCF may have to end (TS 24.229 §5.2.6.3.4 ff., §5.2.8).
//!
//! Who may speak in a dialog is proved by the token in the Route, which any P-CSCF of a pool can check. The records are for
//! the other case alone: a phone whose connection is lost leaves a call behind that somebody has to end.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
use imscore_sip::hash::Keyed;
use imscore_sip::header::{CSeq, Contact, Name, RecordRoute, Route};
use imscore_sip::transport::Flow;
use imscore_sip::{ByteString, Method, Request, Response, StatusCode, Uri};

use super::{Direction, Kept, Pcscf, trust};
use crate::call::Call;
use crate::role::{Decision, Refused, Target, Verdict};

/// Parts that the table is split into, so that workers do not wait for each other.
const SHARDS: usize = 64;

/// Dialogs that a shard keeps; above it a new one gets no record.
const DIALOGS_A_SHARD: usize = 20_000;

/// How far a BYE of ours jumps ahead of the phone's own requests, which may be under way.
const CSEQ_AHEAD: u32 = 1_000;

/// Which end of a dialog the phone of this P-CSCF is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PhoneIs {
    Caller,
    Callee,
}

/// What is known of a dialog when its INVITE passes.
pub(super) struct Beginning {
    flow: Flow,
    phone: PhoneIs,
    token: String,
    caller: ByteString,
    cseq: u32,
}

impl Beginning {
    pub(super) fn new(request: &Request, flow: Flow, phone: PhoneIs, token: String) -> Beginning {
        let caller = request.headers.typed::<Contact>().flatten().next();
        let caller = caller.and_then(|contact| contact.uri().map(|uri| uri.text())).unwrap_or_default();
        let cseq = request.headers.cseq().map_or(0, |cseq| cseq.number);
        Beginning { flow, phone, token, caller, cseq }
    }
}

/// What it takes to end a call for a phone: the far end's route and target, and both ends' names.
#[derive(Debug)]
struct Record {
    flow: Flow,
    /// To of a BYE: the far end, with its tag.
    far: ByteString,
    /// From of a BYE: the phone, with its tag.
    near: ByteString,
    target: ByteString,
    /// Hops from here to the far end, next first.
    route: Vec<ByteString>,
    /// The phone's last CSeq.
    cseq: u32,
}

/// Call-ID, caller's tag, callee's tag, and which end the phone is: two phones of one P-CSCF may be in one dialog.
type Key = (ByteString, ByteString, ByteString, bool);

/// Dialogs of the phones of this node.
pub(super) struct Dialogs {
    shards: Vec<Mutex<Shard>>,
}

type Shard = HashMap<Key, Record, Keyed>;

impl Dialogs {
    pub(super) fn new(keyed: Keyed) -> Dialogs {
        Dialogs { shards: (0..SHARDS).map(|_| Mutex::new(HashMap::with_hasher(keyed))).collect() }
    }

    fn shard(&self, call_id: &str) -> MutexGuard<'_, Shard> {
        let sum = call_id.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        // No step of a change leaves a shard half written.
        self.shards[sum % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// A 2xx to an INVITE sets a dialog up, or one more of a forked call.
    pub(super) fn begin(&self, beginning: &Beginning, response: &Response) {
        let headers = &response.headers;
        let texts = [headers.call_id(), headers.from_tag(), headers.to_tag()];
        let [Some(call_id), Some(caller_tag), Some(callee_tag)] = texts else { return };
        let phone_calls = beginning.phone == PhoneIs::Caller;
        let key = (call_id.into(), caller_tag.into(), callee_tag.into(), phone_calls);
        let mut shard = self.shard(call_id);
        if shard.len() >= DIALOGS_A_SHARD && !shard.contains_key(&key) {
            return;
        }
        let text =
            |name| headers.raw(name).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default().into();
        let (caller, callee): (ByteString, ByteString) = (text(Name::FROM), text(Name::TO));
        let answered = headers.typed::<Contact>().flatten().next();
        let answered = answered.and_then(|contact| contact.uri().map(|uri| uri.text())).unwrap_or_default();
        // Topmost is the hop next to the callee; ours are two neighbours with one token (RFC 3261 §12.1).
        let hops: Vec<RecordRoute> = headers.typed().flatten().collect();
        let is_ours = |hop: &RecordRoute| hop.sip().and_then(|uri| uri.user()) == Some(beginning.token.as_str());
        let text_of = |hop: &RecordRoute| hop.uri().text();
        let above = hops.iter().position(is_ours).unwrap_or(0);
        let below = hops.iter().rposition(is_ours).map_or(hops.len(), |last| last + 1);
        let record = match beginning.phone {
            PhoneIs::Caller => Record {
                flow: beginning.flow,
                far: callee,
                near: caller,
                target: answered,
                route: hops[..above].iter().rev().map(text_of).collect(),
                cseq: beginning.cseq,
            },
            PhoneIs::Callee => Record {
                flow: beginning.flow,
                far: caller,
                near: callee,
                target: beginning.caller.clone(),
                route: hops[below..].iter().map(text_of).collect(),
                cseq: 0,
            },
        };
        shard.entry(key).or_insert(record);
    }

    /// The keys of the phone that sends a request in a dialog, and of the one that gets it: each as the caller, then as
    /// the callee.
    fn keys(request: &Request) -> [[Key; 2]; 2] {
        let part = |text: Option<&str>| ByteString::from(text.unwrap_or_default());
        let (call_id, from, to) =
            (part(request.headers.call_id()), part(request.headers.from_tag()), part(request.headers.to_tag()));
        let key = |caller: &ByteString, callee: &ByteString, phone_calls| {
            (call_id.clone(), caller.clone(), callee.clone(), phone_calls)
        };
        [[key(&from, &to, true), key(&to, &from, false)], [key(&to, &from, true), key(&from, &to, false)]]
    }

    /// Keeps CSeq and target of a dialog up to date; a 2xx to INVITE or UPDATE may bring a new target (RFC 3261 §12.2).
    fn follow(&self, request: &Request, from_phone: Option<Flow>) {
        let mut shard = self.shard(request.headers.call_id().unwrap_or_default());
        // Both ends may be phones of this node, and each has its own record.
        let [sender, receiver] = Self::keys(request);
        for key in if from_phone.is_some() { sender } else { receiver } {
            let Some(record) = shard.get_mut(&key) else { continue };
            if let Some(flow) = from_phone {
                // A phone that came back speaks on another connection.
                record.flow = flow;
                record.cseq = request.headers.cseq().map_or(record.cseq, |cseq| cseq.number.max(record.cseq));
            } else if let Some(target) = request.headers.typed::<Contact>().flatten().next() {
                record.target = target.uri().map_or(record.target.clone(), |uri| uri.text());
            }
        }
    }

    /// Where the phone was when it spoke last that a request is for.
    fn flow_to(&self, request: &Request) -> Option<Flow> {
        let shard = self.shard(request.headers.call_id().unwrap_or_default());
        let [_, receiver] = Self::keys(request);
        receiver.iter().find_map(|key| shard.get(key)).map(|record| record.flow)
    }

    fn end(&self, keys: &[[Key; 2]; 2]) {
        let mut shard = self.shard(&keys[0][0].0);
        for key in keys.as_flattened() {
            shard.remove(key);
        }
    }

    /// Takes the dialogs of a flow out.
    fn take(&self, flow: Flow) -> Vec<(Key, Record)> {
        let mut taken: Vec<(Key, Record)> = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            taken.extend(shard.extract_if(|_, record| record.flow == flow));
        }
        // In an order that is the same in every run.
        taken.sort_by(|(one, _), (other, _)| one.cmp(other));
        taken
    }
}

/// What a request leaves for its response.
pub(super) struct Pending {
    from_phone: bool,
    /// Of a BYE: the records that it ends.
    ends: Option<[[Key; 2]; 2]>,
}

impl Pcscf {
    /// A request inside a dialog, of either side. The token of our Record-Route proves that its sender is part of it.
    pub(super) fn in_dialog(&self, call: &mut Call, mut request: Request) -> Result<Decision, Refused> {
        let flow = self.dialog_flow(call, &request).ok_or(StatusCode::FORBIDDEN)?;
        let target = match Direction::of(call) {
            Direction::FromPhone(from) => {
                self.check_phone(call, &request, from, flow)?;
                trust::strip_request_from_phone(&mut request);
                self.dialogs.follow(&request, Some(from));
                Target::default()
            }
            Direction::ToPhone => {
                trust::strip_to_phone(&mut request.headers);
                self.dialogs.follow(&request, None);
                // A phone that lost its connection and spoke again is where it spoke.
                let moved = || self.dialogs.flow_to(&request);
                let flow =
                    if self.flows.is_registered(flow, call.now().monotonic) { None } else { moved() }.unwrap_or(flow);
                Target { flow: Some(flow), ..Target::default() }
            }
        };
        call.keep(Kept::Dialog(Pending {
            from_phone: matches!(Direction::of(call), Direction::FromPhone(_)),
            ends: request.is(&Method::Bye).then(|| Dialogs::keys(&request)),
        }));
        Ok(Decision::forward_to(request, target))
    }

    pub(super) fn dialog_answered(&self, pending: &Pending, mut response: Response) -> Verdict {
        match pending.from_phone {
            true => trust::strip_to_phone(&mut response.headers),
            false => trust::strip_from_phone(&mut response.headers),
        }
        if let Some(keys) = pending.ends.as_ref().filter(|_| response.status().is_final()) {
            self.dialogs.end(keys);
        }
        Verdict::Pass(response)
    }

    /// The phone's flow, by the token in the Route: it is bound to the Call-ID and the caller's tag, and in a request the
    /// caller is at one end or the other (I8, I9).
    fn dialog_flow(&self, call: &Call, request: &Request) -> Option<Flow> {
        let route = Uri::try_from(call.route()?.clone()).ok()?;
        let token = route.as_sip()?.user()?;
        let call_id = request.headers.call_id()?.as_bytes();
        let tags = [request.headers.from_tag()?, request.headers.to_tag()?];
        tags.iter().find_map(|tag| self.tokens.open(token, &[call_id, tag.as_bytes()]))
    }

    /// A phone speaks on its own flow, and to the S-CSCF that serves it and nobody else (I7, I8).
    fn check_phone(&self, call: &Call, request: &Request, from: Flow, flow: Flow) -> Result<(), Refused> {
        let user = self.flows.user(from, &[], call.now().monotonic).ok_or(StatusCode::FORBIDDEN)?;
        if from != flow && from.remote.ip() != flow.remote.ip() {
            return Err(StatusCode::FORBIDDEN.into());
        }
        let next: Option<Route> = request.headers.get().ok().flatten();
        let host = next.as_ref().and_then(|route| route.sip()).map(|uri| uri.host()).unwrap_or_default();
        let serves = |uri: &ByteString| {
            let uri = Uri::try_from(uri.clone()).ok();
            uri.as_ref().and_then(Uri::as_sip).is_some_and(|uri| uri.host().eq_ignore_ascii_case(host))
        };
        if user.service_route.iter().any(serves) { Ok(()) } else { Err(StatusCode::FORBIDDEN.into()) }
    }

    /// The connection of a phone is lost. Its registration goes with it; its calls are ended towards the far end unless the
    /// phone is back in time (TS 24.229 §5.2.8.1.2).
    pub(super) async fn flow_lost(&self, call: &mut Call, flow: Flow) {
        self.flows.remove_flow(flow);
        call.after(self.settings.grace).await;
        for ((call_id, ..), record) in self.dialogs.take(flow) {
            let bye = bye(&call_id, &record);
            let target = Target { routes: record.route, ..Target::default() };
            // Whatever comes back, the call is over here.
            drop(call.send(bye, target));
        }
    }
}

/// BYE for a phone that cannot send it any more (TS 24.229 §5.2.8.1.2, §5.2.8.1.4).
fn bye(call_id: &str, record: &Record) -> Request {
    let mut bye = Request::new(&Method::Bye, &record.target);
    bye.headers.push_raw(Name::FROM.as_str(), record.near.as_bytes());
    bye.headers.push_raw(Name::TO.as_str(), record.far.as_bytes());
    bye.headers.push_raw(Name::CALL_ID.as_str(), call_id.as_bytes());
    bye.headers.push(&CSeq { number: record.cseq + CSEQ_AHEAD, method: Method::Bye });
    bye.headers.push_raw(Name::MAX_FORWARDS.as_str(), b"70");
    bye.headers.push_raw(Name::REASON.as_str(), b"SIP;cause=503;text=\"Phone is gone\"");
    bye
}
