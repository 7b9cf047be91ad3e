//! What peers tell each other first: CER and CEA (RFC 6733 §5.3).

use std::collections::BTreeSet;

use super::{Arrival, PeerSettings, Settings, Transport};
use crate::diameter::base::{
    CapabilitiesExchangeAnswer, CapabilitiesExchangeRequest, DeviceWatchdogRequest, DisconnectCause,
    DisconnectPeerRequest, PeerAnswer, VendorSpecificApplicationId,
};
use crate::diameter::{
    Address, ApplicationId, CommandCode, CommandFlags, Fault, Grammar, Group, Header, Message, ResultCode, Writer,
};

/// Security within the connection: none (RFC 6733 §6.10).
const NO_INBAND_SECURITY: u32 = 0;

/// Applications that a peer speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Speaks {
    applications: BTreeSet<ApplicationId>,
}

impl Speaks {
    fn new(plain: &[u32], accounting: &[u32], vendors: &[VendorSpecificApplicationId]) -> Speaks {
        let of_vendors =
            vendors.iter().flat_map(|application| [application.auth_application, application.acct_application]);
        let all = plain.iter().chain(accounting).copied().chain(of_vendors.flatten());
        Speaks { applications: all.map(ApplicationId).collect() }
    }

    pub(super) fn is_relay(&self) -> bool {
        self.applications.contains(&ApplicationId::RELAY)
    }

    pub(super) fn speaks(&self, application: ApplicationId) -> bool {
        self.is_relay() || self.applications.contains(&application)
    }
}

/// What a CER or CEA says.
#[derive(Clone, Debug)]
pub(super) struct Capabilities {
    pub(super) host: String,
    pub(super) speaks: Speaks,
}

/// Our own side, as CER and CEA show it.
struct Own<'a> {
    addresses: Vec<Address<'a>>,
    vendors: Vec<u32>,
    plain: Vec<u32>,
    of_vendors: Vec<VendorSpecificApplicationId>,
}

impl<'a> Own<'a> {
    fn new(settings: &'a Settings) -> Own<'a> {
        let (plain, of_vendors): (Vec<_>, Vec<_>) =
            settings.applications.iter().copied().partition(|(vendor, _)| *vendor == 0);
        let vendors: BTreeSet<u32> = of_vendors.iter().map(|(vendor, _)| *vendor).collect();
        Own {
            addresses: settings.addresses.iter().copied().map(Address::Ip).collect(),
            vendors: vendors.into_iter().collect(),
            plain: plain.iter().map(|(_, application)| application.0).collect(),
            of_vendors: of_vendors
                .iter()
                .map(|(vendor, application)| VendorSpecificApplicationId::auth(*vendor, *application))
                .collect(),
        }
    }
}

fn write(header: Header, avps: impl FnOnce(&mut Writer)) -> Message {
    let mut out = Writer::new(header);
    avps(&mut out);
    Message::parse(out.finish().unwrap_or_default()).expect("our own names and addresses fit into a message")
}

fn request(command: CommandCode, (hop_by_hop, end_to_end): (u32, u32)) -> Header {
    let header = Header::request(command, ApplicationId::COMMON, CommandFlags::default());
    Header { hop_by_hop, end_to_end, ..header }
}

/// Our CER.
pub(super) fn cer(settings: &Settings, identifiers: (u32, u32)) -> Message {
    let own = Own::new(settings);
    let origin = &settings.origin;
    let mut cer =
        CapabilitiesExchangeRequest::new(&origin.host, &origin.realm, own.addresses, 0, &settings.product_name);
    cer.origin_state = Some(settings.origin_state);
    cer.supported_vendors = own.vendors;
    cer.auth_applications = own.plain;
    cer.vendor_applications = own.of_vendors;
    write(request(CommandCode::CAPABILITIES_EXCHANGE, identifiers), |out| cer.write_avps(out))
}

/// Our CEA.
pub(super) fn cea(settings: &Settings, cer: &Header, result: Result<(), &Fault>) -> Message {
    let own = Own::new(settings);
    let origin = &settings.origin;
    let code = result.err().map_or(ResultCode::SUCCESS, Fault::result);
    let mut cea = CapabilitiesExchangeAnswer::new(code.0, &origin.host, &origin.realm);
    cea.addresses = own.addresses;
    cea.vendor = Some(0);
    cea.product_name = Some(&settings.product_name);
    cea.origin_state = Some(settings.origin_state);
    cea.supported_vendors = own.vendors;
    cea.auth_applications = own.plain;
    cea.vendor_applications = own.of_vendors;
    if let Err(fault) = result {
        cea.error_message = Some(fault.reason());
        cea.failed = fault.failed_avp().map(Group).into_iter().collect();
    }
    let mut header = cer.answer();
    if code.is_protocol_error() {
        header.flags = header.flags.with(CommandFlags::ERROR);
    }
    write(header, |out| cea.write_avps(out))
}

/// Our DWR.
pub(super) fn dwr(settings: &Settings, identifiers: (u32, u32)) -> Message {
    let mut dwr = DeviceWatchdogRequest::new(&settings.origin.host, &settings.origin.realm);
    dwr.origin_state = Some(settings.origin_state);
    write(request(CommandCode::DEVICE_WATCHDOG, identifiers), |out| dwr.write_avps(out))
}

/// Our DPR.
pub(super) fn dpr(settings: &Settings, cause: DisconnectCause, identifiers: (u32, u32)) -> Message {
    let dpr = DisconnectPeerRequest::new(&settings.origin.host, &settings.origin.realm, cause);
    write(request(CommandCode::DISCONNECT_PEER, identifiers), |out| dpr.write_avps(out))
}

/// Our DWA or DPA.
pub(super) fn answer(settings: &Settings, request: &Header) -> Message {
    let mut answer = PeerAnswer::new(ResultCode::SUCCESS.0, &settings.origin.host, &settings.origin.realm);
    if request.command == CommandCode::DEVICE_WATCHDOG {
        answer.origin_state = Some(settings.origin_state);
    }
    write(request.answer(), |out| answer.write_avps(out))
}

/// Reads a CER and holds it against what we have: `listed` finds a peer by its name, `arrival` is how the CER came and the names
/// of the certificate.
///
/// # Errors
/// 3010 from somebody unknown or from elsewhere, 5010 and 5017 where there is nothing in common, what is wrong with its AVPs.
pub(super) fn judge<'a>(
    settings: &Settings,
    listed: impl FnOnce(&str) -> Option<&'a PeerSettings>,
    message: &Message,
    arrival: Option<(Arrival, &[String])>,
) -> Result<Capabilities, Fault> {
    message.header().check()?;
    let cer = CapabilitiesExchangeRequest::read_avps(message.avps())?;
    let Some(peer) = listed(cer.origin_host) else {
        return Err(Fault::new(ResultCode::UNKNOWN_PEER, "not in the list of peers"));
    };
    if let Some((arrival, names)) = arrival {
        is_expected(peer, arrival, names)?;
    }
    if !cer.inband_security.is_empty() && !cer.inband_security.contains(&NO_INBAND_SECURITY) {
        return Err(Fault::new(ResultCode::NO_COMMON_SECURITY, "no security within the connection"));
    }
    let speaks = Speaks::new(&cer.auth_applications, &cer.acct_applications, &cer.vendor_applications);
    let common = |(_, application): &(u32, ApplicationId)| speaks.speaks(*application);
    if !settings.applications.iter().any(common) {
        return Err(Fault::new(ResultCode::NO_COMMON_APPLICATION, "no common application"));
    }
    Ok(Capabilities { host: cer.origin_host.to_owned(), speaks })
}

/// Holds how a peer came against how it is to come: from its addresses, over TLS where that is set, and over TLS with
/// its own certificate (RFC 6733 §13.1).
///
/// # Errors
/// 3010 from elsewhere or with another's certificate, 5017 without TLS.
fn is_expected(peer: &PeerSettings, arrival: Arrival, names: &[String]) -> Result<(), Fault> {
    if arrival.from.is_some_and(|from| !peer.from.is_empty() && !peer.from.contains(&from)) {
        return Err(Fault::new(ResultCode::UNKNOWN_PEER, "not from there"));
    }
    match (arrival.transport, peer.transport) {
        (Transport::Tls, _) if !names.iter().any(|name| name.eq_ignore_ascii_case(&peer.host)) => {
            Err(Fault::new(ResultCode::UNKNOWN_PEER, "the certificate is not that of this peer"))
        }
        (Transport::Tcp | Transport::Sctp, Transport::Tls) => {
            Err(Fault::new(ResultCode::NO_COMMON_SECURITY, "this peer is to come over TLS"))
        }
        (Transport::Tls | Transport::Tcp | Transport::Sctp, _) => Ok(()),
    }
}

/// Reads a CEA.
///
/// # Errors
/// The result code of a refusal, 5012 for an answer that cannot be read.
pub(super) fn read_cea(message: &Message) -> Result<Capabilities, ResultCode> {
    let cea = CapabilitiesExchangeAnswer::read_avps(message.avps()).map_err(|_| ResultCode::UNABLE_TO_COMPLY)?;
    let result = ResultCode(cea.result);
    if !result.is_success() {
        return Err(result);
    }
    let speaks = Speaks::new(&cea.auth_applications, &cea.acct_applications, &cea.vendor_applications);
    Ok(Capabilities { host: cea.origin_host.to_owned(), speaks })
}
