//! What an HSS says unasked, as commands: Registration-Termination and Push-Profile (TS 29.228 §6.1.3, §6.2.2).

use bytes::Bytes;

use super::question::charging;
use super::server::{charging_information, encode, parse};
use super::{
    AssociatedIdentities, CxResult, DeregistrationReason, Outcome, PushProfileAnswer, PushProfileRequest,
    RegistrationTerminationAnswer, RegistrationTerminationRequest, Request, RequestHead,
};
use crate::diameter::base::OcSupportedFeatures;
use crate::diameter::dictionary as avp;
use crate::diameter::{CommandCode, Fault, Message, Origin, ResultCode, TooLong};
use crate::{HssEvent, PrivateIdentity, PushProfile, RegistrationTermination, ServerName, UserProfile};

/// Private identities that one command names, at most.
pub(super) const MAX_ASSOCIATED: usize = 64;

/// The request to the S-CSCF that `host` and `realm` name.
///
/// # Errors
/// The profile is too long for a message.
pub fn announce(
    event: &HssEvent,
    session: &str,
    origin: &Origin,
    (host, realm): (&str, &str),
) -> Result<Bytes, TooLong> {
    let mut head = RequestHead::cx(session, &origin.host, &origin.realm, realm);
    head.overload = Some(OcSupportedFeatures { features: None });
    match event {
        HssEvent::RegistrationTermination(termination) => {
            let reason = DeregistrationReason::new(termination.reason);
            let mut command = RegistrationTerminationRequest::new(host, termination.private_identity.as_str(), reason);
            command.public_identities = termination.public_identities.iter().map(|public| public.as_str()).collect();
            command.associated = AssociatedIdentities::of(&termination.associated);
            Request { head, command }.encode()
        }
        HssEvent::PushProfile(push) => {
            let user_data = push.profile.as_ref().map(|profile| profile.to_xml());
            let mut command = PushProfileRequest::new(host, push.private_identity.as_str());
            command.user_data = user_data.as_ref().map(String::as_bytes);
            command.charging = push.charging.as_ref().map(charging_information);
            Request { head, command }.encode()
        }
    }
}

/// What an HSS said to the S-CSCF of this name, and the answer to it. Nothing where it is refused: a request that cannot be read, a profile that cannot be, and a push of
/// nothing at all.
pub fn announced(of: &Message, scscf: &ServerName, origin: &Origin) -> (Option<HssEvent>, Bytes) {
    let read = match of.header().command {
        CommandCode::REGISTRATION_TERMINATION => termination(of, scscf, origin),
        CommandCode::PUSH_PROFILE => push(of, scscf, origin),
        _ => Err(Fault::new(ResultCode::COMMAND_UNSUPPORTED, "not a request to a CSCF")),
    };
    read.unwrap_or_else(|fault| (None, of.refuse(&fault, origin)))
}

fn termination(of: &Message, scscf: &ServerName, origin: &Origin) -> Result<(Option<HssEvent>, Bytes), Fault> {
    let request = Request::<RegistrationTerminationRequest<'_>>::read(of)?;
    let asked = &request.command;
    let public = |identity: &&str| parse(of, &avp::PUBLIC_IDENTITY, identity);
    let public: Vec<_> = asked.public_identities.iter().map(public).collect::<Result<_, _>>()?;
    let private: PrivateIdentity = parse(of, &avp::USER_NAME, asked.user_name)?;
    let mut termination = RegistrationTermination::new(private, public, scscf.clone(), asked.reason.code);
    let mut command = RegistrationTerminationAnswer::new();
    if let Some(associated) = &asked.associated {
        let invalid = |_| Fault::new(ResultCode::INVALID_AVP_VALUE, "an associated identity that is none");
        for name in &associated.user_names {
            let identity = name.parse().map_err(invalid)?;
            if !termination.private_identities().any(|named| *named == identity) {
                termination.associated.push(identity);
            }
        }
        if termination.private_identities().count() > MAX_ASSOCIATED {
            return Err(Fault::new(ResultCode::UNABLE_TO_COMPLY, "too many associated identities"));
        }
        // TS 29.228 §6.1.3: those that were deregistered with the named one.
        command.associated = Some(AssociatedIdentities { user_names: associated.user_names.clone() });
    }
    let answer = encode(of.header(), &request.head, Outcome::SUCCESS, origin, command)?;
    Ok((Some(HssEvent::RegistrationTermination(termination)), answer))
}

fn push(of: &Message, scscf: &ServerName, origin: &Origin) -> Result<(Option<HssEvent>, Bytes), Fault> {
    let request = Request::<PushProfileRequest<'_>>::read(of)?;
    let asked = &request.command;
    let answer = |outcome| encode(of.header(), &request.head, outcome, origin, PushProfileAnswer::new());
    // Each is there if it has changed (TS 29.228 table 6.2.2.1).
    if asked.user_data.is_none() && asked.charging.is_none() && asked.item.is_none() && asked.web.is_none() {
        return Err(Fault::missing(&avp::USER_DATA));
    }
    let mut push = PushProfile::empty(scscf.clone(), parse(of, &avp::USER_NAME, asked.user_name)?);
    push.charging = asked.charging.as_ref().map(charging);
    if let Some(data) = asked.user_data {
        let Ok(read) = UserProfile::from_xml(data) else {
            return Ok((None, answer(Outcome::Cx(CxResult::NOT_SUPPORTED_USER_DATA))?));
        };
        push.profile = Some(read.profile.into());
    }
    Ok((Some(HssEvent::PushProfile(push)), answer(Outcome::SUCCESS)?))
}

#[cfg(test)]
mod tests {
    use super::super::Answer;
    use super::*;
    use crate::{ChargingAddresses, ProfileIdentity, ServiceProfile, TerminationReason};

    const SESSION: &str = "hss.ims.example;1;1";

    fn scscf() -> ServerName {
        "sip:scscf.ims.example".parse().unwrap()
    }

    fn profile() -> UserProfile {
        let identities = vec![ProfileIdentity::new("sip:alice@ims.example".parse().unwrap())];
        UserProfile::new("alice".parse().unwrap(), vec![ServiceProfile::new(identities)])
    }

    /// What is heard of a request, and what is answered.
    fn heard(request: Bytes) -> (Option<HssEvent>, Message) {
        let there = Origin::new("scscf", "ims.example");
        let (event, answer) = announced(&Message::parse(request).unwrap(), &scscf(), &there);
        (event, Message::parse(answer).unwrap())
    }

    fn result(answer: &Message) -> Option<u32> {
        answer.find(&avp::RESULT_CODE).map(|avp| avp.read(&avp::RESULT_CODE).unwrap())
    }

    #[test]
    fn there_and_back() {
        let here = Origin::new("hss", "ims.example");
        let check = |event: HssEvent| {
            let (heard, answer) = heard(announce(&event, SESSION, &here, ("scscf", "ims.example")).unwrap());
            assert_eq!((heard, result(&answer)), (Some(event), Some(2001)));
        };
        for reason in [
            TerminationReason::Permanent,
            TerminationReason::NewServerAssigned,
            TerminationReason::ServerChange,
            TerminationReason::RemoveScscf,
        ] {
            for public in [vec!["sip:alice@ims.example".parse().unwrap(), "tel:+1201".parse().unwrap()], vec![]] {
                let mut event = RegistrationTermination::new("alice".parse().unwrap(), public, scscf(), reason);
                check(HssEvent::RegistrationTermination(event.clone()));
                event.associated = vec!["alice-tablet".parse().unwrap(), "alice-watch".parse().unwrap()];
                check(HssEvent::RegistrationTermination(event));
            }
        }
        let whole = PushProfile::new(scscf(), profile().into());
        let mut charging = PushProfile::empty(scscf(), "alice".parse().unwrap());
        charging.charging = Some(ChargingAddresses::new(["aaa://ccf".into()], []));
        let mut both = whole.clone();
        both.charging.clone_from(&charging.charging);
        [whole, charging, both].map(HssEvent::PushProfile).into_iter().for_each(check);
    }

    /// TS 29.228 §6.1.3: all private identities that are named, each once.
    #[test]
    fn associated_identities() {
        let terminate = |associated: Vec<&str>| {
            let reason = DeregistrationReason::new(TerminationReason::Permanent);
            let mut command = RegistrationTerminationRequest::new("scscf", "alice", reason);
            command.associated = Some(AssociatedIdentities { user_names: associated });
            let head = RequestHead::cx(SESSION, "hss", "ims.example", "ims.example");
            let (event, answer) = heard(Request { head, command }.encode().unwrap());
            let names = event.iter().flat_map(HssEvent::private_identities).map(ToString::to_string);
            (names.collect::<Vec<_>>(), answer)
        };
        let (names, answer) = terminate(vec!["alice-tablet", "alice", "alice-tablet"]);
        assert_eq!((names, result(&answer)), (vec!["alice".to_owned(), "alice-tablet".to_owned()], Some(2001)));
        let answer = Answer::<RegistrationTerminationAnswer<'_>>::read(&answer).unwrap().command;
        assert_eq!(answer.associated.unwrap().user_names, ["alice-tablet", "alice", "alice-tablet"]);
        let (names, answer) = terminate(vec![""]);
        assert_eq!((names.len(), result(&answer)), (0, Some(5004)));
        let many: Vec<_> = (1..=64).map(|n| format!("alice-{n}")).collect();
        for (count, fits) in [(62, true), (63, true), (64, false)] {
            let (names, answer) = terminate(many[..count].iter().map(String::as_str).collect());
            assert_eq!((names.len(), result(&answer)), if fits { (count + 1, Some(2001)) } else { (0, Some(5012)) });
        }
    }

    #[test]
    fn pushes_that_say_nothing() {
        let push = |user_data: Option<&[u8]>| {
            let mut command = PushProfileRequest::new("scscf", "alice");
            command.user_data = user_data;
            let head = RequestHead::cx(SESSION, "hss", "ims.example", "ims.example");
            let (event, answer) = heard(Request { head, command }.encode().unwrap());
            assert_eq!(event, None);
            Answer::<PushProfileAnswer>::read(&answer).unwrap().head.outcome().unwrap()
        };
        assert_eq!(push(None), Outcome::Base(ResultCode::MISSING_AVP));
        for data in [&b"\xff"[..], b"<IMSSubscription/>"] {
            assert_eq!(push(Some(data)), Outcome::Cx(CxResult::NOT_SUPPORTED_USER_DATA));
        }
        // Threat D14, in the encoding that no profile has.
        let utf_16: Vec<u8> = profile().to_xml().encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(push(Some(&utf_16)), Outcome::Cx(CxResult::NOT_SUPPORTED_USER_DATA));
    }
}
