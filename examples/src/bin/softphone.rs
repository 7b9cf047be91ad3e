//! A softphone without sound: `softphone --call sip:bob@127.0.0.1:5070` calls for a second, without `--call` it answers.

use clap::Parser;
use imscore_sip::tokio::{ListenAddress, ua::Phone};
use imscore_sip::{Uri, sdp::SessionDescription, transport::Address, ua::Binding};

/// A softphone without sound.
#[derive(Parser)]
struct Flags {
    #[arg(long, default_value = "udp:127.0.0.1:0")]
    listen: ListenAddress,
    #[arg(long, default_value = "sip:alice@ims.example")]
    identity: Uri,
    /// Where requests go first, and where the phone registers: udp:127.0.0.1:5060
    #[arg(long, requires = "password")]
    proxy: Option<Address>,
    #[arg(long, default_value = "")]
    password: String,
    #[arg(long)]
    call: Option<Uri>,
}

const SOUND: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Flags { listen, identity, proxy, password, call } = Flags::parse();
    let (name, sound) = (identity.address_of_record(), SessionDescription::parse(SOUND.into())?);
    let (user, domain) = name.trim_start_matches("sip:").split_once('@').unwrap_or_default();
    let phone = Phone::bind([listen], |config| {
        let config = config.with_identity(identity).with_login(&format!("{user}@{domain}"), &password, domain);
        if let Some(proxy) = proxy { config.with_proxy(proxy) } else { config }
    });
    let phone = phone.await?;
    println!("listening on {}", phone.listeners()[0].sent_by);
    let registrar = Binding::new(format!("sip:{domain}").parse()?);
    let _registration = if proxy.is_some() { Some(phone.register(registrar).await?) } else { None };
    if let Some(target) = call {
        let mut call = phone.call(&target, Some(&sound)).await?;
        println!("answered with {}", call.answered().await?.status());
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        call.hang_up().await;
    } else {
        while let Some(incoming) = phone.incoming().await {
            incoming.ring().await?;
            incoming.answer(&sound).await?.ended().await;
            println!("the call is over");
        }
    }
    Ok(())
}
