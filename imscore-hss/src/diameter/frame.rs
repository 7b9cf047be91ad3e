//! Messages out of a stream of bytes.
//!
//! The length field alone says where a message ends, so one that cannot be ends the connection. Nothing is reserved for a
//! length that was merely announced: memory grows with what has come in.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::header::HEADER;

/// Most bytes of a message that is taken or written.
pub const MAX_MESSAGE: usize = 65_536;

/// Bytes that [`Framer::spare`] has room for at least.
const READ: usize = 4096;

/// Cuts the bytes of one connection into messages.
///
/// ```
/// use imscore_hss::diameter::{Framer, FrameError};
/// let mut framer = Framer::default();
/// framer.push(&[1, 0, 0, 20, 0x80, 0, 1, 24, 0, 0, 0, 0]);
/// assert_eq!(framer.next_frame(), Ok(None));
/// framer.push(&[0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 0, 19]);
/// assert_eq!(framer.next_frame()?.map(|message| message.len()), Some(20));
/// assert_eq!(framer.next_frame(), Err(FrameError::Length { length: 19 }));
/// # Ok::<(), FrameError>(())
/// ```
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    closed: bool,
}

/// Why a stream cannot be read further: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Another version, or no Diameter at all.
    #[error("version {version} of a message")]
    Version {
        /// The first byte.
        version: u8,
    },
    /// Shorter than a header, no multiple of four, or more than [`MAX_MESSAGE`].
    #[error("a message of {length} bytes")]
    Length {
        /// The length field.
        length: usize,
    },
}

impl Framer {
    /// Takes bytes in the order in which they came.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.closed {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Room to read into directly, 4 KiB at least and 64 KiB at most.
    pub fn spare(&mut self) -> impl BufMut + '_ {
        if self.closed {
            self.buffer.clear();
        }
        self.buffer.reserve(READ);
        (&mut self.buffer).limit(MAX_MESSAGE)
    }

    /// True where the peer has begun a message and not finished it: its time is running.
    pub fn is_in_message(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The bytes of the next message, or `None` until more come. They share the memory that they were read into.
    ///
    /// # Errors
    /// A message that cannot be (threat X2). After that nothing comes but `None`.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(start) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let [version, length @ ..] = *start;
        let error = match frame_length(length) {
            _ if version != 1 => FrameError::Version { version },
            Ok(length) if self.buffer.len() < length => return Ok(None),
            Ok(length) => return Ok(Some(self.buffer.split_to(length).freeze())),
            Err(length) => FrameError::Length { length },
        };
        self.closed = true;
        self.buffer = BytesMut::new();
        Err(error)
    }
}

/// The length that three bytes announce, where a message can have it.
fn frame_length([l2, l1, l0]: [u8; 3]) -> Result<usize, usize> {
    let length = usize::from(l2) << 16 | usize::from(l1) << 8 | usize::from(l0);
    match length {
        HEADER..=MAX_MESSAGE if length % 4 == 0 => Ok(length),
        _ => Err(length),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Threat X2: message lengths that cannot be close the stream before anything is reserved for them.
    #[test]
    fn x02_lengths_that_cannot_be() {
        for length in [0, 4, 19, 21, 22, 23, 65_537, 65_540, 0xff_ffff] {
            let mut framer = Framer::default();
            let mut bytes = (length as u32).to_be_bytes();
            bytes[0] = 1;
            framer.push(&bytes);
            assert_eq!(framer.next_frame(), Err(FrameError::Length { length }));
            assert_eq!(framer.buffer.capacity(), 0);
            framer.push(&[1, 0, 0, 20]);
            assert_eq!(framer.next_frame(), Ok(None));
            assert!(!framer.is_in_message());
        }
    }

    #[test]
    fn largest_message_and_no_more() {
        let mut framer = Framer::default();
        framer.push(&[1, 1, 0, 0]);
        assert_eq!(framer.next_frame(), Ok(None));
        assert!(framer.buffer.capacity() < MAX_MESSAGE);
        framer.push(&[0; MAX_MESSAGE - 4]);
        assert_eq!(framer.next_frame().map(|frame| frame.map(|bytes| bytes.len())), Ok(Some(MAX_MESSAGE)));
    }

    #[test]
    fn what_is_no_diameter() {
        let mut framer = Framer::default();
        framer.push(b"OPTIONS sip:");
        assert_eq!(framer.next_frame(), Err(FrameError::Version { version: b'O' }));
    }

    proptest! {
        #[test]
        fn however_it_is_cut(sizes in proptest::collection::vec(5usize..40, 1..8), cut in 1usize..60) {
            let mut stream = Vec::new();
            for size in &sizes {
                stream.extend([1, 0, 0, (size * 4) as u8]);
                stream.resize(stream.len() + size * 4 - 4, 7);
            }
            let mut framer = Framer::default();
            let mut found = Vec::new();
            for segment in stream.chunks(cut) {
                framer.push(segment);
                while let Some(frame) = framer.next_frame().unwrap() {
                    found.push(frame.len() / 4);
                }
            }
            prop_assert_eq!(found, sizes);
            prop_assert!(!framer.is_in_message());
        }
    }
}
