//! The messages that parsers are timed on.

use std::{fs, io, path::Path};

use bytes::Bytes;

/// One SIP message and the name it has in tables.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The file's name without its ending.
    pub name: String,
    /// The whole message, as it would come in a datagram.
    pub bytes: Bytes,
}

/// The twelve messages of this package, in the order of a subscriber's day: registration, call, subscription, text.
#[must_use]
pub fn messages() -> Vec<Sample> {
    BUILT_IN.iter().map(|&(name, bytes)| Sample { name: name.to_owned(), bytes: Bytes::from_static(bytes) }).collect()
}

/// Every `*.sip` file of a folder, by name.
///
/// # Errors
///
/// When the folder or one of its files cannot be read, or holds no `*.sip` file.
pub fn messages_in(folder: &Path) -> io::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "sip") {
            let name = path.file_stem().unwrap_or_default();
            samples.push(Sample { name: name.to_string_lossy().into_owned(), bytes: fs::read(&path)?.into() });
        }
    }
    if samples.is_empty() {
        let why = format!("{}: no *.sip file", folder.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, why));
    }
    samples.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(samples)
}

macro_rules! built_in {
    ($($name:literal)*) => {
        [$(($name, include_bytes!(concat!("../messages/", $name, ".sip")))),*]
    };
}

const BUILT_IN: [(&str, &[u8]); 12] = built_in! {
    "01_options"
    "02_register_auth"
    "03_register_ims"
    "04_invite_ims"
    "05_trying_100"
    "06_ringing_180"
    "07_ok_200_invite"
    "08_ack"
    "09_bye"
    "10_subscribe_reg"
    "11_notify_reginfo"
    "12_message_sms"
};

#[cfg(test)]
mod tests {
    use memchr::{memchr_iter, memmem};

    use super::*;

    #[test]
    fn lines_of_the_head_end_in_crlf() {
        for Sample { name, bytes } in messages() {
            let head = &bytes[..memmem::find(&bytes, b"\r\n\r\n").expect(&name)];
            assert!(memchr_iter(b'\n', head).all(|at| head[at - 1] == b'\r'), "{name}");
        }
    }

    #[test]
    fn content_length_is_the_length_of_the_body() {
        for Sample { name, bytes } in messages() {
            let end = memmem::find(&bytes, b"\r\n\r\n").expect(&name);
            let head = str::from_utf8(&bytes[..end]).expect(&name);
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            assert_eq!(length, Some(&*(bytes.len() - end - 4).to_string()), "{name}");
        }
    }

    #[test]
    fn a_folder_without_messages_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("readme.txt"), "no message").unwrap();
        assert!(messages_in(folder.path()).is_err());
        fs::write(folder.path().join("b.sip"), "b").unwrap();
        fs::write(folder.path().join("a.sip"), "a").unwrap();
        let names: Vec<_> = messages_in(folder.path()).unwrap().into_iter().map(|sample| sample.name).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
