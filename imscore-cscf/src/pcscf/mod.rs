//! P-CSCF: the first contact point of a phone (TS 24.229 §5.2, TS 23.228 §4.6.1).
//!
//! Towards the phone it is the edge of the trust domain: what only the core may say is taken out, who the caller is is put
//! in, and nobody passes without a registration. Towards the core it is the way to the phone: its Path carries a signed
//! token of the phone's flow, its Record-Route one that is bound to the dialog.
//!
//! | procedure | file |
//! | --- | --- |
//! | registration, TS 24.229 §5.2.2 | `registration.rs` |
//! | requests outside a dialog, §5.2.6.3, §5.2.6.4 | `session.rs` |
//! | requests inside a dialog, dialog records, release, §5.2.8 | `dialog.rs` |
//! | trust domain, RFC 3325 | `trust.rs` |

mod dialog;
mod flows;
mod registration;
mod session;
mod token;
mod trust;

use std::time::Duration;

use async_trait::async_trait;
use imscore_sip::hash::Keyed;
use imscore_sip::transport::{Flow, Side};
use imscore_sip::{ByteString, Method, Now, Request, Response, StatusCode};

use crate::call::{Call, Origin};
use crate::role::{Decision, Event, Refused, Role, Verdict};

pub use token::Tokens;

use dialog::Dialogs;
use flows::Flows;

/// Settings of a P-CSCF.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Its name in Path and Record-Route, as the node knows it: `pcscf.ims.example`.
    pub name: ByteString,
    /// Where registrations go: the I-CSCF's name.
    pub entry_point: ByteString,
    /// The network that it stands in, for P-Visited-Network-ID.
    pub visited_network: ByteString,
    /// Key of its tokens, which all P-CSCFs of a pool share.
    pub token_key: [u8; 16],
    /// How long after the loss of a phone's connection its calls are ended, if it does not come back.
    pub grace: Duration,
    /// Within how many seconds a phone that registered with outbound is to send its next keep-alive, over UDP and over anything
    /// else: Flow-Timer (RFC 5626 §5.4).
    pub flow_timers: (u32, u32),
}

impl Settings {
    /// The defaults, for these names: 29 s for flows over UDP, which NATs forget soon, and 120 s for others.
    pub fn new(name: impl Into<ByteString>, entry_point: impl Into<ByteString>, token_key: [u8; 16]) -> Settings {
        let name = name.into();
        let visited_network = name.split_once('.').map_or(name.as_ref(), |(_, network)| network).into();
        let grace = Duration::from_secs(32);
        Settings { name, entry_point: entry_point.into(), visited_network, token_key, grace, flow_timers: (29, 120) }
    }
}

/// The P-CSCF.
pub struct Pcscf {
    settings: Settings,
    tokens: Tokens,
    flows: Flows,
    dialogs: Dialogs,
}

impl Pcscf {
    /// A P-CSCF that knows nobody yet.
    pub fn new(settings: Settings) -> Pcscf {
        let tokens = Tokens::new(settings.token_key);
        let keyed = Keyed::new(settings.token_key);
        Pcscf { settings, tokens, flows: Flows::new(keyed), dialogs: Dialogs::new(keyed) }
    }

    /// Flows that have a registration.
    pub fn registered_flows(&self) -> usize {
        self.flows.len()
    }

    /// Dialogs that this node would have to end if a phone were lost.
    pub fn dialogs(&self) -> usize {
        self.dialogs.len()
    }
}

/// What a call keeps between its request and its responses.
enum Kept {
    Registration(registration::Pending),
    Session(session::Pending),
    Dialog(dialog::Pending),
}

/// Which way a request goes.
#[derive(Clone, Copy)]
enum Direction {
    /// From a phone, on this flow.
    FromPhone(Flow),
    /// From the core, towards a phone.
    ToPhone,
}

impl Direction {
    fn of(call: &Call) -> Direction {
        match call.origin() {
            Origin::Peer { flow, side: Side::Access } => Direction::FromPhone(*flow),
            Origin::Peer { side: Side::Core, .. } | Origin::Role(_) | Origin::Node => Direction::ToPhone,
        }
    }
}

#[async_trait]
impl Role for Pcscf {
    async fn on_request(&self, call: &mut Call, request: Request) -> Result<Decision, Refused> {
        match Direction::of(call) {
            Direction::FromPhone(flow) if request.is(&Method::Register) => self.register(call, request, flow),
            Direction::FromPhone(flow) => self.begin_from_phone(call, request, flow),
            // TS 24.229 §5.2.2.1: registrations come from phones alone.
            Direction::ToPhone if request.is(&Method::Register) => Err(StatusCode::METHOD_NOT_ALLOWED.into()),
            Direction::ToPhone => self.begin_to_phone(call, request),
        }
    }

    fn on_dialog_request(&self, call: &mut Call, request: Request) -> Result<Decision, Refused> {
        self.in_dialog(call, request)
    }

    fn on_response(&self, call: &mut Call, response: Response) -> Verdict {
        let now = call.now();
        match call.kept::<Kept>() {
            Some(Kept::Registration(pending)) => self.register_answered(pending, response, now),
            Some(Kept::Session(pending)) => self.session_answered(pending, response, now),
            Some(Kept::Dialog(pending)) => self.dialog_answered(pending, response),
            None => Verdict::Pass(response),
        }
    }

    async fn on_event(&self, call: &mut Call, event: Event) {
        match event {
            Event::FlowLost(flow) => self.flow_lost(call, flow).await,
        }
    }

    fn knows(&self, flow: &Flow, now: Now) -> bool {
        self.flows.is_registered(*flow, now.monotonic)
    }

    async fn run(&self, call: &mut Call) {
        loop {
            call.after(Duration::from_secs(60)).await;
            self.flows.sweep(call.now().monotonic);
        }
    }
}
