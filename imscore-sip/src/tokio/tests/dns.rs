//! Questions to a name server on loopback: threat D12, and what RFC 1035 asks of who asks.

use hickory_net::proto::op::{Message as DnsMessage, Metadata, Query, ResponseCode};
use hickory_net::proto::rr::rdata::{A, AAAA, CNAME, NAPTR, SOA, SRV};
use hickory_net::proto::rr::{Name, RData, Record as DnsRecord, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::super::dns::NO_NAME;
use super::*;
use crate::ByteString;
use crate::resolve::Record;

/// What a zone says of a question.
enum Says {
    /// Records, each with its time to live in seconds.
    Records(Vec<(u32, RData)>),
    /// The name is an alias; what it leads to comes along.
    Alias(&'static str, Vec<(u32, RData)>),
    /// Nothing, by this code, for as long as the zone's start says.
    Nothing(ResponseCode, Option<u32>),
    Silence,
}

type Zone = fn(&str, RecordType) -> Says;

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

fn address(last: u8) -> RData {
    RData::A(A::new(192, 0, 2, last))
}

fn srv(number: u16) -> RData {
    RData::SRV(SRV::new(number, 1, 5_060, name(&format!("host-{number}.ims.example"))))
}

fn reply(bytes: &[u8], zone: Zone) -> Option<DnsMessage> {
    let asked = DnsMessage::from_vec(bytes).unwrap();
    let query: &Query = &asked.queries[0];
    let text = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let mut reply = DnsMessage::response(asked.metadata.id, asked.metadata.op_code);
    reply.metadata = Metadata::response_from_request(&asked.metadata);
    reply.add_query(query.clone());
    let mut put = |owner: &Name, ttl: u32, data: RData| {
        reply.add_answer(DnsRecord::from_rdata(owner.clone(), ttl, data));
    };
    match zone(&text, query.query_type()) {
        Says::Records(records) => records.into_iter().for_each(|(ttl, data)| put(query.name(), ttl, data)),
        Says::Alias(alias, records) => {
            put(query.name(), 300, RData::CNAME(CNAME(name(alias))));
            records.into_iter().for_each(|(ttl, data)| put(&name(alias), ttl, data));
        }
        Says::Nothing(code, minimum) => {
            reply.metadata.response_code = code;
            let soa = |minimum| RData::SOA(SOA::new(name("ns.example"), name("a.example"), 1, 1, 1, 1, minimum));
            if let Some(minimum) = minimum {
                reply.add_authority(DnsRecord::from_rdata(name("example"), 3_600, soa(minimum)));
            }
        }
        Says::Silence => return None,
    }
    Some(reply)
}

/// A name server on loopback. Datagrams hold 1,232 bytes; what is longer is cut short there.
async fn serve(zone: Zone) -> SocketAddr {
    let datagrams = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = datagrams.local_addr().unwrap();
    let streams = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1_500];
        loop {
            let (length, from) = datagrams.recv_from(&mut buffer).await.unwrap();
            let Some(reply) = reply(&buffer[..length], zone) else { continue };
            let bytes = reply.to_vec().unwrap();
            let bytes = if bytes.len() > 1_232 { reply.truncate().to_vec().unwrap() } else { bytes };
            datagrams.send_to(&bytes, from).await.unwrap();
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = streams.accept().await.unwrap();
            let length = stream.read_u16().await.unwrap();
            let mut bytes = vec![0; usize::from(length)];
            stream.read_exact(&mut bytes).await.unwrap();
            let reply = reply(&bytes, zone).unwrap().to_vec().unwrap();
            stream.write_u16(reply.len() as u16).await.unwrap();
            stream.write_all(&reply).await.unwrap();
        }
    });
    address
}

async fn ask(zone: Zone, question: Question) -> Answer {
    NameServers::new([serve(zone).await]).answer(&question).await
}

fn a(name: &str) -> Question {
    Question::A(name.into())
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn addresses(last: &[u8]) -> Vec<Record> {
    last.iter().map(|last| Record::Address([192, 0, 2, *last].into())).collect()
}

#[tokio::test]
async fn records_of_every_type_come_with_the_shortest_of_their_times() {
    fn zone(_: &str, kind: RecordType) -> Says {
        let naptr = |flags: &str, service: &str, to| {
            NAPTR::new(10, 20, flags.as_bytes().into(), service.as_bytes().into(), Box::default(), name(to))
        };
        let all = [
            (60, address(1)),
            (30, address(2)),
            (5, RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))),
            (60, RData::SRV(SRV::new(1, 2, 5_070, name("A.ims.example")))),
            (60, RData::NAPTR(naptr("s", "SIP+D2U", "_sip._udp.ims.example"))),
        ];
        Says::Records(all.into_iter().filter(|(_, data)| data.record_type() == kind).collect())
    }
    let server = NameServers::new([serve(zone).await]);
    let says = async |question| server.answer(&question).await;
    assert_eq!(says(a("ims.example")).await, Answer::Records(addresses(&[1, 2]), seconds(30)));
    let v6 = Record::Address("2001:db8::1".parse().unwrap());
    assert_eq!(says(Question::Aaaa("ims.example".into())).await, Answer::Records(vec![v6], seconds(5)));
    let srv = Record::Srv { priority: 1, weight: 2, port: 5_070, target: "A.ims.example.".into() };
    assert_eq!(says(Question::Srv("_sip._udp.ims.example".into())).await, Answer::Records(vec![srv], seconds(60)));
    let naptr = Record::Naptr {
        order: 10,
        preference: 20,
        flags: "s".into(),
        service: "SIP+D2U".into(),
        replacement: "_sip._udp.ims.example.".into(),
    };
    assert_eq!(says(Question::Naptr("ims.example".into())).await, Answer::Records(vec![naptr], seconds(60)));
}

/// RFC 2308 §5: how long it holds that there is nothing; without a start of the zone not at all.
#[tokio::test]
async fn nothing_is_an_answer_and_failure_is_none() {
    fn zone(name: &str, _: RecordType) -> Says {
        match name {
            "none.example" => Says::Nothing(ResponseCode::NXDomain, Some(90)),
            "empty.example" => Says::Nothing(ResponseCode::NoError, Some(9)),
            "unsigned.example" => Says::Nothing(ResponseCode::NoError, None),
            "fails.example" => Says::Nothing(ResponseCode::ServFail, None),
            _ => Says::Nothing(ResponseCode::Refused, None),
        }
    }
    assert_eq!(ask(zone, a("none.example")).await, Answer::Records(vec![], seconds(90)));
    assert_eq!(ask(zone, a("empty.example")).await, Answer::Records(vec![], seconds(9)));
    assert_eq!(ask(zone, a("unsigned.example")).await, Answer::Records(vec![], seconds(0)));
    assert_eq!(ask(zone, a("fails.example")).await, Answer::Failed);
    assert_eq!(ask(zone, a("refused.example")).await, Answer::Failed);
    for no_name in [format!("{}.example", "x".repeat(64)), "a..example".into(), "x.".repeat(200)] {
        assert_eq!(ask(zone, a(&no_name)).await, Answer::Records(vec![], NO_NAME), "{no_name}");
    }
}

/// RFC 1034 §3.6.2, threat D12: aliases are followed, within one answer and by more questions, eight and no more.
#[tokio::test]
async fn aliases_are_followed_to_an_end() {
    fn zone(name: &str, _: RecordType) -> Says {
        let steps = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];
        match name {
            "whole.example" => Says::Alias("a.example", vec![(60, address(1))]),
            "half.example" => Says::Alias("a.example", vec![]),
            "a.example" | "s9" => Says::Records(vec![(600, address(2))]),
            "circle.example" => Says::Alias("circle.example", vec![]),
            "ping.example" => Says::Alias("pong.example", vec![]),
            "pong.example" => Says::Alias("ping.example", vec![]),
            step => Says::Alias(steps[steps.iter().position(|it| *it == step).unwrap() + 1], vec![]),
        }
    }
    assert_eq!(ask(zone, a("whole.example")).await, Answer::Records(addresses(&[1]), seconds(60)));
    assert_eq!(ask(zone, a("half.example")).await, Answer::Records(addresses(&[2]), seconds(300)));
    for (name, is_found) in
        [("s2", true), ("s1", true), ("s0", false), ("circle.example", false), ("ping.example", false)]
    {
        let expected = if is_found { Answer::Records(addresses(&[2]), seconds(300)) } else { Answer::Failed };
        assert_eq!(ask(zone, a(name)).await, expected, "{name}");
    }
}

/// Threat D12: thousands of records come by TCP, and 64 of them are read.
#[tokio::test]
async fn an_answer_too_long_for_a_datagram_comes_by_tcp() {
    fn zone(name: &str, _: RecordType) -> Says {
        let count = name.split('.').next().unwrap().parse().unwrap();
        Says::Records((0..count).map(|number| (60, srv(number))).collect())
    }
    for (count, read) in [(63, 63), (64, 64), (65, 64), (1_000, 64)] {
        let answer = ask(zone, Question::Srv(format!("{count}.example").into())).await;
        let Answer::Records(records, ttl) = answer else { panic!("{answer:?}") };
        assert_eq!((records.len(), ttl), (read, seconds(60)), "{count}");
    }
}

/// A server that is silent, or that refuses, is passed over for the next.
#[tokio::test]
async fn servers_are_asked_in_turn() {
    let silent = serve(|_, _| Says::Silence).await;
    let refuses = serve(|_, _| Says::Nothing(ResponseCode::Refused, None)).await;
    let good = serve(|_, _| Says::Records(vec![(60, address(1))])).await;
    let answer = NameServers::new([refuses, silent, good]).answer(&a("ims.example")).await;
    assert_eq!(answer, Answer::Records(addresses(&[1]), seconds(60)));
    assert_eq!(NameServers::new([]).answer(&a("ims.example")).await, Answer::Failed);
}

fn asks(rig: &Rig, names: impl Iterator<Item = ByteString> + Send + 'static) {
    rig.tell(|echo| echo.outputs.extend(names.map(|name| Output::Ask(Question::A(name)))));
}

/// Threat D12: as many questions as there may be wait for a silent server; messages pass, one question more fails at once,
/// and all are over in time.
#[tokio::test]
async fn questions_that_wait_hold_up_nothing() {
    let silent = serve(|_, _| Says::Silence).await;
    let settings = Settings { name_servers: Some(NameServers::new([silent])), ..Settings::default() };
    let mut rig = Rig::new(&["udp:127.0.0.1:0"], settings).await;
    asks(&rig, (0..512).map(|number| format!("h{number}.example").into()));
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    phone.send_to(options("1", Transport::Udp).as_bytes(), rig.addresses[0]).await.unwrap();
    assert!(matches!(rig.next().await, Seen::Request(_)));
    asks(&rig, std::iter::once("one.example".into()));
    assert_eq!(rig.next().await, Seen::Answered(None));
    assert_eq!(rig.counters.questions_failed.total(), 1);
    for _ in 0..512 {
        assert_eq!(rig.next().await, Seen::Answered(None));
    }
    assert_eq!((rig.counters.questions.total(), rig.counters.questions_failed.total()), (513, 513));
}

/// An answer reaches the engine that asked; without a name server the answer is that there is none.
#[tokio::test]
async fn an_engine_gets_its_answer() {
    let server = serve(|_, _| Says::Records(vec![(60, address(1)), (60, address(2))])).await;
    for (servers, expected) in [(Some(NameServers::new([server])), Some(2)), (None, None)] {
        let settings = Settings { name_servers: servers, ..Settings::default() };
        let mut rig = Rig::new(&["udp:127.0.0.1:0"], settings).await;
        asks(&rig, std::iter::once("one.example".into()));
        assert_eq!(rig.next().await, Seen::Answered(expected));
    }
}

/// RFC 3263 §4.3, threat D12: a proxy under its driver. A request for a name that nobody answers for is under way; another's first
/// address has nobody, which ICMP tells, and its second answers.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_proxy_sends_to_the_next_address_of_a_name() {
    use crate::proxy::{self, Hop, Proxy};
    use crate::{Owned, transaction};

    fn zone(name: &str, _: RecordType) -> Says {
        match name {
            "far.example" => Says::Records([2, 1].map(|last| (60, RData::A(A::new(127, 0, 0, last)))).into()),
            _ => Says::Silence,
        }
    }
    let settings = Settings { name_servers: Some(NameServers::new([serve(zone).await])), ..Settings::default() };
    let proxy = Endpoint::bind_with(settings, ["udp:127.0.0.1:0".parse().unwrap()], |listeners| {
        let config = proxy::Config::new(transaction::Config::new([7; 32], listeners));
        Owned::new(Proxy::new(config, now()), now(), |proxy: &mut Proxy, event, now| match event {
            proxy::Event::Request { id, request, .. } => {
                proxy.fork(id, [(request, Hop::Name)].into_iter().collect(), now);
                proxy.close(id, now);
            }
            proxy::Event::Response { id, branch, response } => proxy.pass(id, branch, response, now),
            proxy::Event::Ack { .. } | proxy::Event::Cancelled { .. } | proxy::Event::Ended { .. } => {}
            proxy::Event::Answer { .. } | proxy::Event::FlowLost { .. } => {}
        })
    });
    let proxy = proxy.await.unwrap();
    let address: SocketAddr = proxy.listeners()[0].sent_by.parse().unwrap();
    tokio::spawn(proxy.run(Shutdown::new()));

    let [alice, bob] = [UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap()];
    let port = bob.local_addr().unwrap().port();
    let request = |call_id, host: &str| {
        let text = options(call_id, Transport::Udp).replacen("bob@ims.example", &format!("bob@{host}:{port}"), 1);
        text.replacen(";branch", ";rport;branch", 1)
    };
    let mut buffer = [0; 2_000];
    alice.send_to(request("1", "slow.example").as_bytes(), address).await.unwrap();
    alice.send_to(request("2", "far.example").as_bytes(), address).await.unwrap();
    let (length, from) = within(bob.recv_from(&mut buffer)).await.unwrap();
    let Message::Request(request) = Message::parse(Bytes::copy_from_slice(&buffer[..length])).unwrap() else {
        panic!("a request")
    };
    bob.send_to(&request.reply(StatusCode::OK).to_bytes(), from).await.unwrap();
    let (length, _) = within(alice.recv_from(&mut buffer)).await.unwrap();
    let Message::Response(response) = Message::parse(Bytes::copy_from_slice(&buffer[..length])).unwrap() else {
        panic!("a response")
    };
    assert_eq!(
        (response.status(), response.headers.raw(crate::header::Name::CALL_ID)),
        (StatusCode::OK, Some(&b"2"[..]))
    );
}

/// RFC 3263 §4.3: a phone under its driver calls a name whose first address has nobody.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_phone_calls_a_name() {
    use crate::sdp::SessionDescription;
    use crate::tokio::ua::Phone;

    fn zone(name: &str, _: RecordType) -> Says {
        match name {
            "far.example" => Says::Records([2, 1].map(|last| (60, RData::A(A::new(127, 0, 0, last)))).into()),
            _ => Says::Silence,
        }
    }
    let sound = SessionDescription::audio("127.0.0.1:4000".parse().unwrap());
    let settings = Settings { name_servers: Some(NameServers::new([serve(zone).await])), ..Settings::default() };
    let listen = || ["udp:127.0.0.1:0".parse().unwrap()];
    let bob = Phone::bind(listen(), |config| config).await.unwrap();
    let alice = Phone::bind_with(settings, listen(), |config| config).await.unwrap();
    let port = bob.listeners()[0].sent_by.rsplit_once(':').unwrap().1.to_owned();
    let mut call = alice.call(&format!("sip:bob@far.example:{port}").parse().unwrap(), Some(&sound)).await.unwrap();
    let incoming = within(bob.incoming()).await.unwrap();
    let mut answered = incoming.answer(&sound).await.unwrap();
    assert_eq!(within(call.answered()).await.unwrap().status(), StatusCode::OK);
    call.hang_up().await;
    within(answered.ended()).await;
}

/// RFC 5922 §7.3: over TLS a phone reaches the domain that it has looked up, and not another one that leads to the same address.
#[cfg(feature = "tls")]
#[tokio::test]
async fn a_certificate_is_for_the_name_that_was_looked_up() {
    use crate::message::{Method, Request};
    use crate::tokio::ua::Phone;

    fn zone(name: &str, _: RecordType) -> Says {
        match name {
            "ims.example" | "other.example" => Says::Records(vec![(60, RData::A(A::new(127, 0, 0, 1)))]),
            _ => Says::Silence,
        }
    }
    let (server, client) = super::tls::named(&["ims.example"]);
    let client = Settings { name_servers: Some(NameServers::new([serve(zone).await])), ..client };
    let listen = || ["tls:127.0.0.1:0".parse().unwrap()];
    let bob = Phone::bind_with(server, listen(), |config| config).await.unwrap();
    let alice = Phone::bind_with(client, listen(), |config| config).await.unwrap();
    let port = bob.listeners()[0].sent_by.rsplit_once(':').unwrap().1.to_owned();
    let ask = async |domain: &str| {
        let options = Request::new(&Method::Options, format!("sip:bob@{domain}:{port};transport=tls").as_str());
        within(alice.request(options)).await
    };
    for (domain, is_reached) in [("ims.example", true), ("other.example", false), ("ims.example", true)] {
        assert_eq!(ask(domain).await.is_ok_and(|response| response.status() == StatusCode::OK), is_reached, "{domain}");
    }
}
