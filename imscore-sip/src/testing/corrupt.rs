//! A message with something wrong in it, as a faulty peer or a fuzzer would send it.

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// Up to three changes to the bytes.
pub(super) fn corrupted(bytes: &[u8], rng: &mut ChaCha8Rng) -> Bytes {
    let mut changed = bytes.to_vec();
    for _ in 0..=below(3, rng) {
        if !changed.is_empty() {
            change(&mut changed, rng);
        }
    }
    changed.into()
}

fn change(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    match below(7, rng) {
        0 => {
            // A line end, or a half of it.
            let line = line(bytes, rng);
            let end = line.end.saturating_sub(if bytes[..line.end].ends_with(b"\r\n") { 2 } else { 1 });
            let gone = [end..line.end, end..end + 1, line.end - 1..line.end][below(3, rng)].clone();
            bytes.drain(gone);
        }
        1 => {
            let at = below(bytes.len(), rng);
            bytes[at] = rng.next_u32() as u8;
        }
        2 => {
            let at = below(bytes.len(), rng);
            bytes[at] ^= 1 << below(8, rng);
        }
        3 => {
            let line = bytes[line(bytes, rng)].to_vec();
            let at = self::line(bytes, rng).start;
            bytes.splice(at..at, line);
        }
        4 => {
            let gone = line(bytes, rng);
            bytes.drain(gone);
        }
        5 => {
            // What stands for itself in one grammar or another.
            let at = below(bytes.len() + 1, rng);
            bytes.insert(at, b"\r\n\0 :;,<>\"\\@%="[below(14, rng)]);
        }
        _ => bytes.truncate(below(bytes.len(), rng)),
    }
}

/// A line with its end, or what stands behind the last.
fn line(bytes: &[u8], rng: &mut ChaCha8Rng) -> std::ops::Range<usize> {
    let at = below(bytes.len(), rng);
    let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |feed| feed + 1);
    let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |feed| at + feed + 1);
    start..end
}

fn below(count: usize, rng: &mut ChaCha8Rng) -> usize {
    (rng.next_u64() % count.max(1) as u64) as usize
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    /// Each kind comes about, some more than once in one message, and any bytes can be changed.
    #[test]
    fn every_kind_of_change() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let text = b"A: 1\r\nB: 2\r\nC: 3\r\n\r\n";
        let (mut unended, mut doubled, mut gone, mut cut, mut flipped) = (0, 0, 0, 0, 0);
        for _ in 0..2_000 {
            let changed = corrupted(text, &mut rng);
            let count = |what: &[u8]| changed.windows(what.len()).filter(|window| *window == what).count();
            unended += usize::from(count(b"1B: 2") + count(b"1\rB: 2") + count(b"1\nB: 2") > 0);
            doubled += usize::from(count(b"B: 2\r\n") > 1);
            gone += usize::from(count(b"A: 1\r\nC: 3\r\n\r\n") > 0);
            cut += usize::from(text.starts_with(&changed) && changed.len() < text.len());
            flipped += usize::from(changed.len() == text.len() && changed[..] != text[..]);
        }
        assert!([unended, doubled, gone, cut, flipped].iter().all(|count| *count > 20));
        for length in 0..20 {
            (0..200).for_each(|_| drop(corrupted(&vec![b'\n'; length], &mut rng)));
        }
    }
}
