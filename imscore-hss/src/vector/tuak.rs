//! TUAK: the functions on Keccak-f[1600] (TS 35.231).
//!
//! One block of 200 bytes goes in and one comes out. Every field stands in it with its bytes in reverse order
//! (TS 35.231 §6, and the blocks that TS 35.232 §6 prints):
//!
//! ```text
//!   at   0         32         33         40     56    58    64    96      135
//!        TOP/TOPc  INSTANCE   ALGONAME   RAND   AMF   SQN   K     0x1f …  0x80   0 …
//!   out  RES, MAC, TOPc (0)   CK (32)    IK (64)      AK (96)
//! ```

use std::fmt;

use keccak::Keccak;

use super::{Secret, SessionKeys};

/// Function part of INSTANCE, TS 35.231 §6.2 to §6.5.
const F1: u8 = 0x00;
const F1_STAR: u8 = 0x80;
const F2345: u8 = 0x40;
const F5_STAR: u8 = 0xc0;

/// INSTANCE\[7\]: K has 256 bits.
const K_256: u8 = 0x01;

/// A subscriber's key and the operator's, bound to it. MAC has 64 bits, CK and IK 128, as TS 33.102 §6.3 wants them.
///
/// ```
/// use imscore_hss::vector::{Secret, Tuak, TuakSettings};
///
/// let key = Secret::new(&[1; 16]).ok_or("no key")?;
/// let tuak = Tuak::new(key, &[2; 32], TuakSettings::default()).ok_or("not of TUAK's lengths")?;
/// assert_eq!(tuak.settings(), TuakSettings::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Tuak {
    k: Secret,
    top_c: Secret,
    settings: TuakSettings,
}

/// What an operator may choose (TS 35.231 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TuakSettings {
    /// Length of RES in bytes: 4, 8 or 16.
    pub response: u8,
    /// How often the permutation is applied: 1 to 255.
    pub iterations: u8,
}

impl Default for TuakSettings {
    /// RES of 8 bytes, the permutation once.
    fn default() -> Self {
        Self { response: 8, iterations: 1 }
    }
}

impl Tuak {
    /// From K, of 16 or 32 bytes, and TOPc. `None` for another length of K or settings that are not allowed.
    pub fn new(k: Secret, top_c: &[u8; 32], settings: TuakSettings) -> Option<Self> {
        let allowed =
            matches!(k.expose().len(), 16 | 32) && matches!(settings.response, 4 | 8 | 16) && settings.iterations > 0;
        allowed.then(|| Self { k, top_c: top_c.into(), settings })
    }

    /// From K and the operator's TOP, of which TOPc is made (TS 35.231 §6.1).
    pub fn from_top(k: Secret, top: &[u8; 32], settings: TuakSettings) -> Option<Self> {
        let with_top = Self::new(k, top, settings)?;
        let top_c: [u8; 32] = field(&with_top.permute(F1, None, None), 0);
        Some(Self { top_c: (&top_c).into(), ..with_top })
    }

    /// K, 16 or 32 bytes.
    pub fn k(&self) -> &Secret {
        &self.k
    }

    /// TOPc, 32 bytes.
    pub fn top_c(&self) -> &Secret {
        &self.top_c
    }

    /// What the operator chose.
    pub fn settings(&self) -> TuakSettings {
        self.settings
    }

    pub(super) fn f1(&self, rand: &[u8; 16], sqn: &[u8; 6], amf: [u8; 2]) -> [u8; 8] {
        self.mac(F1, rand, sqn, amf)
    }

    pub(super) fn f1_star(&self, rand: &[u8; 16], sqn: &[u8; 6], amf: [u8; 2]) -> [u8; 8] {
        self.mac(F1_STAR, rand, sqn, amf)
    }

    pub(super) fn f2345(&self, rand: &[u8; 16]) -> SessionKeys {
        let out = self.permute(F2345 | length(self.settings.response), Some(rand), None);
        let (ck, ik): ([u8; 16], [u8; 16]) = (field(&out, 32), field(&out, 64));
        let res = match self.settings.response {
            4 => Secret::from(&field::<4>(&out, 0)),
            8 => Secret::from(&field::<8>(&out, 0)),
            _ => Secret::from(&field::<16>(&out, 0)),
        };
        SessionKeys { res, ck: (&ck).into(), ik: (&ik).into(), ak: field(&out, 96).into() }
    }

    pub(super) fn f5_star(&self, rand: &[u8; 16]) -> [u8; 6] {
        field(&self.permute(F5_STAR, Some(rand), None), 96)
    }

    /// A MAC of `N` bytes.
    fn mac<const N: usize>(&self, function: u8, rand: &[u8; 16], sqn: &[u8; 6], amf: [u8; 2]) -> [u8; N] {
        field(&self.permute(function | length(N as u8), Some(rand), Some((amf, sqn))), 0)
    }

    /// OUT of IN.
    fn permute(&self, instance: u8, rand: Option<&[u8; 16]>, sequence: Option<([u8; 2], &[u8; 6])>) -> [u8; 200] {
        let mut block = [0; 200];
        put(&mut block, 0, self.top_c.expose());
        block[32] = if self.k.expose().len() == 32 { instance | K_256 } else { instance };
        put(&mut block, 33, b"TUAK1.0");
        if let Some(rand) = rand {
            put(&mut block, 40, rand);
        }
        if let Some((amf, sqn)) = sequence {
            put(&mut block, 56, &amf);
            put(&mut block, 58, sqn);
        }
        put(&mut block, 64, self.k.expose());
        (block[96], block[135]) = (0x1f, 0x80);
        let mut lanes = [0; 25];
        for (lane, bytes) in lanes.iter_mut().zip(block.as_chunks().0) {
            *lane = u64::from_le_bytes(*bytes);
        }
        Keccak::new().with_f1600(|f| (0..self.settings.iterations).for_each(|_| f(&mut lanes)));
        for (bytes, lane) in block.as_chunks_mut().0.iter_mut().zip(lanes) {
            *bytes = lane.to_le_bytes();
        }
        block
    }
}

/// INSTANCE\[2\] to INSTANCE\[4\]: the length of what comes out first, in bytes.
fn length(bytes: u8) -> u8 {
    match bytes {
        8 => 0x08,
        16 => 0x10,
        32 => 0x20,
        _ => 0,
    }
}

fn put(block: &mut [u8; 200], at: usize, value: &[u8]) {
    block[at..].iter_mut().zip(value.iter().rev()).for_each(|(to, from)| *to = *from);
}

/// The `N` bytes at `at`, in reverse.
fn field<const N: usize>(block: &[u8; 200], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.iter_mut().rev().zip(&block[at..]).for_each(|(to, from)| *to = *from);
    value
}

impl fmt::Debug for Tuak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tuak").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// INSTANCE\[5\] and INSTANCE\[6\]: CK and IK have 256 bits.
    const CK_256: u8 = 0x04;
    const IK_256: u8 = 0x02;

    fn array<const N: usize>(hex: &str) -> [u8; N] {
        *Secret::from_hex(hex).unwrap().expose_array().unwrap()
    }

    fn mac(tuak: &Tuak, function: u8, length: usize, (rand, sqn, amf): (&str, &str, &str)) -> Secret {
        let (rand, sqn, amf) = (array(rand), array(sqn), array(amf));
        match length {
            8 => (&tuak.mac::<8>(function, &rand, &sqn, amf)).into(),
            16 => (&tuak.mac::<16>(function, &rand, &sqn, amf)).into(),
            _ => (&tuak.mac::<32>(function, &rand, &sqn, amf)).into(),
        }
    }

    /// The bytes at `at` of the output that holds RES, CK, IK and AK, as many as `expected` has.
    fn check_out(out: &[u8; 200], at: usize, expected: &str) {
        let expected = Secret::from_hex(expected).unwrap();
        let mut found: Vec<u8> = out[at..at + expected.expose().len()].to_vec();
        found.reverse();
        assert_eq!(found, expected.expose());
    }

    /// The six test sets of TS 35.232 §6 and §7 and TS 35.233 §6, lengths that IMS does not use among them.
    #[test]
    fn test_sets() {
        const K2: &str = "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0";
        const K5: &str = "1574ca56881d05c189c82880f789c9cd4244955f4426aa2b69c29f15770e5aa5";
        const TOP2: &str = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
        const TOP5: &str = "e59f6eb10ea406813f4991b0b9e02f181edf4c7e17b480f66d34da35ee88c95e";
        const IN2: (&str, &str, &str) = ("0123456789abcdef0123456789abcdef", "0123456789ab", "abcd");
        const IN5: (&str, &str, &str) = ("c570aac68cde651fb1e3088322498bef", "c89bb71f3a41", "297d");
        for (k, top, input, iterations, top_c, macs, [res, ck, ik, ak, ak_star]) in [
            (
                "abababababababababababababababab",
                "5555555555555555555555555555555555555555555555555555555555555555",
                ("42424242424242424242424242424242", "111111111111", "ffff"),
                1,
                "bd04d9530e87513c5d837ac2ad954623a8e2330c115305a73eb45d1f40cccbff",
                ["f9a54e6aeaa8618d", "e94b4dc6c7297df3"],
                [
                    "657acd64",
                    "d71a1e5c6caffe986a26f783e5c78be1",
                    "be849fa2564f869aecee6f62d4337e72",
                    "719f1e9b9054",
                    "e7af6b3d0e38",
                ],
            ),
            (
                K2,
                TOP2,
                IN2,
                1,
                "305425427e18c503c8a4b294ea72c95d0c36c6c6b29d0c65de5974d5977f8524",
                ["c0b8c2d4148ec7aa5f1d78a97e4d1d58", "ef81af7290f7842c6ceafa537fa0745b"],
                [
                    "e9d749dc4eea0035",
                    "a4cb6f6529ab17f8337f27baa8234d47",
                    "2274155ccf4199d5e2abcbf621907f90",
                    "480a9345cc1e",
                    "f84eb338848c",
                ],
            ),
            (
                K2,
                TOP2,
                IN2,
                1,
                "305425427e18c503c8a4b294ea72c95d0c36c6c6b29d0c65de5974d5977f8524",
                [
                    "d97b75a1776065271b1e212bc3b1bf173f438b21e6c64a55a96c372e085e5cc5",
                    "427bbf07c6e3a86c54f8c5216499f3909a6fd4a164c9fe235b1550258111b821",
                ],
                [
                    "07021c73e7635c7d",
                    "4d59ac796834eb85d11fa148a5058c3c",
                    "126d47500136fdc5ddfd14f19ebf16749ce4b6435323fbb5715a3a796a6082bd",
                    "1d6622c4e59a",
                    "f84eb338848c",
                ],
            ),
            (
                "b8da837a50652d6ac7c97da14f6acc61",
                "0952be13556c32ebc58195d9dd930493e12a9003669988ffde5fa1f0fe35cc01",
                ("6887e55425a966bd86c9661a5fa72be8", "0dea2ee2c5af", "df1e"),
                1,
                "2bc16eb657a68e1f446f08f57c0efb1d493527a2e652ce281eb6ca0e4487760a",
                ["749214087958dd8f58bfcdf869d8ae3f", "619e865afe80e382aee13063f9dfb56d"],
                [
                    "4041ce438e3e38e8aa96562eed83ac43",
                    "3e3bc01bea0cd914c4c2c83ce2d92757",
                    "666a8e6f577b1aa77b7fd53cebb8a3d6",
                    "1f880d005119",
                    "45e617d77fe5",
                ],
            ),
            (
                K5,
                TOP5,
                IN5,
                1,
                "3c6052e41532a28a47aa3cbb89f223e8f3aaa976aecd48bc3e7d6165a55eff62",
                ["d7340dad02b4cb01", "c6021e2e66accb15"],
                [
                    "84d89b41db1867ffd4c7ba1d82163f4d526a20fbae5418fbb526940b1eeb905c",
                    "d419676afe5ab58c1d8bee0d43523a4d2f52ef0b31a4676a0c334427a988fe65",
                    "205533e505661b61d05cc0eac87818f4",
                    "d7b3d2d4980a",
                    "ca9655264986",
                ],
            ),
            (
                K5,
                TOP5,
                IN5,
                2,
                "b04a66f26c62fcd6c82de22a179ab65506ecf47f56245cd149966cfa9cec7a51",
                [
                    "90d2289ed1ca1c3dbc2247bb480d431ac71d2e4a7677f6e997cfddb0cbad88b7",
                    "427355dbac30e825063aba61b556e87583abac638e3ab01c4c884ad9d458dc2f",
                ],
                [
                    "d67e6e64590d22eecba7324afa4af4460c93f01b24506d6e12047d789a94c867",
                    "ede57edfc57cdffe1aae75066a1b7479bbc3837438e88d37a801cccc9f972b89",
                    "48ed9299126e5057402fe01f9201cf25249f9c5c0ed2afcf084755daff1d3999",
                    "6aae8d18c448",
                    "8c5f33b61f4e",
                ],
            ),
        ] {
            let settings = TuakSettings { response: 8, iterations };
            let tuak = Tuak::from_top(Secret::from_hex(k).unwrap(), &array(top), settings).unwrap();
            assert_eq!(tuak.top_c().expose(), array::<32>(top_c));
            for (function, expected) in [F1, F1_STAR].into_iter().zip(macs) {
                let found = mac(&tuak, function, expected.len() / 2, input);
                assert_eq!(found, Secret::from_hex(expected).unwrap());
            }
            let rand = array(input.0);
            let long = |value: &str, flag| if value.len() == 64 { flag } else { 0 };
            let instance = F2345 | length((res.len() / 2) as u8) | long(ck, CK_256) | long(ik, IK_256);
            let out = tuak.permute(instance, Some(&rand), None);
            for (at, expected) in [(0, res), (32, ck), (64, ik), (96, ak)] {
                check_out(&out, at, expected);
            }
            assert_eq!(tuak.f5_star(&rand), array(ak_star));
            if res.len() <= 32 && ik.len() == 32 {
                let settings = TuakSettings { response: (res.len() / 2) as u8, iterations };
                let tuak = Tuak::new(Secret::from_hex(k).unwrap(), &array(top_c), settings).unwrap();
                let keys = tuak.f2345(&rand);
                let [res, ck, ik] = [res, ck, ik].map(|hex| Secret::from_hex(hex).unwrap());
                assert_eq!((keys.res, keys.ck, keys.ik, *keys.ak), (res, ck, ik, array(ak)));
            }
        }
    }

    #[test]
    fn what_cannot_be() {
        let new = |k: &[u8], response, iterations| {
            Tuak::new(Secret::new(k).unwrap(), &[0; 32], TuakSettings { response, iterations }).is_some()
        };
        assert!(new(&[0; 16], 4, 1) && new(&[0; 32], 16, 255));
        assert!(!new(&[0; 17], 8, 1) && !new(&[0; 16], 32, 1) && !new(&[0; 16], 8, 0));
    }
}
