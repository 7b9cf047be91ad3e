//! Bodies of several parts: what is read is kept, stays within its limits, and can be built anew.

use bytes::Bytes;
use imscore_sip::header::{ContentType, TypedHeader};
use imscore_sip::mime::{MimeLimits, MimePart, Multipart};

/// A Content-Type on the first line, a body behind it.
pub fn mime(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let Ok(text) = std::str::from_utf8(&data[..end]) else { return };
    let Ok(content_type) = ContentType::decode(&text.trim_ascii().into()) else { return };
    let body = Bytes::copy_from_slice(&data[end + 1..]);
    let Ok(read) = Multipart::read(&content_type, body.clone()) else { return };
    assert_eq!(read.to_bytes(), body);
    let leaves: Vec<&MimePart> = read.leaves().collect();
    assert!(!leaves.is_empty() && leaves.len() <= MimeLimits::default().parts);
    for part in &leaves {
        // Content may begin with the boundary of a body around it, which would then cut it.
        if let Ok(same) = read.with_content(part, &part.body()) {
            assert_eq!(same, body);
        }
        let other = read.with_content(part, b"other").expect("no boundary is in it");
        let again = Multipart::read(&content_type, other).expect("what was edited can be read");
        assert_eq!(again.leaves().count(), leaves.len());
        assert!(again.leaves().any(|part| part.body() == "other"));
    }
    assert!(read.not_understood(&|_| true).is_none());
    let built = Multipart::build("mixed", leaves.iter().copied().cloned());
    let built = built.expect("within the limits");
    assert!(built.leaves().map(MimePart::body).eq(leaves.iter().map(|part| part.body())));
}
