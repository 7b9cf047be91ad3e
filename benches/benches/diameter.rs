//! The Diameter codec: the commands of a registration, written and read with every AVP typed.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use imscore_hss::cx::{
    Answer, AnswerHead, MultimediaAuthAnswer, MultimediaAuthRequest, Outcome, Request, RequestHead, SipAuthDataItem,
    SipDigestAuthenticate, SupportedFeatures, UserAuthorizationRequest, features, scheme,
};
use imscore_hss::diameter::dictionary::TGPP;
use imscore_hss::diameter::{ApplicationId, Message, Origin, Secret};
use imscore_hss::peer::{PeerSettings, Settings};
use imscore_hss::tokio::{CxHss, CxSettings, Diameter, serve_cx};
use imscore_hss::{
    Credentials, DigestCredentials, Hss, HssCache, PrivateIdentity, PublicIdentity, ServerName, Subscription,
};
use tokio::runtime::Builder;

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

/// Questions over one connection on loopback, both ends and who asks on one thread.
fn questions(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (cx, question) = runtime.block_on(connected());
    criterion.bench_function("Multimedia-Auth over TCP", |bencher| {
        bencher.iter_custom(|count| {
            let started = Instant::now();
            runtime.block_on(async {
                let ask = |_| {
                    let (cx, question) = (cx.clone(), question.clone());
                    runtime.spawn(async move {
                        for _ in 0..count.div_ceil(AT_ONCE) {
                            cx.multimedia_auth(&question).await.expect("an answer");
                        }
                    })
                };
                for asking in (0..AT_ONCE).map(ask).collect::<Vec<_>>() {
                    asking.await.expect("every question was answered");
                }
            });
            started.elapsed()
        });
    });
}

/// Questions under way at the same time.
const AT_ONCE: u64 = 256;

/// An S-CSCF's side, connected to an HSS with one subscriber, and a question about it.
async fn connected() -> (CxHss, imscore_hss::MultimediaAuthRequest) {
    let private: PrivateIdentity = IMPI.parse().expect("an identity");
    let public: PublicIdentity = IMPU.parse().expect("an identity");
    let digest = DigestCredentials::from_password(&private, REALM, "secret").expect("a password");
    let subscriber = Subscription::new(private.clone(), [public.clone()], Credentials::Digest(digest));
    let hss = Hss::with_subscribers(subscriber, [0; 32]).expect("one subscriber");
    let node = |host: &str, peer| Settings::new(Origin::new(host, REALM), vec![(TGPP, ApplicationId::CX)], vec![peer]);
    let listen = Some(([127, 0, 0, 1], 0).into());
    let there = Diameter::start(node(HSS, PeerSettings::accept(HOST, REALM)), listen).await;
    let (there, requests) = there.expect("a free port");
    let address = there.local_addr().expect("it listens").to_string();
    tokio::spawn(serve_cx(there, requests, hss.clone(), hss.scscf_nodes()));
    let here = Diameter::start(node(HOST, PeerSettings::connect(HSS, REALM, address)), None).await;
    let (here, requests) = here.expect("nothing to listen on");
    assert!(here.until_up(HSS).await);
    let scscf: ServerName = "sip:scscf.ims.example".parse().expect("a name");
    let cx = CxHss::new(here, requests, CxSettings::new(REALM, scscf.clone()));
    (cx, imscore_hss::MultimediaAuthRequest::new(private, public, scscf))
}

criterion_group!(benches, codec, questions);
criterion_main!(benches);
