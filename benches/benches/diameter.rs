//! The Diameter codec: every command of Cx, written, walked through, and read with every AVP typed; and questions over TCP.

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use imscore_benches::cx::{COMMANDS, Command, HOST, HSS, IMPI, IMPU, REALM};
use imscore_hss::diameter::dictionary::TGPP;
use imscore_hss::diameter::{ApplicationId, Message, Origin};
use imscore_hss::peer::{PeerSettings, Settings};
use imscore_hss::tokio::{CxHss, CxSettings, Diameter, serve_cx};
use imscore_hss::{
    Credentials, DigestCredentials, Hss, HssCache, PrivateIdentity, PublicIdentity, ServerName, Subscription,
};
use tokio::runtime::Builder;

fn codec(criterion: &mut Criterion) {
    for Command { name, write, read } in COMMANDS {
        let bytes = write();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("write", |bencher| bencher.iter(|| black_box(write())));
        group.bench_function("walk", |bencher| {
            let message = Message::parse(bytes.clone()).expect("what was written is a message");
            bencher.iter(|| black_box(&message).avps().filter(Result::is_ok).count());
        });
        group.bench_function("read", |bencher| bencher.iter(|| assert!(read(black_box(&bytes)))));
        group.finish();
    }
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
