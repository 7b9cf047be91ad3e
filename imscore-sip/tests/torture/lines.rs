//! Every file of the corpora, messages or not, as a line of a trace (P13).

use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;

use imscore_sip::trace::{Event, Observer, Raw, Record};
use imscore_sip::transport::{Flow, ListenerId, Transport};
use imscore_sip::{Message, Now};
use libtest_mimic::Failed;

/// Each becomes valid JSON, and comes out of it as it went in.
pub(crate) fn every_file(corpora: &Path) -> Result<(), Failed> {
    let (sink, written) = mpsc::channel();
    let mut observer = Observer::new("corpus", &[], move |record| drop(sink.send(record))).plain();
    let remote = "192.0.2.1:5060".parse().map_err(|_| "no address")?;
    let flow = Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None };
    let now = Now { monotonic: Instant::now(), wall: 0 };
    let (mut folders, mut count) = (vec![corpora.to_path_buf()], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path)?;
            match Message::parse(bytes.clone().into()) {
                Ok(message) => observer.on_message(&message, &flow, now),
                Err(error) => observer.on_malformed(&bytes, &error, &flow, now),
            }
            // A message, before the dialog that it may have made.
            let records: Vec<Record> = written.try_iter().collect();
            if let Some(record) = records.first() {
                let line = record.to_json();
                let read = Record::from_json(&line).map_err(|error| format!("{}: {error}", path.display()))?;
                let (Event::Message(imscore_sip::trace::Message { raw, .. }) | Event::Malformed { raw, .. }) =
                    &read.event
                else {
                    return Err(format!("{}: {line}", path.display()).into());
                };
                let kept = raw.as_ref().and_then(Raw::bytes);
                if read != *record || kept.as_deref() != Some(&bytes) {
                    return Err(format!("{}: {line}", path.display()).into());
                }
                count += 1;
            }
        }
    }
    if count > 0 { Ok(()) } else { Err("the corpora are empty".into()) }
}
