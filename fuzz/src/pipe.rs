//! What a script host says on its pipe.

use constitution::{Call, CertificateRequest, Context, RuntimeLimits, Tables, answer_of};

/// The first byte says what the script may do, the rest is what its host says.
///
/// # Panics
/// If an answer is taken that changes what a script must not change, or a table is shown that it must not see.
pub fn run(data: &[u8]) {
    let (context, said) = match data.split_first() {
        Some((b'A', said)) => (Context::Apply, said),
        Some((_, said)) => (Context::ReadOnly, said),
        None => (Context::ReadOnly, data),
    };
    let Ok(outcome) = answer_of(&call(context), said, &mut Shown) else { return };
    if context == Context::ReadOnly {
        assert!(outcome.writes.is_empty() && outcome.effects.is_empty());
    }
    for write in &outcome.writes {
        let table = write.table.as_str();
        assert!(table.starts_with("public:") && !table.starts_with("public:ccf.internal."), "{table}");
        assert!(table.starts_with("public:ccf.gov.") || !table.starts_with("public:ccf."), "{table}");
    }
}

/// Tables that only what a script may read is asked of.
struct Shown;

impl Shown {
    fn check(table: &str) {
        assert!(table.starts_with("public:ccf.gov.") || table.starts_with("public:ccf.internal."), "{table}");
    }
}

impl Tables for Shown {
    fn get(&mut self, table: &str, _: &[u8]) -> Option<Vec<u8>> {
        Self::check(table);
        Some(b"value".to_vec())
    }

    fn entries(&mut self, table: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        Self::check(table);
        vec![(b"key".to_vec(), b"value".to_vec())]
    }

    fn written(&mut self, table: &str, _: &[u8]) -> Option<u64> {
        Self::check(table);
        Some(1)
    }

    fn certificate(&mut self, _: &CertificateRequest) -> Result<String, String> {
        Ok("certificate".into())
    }
}

fn call(context: Context) -> Call {
    Call {
        module_name: "m".into(),
        module_text: String::new(),
        function: "f".into(),
        arguments: Vec::new(),
        context,
        created_at_ms: 0,
        seed: [0; 32],
        limits: RuntimeLimits::BASE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_is_understood() {
        let taken = |context, said: &[u8]| answer_of(&call(context), &said[1..], &mut Shown);
        let applied = taken(Context::Apply, include_bytes!("../corpus/pipe/apply")).expect("a good answer");
        assert_eq!(applied.writes.len(), 2);
        assert!(taken(Context::ReadOnly, include_bytes!("../corpus/pipe/resolve")).is_ok());
        let refused = |said| taken(Context::ReadOnly, said).expect_err("a rule is broken").to_string();
        assert!(refused(include_bytes!("../corpus/pipe/writes")).contains("it wrote to table"));
        assert!(refused(include_bytes!("../corpus/pipe/private")).contains("it asked for table private"));
    }
}
