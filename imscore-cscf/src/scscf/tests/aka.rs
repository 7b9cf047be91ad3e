//! Registration with a USIM (TS 24.229 §5.4.1.2.1 to §5.4.1.2.3, TS 33.203 §6.1).

use imscore_hss::testing::{Command, Fault};
use imscore_hss::vector::{AkaCredentials, Milenage, Usim, UsimAnswer};
use imscore_hss::{AuthScheme, HssError, MultimediaAuthRequest};
use imscore_sip::StatusCode;
use imscore_sip::auth::{AkaAnswer, AkaChallenge, AkaKeys, AkaLogin, AkaResponse, Algorithm};

use super::*;

fn card(k: u8) -> Usim {
    Usim::new(AkaCredentials::new(Milenage::new(&[k; 16], &[2; 16]), [0x80, 0]))
}

/// Bob, with a USIM.
fn bench_with(settings: Settings) -> Bench {
    let mut bench = Bench::with(settings);
    let private: PrivateIdentity = "bob@ims.example".parse().unwrap();
    let credentials = AkaCredentials::new(Milenage::new(&[1; 16], &[2; 16]), [0x80, 0]);
    let identity = "sip:bob@ims.example".parse().unwrap();
    bench.put(Subscription::new(private, [identity], Credentials::Aka(credentials)).unwrap());
    bench
}

fn bench() -> Bench {
    bench_with(Settings::new("scscf.ims.example", "icscf.ims.example"))
}

fn asked(usim: &mut Usim, challenge: &AkaChallenge) -> AkaAnswer {
    match usim.authenticate(&challenge.rand, &challenge.autn) {
        UsimAnswer::Response { res, ck, ik } => AkaAnswer::Response {
            res: AkaResponse::new(res.expose()),
            keys: AkaKeys { ck: ck.expose().try_into().unwrap(), ik: ik.expose().try_into().unwrap() },
        },
        UsimAnswer::SynchronisationFailure(auts) => AkaAnswer::SynchronisationFailure(auts),
        UsimAnswer::MacFailure | _ => AkaAnswer::MacFailure,
    }
}

/// The answer of a phone to a challenge.
fn answer(bench: &mut Bench, phone: &mut Phone, usim: impl FnOnce(&AkaChallenge) -> AkaAnswer) -> Response {
    let challenge = phone.challenge.take().unwrap();
    let mut register = phone.request(CONTACT);
    let question = auth::Question::read(&challenge).unwrap();
    let login = AkaLogin::new("bob@ims.example", "ims.example");
    let (credentials, _) = login.answer(&question, &Method::Register, "sip:ims.example", b"", "c", usim).unwrap();
    register.headers.push(&Authorization::from(credentials));
    let response = bench.send("", register).response();
    phone.challenge = response.headers.get().unwrap();
    response
}

/// A phone with a challenge.
fn challenged(bench: &mut Bench) -> Phone {
    let mut phone = Phone::new("bob");
    assert_eq!(phone.register(bench, CONTACT).status(), StatusCode::UNAUTHORIZED);
    phone
}

fn last_vectors(bench: &Bench) -> MultimediaAuthRequest {
    let asked = bench.hss.asked().into_iter().rev();
    let vectors = |question| match question {
        Question::MultimediaAuth(request) => Some(request),
        Question::UserAuthorization(_) | Question::ServerAssignment(_) | Question::LocationInfo(_) => None,
    };
    asked.into_iter().find_map(vectors).unwrap()
}

#[test]
fn a_usim_registers() {
    let mut bench = bench();
    let mut usim = card(1);
    let mut phone = challenged(&mut bench);
    let challenge = phone.challenge.clone().unwrap();
    let param = |name| challenge.param(name).map(|value| value.into_owned());
    assert_eq!(param("realm").as_deref(), Some("ims.example"));
    assert_eq!(param("algorithm").as_deref(), Some("AKAv1-MD5"));
    assert_eq!(param("stale"), None);
    // The keys are for the P-CSCF.
    let (_, keys) = AkaKeys::taken_from(&challenge);
    let given = AkaChallenge::from_nonce(&param("nonce").unwrap()).unwrap();
    let UsimAnswer::Response { ck, ik, .. } = card(1).authenticate(&given.rand, &given.autn) else { panic!() };
    assert_eq!(keys.map(|keys| (keys.ck.to_vec(), keys.ik.to_vec())), Some((ck.expose().into(), ik.expose().into())));

    let response = answer(&mut bench, &mut phone, |challenge| asked(&mut usim, challenge));
    assert_eq!(response.status(), StatusCode::OK, "{response:?}");
    assert_eq!(values(&response, "P-Associated-URI"), ["<sip:bob@ims.example>"]);
    assert_eq!(bench.assignments(), [AssignmentType::Registration]);

    // Again, and by another challenge.
    let vectors = bench.asked(is_multimedia_auth);
    assert_eq!(phone.register(&mut bench, CONTACT).status(), StatusCode::UNAUTHORIZED);
    assert_ne!(phone.challenge.as_ref().unwrap().param("nonce"), challenge.param("nonce"));
    let response = answer(&mut bench, &mut phone, |challenge| asked(&mut usim, challenge));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(bench.asked(is_multimedia_auth), vectors + 1);
    assert_eq!(bench.assignments()[1..], [AssignmentType::ReRegistration]);
}

/// RES is no password: a count beside it does not make it good again (I3).
#[test]
fn a_vector_is_good_once() {
    let mut bench = bench();
    let mut phone = challenged(&mut bench);
    let challenge = phone.challenge.take().unwrap();
    let given = AkaChallenge::from_nonce(&challenge.param("nonce").unwrap()).unwrap();
    let UsimAnswer::Response { res, .. } = card(1).authenticate(&given.rand, &given.autn) else { panic!() };
    // The first version is MD5 with RES for a password (RFC 3310 §3.3).
    let plain = challenge.without("algorithm").with("algorithm", "MD5");
    let question = auth::Question::read(&plain).unwrap();
    let login = Login::new("bob@ims.example", res.expose());
    for (count, status) in [(1, 200), (2, 401), (1, 401)] {
        let answer = login.answer(&question, &Method::Register, "sip:ims.example", b"", "c", count).unwrap();
        let mut register = phone.request(CONTACT);
        register.headers.push(&Authorization::from(answer.without("algorithm").with("algorithm", "AKAv1-MD5")));
        assert_eq!(bench.send("", register).status(), status, "{count}");
    }
    assert_eq!(bench.assignments(), [AssignmentType::Registration]);
}

/// RFC 3310 §3.4, TS 33.203 §6.1.3: the HSS is told where the USIM is, once for each challenge.
#[test]
fn a_usim_that_is_ahead() {
    let mut bench = bench();
    let mut usim = card(1).with_seq(1_000);
    let mut phone = challenged(&mut bench);
    let old = phone.challenge.clone();
    let rand = AkaChallenge::from_nonce(&old.as_ref().unwrap().param("nonce").unwrap()).unwrap().rand;
    let response = answer(&mut bench, &mut phone, |challenge| asked(&mut usim, challenge));
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let query = last_vectors(&bench);
    assert_eq!((query.scheme, query.resynchronisation.map(|lost| lost.rand)), (AuthScheme::Aka, Some(rand)));
    let response = answer(&mut bench, &mut phone, |challenge| asked(&mut usim, challenge));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(bench.assignments(), [AssignmentType::Registration]);

    // The same AUTS again is an answer to no challenge, and the HSS is not told.
    phone.challenge = old;
    let response = answer(&mut bench, &mut phone, |_| AkaAnswer::SynchronisationFailure([7; 14]));
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(last_vectors(&bench).resynchronisation, None);
}

#[test]
fn an_auts_that_no_usim_made() {
    let mut bench = bench();
    let mut phone = challenged(&mut bench);
    let response = answer(&mut bench, &mut phone, |_| AkaAnswer::SynchronisationFailure([7; 14]));
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let mut phone = challenged(&mut bench);
    bench.hss.fail_next(Command::MultimediaAuth, Fault::Answer(HssError::Unreachable));
    let response = answer(&mut bench, &mut phone, |_| AkaAnswer::SynchronisationFailure([7; 14]));
    assert_eq!(response.status(), StatusCode::SERVER_TIMEOUT);
}

#[test]
fn a_wrong_res_is_refused() {
    let mut bench = bench();
    let mut phone = challenged(&mut bench);
    let keys = || AkaKeys { ck: [0; 16], ik: [0; 16] };
    let wrong = |_: &AkaChallenge| AkaAnswer::Response { res: AkaResponse::new([0; 8]), keys: keys() };
    assert_eq!(answer(&mut bench, &mut phone, wrong).status(), StatusCode::FORBIDDEN);
    assert_eq!(bench.assignments(), [AssignmentType::AuthenticationFailure]);
}

/// TS 24.229 §5.1.1.5.3: a phone that takes the network for a false one sends no answer; the next challenge is another.
#[test]
fn a_phone_that_refuses_the_network() {
    let mut bench = bench();
    let mut phone = challenged(&mut bench);
    let refused = phone.challenge.take().unwrap();
    let nonce = refused.param("nonce").unwrap().into_owned();
    let lines = format!(
        "{CONTACT}\nAuthorization: Digest username=\"bob@ims.example\", realm=\"ims.example\", nonce=\"{nonce}\", uri=\"sip:ims.example\", response=\"\""
    );
    assert_eq!(phone.register(&mut bench, &lines).status(), StatusCode::UNAUTHORIZED);
    assert_ne!(phone.challenge.as_ref().unwrap().param("nonce").unwrap(), nonce);
    let mut late = Phone { challenge: Some(refused), ..phone.clone() };
    let response = answer(&mut bench, &mut late, |challenge| asked(&mut card(1), challenge));
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "the right answer, to a challenge that was refused");
    assert_eq!(bench.assignments(), []);
}

/// I4: whoever has a USIM proves it by AKA, and by the version that was asked for.
#[test]
fn i04_another_algorithm() {
    let mut bench = bench();
    let mut phone = challenged(&mut bench);
    let stronger = phone.challenge.take().unwrap().without("algorithm").with("algorithm", "AKAv2-SHA-256");
    phone.challenge = Some(stronger.into());
    let response = answer(&mut bench, &mut phone, |challenge| asked(&mut card(1), challenge));
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let plain = phone.challenge.take().unwrap().without("algorithm");
    phone.challenge = Some(plain.into());
    assert_eq!(phone.register(&mut bench, CONTACT).status(), StatusCode::UNAUTHORIZED);
    assert_eq!(bench.assignments(), []);
}

#[test]
fn both_versions() {
    for taken in 0..2 {
        let mut settings = Settings::new("scscf.ims.example", "icscf.ims.example");
        settings.aka_algorithms = vec![Algorithm::AkaV2Sha256, Algorithm::AkaV1Md5];
        let mut bench = bench_with(settings);
        let first = Phone::new("bob").register(&mut bench, CONTACT);
        let offered: Vec<WwwAuthenticate> = first.headers.all().unwrap();
        let algorithms: Vec<_> = offered.iter().map(|offer| offer.param("algorithm").unwrap().into_owned()).collect();
        assert_eq!(algorithms, ["AKAv2-SHA-256", "AKAv1-MD5"]);
        let mut phone = Phone { challenge: offered.into_iter().nth(taken), ..Phone::new("bob") };
        let response = answer(&mut bench, &mut phone, |challenge| asked(&mut card(1), challenge));
        assert_eq!(response.status(), StatusCode::OK);
    }
}

/// Any S-CSCF of a pool judges the answer to another one's vector.
#[test]
fn vectors_are_everybodys() {
    let mut bench = bench();
    let mut phone = challenged(&mut bench);
    bench.scscf = bench.neighbour("scscf.ims.example");
    let response = answer(&mut bench, &mut phone, |challenge| asked(&mut card(1), challenge));
    assert_eq!(response.status(), StatusCode::OK);
}
