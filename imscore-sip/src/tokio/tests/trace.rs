use tokio::net::UdpSocket;

use super::*;
use crate::tokio::TraceFile;
use crate::trace::{Event, Record};

struct Paper(mpsc::UnboundedSender<Vec<u8>>);

impl std::io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_line_a_message_is_written() {
    let (paper, mut written) = mpsc::unbounded_channel();
    let trace = Some(TraceFile::new("uas", Paper(paper)).unwrap());
    let settings = Settings { trace, ..Settings::default() };
    let mut rig = Rig::new(&["udp:127.0.0.1:0"], settings).await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let malformed = options("2", Transport::Udp).replace("SIP/2.0\r\n", "SIP/9.0\r\n");
    for text in [options("1", Transport::Udp), malformed] {
        peer.send_to(text.as_bytes(), rig.addresses[0]).await.unwrap();
        rig.next().await;
    }
    let mut text = Vec::new();
    while text.split(|byte| *byte == b'\n').count() < 4 {
        text.extend(within(written.recv()).await.expect("a line"));
    }
    let text = String::from_utf8(text).unwrap();
    let records: Vec<Record> = text.lines().map(|line| Record::from_json(line).unwrap()).collect();
    let [request, answer, malformed, ..] = &records[..] else { panic!("{text}") };
    assert!(matches!(&request.event, Event::Message(message) if message.status.is_none() && message.raw.is_none()));
    assert!(matches!(&answer.event, Event::Message(message) if message.status == Some(200)));
    assert!(matches!(&malformed.event, Event::Malformed { .. }), "{text}");
}
