//! The commands of Cx as they go over the wire for one user, each with what such a message usually holds.

use std::hint::black_box;

use bytes::Bytes;
use imscore_hss::cx::{
    Answer, AnswerHead, CxResult, DeregistrationReason, LocationInfoAnswer, LocationInfoRequest, MultimediaAuthAnswer,
    MultimediaAuthRequest, Outcome, PushProfileAnswer, PushProfileRequest, RegistrationTerminationAnswer,
    RegistrationTerminationRequest, Request, RequestHead, ServerAssignmentAnswer, ServerAssignmentRequest,
    ServerCapabilities, SipAuthDataItem, SipDigestAuthenticate, SupportedFeatures, UserAuthorizationAnswer,
    UserAuthorizationRequest, features, scheme,
};
use imscore_hss::diameter::{ApplicationId, CommandFlags, Header, Message, Secret};
use imscore_hss::{AssignmentType, TerminationReason};

/// Private identity of the user.
pub const IMPI: &str = "001010123456789@ims.mnc001.mcc001.3gppnetwork.org";
/// Public identity of the user.
pub const IMPU: &str = "sip:001010123456789@ims.mnc001.mcc001.3gppnetwork.org";
/// Diameter name of the S-CSCF.
pub const HOST: &str = "scscf.ims.mnc001.mcc001.3gppnetwork.org";
/// Diameter name of the HSS.
pub const HSS: &str = "hss.ims.mnc001.mcc001.3gppnetwork.org";
/// Realm of both.
pub const REALM: &str = "ims.mnc001.mcc001.3gppnetwork.org";

const SCSCF: &str = "sip:scscf.ims.mnc001.mcc001.3gppnetwork.org:5054";
/// A profile of one identity.
const PROFILE: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><IMSSubscription>\
    <PrivateID>001010123456789@ims.mnc001.mcc001.3gppnetwork.org</PrivateID><ServiceProfile><PublicIdentity>\
    <Identity>sip:001010123456789@ims.mnc001.mcc001.3gppnetwork.org</Identity></PublicIdentity></ServiceProfile>\
    </IMSSubscription>";

/// A command under the clock.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// Writes it from its values.
    pub write: fn() -> Bytes,
    /// Reads its bytes with every AVP typed.
    pub read: fn(&Bytes) -> bool,
}

macro_rules! command {
    ($kind:ident, $name:literal, $type:ty, $write:expr) => {
        Command {
            name: $name,
            write: || $write.unwrap_or_default(),
            read: |bytes| {
                let message = Message::parse(bytes.clone());
                message.is_ok_and(|message| black_box($kind::<$type>::read(&message)).is_ok())
            },
        }
    };
}

/// All twelve.
pub const COMMANDS: [Command; 12] = [
    command!(
        Request,
        "User-Authorization-Request",
        UserAuthorizationRequest<'_>,
        request(UserAuthorizationRequest::new(IMPI, IMPU, REALM))
    ),
    command!(Answer, "User-Authorization-Answer", UserAuthorizationAnswer<'_>, {
        let mut command = UserAuthorizationAnswer::new();
        command.capabilities = Some(capabilities());
        answer(Outcome::Cx(CxResult::FIRST_REGISTRATION), command)
    }),
    command!(Request, "Multimedia-Auth-Request", MultimediaAuthRequest<'_>, {
        let mut item = SipAuthDataItem::new();
        item.scheme = Some(scheme::AKA);
        let mut command = MultimediaAuthRequest::new(IMPI, IMPU, item, 1, SCSCF);
        command.destination_host = Some(HSS);
        request(command)
    }),
    // One AKA vector, and the hash of a password beside it.
    command!(Answer, "Multimedia-Auth-Answer", MultimediaAuthAnswer<'_>, {
        let mut item = SipAuthDataItem::new();
        (item.number, item.scheme) = (Some(1), Some(scheme::AKA));
        item.authenticate = Some(&[7; 32]);
        item.authorization = Some(Secret(&[8; 8]));
        (item.confidentiality_key, item.integrity_key) = (Some(Secret(&[9; 16])), Some(Secret(&[10; 16])));
        item.digest = Some(SipDigestAuthenticate::new(REALM, "auth", Secret(b"0123456789abcdef0123456789abcdef")));
        let mut command = MultimediaAuthAnswer::new();
        (command.user_name, command.public_identity, command.count) = (Some(IMPI), Some(IMPU), Some(1));
        command.items = vec![item];
        answer(Outcome::SUCCESS, command)
    }),
    command!(Request, "Server-Assignment-Request", ServerAssignmentRequest<'_>, {
        let mut command = ServerAssignmentRequest::new(SCSCF, AssignmentType::Registration, false);
        (command.destination_host, command.user_name) = (Some(HSS), Some(IMPI));
        command.public_identities = vec![IMPU];
        request(command)
    }),
    command!(Answer, "Server-Assignment-Answer", ServerAssignmentAnswer<'_>, {
        let mut command = ServerAssignmentAnswer::new();
        (command.user_name, command.user_data) = (Some(IMPI), Some(PROFILE));
        answer(Outcome::SUCCESS, command)
    }),
    command!(Request, "Location-Info-Request", LocationInfoRequest<'_>, request(LocationInfoRequest::new(IMPU))),
    command!(Answer, "Location-Info-Answer", LocationInfoAnswer<'_>, {
        let mut command = LocationInfoAnswer::new();
        command.server_name = Some(SCSCF);
        answer(Outcome::SUCCESS, command)
    }),
    command!(Request, "Registration-Termination-Request", RegistrationTerminationRequest<'_>, {
        let reason = DeregistrationReason::new(TerminationReason::Permanent);
        let mut command = RegistrationTerminationRequest::new(HOST, IMPI, reason);
        command.public_identities = vec![IMPU];
        request(command)
    }),
    command!(
        Answer,
        "Registration-Termination-Answer",
        RegistrationTerminationAnswer<'_>,
        answer(Outcome::SUCCESS, RegistrationTerminationAnswer::new())
    ),
    command!(Request, "Push-Profile-Request", PushProfileRequest<'_>, {
        let mut command = PushProfileRequest::new(HOST, IMPI);
        command.user_data = Some(PROFILE);
        request(command)
    }),
    command!(Answer, "Push-Profile-Answer", PushProfileAnswer, answer(Outcome::SUCCESS, PushProfileAnswer::new())),
];

/// The command of this name.
#[must_use]
pub fn command(name: &str) -> Option<Command> {
    COMMANDS.into_iter().find(|command| command.name == name)
}

fn capabilities() -> ServerCapabilities<'static> {
    let mut capabilities = ServerCapabilities::new();
    (capabilities.mandatory, capabilities.optional) = (vec![1, 2], vec![3]);
    capabilities
}

fn head() -> RequestHead<'static> {
    let mut head = RequestHead::cx("scscf.ims.mnc001.mcc001.3gppnetwork.org;1764038400;4711", HOST, REALM, REALM);
    head.features = vec![SupportedFeatures::cx(features::ALIAS_INDICATION)];
    head
}

fn request<C: imscore_hss::cx::Command<'static>>(command: C) -> Option<Bytes> {
    Request { head: head(), command }.encode().ok()
}

fn answer<C: imscore_hss::cx::Command<'static>>(outcome: Outcome, command: C) -> Option<Bytes> {
    let to = Header::request(C::CODE, ApplicationId::CX, CommandFlags::PROXIABLE);
    Answer { head: AnswerHead::to(&head(), outcome, HSS, REALM), command }.encode(&to).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_read() {
        for command in COMMANDS {
            let bytes = (command.write)();
            assert!(!bytes.is_empty() && (command.read)(&bytes), "{}", command.name);
        }
    }
}
