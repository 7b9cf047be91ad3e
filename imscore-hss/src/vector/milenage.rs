//! Milenage: the functions on AES (TS 35.206).
//!
//! ```text
//!   TEMP = E_K(RAND ⊕ OPc)
//!   OUT1 = E_K(TEMP ⊕ rot(SQN‖AMF‖SQN‖AMF ⊕ OPc, r1) ⊕ c1) ⊕ OPc    MAC-A ‖ MAC-S
//!   OUTn = E_K(rot(TEMP ⊕ OPc, rn) ⊕ cn) ⊕ OPc                      n = 2: AK, RES; 3: CK; 4: IK; 5: AK of f5*
//! ```
//!
//! The rotations and constants are those of TS 35.206 §4.1.

use std::fmt;

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};

use super::{Secret, SessionKeys};

/// A subscriber's key and the operator's, bound to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Milenage {
    k: Secret,
    op_c: Secret,
}

impl Milenage {
    /// From K and OPc, 16 bytes each.
    pub fn new(k: &[u8; 16], op_c: &[u8; 16]) -> Self {
        Self { k: k.into(), op_c: op_c.into() }
    }

    /// From K and the operator's OP, of which OPc is made (TS 35.206 §4.1).
    pub fn from_op(k: &[u8; 16], op: &[u8; 16]) -> Self {
        let mut op_c = *op;
        Aes128::new(k.into()).encrypt_block((&mut op_c).into());
        Self::new(k, &xor(op_c, op))
    }

    /// K, 16 bytes.
    pub fn k(&self) -> &Secret {
        &self.k
    }

    /// OPc, 16 bytes.
    pub fn op_c(&self) -> &Secret {
        &self.op_c
    }

    /// MAC-A and MAC-S.
    pub(super) fn out1(&self, rand: &[u8; 16], sqn: &[u8; 6], amf: [u8; 2]) -> [[u8; 8]; 2] {
        let block = self.block();
        let mut input = [0; 16];
        for half in input.chunks_exact_mut(8) {
            half[..6].copy_from_slice(sqn);
            half[6..].copy_from_slice(&amf);
        }
        let mut input = xor(input, &block.op_c);
        input.rotate_left(8);
        let out = xor(block.encrypt(xor(block.temp(rand), &input)), &block.op_c);
        let mut macs = [[0; 8]; 2];
        macs[0].copy_from_slice(&out[..8]);
        macs[1].copy_from_slice(&out[8..]);
        macs
    }

    pub(super) fn f2345(&self, rand: &[u8; 16]) -> SessionKeys {
        let block = self.block();
        let temp = block.temp(rand);
        let out2 = block.out(temp, 0, 1);
        let mut ak = [0; 6];
        ak.copy_from_slice(&out2[..6]);
        let (ck, ik) = (block.out(temp, 4, 2), block.out(temp, 8, 4));
        let mut res = [0; 8];
        res.copy_from_slice(&out2[8..]);
        SessionKeys { res: (&res).into(), ck: (&ck).into(), ik: (&ik).into(), ak: ak.into() }
    }

    pub(super) fn f5_star(&self, rand: &[u8; 16]) -> [u8; 6] {
        let block = self.block();
        let mut ak = [0; 6];
        ak.copy_from_slice(&block.out(block.temp(rand), 12, 8)[..6]);
        ak
    }

    fn block(&self) -> Block {
        // Both constructors take 16 bytes, and nothing changes them.
        let array = |secret: &Secret| *secret.expose_array().expect("16 bytes");
        Block { cipher: Aes128::new((&array(&self.k)).into()), op_c: array(&self.op_c) }
    }
}

/// AES with the subscriber's key set up.
struct Block {
    cipher: Aes128,
    op_c: [u8; 16],
}

impl Block {
    fn encrypt(&self, mut input: [u8; 16]) -> [u8; 16] {
        self.cipher.encrypt_block((&mut input).into());
        input
    }

    fn temp(&self, rand: &[u8; 16]) -> [u8; 16] {
        self.encrypt(xor(*rand, &self.op_c))
    }

    /// OUT2 to OUT5: rotated by `r` bytes, and with the low byte of the constant.
    fn out(&self, temp: [u8; 16], r: usize, c: u8) -> [u8; 16] {
        let mut input = xor(temp, &self.op_c);
        input.rotate_left(r);
        input[15] ^= c;
        xor(self.encrypt(input), &self.op_c)
    }
}

fn xor(mut a: [u8; 16], b: &[u8; 16]) -> [u8; 16] {
    a.iter_mut().zip(b).for_each(|(a, b)| *a ^= b);
    a
}

impl fmt::Debug for Milenage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Milenage")
    }
}
