use bytes::Bytes;
use openraft::{BasicNode, CommittedLeaderId, EntryPayload, LeaderId, Membership};

use super::encoding::Reader;
use super::{Entry, LogError, LogId, Vote};
use crate::types::Batch;

const SEGMENT: u8 = 1;
const BLANK: u8 = 2;
const BATCH: u8 = 3;
const MEMBERSHIP: u8 = 4;
const VOTE: u8 = 5;
const TRUNCATE: u8 = 6;
const PURGE: u8 = 7;

/// State of the log at the beginning of a segment: what must be known when the segments before it are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) vote: Option<Vote>,
    pub(super) purged: Option<LogId>,
    /// Index of the last entry, purged or not.
    pub(super) last: Option<u64>,
}

/// One thing a frame says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    Segment { number: u64, summary: Summary },
    Entry(Entry),
    Vote(Vote),
    Truncate { since: u64 },
    Purge { upto: LogId },
}

/// About the bytes an entry takes in a frame; memberships are small and count as nothing.
pub(super) fn size_hint(entry: &Entry) -> usize {
    match &entry.payload {
        EntryPayload::Normal(batch) => 21 + batch.0.len(),
        _ => 17,
    }
}

/// Appends a record to a body.
pub(super) fn encode(record: &Record, out: &mut Vec<u8>) -> Result<(), LogError> {
    match record {
        Record::Segment { number, summary } => {
            out.push(SEGMENT);
            out.extend(number.to_le_bytes());
            encode_option(summary.vote.as_ref(), out, encode_vote);
            encode_option(summary.purged.as_ref(), out, encode_id);
            encode_option(summary.last.as_ref(), out, |last, out| out.extend(last.to_le_bytes()));
        }
        Record::Entry(entry) => encode_entry(entry, out)?,
        Record::Vote(vote) => {
            out.push(VOTE);
            encode_vote(vote, out);
        }
        Record::Truncate { since } => {
            out.push(TRUNCATE);
            out.extend(since.to_le_bytes());
        }
        Record::Purge { upto } => {
            out.push(PURGE);
            encode_id(upto, out);
        }
    }
    Ok(())
}

fn encode_entry(entry: &Entry, out: &mut Vec<u8>) -> Result<(), LogError> {
    let (kind, payload) = match &entry.payload {
        EntryPayload::Blank => (BLANK, None),
        EntryPayload::Normal(batch) => (BATCH, Some(batch.0.clone())),
        EntryPayload::Membership(membership) => (MEMBERSHIP, Some(membership_json(entry, membership)?)),
    };
    out.push(kind);
    encode_id(&entry.log_id, out);
    if let Some(bytes) = payload {
        let limit = super::MAX_FRAME_BYTES;
        let count = u32::try_from(bytes.len()).map_err(|_| LogError::FrameTooLong { bytes: bytes.len(), limit })?;
        out.extend(count.to_le_bytes());
        out.extend(&bytes);
    }
    Ok(())
}

fn membership_json(entry: &Entry, membership: &Membership<u64, BasicNode>) -> Result<Bytes, LogError> {
    let json = serde_json::to_vec(membership);
    json.map(Bytes::from).map_err(|e| LogError::Membership { index: entry.log_id.index, reason: e.to_string() })
}

fn encode_vote(vote: &Vote, out: &mut Vec<u8>) {
    out.extend(vote.leader_id.term.to_le_bytes());
    encode_option(vote.leader_id.voted_for.as_ref(), out, |node, out| out.extend(node.to_le_bytes()));
    out.push(u8::from(vote.committed));
}

fn encode_id(id: &LogId, out: &mut Vec<u8>) {
    out.extend(id.leader_id.term.to_le_bytes());
    out.extend(id.index.to_le_bytes());
}

fn encode_option<T>(value: Option<&T>, out: &mut Vec<u8>, encode: impl FnOnce(&T, &mut Vec<u8>)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        encode(value, out);
    }
}

/// The records of a body; `None` if it is not made of records. What a batch holds is copied out.
pub(super) fn decode(body: &[u8]) -> Option<Vec<Record>> {
    let mut reader = Reader(body);
    let mut records = Vec::new();
    while reader.0.iter().any(|byte| *byte != 0) {
        records.push(decode_one(&mut reader)?);
    }
    Some(records)
}

fn decode_one(reader: &mut Reader<'_>) -> Option<Record> {
    Some(match reader.u8()? {
        SEGMENT => {
            let number = reader.u64()?;
            let vote = reader.optional(decode_vote)?;
            let purged = reader.optional(decode_id)?;
            let last = reader.optional(Reader::u64)?;
            Record::Segment { number, summary: Summary { vote, purged, last } }
        }
        VOTE => Record::Vote(decode_vote(reader)?),
        TRUNCATE => Record::Truncate { since: reader.u64()? },
        PURGE => Record::Purge { upto: decode_id(reader)? },
        kind => Record::Entry(decode_entry(kind, reader)?),
    })
}

fn decode_entry(kind: u8, reader: &mut Reader<'_>) -> Option<Entry> {
    let log_id = decode_id(reader)?;
    let payload = match kind {
        BLANK => EntryPayload::Blank,
        BATCH => EntryPayload::Normal(Batch(Bytes::copy_from_slice(reader.counted()?))),
        MEMBERSHIP => EntryPayload::Membership(serde_json::from_slice(reader.counted()?).ok()?),
        _ => return None,
    };
    Some(Entry { log_id, payload })
}

fn decode_vote(reader: &mut Reader<'_>) -> Option<Vote> {
    let leader_id = LeaderId { term: reader.u64()?, voted_for: reader.optional(Reader::u64)? };
    Some(Vote { leader_id, committed: reader.flag()? })
}

fn decode_id(reader: &mut Reader<'_>) -> Option<LogId> {
    Some(LogId { leader_id: CommittedLeaderId::new(reader.u64()?, 0), index: reader.u64()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> impl Strategy<Value = LogId> {
        any::<(u64, u64)>().prop_map(|(term, index)| LogId { leader_id: CommittedLeaderId::new(term, 0), index })
    }

    fn vote() -> impl Strategy<Value = Vote> {
        any::<(u64, Option<u64>, bool)>()
            .prop_map(|(term, voted_for, committed)| Vote { leader_id: LeaderId { term, voted_for }, committed })
    }

    fn membership() -> impl Strategy<Value = Membership<u64, BasicNode>> {
        prop::collection::btree_map(any::<u64>(), ".{0,20}".prop_map(|addr| BasicNode { addr }), 1..4)
            .prop_map(|nodes| Membership::new(vec![nodes.keys().copied().collect()], nodes))
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let payload = prop_oneof![
            Just(EntryPayload::Blank),
            prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| EntryPayload::Normal(Batch(bytes.into()))),
            membership().prop_map(EntryPayload::Membership),
        ];
        (id(), payload).prop_map(|(log_id, payload)| Entry { log_id, payload })
    }

    fn record() -> impl Strategy<Value = Record> {
        let summary = (prop::option::of(vote()), prop::option::of(id()), any::<Option<u64>>())
            .prop_map(|(vote, purged, last)| Summary { vote, purged, last });
        prop_oneof![
            (any::<u64>(), summary).prop_map(|(number, summary)| Record::Segment { number, summary }),
            entry().prop_map(Record::Entry),
            vote().prop_map(Record::Vote),
            any::<u64>().prop_map(|since| Record::Truncate { since }),
            id().prop_map(|upto| Record::Purge { upto }),
        ]
    }

    proptest! {
        #[test]
        fn records_read_back(records in prop::collection::vec(record(), 0..6), padding in 0_usize..8) {
            let mut body = Vec::new();
            for record in &records {
                encode(record, &mut body).unwrap();
            }
            body.resize(body.len() + padding, 0);
            prop_assert_eq!(decode(&body), Some(records));
        }

        #[test]
        fn no_body_breaks_the_decoder(body in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&body);
        }

        #[test]
        fn the_size_hint_is_not_above_the_size(entry in entry()) {
            let mut body = Vec::new();
            encode(&Record::Entry(entry.clone()), &mut body).unwrap();
            prop_assert!(size_hint(&entry) <= body.len());
        }
    }
}
