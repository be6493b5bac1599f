//! One call on the pipes, from the service's end. What the child says is checked, not believed.

use std::{
    io::{self, ErrorKind, Read, Write},
    time::Duration,
};

use crate::{
    Call, CertificateRequest, Context, Outcome, TableWrite, Tables, limits,
    permissions::access,
    wire::{self, Blob, Failure, Finished, FromHost, Question, ToHost},
};

/// Why a conversation ended without an answer.
pub(super) enum Broken {
    /// The process is gone.
    Gone,
    /// The process did what no script host does.
    Rule(String),
}

/// Hands over the call, answers questions, and returns the checked answer.
pub(super) fn hold(
    to: &mut impl Write,
    from: &mut impl Read,
    call: &Call,
    tables: &mut dyn Tables,
    time: Duration,
) -> Result<Result<Outcome, Failure>, Broken> {
    let time_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    wire::send(to, &ToHost::Run { call: Box::new(call.clone()), time_ms })?;
    let mut answers = Answers::new(call.context);
    loop {
        match wire::receive(from)? {
            FromHost::Ask(question) => answers.answer(to, question, tables)?,
            FromHost::Done(finished) => return checked(finished, call.context).map(Ok),
            FromHost::Failed(failure) => return Ok(Err(failure)),
            FromHost::Hello { .. } => return Err(rule("it greeted twice")),
        }
    }
}

/// The bounds on what one call may read.
struct Answers {
    context: Context,
    reads: usize,
    bytes: usize,
    certificates: usize,
}

impl Answers {
    fn new(context: Context) -> Self {
        Self { context, reads: 0, bytes: 0, certificates: 0 }
    }

    fn answer(&mut self, to: &mut impl Write, question: Question, tables: &mut dyn Tables) -> Result<(), Broken> {
        self.reads += 1;
        if self.reads > limits::READS {
            return Err(rule("it asked too often"));
        }
        match question {
            Question::Get { table, key } => {
                self.check_table(&table)?;
                let value = tables.get(&table, &key.0).map(Blob);
                let allowed = self.count(value.as_ref().map_or(0, |value| value.0.len()));
                Ok(wire::send(to, &if allowed { ToHost::Value(value) } else { ToHost::TooMuch })?)
            }
            Question::Written { table, key } => {
                self.check_table(&table)?;
                Ok(wire::send(to, &ToHost::Written(tables.written(&table, &key.0)))?)
            }
            Question::Entries { table } => {
                self.check_table(&table)?;
                self.list(to, tables.entries(&table))
            }
            Question::Certificate(wanted) => {
                self.check_certificate(&wanted)?;
                Ok(wire::send(to, &ToHost::Certificate(tables.certificate(&wanted)))?)
            }
        }
    }

    fn check_table(&self, table: &str) -> Result<(), Broken> {
        if access(self.context, table).reads() { Ok(()) } else { Err(rule(&format!("it asked for table {table}"))) }
    }

    /// Whether certificates are asked for where they may be, and so many. What may stand in them the service decides.
    fn check_certificate(&mut self, wanted: &CertificateRequest) -> Result<(), Broken> {
        self.certificates += 1;
        if self.context != Context::Apply {
            return Err(rule("it asked for a certificate outside of apply"));
        }
        if self.certificates > limits::CERTIFICATES || wanted.size() > limits::CERTIFICATE_REQUEST_BYTES {
            return Err(rule("it asked for too many certificates"));
        }
        Ok(())
    }

    /// Sends a listing in pages, so that no frame gets too long.
    fn list(&mut self, to: &mut impl Write, entries: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), Broken> {
        if !self.count(entries.iter().map(|(key, value)| key.len() + value.len()).sum()) {
            return Ok(wire::send(to, &ToHost::TooMuch)?);
        }
        let (mut page, mut size) = (Vec::new(), 0);
        for (key, value) in entries {
            size += key.len() + value.len();
            page.push((Blob(key), Blob(value)));
            if size >= limits::PAGE {
                size = 0;
                wire::send(to, &ToHost::Entries { items: std::mem::take(&mut page), more: true })?;
            }
        }
        Ok(wire::send(to, &ToHost::Entries { items: page, more: false })?)
    }

    /// Counts bytes that are asked for; false when there are no more to be had.
    fn count(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        self.bytes <= limits::READ_BYTES
    }
}

fn checked(finished: Finished, context: Context) -> Result<Outcome, Broken> {
    let size: usize =
        finished.writes.iter().map(|(_, key, value)| key.0.len() + value.as_ref().map_or(0, |v| v.0.len())).sum();
    let asked: usize = finished.effects.iter().map(crate::Effect::size).sum();
    if size > limits::WRITE_BYTES || asked > limits::WRITE_BYTES || finished.effects.len() > limits::EFFECTS {
        return Err(rule("it wrote too much"));
    }
    if let Some((table, ..)) = finished.writes.iter().find(|(table, ..)| !access(context, table).writes()) {
        return Err(rule(&format!("it wrote to table {table}")));
    }
    if context == Context::ReadOnly && !finished.effects.is_empty() {
        return Err(rule("it triggered something outside of apply"));
    }
    let write =
        |(table, key, value): (String, Blob, Option<Blob>)| TableWrite { table, key: key.0, value: value.map(|v| v.0) };
    Ok(Outcome {
        value: finished.value,
        writes: finished.writes.into_iter().map(write).collect(),
        effects: finished.effects,
    })
}

fn rule(what: &str) -> Broken {
    Broken::Rule(what.to_owned())
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Self::Gone,
            _ => Self::Rule(format!("the conversation broke: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Everything;

    impl Tables for Everything {
        fn get(&mut self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
            Some(b"secret".to_vec())
        }
        fn entries(&mut self, _: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
            vec![(b"k".to_vec(), vec![0; limits::PAGE]); 3]
        }
        fn written(&mut self, _: &str, _: &[u8]) -> Option<u64> {
            None
        }
        fn certificate(&mut self, _: &CertificateRequest) -> Result<String, String> {
            Ok("certificate".to_owned())
        }
    }

    fn call(context: Context) -> Call {
        Call {
            module_name: "m".to_owned(),
            module_text: String::new(),
            function: "f".to_owned(),
            arguments: Vec::new(),
            context,
            created_at_ms: 0,
            seed: [0; 32],
            limits: crate::RuntimeLimits::BASE,
        }
    }

    /// What a child that says `messages` gets for it.
    fn rule_broken(context: Context, messages: &[FromHost]) -> Option<String> {
        let (mut from, mut to) = (Vec::new(), Vec::new());
        for message in messages {
            wire::send(&mut from, message).unwrap();
        }
        match hold(&mut to, &mut from.as_slice(), &call(context), &mut Everything, Duration::ZERO) {
            Err(Broken::Rule(rule)) => Some(rule),
            Err(Broken::Gone) | Ok(_) => None,
        }
    }

    fn get(table: &str) -> FromHost {
        FromHost::Ask(Question::Get { table: table.to_owned(), key: Blob(Vec::new()) })
    }

    fn done(table: &str, effects: Vec<crate::Effect>) -> FromHost {
        let writes = if table.is_empty() { Vec::new() } else { vec![(table.to_owned(), Blob(vec![1]), None)] };
        FromHost::Done(Finished { value: serde_json::Value::Null, writes, effects })
    }

    #[test]
    fn a_lying_child_gets_nothing() {
        for (context, message, expected) in [
            (Context::ReadOnly, get("secrets"), Some("it asked for table secrets")),
            (Context::Apply, get("public:cgs.releases"), Some("it asked for table public:cgs.releases")),
            (Context::Apply, get("ccf.gov.x"), Some("it asked for table ccf.gov.x")),
            (Context::ReadOnly, get("public:ccf.gov.x"), None),
            (Context::ReadOnly, done("public:ccf.gov.x", vec![]), Some("it wrote to table public:ccf.gov.x")),
            (Context::Apply, done("public:ccf.internal.x", vec![]), Some("it wrote to table public:ccf.internal.x")),
            (Context::Apply, done("public:cgs.resumes", vec![]), Some("it wrote to table public:cgs.resumes")),
            (Context::Apply, done("secrets", vec![]), Some("it wrote to table secrets")),
            (Context::Apply, done("public:ccf.gov.x", vec![crate::Effect::Snapshot]), None),
            (
                Context::ReadOnly,
                done("", vec![crate::Effect::Snapshot]),
                Some("it triggered something outside of apply"),
            ),
            (Context::ReadOnly, endorse(10), Some("it asked for a certificate outside of apply")),
            (Context::ReadOnly, renew(), Some("it asked for a certificate outside of apply")),
            (
                Context::Apply,
                endorse(limits::CERTIFICATE_REQUEST_BYTES + 1),
                Some("it asked for too many certificates"),
            ),
            (Context::Apply, endorse(10), None),
            (Context::Apply, renew(), None),
            (Context::Apply, done("", vec![keys(10)]), None),
            (Context::ReadOnly, done("", vec![keys(10)]), Some("it triggered something outside of apply")),
            (Context::Apply, done("", vec![keys(limits::WRITE_BYTES)]), Some("it wrote too much")),
            (Context::ReadOnly, FromHost::Hello { protocol: 1 }, Some("it greeted twice")),
        ] {
            assert_eq!(rule_broken(context, &[message]).as_deref(), expected);
        }
    }

    fn endorse(length: usize) -> FromHost {
        let (request, valid_from) = ("x".repeat(length), String::new());
        FromHost::Ask(Question::Certificate(CertificateRequest::Endorsed { request, valid_from, days: 1 }))
    }

    fn renew() -> FromHost {
        FromHost::Ask(Question::Certificate(CertificateRequest::Network { valid_from: String::new(), days: 1 }))
    }

    fn keys(length: usize) -> crate::Effect {
        let (issuer, jwks) = (String::new(), serde_json::Value::String("x".repeat(length)));
        crate::Effect::SetJwtPublicSigningKeys { issuer, jwks }
    }

    #[test]
    fn certificates_without_end_are_not_made() {
        let most = limits::CERTIFICATES;
        let asking = |many: usize| {
            let made: Vec<FromHost> = (0..many).map(|_| renew()).collect();
            rule_broken(Context::Apply, &made)
        };
        assert_eq!(asking(most), None);
        assert_eq!(asking(most + 1).as_deref(), Some("it asked for too many certificates"));
        let mut answers = Answers::new(Context::ReadOnly);
        let (mut to, wanted) = (Vec::new(), CertificateRequest::Network { valid_from: String::new(), days: 1 });
        assert!(answers.answer(&mut to, Question::Certificate(wanted), &mut Everything).is_err());
        assert!(to.is_empty(), "nothing is made for whom it is not for");
    }

    #[test]
    fn a_child_that_asks_without_end_is_stopped() {
        let many: Vec<FromHost> = (0..=limits::READS).map(|_| get("public:ccf.gov.x")).collect();
        assert_eq!(rule_broken(Context::ReadOnly, &many).as_deref(), Some("it asked too often"));
    }

    #[test]
    fn listings_beyond_the_limit_are_not_sent() {
        let mut answers = Answers::new(Context::ReadOnly);
        let mut sent = 0;
        for _ in 0..40 {
            let mut to = Vec::new();
            let question = Question::Entries { table: "public:ccf.gov.x".to_owned() };
            assert!(answers.answer(&mut to, question, &mut Everything).is_ok());
            sent += to.len();
        }
        assert!(sent < limits::READ_BYTES / 2 * 3, "{sent} bytes sent");
    }
}
