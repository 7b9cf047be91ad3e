//! Threat X6 over a socket: every AVP that Cx has, sent to the program `hss` in sizes and of values that cannot be. It answers
//! each request, on the same connection, and nobody else notices.

use imscore_hss::diameter::dictionary::{self as avp, Definition, Kind};
use imscore_hss::{HssCache, HssError, LocationInfoRequest};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::hss::{SOON, scscf};
use crate::hss_process::{Avps, LIR, MAR, Process, Raw, SAR, UAR, lir, mar, result, sar, uar};

/// A request as it should be, but for these.
type Question = fn(&[u32]) -> Avps;

/// What all requests have.
const HEAD: &[&[Definition]] = &[
    &[avp::SESSION_ID],
    &[avp::DRMP],
    &[avp::VENDOR_SPECIFIC_APPLICATION_ID, avp::VENDOR_ID],
    &[avp::VENDOR_SPECIFIC_APPLICATION_ID, avp::AUTH_APPLICATION_ID],
    &[avp::VENDOR_SPECIFIC_APPLICATION_ID, avp::ACCT_APPLICATION_ID],
    &[avp::AUTH_SESSION_STATE],
    &[avp::ORIGIN_REALM],
    &[avp::OC_SUPPORTED_FEATURES, avp::OC_FEATURE_VECTOR],
    &[avp::SUPPORTED_FEATURES, avp::VENDOR_ID],
    &[avp::SUPPORTED_FEATURES, avp::FEATURE_LIST_ID],
    &[avp::SUPPORTED_FEATURES, avp::FEATURE_LIST],
    &[avp::ROUTE_RECORD],
];

const OF_UAR: &[&[Definition]] = &[
    &[avp::USER_NAME],
    &[avp::PUBLIC_IDENTITY],
    &[avp::VISITED_NETWORK_IDENTIFIER],
    &[avp::USER_AUTHORIZATION_TYPE],
    &[avp::UAR_FLAGS],
];

const OF_SAR: &[&[Definition]] = &[
    &[avp::USER_NAME],
    &[avp::PUBLIC_IDENTITY],
    &[avp::WILDCARDED_PUBLIC_IDENTITY],
    &[avp::SERVER_NAME],
    &[avp::SERVER_ASSIGNMENT_TYPE],
    &[avp::USER_DATA_ALREADY_AVAILABLE],
    &[avp::SCSCF_RESTORATION_INFO, avp::USER_NAME],
    &[avp::SCSCF_RESTORATION_INFO, avp::REGISTRATION_TIME_OUT],
    &[avp::SCSCF_RESTORATION_INFO, avp::SIP_AUTHENTICATION_SCHEME],
    &[avp::SCSCF_RESTORATION_INFO, avp::RESTORATION_INFO, avp::INITIAL_CSEQ_SEQUENCE_NUMBER],
    &[avp::MULTIPLE_REGISTRATION_INDICATION],
    &[avp::SESSION_PRIORITY],
    &[avp::SAR_FLAGS],
    &[avp::FAILED_PCSCF, avp::PCSCF_FQDN],
    &[avp::FAILED_PCSCF, avp::PCSCF_IP_ADDRESS],
];

const OF_LIR: &[&[Definition]] =
    &[&[avp::ORIGINATING_REQUEST], &[avp::PUBLIC_IDENTITY], &[avp::USER_AUTHORIZATION_TYPE], &[avp::SESSION_PRIORITY]];

const OF_MAR: &[&[Definition]] = &[
    &[avp::USER_NAME],
    &[avp::PUBLIC_IDENTITY],
    &[avp::SIP_NUMBER_AUTH_ITEMS],
    &[avp::SERVER_NAME],
    &[avp::SIP_AUTH_DATA_ITEM, avp::SIP_ITEM_NUMBER],
    &[avp::SIP_AUTH_DATA_ITEM, avp::SIP_AUTHENTICATION_SCHEME],
    &[avp::SIP_AUTH_DATA_ITEM, avp::SIP_AUTHENTICATE],
    &[avp::SIP_AUTH_DATA_ITEM, avp::SIP_AUTHORIZATION],
    &[avp::SIP_AUTH_DATA_ITEM, avp::SIP_AUTHENTICATION_CONTEXT],
    &[avp::SIP_AUTH_DATA_ITEM, avp::CONFIDENTIALITY_KEY],
    &[avp::SIP_AUTH_DATA_ITEM, avp::INTEGRITY_KEY],
    &[avp::SIP_AUTH_DATA_ITEM, avp::FRAMED_IP_ADDRESS],
    &[avp::SIP_AUTH_DATA_ITEM, avp::FRAMED_IPV6_PREFIX],
    &[avp::SIP_AUTH_DATA_ITEM, avp::FRAMED_INTERFACE_ID],
    &[avp::SIP_AUTH_DATA_ITEM, avp::LINE_IDENTIFIER],
    &[avp::SIP_AUTH_DATA_ITEM, avp::SIP_DIGEST_AUTHENTICATE, avp::DIGEST_REALM],
    &[avp::SIP_AUTH_DATA_ITEM, avp::SIP_DIGEST_AUTHENTICATE, avp::DIGEST_ALGORITHM],
    &[avp::SIP_AUTH_DATA_ITEM, avp::SIP_DIGEST_AUTHENTICATE, avp::DIGEST_QOP],
    &[avp::SIP_AUTH_DATA_ITEM, avp::SIP_DIGEST_AUTHENTICATE, avp::DIGEST_HA1],
    &[avp::SIP_AUTH_DATA_ITEM, avp::SIP_DIGEST_AUTHENTICATE, avp::ALTERNATE_DIGEST_ALGORITHM],
    &[avp::SIP_AUTH_DATA_ITEM, avp::SIP_DIGEST_AUTHENTICATE, avp::ALTERNATE_DIGEST_HA1],
];

/// 0, 1, n-1, n+1 and 65,000 bytes, where n is what the AVP has; and what no enumeration has.
fn data(of: &Definition) -> impl Iterator<Item = Vec<u8>> {
    let n = if of.most < 300 { of.most } else { 4 };
    let sizes = [0, 1, n - 1, n + 1, 65_000].into_iter().map(|size| vec![b'0'; size]);
    sizes.chain([vec![0xff; 4]])
}

/// What data that cannot be has to come to.
fn expected(of: &Definition, data: &[u8]) -> Option<u32> {
    let other_size = data.len() < of.least || data.len() > of.most;
    let fixed = (other_size && of.kind.is_fixed()).then_some(5014);
    let no_value = other_size || of.kind == Kind::Enumerated && data == [0xff; 4];
    fixed.or(no_value.then_some(5004))
}

/// The AVP with this data, in the groups that it stands in.
fn wrap(path: &[Definition], data: &[u8]) -> Avps {
    path.iter().rev().fold(Avps(data.to_vec()), |inner, of| Avps::default().add(of.code, of.vendor, &inner.0))
}

async fn ask(peer: &mut Raw, request: Avps, command: u32, what: &str) -> u32 {
    peer.stream.write_all(&request.message(command, 2)).await.unwrap();
    result(&peer.answer().await.unwrap_or_else(|| panic!("{what}: the connection lives")))
}

#[tokio::test]
async fn every_avp_of_cx_in_sizes_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let hss = Process::start(folder.path(), "127.0.0.1:0").await;
    let (cx, _node) = scscf(hss.diameter).await;
    let mut peer = Raw::connect(hss.diameter).await;
    let commands: [(u32, Question, &[&[Definition]]); 4] =
        [(UAR, uar, OF_UAR), (SAR, sar, OF_SAR), (LIR, lir, OF_LIR), (MAR, mar, OF_MAR)];
    let mut refused = 0;
    for (command, question, own) in commands {
        for path in HEAD.iter().chain(own) {
            let (first, last) = (&path[0], &path[path.len() - 1]);
            for data in data(last) {
                let request = question(&[first.code]).and(&wrap(path, &data));
                let what = format!("{} of {} bytes in {command}", last.name, data.len());
                let code = ask(&mut peer, request, command, &what).await;
                if let Some(expected) = expected(last, &data) {
                    refused += 1;
                    assert_eq!(code, expected, "{what}");
                }
            }
        }
        // Where an AVP has no business in the command as well.
        for of in avp::all().iter().filter(|of| of.vendor == avp::TGPP && (600..700).contains(&of.code)) {
            for data in data(of) {
                let request = question(&[of.code]).and(&wrap(&[*of], &data));
                ask(&mut peer, request, command, &format!("{} of {} bytes in {command}", of.name, data.len())).await;
            }
        }
        for whole in [question(&[]), question(&[264]).text(264, 0, ""), question(&[283]).text(283, 0, "")] {
            ask(&mut peer, whole, command, "Origin-Host, Destination-Realm").await;
        }
    }
    assert!(refused > 200, "{refused}");
    assert_eq!(hss.count("imscore_diameter_malformed_total").await, 0);
    let alice = LocationInfoRequest::new("sip:alice@ims.example".parse().unwrap());
    let located = timeout(SOON, cx.location_info(&alice)).await.unwrap();
    assert_eq!(located, Err(HssError::NotRegistered));
}
