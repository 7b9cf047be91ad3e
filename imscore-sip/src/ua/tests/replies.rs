//! Where responses go when the connection of their request is gone, and where they never go.

use super::*;
use crate::message::Message;
use crate::testing::NameServer;

/// A call that comes in with this Via, over a connection that is gone before it is answered.
fn called(via: &str) -> Stage {
    let mut stage = Stage::over(Transport::Tcp, |config| config);
    stage.ladder.network().add_name_server(NameServer::new("far.example  A  192.0.2.66"));
    stage.run(&format!("proxy -> alice  INVITE sip:alice@192.0.2.1  {via}"));
    stage.ladder.network().disconnect("proxy", "alice");
    stage.ladder.network().settle();
    let (call, answer) = (stage.call(), offer(1));
    stage.alice(|alice, now| alice.answer(call, &answer, now).unwrap());
    stage.ladder.network().settle();
    stage
}

/// The same in a datagram.
fn called_by_datagram() -> Stage {
    let mut stage = Stage::new(|config| config);
    stage.ladder.network().report_unreachable(true);
    stage.ladder.network().add_name_server(NameServer::new("far.example  A  192.0.2.66"));
    stage.run(&format!("proxy -> alice  INVITE sip:alice@192.0.2.1  {}", via(Transport::Udp)));
    let (call, answer) = (stage.call(), offer(1));
    stage.alice(|alice, now| alice.answer(call, &answer, now).unwrap());
    stage
}

fn via(transport: Transport) -> String {
    format!("Via='SIP/2.0/{transport} far.example:5070;branch=z9hG4bKfar'")
}

/// RFC 3261 §18.2.2: another connection, to where the request came from with the port of its sent-by.
#[test]
fn a_response_whose_connection_is_gone_opens_another() {
    let mut stage = called("");
    stage.run("alice -> proxy  200\nproxy -> alice  ACK");
    stage.told(&["INVITE", "confirmed"]);
}

/// RFC 3263 §5 is not followed: a sent-by that is a name is never looked up, so that a stranger chooses no address that we send to
/// (threat D10).
#[test]
fn a_response_goes_to_no_host_that_a_via_names() {
    for (transport, mut stage) in
        [(Transport::Tcp, called(&via(Transport::Tcp))), (Transport::Udp, called_by_datagram())]
    {
        stage.ladder.network().run_for(std::time::Duration::from_secs(200));
        let network = stage.ladder.network();
        let all = network.trace().sent().filter(|sent| sent.from.name == "alice");
        let answers: Vec<std::net::SocketAddr> = all
            .filter(|sent| matches!(Message::parse(sent.bytes.clone()), Ok(Message::Response(_))))
            .map(|sent| sent.to.address)
            .collect();
        assert!(!answers.is_empty() || transport == Transport::Tcp, "{transport}");
        assert!(answers.iter().all(|to| *to == "192.0.2.9:5070".parse().unwrap()), "{transport} {answers:?}");
        assert_eq!(network.name_server().asked(), []);
    }
}
