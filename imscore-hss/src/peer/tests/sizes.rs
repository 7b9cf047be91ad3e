//! Threat X6 between two peers: every AVP of what they say to each other, and of Cx, in sizes and of values that cannot be.

use super::*;
use crate::cx::tests::{changed, messages};
use crate::diameter::dictionary::{Definition, Kind};

/// 0, 1, n-1, n+1 and 65,000 bytes, where n is 4 or 8 or 16; and what no enumeration has.
fn data() -> impl Iterator<Item = Vec<u8>> {
    let sizes = [0, 1, 3, 5, 7, 9, 15, 17, 65_000].into_iter().map(|size| vec![b'0'; size]);
    sizes.chain([vec![0xff; 4]])
}

/// Of the last answer.
fn result(world: &World, connection: u64) -> u32 {
    let is_answer = |sent: &&(u64, Message)| sent.0 == connection && !sent.1.header().is_request();
    let (_, answer) = world.sent.iter().rev().find(is_answer).unwrap();
    answer.find(&avp::RESULT_CODE).unwrap().read(&avp::RESULT_CODE).unwrap()
}

/// What an AVP that is read has to come to: 5014 for a length that its type does not have, 5004 for one that it has not.
fn check(definition: &Definition, data: &[u8], result: u32) {
    let other_size = data.len() < definition.least || data.len() > definition.most;
    let fixed = (other_size && definition.kind.is_fixed()).then_some(5014);
    let open = other_size.then_some(5004);
    let enumerated = (definition.kind == Kind::Enumerated && data == [0xff; 4]).then_some(5004);
    if let Some(expected) = fixed.or(open).or(enumerated) {
        assert_eq!(result, expected, "{} of {} bytes", definition.name, data.len());
    }
}

/// The first message of a stranger: it is let in, or refused and its connection closed.
#[test]
fn introductions() {
    let mut cer_in_full = CapabilitiesExchangeRequest::new("guest.ims.example", REALM, vec![], 0, "test");
    cer_in_full.addresses = vec![Address::Ip([192, 0, 2, 7].into())];
    cer_in_full.origin_state = Some(1);
    cer_in_full.supported_vendors = vec![TGPP];
    cer_in_full.auth_applications = vec![1];
    cer_in_full.inband_security = vec![0];
    cer_in_full.acct_applications = vec![3];
    cer_in_full.vendor_applications = vec![VendorSpecificApplicationId::auth(TGPP, ApplicationId::CX)];
    cer_in_full.firmware_revision = Some(1);
    let header = header(CommandCode::CAPABILITIES_EXCHANGE, ApplicationId::COMMON, 1, 1);
    let whole = message(header, |out| cer_in_full.write_avps(out));
    let mut world = World::up();
    let mut refused = 0;
    for data in data() {
        for (definition, cer) in changed(&whole, &data) {
            let connection = world.accept([192, 0, 2, 7]).unwrap();
            world.give(connection, cer);
            let lines = world.drain();
            let result = result(&world, connection);
            check(definition, &data, result);
            match result {
                2001 => {
                    world.lose(connection);
                    world.drain();
                }
                _ => {
                    refused += 1;
                    assert_eq!(lines.last(), Some(&format!("close {connection}")), "{lines:?}");
                }
            }
        }
    }
    assert!(refused > 80, "{refused}");
    // Who is right is let in, and those who were there have noticed nothing.
    let connection = world.accept([192, 0, 2, 7]).unwrap();
    world.give(connection, whole);
    world.drain();
    assert_eq!(result(&world, connection), 2001);
    world.ask().unwrap();
    world.expect(&[SENT_1]);
}

/// What comes over a connection that stands: it is asked on, refused or dropped, and the connection stands.
#[test]
fn requests_and_answers() {
    let dpr = DisconnectPeerRequest::new("a.ims.example", REALM, DisconnectCause::Busy);
    let header = header(CommandCode::DISCONNECT_PEER, ApplicationId::COMMON, 1, 1);
    let dpr = message(header, |out| dpr.write_avps(out));
    // Who is meant is the HSS, and an agent brings what others ask.
    let mut settings = settings();
    settings.origin = Origin::new("hss.ims.example", REALM);
    let mut world = World::new(settings);
    world.peers.start(world.now);
    world.peers.handle_connected(ConnectionId(1), world.now);
    world.drain();
    world.cea_of(1, "a.ims.example", 2001, ApplicationId::RELAY);
    world.expect(&["up a.ims.example"]);
    let (mut asked, mut refused, mut end_to_end) = (0, 0, 1);
    for data in data() {
        let all = messages().into_iter().chain([dpr.clone()]);
        for (definition, message) in all.collect::<Vec<_>>().iter().flat_map(|message| changed(message, &data)) {
            let header = *message.header();
            end_to_end += 1;
            // A leave that can be read is one.
            if header.command == CommandCode::DISCONNECT_PEER
                && DisconnectPeerRequest::read_avps(message.avps()).is_ok()
            {
                continue;
            }
            world.give(1, message.readdressed(header.flags, 1, end_to_end));
            let lines = world.drain();
            match &lines[..] {
                [] => assert!(!header.is_request(), "{definition:?}"),
                [line] if line.starts_with("a.ims.example asks") => asked += 1,
                [line] => {
                    assert!(line.starts_with("1 <- ") && header.is_request(), "{lines:?}");
                    refused += 1;
                    let result = result(&world, 1);
                    // What is for an S-CSCF is not looked into further.
                    if [avp::ORIGIN_HOST, avp::DISCONNECT_CAUSE].contains(definition) && result != 3002 {
                        check(definition, &data, result);
                    }
                }
                _ => panic!("{lines:?}"),
            }
        }
    }
    assert!(asked > 100 && refused > 100, "{asked} {refused}");
    world.ask().unwrap();
    world.expect(&[SENT_1]);
}
