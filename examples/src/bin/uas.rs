//! A phone that answers every call and plays back what it hears. 100, ACK, BYE, CANCEL and repetitions are the library's.
//!
//! ```text
//! cargo run --release --bin uas -- --listen 127.0.0.1:5070 --media 127.0.0.1:5080
//! sipp -sn uac 127.0.0.1:5070
//! ```

use std::fmt::Write as _;
use std::net::SocketAddr;

use clap::Parser;
use imscore_sip::sdp::SessionDescription;
use imscore_sip::tokio::{Endpoint, ListenAddress, Shutdown, now, seed};
use imscore_sip::transport::Transport;
use imscore_sip::ua::{Config, Event, UserAgent};
use imscore_sip::{Method, Now, Owned, Request, Response, StatusCode, transaction};
use tokio::net::UdpSocket;

/// A phone that answers every call and plays back what it hears.
#[derive(Parser)]
struct Flags {
    /// Address to listen on, by UDP and TCP.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5070")]
    listen: SocketAddr,
    /// Address for RTP.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5080")]
    media: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let media = UdpSocket::bind(flags.media).await?;
    let rtp = media.local_addr()?;
    tokio::spawn(play_back(media));
    let key = seed()?;
    let addresses = [Transport::Udp, Transport::Tcp].map(|transport| ListenAddress::new(transport, flags.listen));
    let endpoint = Endpoint::bind(addresses, |listeners| {
        let agent = UserAgent::new(Config::new(transaction::Config::new(key, listeners)), now());
        Owned::new(agent, now(), move |agent: &mut UserAgent, event, now| on_event(agent, event, rtp, now))
    })
    .await?;
    for listener in endpoint.listeners() {
        println!("listening on {} {}", listener.transport, listener.sent_by);
    }
    endpoint.run(Shutdown::new()).await;
    Ok(())
}

fn on_event(agent: &mut UserAgent, event: Event, rtp: SocketAddr, now: Now) {
    let Event::Request { id, request, .. } = event else { return println!("{event:?}") };
    println!("{} {}", request.method(), request.headers.call_id().unwrap_or_default());
    let responded = if request.is(&Method::Invite) {
        let ringing = agent.respond(id, request.reply(StatusCode::RINGING), now);
        ringing.and_then(|()| agent.respond(id, accept(&request, rtp), now))
    } else if request.is(&Method::Update) {
        agent.respond(id, accept(&request, rtp), now)
    } else {
        agent.respond(id, request.reply(StatusCode::OK), now)
    };
    if let Err(error) = responded {
        println!("cannot respond: {error}");
    }
}

/// Takes the audio of an offer with its first codec, and nothing else (RFC 3264 §6). Without an offer it makes one.
fn accept(invite: &Request, rtp: SocketAddr) -> Response {
    let family = if rtp.is_ipv4() { "IP4" } else { "IP6" };
    let ip = rtp.ip();
    let mut sdp = format!("v=0\r\no=uas 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n");
    match SessionDescription::parse(invite.body()) {
        Ok(offer) => {
            for media in offer.media() {
                let format = media.formats().next().unwrap_or("0");
                let port = if media.kind() == "audio" { rtp.port() } else { 0 };
                // Writing to a String cannot fail.
                let _ = write!(sdp, "m={} {port} {} {format}\r\n", media.kind(), media.protocol());
                if let Some(map) = media.values("rtpmap").find(|map| map.split(' ').next() == Some(format)) {
                    let _ = write!(sdp, "a=rtpmap:{map}\r\n");
                }
            }
        }
        Err(_) if invite.body().is_empty() => sdp.push_str(&format!("m=audio {} RTP/AVP 0\r\n", rtp.port())),
        Err(_) => return invite.reply(StatusCode::NOT_ACCEPTABLE_HERE),
    }
    invite.reply(StatusCode::OK).with_body("application/sdp", sdp)
}

async fn play_back(socket: UdpSocket) {
    let mut packet = [0; 2_048];
    loop {
        if let Ok((length, from)) = socket.recv_from(&mut packet).await {
            // A packet that is lost is silence for 20 ms.
            let _ = socket.send_to(&packet[..length], from).await;
        }
    }
}
