use super::*;

fn array<const N: usize>(hex: &str) -> [u8; N] {
    *Secret::from_hex(hex).unwrap().expose_array().unwrap()
}

/// The six test sets of TS 35.207, which are the first of TS 35.208: K, OP, RAND, SQN, AMF; OPc, f1, f1*, f2, f3, f4, f5,
/// f5*.
const MILENAGE: [[&str; 13]; 6] = [
    [
        "465b5ce8b199b49faa5f0a2ee238a6bc",
        "cdc202d5123e20f62b6d676ac72cb318",
        "23553cbe9637a89d218ae64dae47bf35",
        "ff9bb4d0b607",
        "b9b9",
        "cd63cb71954a9f4e48a5994e37a02baf",
        "4a9ffac354dfafb3",
        "01cfaf9ec4e871e9",
        "a54211d5e3ba50bf",
        "b40ba9a3c58b2a05bbf0d987b21bf8cb",
        "f769bcd751044604127672711c6d3441",
        "aa689c648370",
        "451e8beca43b",
    ],
    [
        "0396eb317b6d1c36f19c1c84cd6ffd16",
        "ff53bade17df5d4e793073ce9d7579fa",
        "c00d603103dcee52c4478119494202e8",
        "fd8eef40df7d",
        "af17",
        "53c15671c60a4b731c55b4a441c0bde2",
        "5df5b31807e258b0",
        "a8c016e51ef4a343",
        "d3a628ed988620f0",
        "58c433ff7a7082acd424220f2b67c556",
        "21a8c1f929702adb3e738488b9f5c5da",
        "c47783995f72",
        "30f1197061c1",
    ],
    [
        "fec86ba6eb707ed08905757b1bb44b8f",
        "dbc59adcb6f9a0ef735477b7fadf8374",
        "9f7c8d021accf4db213ccff0c7f71a6a",
        "9d0277595ffc",
        "725c",
        "1006020f0a478bf6b699f15c062e42b3",
        "9cabc3e99baf7281",
        "95814ba2b3044324",
        "8011c48c0c214ed2",
        "5dbdbb2954e8f3cde665b046179a5098",
        "59a92d3b476a0443487055cf88b2307b",
        "33484dc2136b",
        "deacdd848cc6",
    ],
    [
        "9e5944aea94b81165c82fbf9f32db751",
        "223014c5806694c007ca1eeef57f004f",
        "ce83dbc54ac0274a157c17f80d017bd6",
        "0b604a81eca8",
        "9e09",
        "a64a507ae1a2a98bb88eb4210135dc87",
        "74a58220cba84c49",
        "ac2cc74a96871837",
        "f365cd683cd92e96",
        "e203edb3971574f5a94b0d61b816345d",
        "0c4524adeac041c4dd830d20854fc46b",
        "f0b9c08ad02e",
        "6085a86c6f63",
    ],
    [
        "4ab1deb05ca6ceb051fc98e77d026a84",
        "2d16c5cd1fdf6b22383584e3bef2a8d8",
        "74b0cd6031a1c8339b2b6ce2b8c4a186",
        "e880a1b580b6",
        "9f07",
        "dcf07cbd51855290b92a07a9891e523e",
        "49e785dd12626ef2",
        "9e85790336bb3fa2",
        "5860fc1bce351e7e",
        "7657766b373d1c2138f307e3de9242f9",
        "1c42e960d89b8fa99f2744e0708ccb53",
        "31e11a609118",
        "fe2555e54aa9",
    ],
    [
        "6c38a116ac280c454f59332ee35c8c4f",
        "1ba00a1a7c6700ac8c3ff3e96ad08725",
        "ee6466bc96202c5a557abbeff8babf63",
        "414b98222181",
        "4464",
        "3803ef5363b947c6aaa225e58fae3934",
        "078adfb488241a57",
        "80246b8d0186bcf1",
        "16c8233f05a0ac28",
        "3f8c7587fe8e4b233af676aede30ba3b",
        "a7466cc1e6b2a1337d49d3b66e95d7b4",
        "45b0f69ab06c",
        "1f53cd2b1113",
    ],
];

#[test]
fn test_sets_of_milenage() {
    for [k, op, rand, sqn, amf, op_c, mac_a, mac_s, res, ck, ik, ak, ak_star] in MILENAGE {
        let milenage = Milenage::from_op(&array(k), &array(op));
        assert_eq!(milenage, Milenage::new(&array(k), &array(op_c)));
        let functions = AuthenticationFunctions::from(milenage);
        let (rand, sqn, amf) = (array(rand), SequenceNumber::from(array(sqn)), array(amf));
        assert_eq!(functions.f1(&rand, sqn, amf), array(mac_a));
        assert_eq!(functions.f1_star(&rand, sqn, amf), array(mac_s));
        let keys = functions.f2345(&rand);
        let [res, ck, ik] = [res, ck, ik].map(|hex| Secret::from_hex(hex).unwrap());
        assert_eq!((keys.res, keys.ck, keys.ik, *keys.ak), (res, ck, ik, array(ak)));
        assert_eq!(*functions.f5_star(&rand), array(ak_star));
    }
}

fn milenage() -> AkaCredentials {
    AkaCredentials::new(Milenage::new(&[0x4b; 16], &[0x0c; 16]), [0x80, 0])
}

fn tuak() -> AkaCredentials {
    let settings = TuakSettings { response: 16, iterations: 1 };
    AkaCredentials::new(Tuak::new(Secret::from(&[0x4b; 32]), &[0x0c; 32], settings).unwrap(), [0x80, 0])
}

fn sqn(seq: u64) -> SequenceNumber {
    SequenceNumber::new(seq).unwrap()
}

/// TS 33.102 §6.3.2 and §6.3.3: who has the key takes what was made with it, each once, and 32 of them in any order.
#[test]
fn a_vector_is_taken_once() {
    for credentials in [milenage(), tuak()] {
        let mut usim = Usim::new(credentials.clone());
        let batch: Vec<_> = (1..=32).map(|seq| credentials.challenge(sqn(seq), &[7; 32])).collect();
        for vector in batch.iter().rev() {
            let AuthenticationVector { rand, autn, xres, ck, ik } = vector.clone();
            let response = UsimAnswer::Response { res: xres, ck, ik };
            assert_eq!(usim.authenticate(&rand, &autn), response);
        }
        for vector in &batch {
            let answer = usim.authenticate(&vector.rand, &vector.autn);
            assert!(matches!(answer, UsimAnswer::SynchronisationFailure(_)), "{answer:?}");
        }
        let stranger = AkaCredentials::new(Milenage::new(&[1; 16], &[2; 16]), [0x80, 0]);
        let forged = stranger.challenge(sqn(100), &[7; 32]);
        assert_eq!(usim.authenticate(&forged.rand, &forged.autn), UsimAnswer::MacFailure);
    }
}

/// TS 33.102 §6.3.5.
#[test]
fn auts_says_where_the_usim_is() {
    for credentials in [milenage(), tuak()] {
        let mut usim = Usim::new(credentials.clone()).with_seq(1000);
        let vector = credentials.challenge(sqn(1), &[7; 32]);
        let UsimAnswer::SynchronisationFailure(auts) = usim.authenticate(&vector.rand, &vector.autn) else {
            panic!("the USIM is ahead");
        };
        assert_eq!(credentials.resynchronise(&vector.rand, &auts).map(SequenceNumber::seq), Some(1000));
        for at in 0..auts.len() {
            let mut forged = auts;
            forged[at] ^= 1;
            assert_eq!(credentials.resynchronise(&vector.rand, &forged), None, "byte {at}");
        }
        assert_eq!(credentials.resynchronise(&[0; 16], &auts), None, "of another challenge");
    }
}

#[test]
fn challenges_differ_by_subscriber_number_and_seed() {
    let other = AkaCredentials::new(Milenage::new(&[0x4c; 16], &[0x0c; 16]), [0x80, 0]);
    let challenges = [
        milenage().challenge(sqn(1), &[7; 32]),
        milenage().challenge(sqn(2), &[7; 32]),
        milenage().challenge(sqn(1), &[8; 32]),
        other.challenge(sqn(1), &[7; 32]),
    ];
    for (at, challenge) in challenges.iter().enumerate() {
        assert!(challenges[..at].iter().all(|earlier| earlier.rand != challenge.rand));
    }
    assert_eq!(challenges[0], milenage().challenge(sqn(1), &[7; 32]));
}

#[test]
fn debug_shows_no_key() {
    for credentials in [milenage(), tuak()] {
        let vector = credentials.challenge(sqn(1), &[7; 32]);
        let keys = credentials.functions.f2345(&vector.rand);
        let usim = Usim::new(credentials.clone());
        let shown = format!("{credentials:?} {vector:?} {keys:?} {usim:?}");
        let open = [0x4b, 0x0c].map(|byte: u8| [byte; 4].to_vec());
        let made = [&vector.xres, &vector.ck, &vector.ik].map(|secret| secret.expose()[..4].to_vec());
        for secret in open.iter().chain(&made) {
            let decimal = format!("{secret:?}");
            let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(!shown.contains(decimal.trim_matches(['[', ']'])) && !shown.contains(&hex), "{shown}");
        }
    }
}
