//! One connection: messages out of its bytes, and bytes that wait to be sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use ::tokio::sync::mpsc;
use ::tokio::time::timeout;
use bytes::{Bytes, BytesMut};

use super::carrier::Stream;
use super::{Input, Task};
use crate::diameter::{FrameError, Framer, Message};
use crate::peer::ConnectionId;

/// Most bytes that wait to be sent over one connection.
const UNSENT: usize = 16 << 20;
/// Bytes that are written at once.
const WRITE: usize = 64 << 10;
/// How long a peer may take over a message that it has begun, and to read what waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The engine's end of a connection. What waits when it is dropped is still sent.
#[derive(Debug)]
pub(super) struct Connection {
    writer: mpsc::UnboundedSender<Bytes>,
    unsent: Arc<AtomicUsize>,
    _reader: Task,
}

impl Connection {
    pub(super) fn open(id: ConnectionId, stream: Stream, inputs: mpsc::Sender<Input>) -> Connection {
        let Stream { read, write } = stream;
        let (writer, waiting) = mpsc::unbounded_channel();
        let unsent = Arc::new(AtomicUsize::new(0));
        ::tokio::spawn(write_all(id, write, waiting, unsent.clone(), inputs.clone()));
        let reader = Task(::tokio::spawn(async move {
            let error = read_all(id, read, &inputs).await.err();
            let _ = inputs.send(Input::Lost(id, error)).await;
        }));
        Connection { writer, unsent, _reader: reader }
    }

    /// False where too much waits already, or the connection is gone.
    pub(super) fn send(&self, bytes: Bytes) -> bool {
        let length = bytes.len();
        self.unsent.fetch_add(length, Ordering::Relaxed) + length <= UNSENT && self.writer.send(bytes).is_ok()
    }
}

/// Reads until the end, or until something comes that is no message.
async fn read_all(
    id: ConnectionId,
    mut stream: impl AsyncRead + Unpin,
    inputs: &mpsc::Sender<Input>,
) -> Result<(), FrameError> {
    let mut framer = Framer::default();
    loop {
        let read = {
            let begun = framer.is_in_message();
            let mut spare = framer.spare();
            let read = stream.read_buf(&mut spare);
            if begun { timeout(PATIENCE, read).await.unwrap_or(Ok(0)) } else { read.await }
        };
        if !matches!(read, Ok(1..)) {
            return Ok(());
        }
        while let Some(bytes) = framer.next_frame()? {
            // The framer has seen to the length.
            let Ok(message) = Message::parse(bytes) else { return Ok(()) };
            if inputs.send(Input::Message(id, message)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Writes what comes, several messages at once where several wait.
async fn write_all(
    id: ConnectionId,
    mut stream: impl AsyncWrite + Unpin,
    mut waiting: mpsc::UnboundedReceiver<Bytes>,
    unsent: Arc<AtomicUsize>,
    inputs: mpsc::Sender<Input>,
) {
    let mut buffer = BytesMut::new();
    while let Some(bytes) = waiting.recv().await {
        buffer.extend_from_slice(&bytes);
        while buffer.len() < WRITE
            && let Ok(bytes) = waiting.try_recv()
        {
            buffer.extend_from_slice(&bytes);
        }
        let written = timeout(PATIENCE, stream.write_all(&buffer)).await;
        unsent.fetch_sub(buffer.len(), Ordering::Relaxed);
        buffer.clear();
        if !matches!(written, Ok(Ok(()))) {
            let _ = inputs.send(Input::Lost(id, None)).await;
            return;
        }
    }
    let _ = timeout(PATIENCE, stream.shutdown()).await;
}
