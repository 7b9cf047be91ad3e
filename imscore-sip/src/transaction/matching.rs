//! What tells one server transaction from another (RFC 3261 §17.2.3).

use std::hash::{BuildHasher, Hasher};

use bytestring::ByteString;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use smallvec::SmallVec;

use super::branch::COOKIE;
use crate::hash::Keyed;
use crate::header::{Name, Via, tag_of};
use crate::message::Request;

/// What the requests of one transaction have in common, whatever their method; ACK and CANCEL have that of their
/// INVITE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    bytes: SmallVec<[u8; 80]>,
    legacy: bool,
}

impl Identity {
    /// Branch and sent-by; for a sender of RFC 2543, whose branches say nothing, Request-URI, From tag, Call-ID,
    /// CSeq number and the top Via.
    pub(super) fn of(request: &Request, via: &Via) -> Identity {
        let mut bytes = SmallVec::new();
        match via.branch() {
            Some(branch) if branch.len() > COOKIE.len() && branch.starts_with(COOKIE) => {
                bytes.extend_from_slice(branch.as_bytes());
                bytes.push(b' ');
                bytes.extend(via.host().bytes().map(|byte| byte.to_ascii_lowercase()));
                bytes.extend(via.port().map_or([0, 0], u16::to_be_bytes));
                Identity { bytes, legacy: false }
            }
            Some(_) | None => {
                let headers = &request.headers;
                let cseq = headers.raw(Name::CSEQ).unwrap_or_default();
                let digits = cseq.iter().take_while(|byte| byte.is_ascii_digit()).count();
                for part in [
                    request.target().as_bytes(),
                    headers.raw(Name::FROM).and_then(tag_of).unwrap_or_default(),
                    headers.raw(Name::CALL_ID).unwrap_or_default(),
                    &cseq[..digits],
                    via.as_str().as_bytes(),
                ] {
                    bytes.extend_from_slice(part);
                    bytes.push(b' ');
                }
                Identity { bytes, legacy: true }
            }
        }
    }

    /// The branch, as text, unless it says nothing.
    pub(super) fn branch(&self) -> Option<ByteString> {
        let end = self.bytes.iter().position(|byte| *byte == b' ').filter(|_| !self.legacy)?;
        std::str::from_utf8(&self.bytes[..end]).ok().map(ByteString::from)
    }

    /// True for a sender of RFC 2543: To tags have to be compared too.
    pub(super) fn is_legacy(&self) -> bool {
        self.legacy
    }
}

/// The keyed hashes of an engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    table: Keyed,
    tags: Keyed,
    /// For tables of what no stranger names.
    pub(super) inner: Keyed,
}

impl Keys {
    pub(super) fn new(rng: &mut ChaCha8Rng) -> Keys {
        let mut keyed = || {
            let mut key = [0; 16];
            rng.fill_bytes(&mut key);
            Keyed::new(key)
        };
        Keys { table: keyed(), tags: keyed(), inner: keyed() }
    }

    /// The place of a transaction in the table, and the worker that it belongs to.
    pub(super) fn hash(&self, identity: &Identity) -> u64 {
        hash(self.table, &identity.bytes)
    }

    /// What a To tag of ours is made of where no transaction is kept. Another key: a tag must not give away a hash.
    pub(super) fn tag(&self, identity: &Identity) -> u64 {
        hash(self.tags, &identity.bytes)
    }
}

fn hash(keyed: Keyed, bytes: &[u8]) -> u64 {
    let mut hasher = keyed.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// The worker of several that a hash belongs to. The bits are others than those that place an entry in a table.
pub(super) fn worker_of(hash: u64, workers: u8) -> u8 {
    let share = (hash >> 32) & 0xffff;
    ((share * u64::from(workers)) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::message::Message;

    fn identity(via: &str, rest: &str) -> Identity {
        let text = format!("INVITE sip:a@b SIP/2.0\r\nVia: {via}\r\n{rest}\r\n");
        let Message::Request(request) = Message::parse(text.into()).unwrap() else { panic!("a request") };
        let via = request.headers.first().unwrap();
        Identity::of(&request, &via)
    }

    fn same(left: &str, right: &str) -> bool {
        identity(left, "") == identity(right, "Call-ID: other\r\n")
    }

    /// RFC 3261 §17.2.3: branch and sent-by, nothing else.
    #[test]
    fn branch_and_sent_by_tell_transactions_apart() {
        assert!(same("SIP/2.0/UDP h:1;branch=z9hG4bK1", "SIP/2.0/TCP H:1;rport;branch=z9hG4bK1"));
        assert!(!same("SIP/2.0/UDP h:1;branch=z9hG4bK1", "SIP/2.0/UDP h:1;branch=z9hG4bK2"));
        assert!(!same("SIP/2.0/UDP h:1;branch=z9hG4bK1", "SIP/2.0/UDP h:2;branch=z9hG4bK1"));
        assert!(!same("SIP/2.0/UDP h:1;branch=z9hG4bK1", "SIP/2.0/UDP h;branch=z9hG4bK1"));
        assert!(!same("SIP/2.0/UDP h:1;branch=z9hG4bK1", "SIP/2.0/UDP i:1;branch=z9hG4bK1"));
    }

    /// RFC 3261 §17.2.3: without the cookie, or with nothing behind it, by RFC 2543's rules.
    #[test]
    fn senders_of_rfc_2543_are_told_apart_by_more() {
        const REST: &str = "From: <sip:a@b>;tag=1\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n";
        for via in ["SIP/2.0/UDP h", "SIP/2.0/UDP h;branch=1", "SIP/2.0/UDP h;branch=z9hG4bK"] {
            let first = identity(via, REST);
            assert!(first.is_legacy());
            assert_eq!(first, identity(via, &REST.replace("INVITE", "ACK")));
            assert_ne!(first, identity(&format!("{via};x"), REST));
            for (from, to) in [("tag=1", "tag=2"), ("ID: 1", "ID: 2"), ("Seq: 1", "Seq: 2")] {
                assert_ne!(first, identity(via, &REST.replace(from, to)), "{to}");
            }
        }
    }

    #[test]
    fn workers_get_equal_shares() {
        let keys = Keys::new(&mut ChaCha8Rng::from_seed([7; 32]));
        let mut shares = [0_u32; 3];
        for branch in 0..3_000 {
            let hash = keys.hash(&identity(&format!("SIP/2.0/UDP h;branch=z9hG4bK{branch}"), ""));
            shares[usize::from(worker_of(hash, 3))] += 1;
        }
        assert!(shares.iter().all(|share| (900..1_100).contains(share)), "{shares:?}");
    }

    /// D8: branches of one bucket under FNV-1a, FxHash or SipHash without a key are spread evenly under ours.
    #[test]
    fn d08_branches_that_collide_elsewhere_are_spread() {
        type Hash = fn(&[u8]) -> u64;
        let fnv: Hash = |bytes| {
            let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
        };
        let fx: Hash = |bytes| {
            let word = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
            let step = |hash: u64, bytes| (hash.rotate_left(5) ^ word(bytes)).wrapping_mul(0x517c_c1b7_2722_0a95);
            bytes.chunks(8).fold(0, step)
        };
        let unkeyed: Hash = |bytes| hash(Keyed::new([0; 16]), bytes);
        let keys = Keys::new(&mut ChaCha8Rng::from_seed([7; 32]));
        let all: Vec<Identity> =
            (0..50_000).map(|number| identity(&format!("SIP/2.0/UDP h;branch=z9hG4bK{number}"), "")).collect();
        for other in [fnv, fx, unkeyed] {
            // The low bits choose the bucket of a table of 64; whoever attacks takes the fullest.
            let bucket = |number: u64| all.iter().filter(move |it| other(&it.bytes) & 63 == number);
            let fullest = (0..64).max_by_key(|number| bucket(*number).count()).unwrap();
            let colliding: Vec<&Identity> = bucket(fullest).collect();
            let mut buckets = [0usize; 64];
            colliding.iter().for_each(|it| buckets[(keys.hash(it) & 63) as usize] += 1);
            assert!(colliding.len() > 500, "{} collide", colliding.len());
            let even = colliding.len() / 64;
            assert!(buckets.iter().all(|count| *count <= 3 * even), "{buckets:?}");
        }
    }
}
