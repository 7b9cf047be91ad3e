//! A softphone without sound: `softphone --call sip:bob@127.0.0.1:5070` calls for a second, without `--call` it answers.
use clap::Parser;
use imscore_sip::tokio::{ListenAddress, Settings, ua::Phone};
use imscore_sip::{Uri, sdp::SessionDescription, ua::Binding, ua::OutboundProxy};

#[derive(Parser)]
struct Flags {
    #[arg(long, default_value = "udp:127.0.0.1:0")]
    listen: ListenAddress,
    #[arg(long, default_value = "sip:alice@ims.example")]
    identity: Uri,
    #[arg(long, default_value = "")]
    password: String,
    #[arg(long, requires = "password")]
    proxy: Option<OutboundProxy>,
    #[arg(long)]
    call: Option<Uri>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Flags { listen, identity, password, proxy, call } = Flags::parse();
    let (binding, sound) = (Binding::of(&identity), SessionDescription::audio("127.0.0.1:4000".parse()?));
    let (names, to) = (Settings::default().with_system_names(), proxy.clone());
    let phone = Phone::bind_with(names, [listen], |it| it.with_account(identity, &password).with_proxy(to)).await?;
    println!("listening on {}", phone.listeners()[0].sent_by);
    let _registration = if proxy.is_some() { Some(phone.register(binding).await?) } else { None };
    if let Some(target) = call {
        let mut call = phone.call(&target, Some(&sound)).await?;
        println!("answered with {}", call.answered().await?.status());
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        call.hang_up().await;
        return Ok(());
    }
    while let Some(incoming) = phone.incoming().await {
        incoming.answer(&sound).await?.ended().await;
        println!("the call is over");
    }
    Ok(())
}
