//! A phone with a USIM at the whole core: what reaches it, and what it takes to be registered.

use std::sync::Arc;

use imscore_hss::testing::{Command, Fault, FaultyHss};
use imscore_hss::vector::{AkaCredentials, Milenage, Usim, UsimAnswer};
use imscore_hss::{Credentials, Hss, HssError, PublicIdentity, Subscription};
use imscore_sip::auth::{AkaAnswer, AkaChallenge, AkaKeys, AkaLogin, AkaResponse, Question};
use imscore_sip::header::WwwAuthenticate;
use imscore_sip::testing::Ladder;
use imscore_sip::{Message, Method};

use super::core::ladder_over;

const ASKS: &str = "
    carol -> core  REGISTER sip:ims.example  From=<sip:carol@ims.example> To=<sip:carol@ims.example>
                   | Authorization='Digest username=\"carol@ims.example\", realm=\"ims.example\", nonce=\"\",
                   | uri=\"sip:ims.example\", response=\"\"'
    core -> carol  401  WWW-Authenticate~=AKAv1-MD5";

fn credentials() -> AkaCredentials {
    AkaCredentials::new(Milenage::new(&[1; 16], &[2; 16]), [0x80, 0])
}

/// Carol, with a USIM, and the HSS that knows her.
fn ladder() -> (Ladder, Arc<FaultyHss<Hss>>) {
    let identity: PublicIdentity = "sip:carol@ims.example".parse().unwrap();
    let private = "carol@ims.example".parse().unwrap();
    let carol = Subscription::new(private, [identity], Credentials::Aka(credentials())).unwrap();
    let hss = Arc::new(FaultyHss::new(Hss::with_subscribers([carol], [0; 32]).unwrap()));
    (ladder_over(hss.clone()).peer("carol", "udp:192.0.2.3:5060"), hss)
}

/// The challenge that reached the phone last, held to what a phone may have of it (I13).
fn challenge(ladder: &mut Ladder) -> WwwAuthenticate {
    let mut sent = ladder.network().trace().sent().filter(|sent| sent.to.address.to_string() == "192.0.2.3:5060");
    let bytes = sent.next_back().unwrap().bytes.clone();
    let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    assert!(!text.contains("ck=") && !text.contains("ik="), "{text}");
    let Message::Response(response) = Message::parse(bytes).unwrap() else { panic!("a response") };
    response.headers.first().unwrap()
}

/// The Authorization of whoever has this card.
fn answer(challenge: &WwwAuthenticate, usim: &mut Usim) -> String {
    let card = |asked: &AkaChallenge| match usim.authenticate(&asked.rand, &asked.autn) {
        UsimAnswer::Response { res, ck, ik } => AkaAnswer::Response {
            res: AkaResponse::new(res.expose()),
            keys: AkaKeys { ck: ck.expose().try_into().unwrap(), ik: ik.expose().try_into().unwrap() },
        },
        UsimAnswer::SynchronisationFailure(auts) => AkaAnswer::SynchronisationFailure(auts),
        UsimAnswer::MacFailure | _ => AkaAnswer::MacFailure,
    };
    let question = Question::read(challenge).unwrap();
    let login = AkaLogin::new("carol@ims.example", "ims.example");
    let (credentials, _) = login.answer(&question, &Method::Register, "sip:ims.example", b"", "c", card).unwrap();
    credentials.to_string()
}

fn answers(authorization: &str, response: &str) -> String {
    format!(
        "carol -> core  REGISTER sip:ims.example  From=<sip:carol@ims.example> To=<sip:carol@ims.example>
                        | Authorization='{authorization}'
         core -> carol  {response}"
    )
}

/// TS 24.229 §5.2.2, §5.4.1.2.1; I13.
#[test]
fn i13_keys_stay_in_the_core() {
    let (mut ladder, _) = ladder();
    ladder.run(ASKS);
    let authorization = answer(&challenge(&mut ladder), &mut Usim::new(credentials()));
    ladder.run(&answers(&authorization, "200  P-Associated-URI~=carol Service-Route~=scscf"));
}

/// TS 33.203 §6.1.3.
#[test]
fn a_usim_that_is_ahead_finds_back() {
    let (mut ladder, _) = ladder();
    let mut usim = Usim::new(credentials()).with_seq(5_000);
    ladder.run(ASKS);
    let lost = answer(&challenge(&mut ladder), &mut usim);
    assert!(lost.contains("auts="), "{lost}");
    ladder.run(&answers(&lost, "401  WWW-Authenticate~=AKAv1-MD5"));
    let authorization = answer(&challenge(&mut ladder), &mut usim);
    ladder.run(&answers(&authorization, "200"));
}

/// The HSS is away between challenge and answer: no 403, and the same answer is good afterwards no more.
#[test]
fn an_hss_that_restarts_in_mid_registration() {
    let (mut ladder, hss) = ladder();
    let mut usim = Usim::new(credentials());
    ladder.run(ASKS);
    let first = answer(&challenge(&mut ladder), &mut usim);
    hss.fail_next(Command::ServerAssignment, Fault::Answer(HssError::Unreachable));
    ladder.run(&answers(&first, "504"));
    ladder.run(&answers(&first, "401"));
    let second = answer(&challenge(&mut ladder), &mut usim);
    ladder.run(&answers(&second, "200"));
}
