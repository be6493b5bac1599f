//! What goes over the pipes between the service and a script host.
//!
//! A frame is its length (four bytes, big-endian) and that many bytes of JSON. The service speaks first with
//! [`ToHost::Run`], answers questions with the other variants, and waits for [`FromHost::Done`] or
//! [`FromHost::Failed`]. A host greets with [`FromHost::Hello`] when it starts.

use std::io::{self, Read, Write};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use crate::{Call, CertificateRequest, Effect, limits};

/// Both sides are the same binary; this tells when they are not.
pub(crate) const PROTOCOL: u32 = 2;

#[derive(Serialize, Deserialize)]
pub(crate) enum ToHost {
    Run {
        call: Box<Call>,
        time_ms: u64,
    },
    Value(Option<Blob>),
    Entries {
        items: Vec<(Blob, Blob)>,
        more: bool,
    },
    Written(Option<u64>),
    /// A certificate, PEM, or why there is none.
    Certificate(Result<String, String>),
    /// The call has read as many bytes as it may.
    TooMuch,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum FromHost {
    Hello { protocol: u32 },
    Ask(Question),
    Done(Finished),
    Failed(Failure),
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Question {
    Get { table: String, key: Blob },
    Entries { table: String },
    Written { table: String, key: Blob },
    Certificate(CertificateRequest),
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Finished {
    pub(crate) value: serde_json::Value,
    pub(crate) writes: Vec<(String, Blob, Option<Blob>)>,
    pub(crate) effects: Vec<Effect>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Failure {
    Threw { reason: String, trace: Option<String> },
    TimeLimit,
    MemoryLimit,
    Compile { reason: String },
    MissingExport { name: String },
}

impl Failure {
    pub(crate) fn threw(reason: impl Into<String>) -> Self {
        Self::Threw { reason: reason.into(), trace: None }
    }
}

/// Bytes, as base64 text in a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text.as_bytes()).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Writes one frame.
pub(crate) fn send(pipe: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len().saturating_sub(4);
    if length > limits::FRAME {
        return Err(too_long(length));
    }
    let prefix = u32::try_from(length).map_err(|_| too_long(length))?.to_be_bytes();
    if let Some(head) = frame.get_mut(..4) {
        head.copy_from_slice(&prefix);
    }
    pipe.write_all(&frame)?;
    pipe.flush()
}

/// Reads one frame; the end of the pipe is an error of kind `UnexpectedEof`.
pub(crate) fn receive<T: DeserializeOwned>(pipe: &mut impl Read) -> io::Result<T> {
    let mut prefix = [0; 4];
    pipe.read_exact(&mut prefix)?;
    let length = u32::from_be_bytes(prefix) as usize;
    if length > limits::FRAME {
        return Err(too_long(length));
    }
    let mut frame = Vec::new();
    pipe.take(length as u64).read_to_end(&mut frame)?;
    if frame.len() != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&frame)?)
}

fn too_long(length: usize) -> io::Error {
    let limit = limits::FRAME;
    io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes is longer than {limit}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn frames_round_trip(key: Vec<u8>, table: String) {
            let mut pipe = Vec::new();
            send(&mut pipe, &FromHost::Ask(Question::Get { table: table.clone(), key: Blob(key.clone()) })).unwrap();
            let back = receive(&mut pipe.as_slice()).unwrap();
            let FromHost::Ask(Question::Get { table: t, key: k }) = back else { panic!("another variant") };
            prop_assert_eq!((t, k.0), (table, key));
        }

        #[test]
        fn a_cut_frame_is_an_end(cut in 0_usize..10) {
            let mut pipe = Vec::new();
            send(&mut pipe, &FromHost::Hello { protocol: 1 }).unwrap();
            pipe.truncate(cut);
            let error = receive::<FromHost>(&mut pipe.as_slice()).err().unwrap();
            prop_assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn a_long_frame_is_refused_before_it_is_read() {
        let error = receive::<FromHost>(&mut [0xff; 8].as_slice()).err().unwrap();
        assert_eq!(error.to_string(), "a frame of 4294967295 bytes is longer than 25165824");
    }
}
