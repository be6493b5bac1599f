//! The tables as a script sees them: what the service answers, and its own writes on top.

use std::collections::BTreeMap;

use crate::{
    CertificateRequest, Context, limits,
    permissions::{access, context_name, reserved_prefix},
    wire::{Blob, Question, ToHost},
};

use super::pipe::Pipe;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;
/// One key that was written: table, key, and the value or `None` where it was removed.
pub(super) type Write = (String, Blob, Option<Blob>);

/// Why a table function throws.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A `TypeError`: the context does not allow it.
    Type(String),
    /// An `Error`.
    Other(String),
}

/// All tables of one call.
pub(super) struct Tables {
    context: Context,
    pipe: Option<Pipe>,
    tables: BTreeMap<String, Table>,
    reads: usize,
    certificates: usize,
    written_bytes: usize,
}

#[derive(Default)]
struct Table {
    known: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Whether `known` holds every key there is.
    complete: bool,
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Tables {
    pub(super) fn new(context: Context, pipe: Option<Pipe>) -> Self {
        Self { context, pipe, tables: BTreeMap::new(), reads: 0, certificates: 0, written_bytes: 0 }
    }

    /// Refuses a name with a prefix of the platform that is none of its tables.
    pub(super) fn check_name(table: &str) -> Result<(), Refusal> {
        reserved_prefix(table).map_or(Ok(()), |prefix| {
            Err(Refusal::Other(format!("Map name '{table}' includes disallowed reserved prefix '{prefix}'")))
        })
    }

    pub(super) fn get(&mut self, method: &str, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        self.check(method, table, true)?;
        let view = self.tables.entry(table.to_owned()).or_default();
        if let Some(own) = view.writes.get(key).or_else(|| view.known.get(key)) {
            return Ok(own.clone());
        }
        if view.complete {
            return Ok(None);
        }
        let value = self.fetch(table, key)?;
        self.tables.entry(table.to_owned()).or_default().known.insert(key.to_vec(), value.clone());
        Ok(value)
    }

    /// All entries in the order of their keys, own writes included.
    pub(super) fn entries(&mut self, method: &str, table: &str) -> Result<Entries, Refusal> {
        self.check(method, table, true)?;
        self.complete(table)?;
        let Some(view) = self.tables.get(table) else { return Ok(Vec::new()) };
        let mut merged = view.known.clone();
        merged.extend(view.writes.clone());
        Ok(merged.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    }

    pub(super) fn written(&mut self, table: &str, key: &[u8]) -> Result<Option<u64>, Refusal> {
        self.check("getVersionOfPreviousWrite", table, true)?;
        match self.ask(Question::Written { table: table.to_owned(), key: Blob(key.to_vec()) })? {
            ToHost::Written(seqno) => Ok(seqno),
            _ => Err(out_of_step()),
        }
    }

    pub(super) fn set(&mut self, table: &str, key: Vec<u8>, value: Vec<u8>) -> Result<(), Refusal> {
        self.check("set", table, false)?;
        self.write(table, key, Some(value))
    }

    pub(super) fn delete(&mut self, table: &str, key: Vec<u8>) -> Result<(), Refusal> {
        self.check("delete", table, false)?;
        self.write(table, key, None)
    }

    pub(super) fn clear(&mut self, table: &str) -> Result<(), Refusal> {
        self.check("clear", table, false)?;
        for (key, _) in self.entries("clear", table)? {
            self.write(table, key, None)?;
        }
        Ok(())
    }

    /// Asks for a certificate, which the service makes or refuses.
    pub(super) fn certificate(&mut self, wanted: CertificateRequest) -> Result<String, Refusal> {
        if self.context != Context::Apply {
            return Err(Refusal::Type("certificates are made in apply only".to_owned()));
        }
        self.certificates += 1;
        if self.certificates > limits::CERTIFICATES {
            let most = limits::CERTIFICATES;
            return Err(Refusal::Other(format!("a script may ask for at most {most} certificates")));
        }
        if wanted.size() > limits::CERTIFICATE_REQUEST_BYTES {
            let most = limits::CERTIFICATE_REQUEST_BYTES;
            return Err(Refusal::Other(format!("a certificate may be asked for with at most {most} bytes")));
        }
        match self.ask(Question::Certificate(wanted))? {
            ToHost::Certificate(made) => made.map_err(Refusal::Other),
            _ => Err(out_of_step()),
        }
    }

    /// Everything written, ordered by table and key.
    pub(super) fn into_writes(self) -> Vec<Write> {
        let each = |(table, view): (String, Table)| {
            view.writes.into_iter().map(move |(key, value)| (table.clone(), Blob(key), value.map(Blob)))
        };
        self.tables.into_iter().flat_map(each).collect()
    }

    fn check(&self, method: &str, table: &str, read: bool) -> Result<(), Refusal> {
        Self::check_name(table)?;
        let access = access(self.context, table);
        if if read { access.reads() } else { access.writes() } {
            return Ok(());
        }
        Err(Refusal::Type(format!(
            "Cannot call \"{method}\" on table named {table}. This table is {} in current ({}) execution context. See \
             https://microsoft.github.io/CCF/main/audit/read_write_restrictions.html for more detail.",
            access.word(),
            context_name(self.context),
        )))
    }

    fn write(&mut self, table: &str, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), Refusal> {
        self.written_bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        if self.written_bytes > limits::WRITE_BYTES {
            return Err(Refusal::Other(format!("a script may write at most {} bytes", limits::WRITE_BYTES)));
        }
        self.tables.entry(table.to_owned()).or_default().writes.insert(key, value);
        Ok(())
    }

    fn fetch(&mut self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        match self.ask(Question::Get { table: table.to_owned(), key: Blob(key.to_vec()) })? {
            ToHost::Value(value) => Ok(value.map(|value| value.0)),
            _ => Err(out_of_step()),
        }
    }

    /// Fetches all of a table that is not known yet.
    fn complete(&mut self, table: &str) -> Result<(), Refusal> {
        if self.tables.get(table).is_some_and(|view| view.complete) {
            return Ok(());
        }
        let mut known = BTreeMap::new();
        let mut page = self.ask(Question::Entries { table: table.to_owned() })?;
        loop {
            let ToHost::Entries { items, more } = page else { return Err(out_of_step()) };
            known.extend(items.into_iter().map(|(key, value)| (key.0, Some(value.0))));
            if !more {
                break;
            }
            page = self.pipe()?.more().map_err(|_| out_of_step())?;
        }
        let view = self.tables.entry(table.to_owned()).or_default();
        view.known = known;
        view.complete = true;
        Ok(())
    }

    fn ask(&mut self, question: Question) -> Result<ToHost, Refusal> {
        self.reads += 1;
        if self.reads > limits::READS {
            return Err(Refusal::Other(format!("a script may read tables at most {} times", limits::READS)));
        }
        match self.pipe()?.ask(question).map_err(|_| out_of_step())? {
            ToHost::TooMuch => {
                Err(Refusal::Other(format!("a script may read at most {} bytes of tables", limits::READ_BYTES)))
            }
            answer => Ok(answer),
        }
    }

    fn pipe(&self) -> Result<&Pipe, Refusal> {
        self.pipe.as_ref().ok_or_else(out_of_step)
    }
}

fn out_of_step() -> Refusal {
    Refusal::Other("the service did not answer".to_owned())
}
