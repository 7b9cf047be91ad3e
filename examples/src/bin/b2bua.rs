//! A back-to-back user agent: each call that comes in becomes a call of its own to the next server, with the same
//! descriptions, and both end together: `b2bua --listen udp:127.0.0.1:5080 --next 127.0.0.1:5070`

use clap::Parser;
use imscore_sip::tokio::ua::{CallError, Incoming, Phone};
use imscore_sip::tokio::{ListenAddress, Settings};

/// A back-to-back user agent.
#[derive(Parser)]
struct Flags {
    #[arg(long, default_value = "udp:127.0.0.1:5080")]
    listen: ListenAddress,
    /// Where calls go on to: a name, or an address with its port.
    #[arg(long)]
    next: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let phone = Phone::bind_with(Settings::default().with_system_names(), [flags.listen], |config| config).await?;
    println!("listening on {}", phone.listeners()[0].sent_by);
    while let Some(incoming) = phone.incoming().await {
        let (phone, next) = (phone.clone(), flags.next.clone());
        tokio::spawn(async move {
            if let Err(error) = bridge(&phone, incoming, &next).await {
                println!("a call went no further: {error}");
            }
        });
    }
    Ok(())
}

/// What is dropped on the way out hangs up, or gets 500.
async fn bridge(phone: &Phone, mut caller: Incoming, next: &str) -> anyhow::Result<()> {
    let user = caller.request().uri()?.as_sip().and_then(|uri| uri.user().map(str::to_owned)).unwrap_or_default();
    let mut callee = phone.call(&format!("sip:{user}@{next}").parse()?, caller.offer().as_ref()).await?;
    loop {
        let progress = tokio::select! {
            () = caller.cancelled() => return Ok(()),
            progress = callee.progress() => progress,
        };
        match progress {
            Ok(response) if response.status().is_success() => break,
            Ok(_) => caller.ring().await?,
            Err(CallError::Refused(response)) => return Ok(caller.refuse(response.status()).await?),
            Err(error) => return Err(error.into()),
        }
    }
    let agreed = callee.agreed().await.ok_or(CallError::Ended)?;
    let mut caller = caller.answer(&agreed.remote).await?;
    tokio::select! {
        () = caller.ended() => println!("the caller hung up"),
        () = callee.ended() => println!("the callee hung up"),
    }
    Ok(())
}
