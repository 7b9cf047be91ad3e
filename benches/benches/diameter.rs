//! The Diameter codec: the commands of a registration, written and read with every AVP typed.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use imscore_hss::cx::{
    Answer, AnswerHead, MultimediaAuthAnswer, MultimediaAuthRequest, Outcome, Request, RequestHead, SipAuthDataItem,
    SipDigestAuthenticate, SupportedFeatures, UserAuthorizationRequest, features, scheme,
};
use imscore_hss::diameter::{Message, Secret};

const IMPI: &str = "001010123456789@ims.mnc001.mcc001.3gppnetwork.org";
const IMPU: &str = "sip:001010123456789@ims.mnc001.mcc001.3gppnetwork.org";
const HOST: &str = "scscf.ims.mnc001.mcc001.3gppnetwork.org";
const HSS: &str = "hss.ims.mnc001.mcc001.3gppnetwork.org";
const REALM: &str = "ims.mnc001.mcc001.3gppnetwork.org";

fn head() -> RequestHead<'static> {
    let mut head = RequestHead::cx("scscf.ims.mnc001.mcc001.3gppnetwork.org;1764038400;4711", HOST, REALM, REALM);
    head.features = vec![SupportedFeatures::cx(features::ALIAS_INDICATION)];
    head
}

fn multimedia_auth() -> Request<'static, MultimediaAuthRequest<'static>> {
    let mut item = SipAuthDataItem::new();
    item.scheme = Some(scheme::AKA);
    let mut command =
        MultimediaAuthRequest::new(IMPI, IMPU, item, 1, "sip:scscf.ims.mnc001.mcc001.3gppnetwork.org:5054");
    command.destination_host = Some(HSS);
    Request { head: head(), command }
}

/// One AKA vector, and the hash of a password beside it.
fn multimedia_auth_answer() -> Answer<'static, MultimediaAuthAnswer<'static>> {
    let mut item = SipAuthDataItem::new();
    (item.number, item.scheme) = (Some(1), Some(scheme::AKA));
    item.authenticate = Some(&[7; 32]);
    item.authorization = Some(Secret(&[8; 8]));
    (item.confidentiality_key, item.integrity_key) = (Some(Secret(&[9; 16])), Some(Secret(&[10; 16])));
    item.digest = Some(SipDigestAuthenticate::new(REALM, "auth", Secret(b"0123456789abcdef0123456789abcdef")));
    let mut command = MultimediaAuthAnswer::new();
    (command.user_name, command.public_identity, command.count) = (Some(IMPI), Some(IMPU), Some(1));
    command.items = vec![item];
    Answer { head: AnswerHead::to(&head(), Outcome::SUCCESS, HSS, REALM), command }
}

fn measure(criterion: &mut Criterion, name: &str, encode: impl Fn() -> Bytes) {
    let bytes = encode();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("write", |bencher| bencher.iter(|| black_box(encode())));
    group.bench_function("walk", |bencher| {
        let message = Message::parse(bytes.clone()).expect("what was written is a message");
        bencher.iter(|| black_box(&message).avps().filter(Result::is_ok).count());
    });
    group.finish();
}

fn read(criterion: &mut Criterion, name: &str, bytes: Bytes, read: impl Fn(&Message) -> bool) {
    criterion.bench_function(&format!("{name}/read"), |bencher| {
        bencher.iter(|| {
            let message = Message::parse(black_box(&bytes).clone()).expect("what was written is a message");
            assert!(read(&message));
        });
    });
}

fn codec(criterion: &mut Criterion) {
    let request = multimedia_auth();
    measure(criterion, "Multimedia-Auth-Request", || request.encode().unwrap_or_default());
    read(criterion, "Multimedia-Auth-Request", request.encode().unwrap_or_default(), |message| {
        black_box(Request::<MultimediaAuthRequest<'_>>::read(message)).is_ok()
    });

    let (to, answer) = (Message::parse(request.encode().unwrap_or_default()), multimedia_auth_answer());
    let to = *to.expect("what was written is a message").header();
    measure(criterion, "Multimedia-Auth-Answer", || answer.encode(&to).unwrap_or_default());
    read(criterion, "Multimedia-Auth-Answer", answer.encode(&to).unwrap_or_default(), |message| {
        black_box(Answer::<MultimediaAuthAnswer<'_>>::read(message)).is_ok()
    });

    let request = Request { head: head(), command: UserAuthorizationRequest::new(IMPI, IMPU, REALM) };
    measure(criterion, "User-Authorization-Request", || request.encode().unwrap_or_default());
}

criterion_group!(benches, codec);
criterion_main!(benches);
