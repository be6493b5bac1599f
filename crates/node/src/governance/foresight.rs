use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use api::{Body, Output};
use kv::{ReadSet, State};

/// Most proposals whose effect is remembered.
const MAX_KNOWN: usize = 64;
/// Longest answer that is remembered, in bytes.
const MAX_REMEMBERED: usize = 256 << 10;

/// What Open proposals would do, as long as nothing changes that it was worked out from.
///
/// Working it out runs scripts, and asking is free. So it is done for members only, for one of them at a time, who stand
/// in a queue in which each has one place; and what does not change is not worked out again.
#[derive(Default)]
pub(super) struct Foresight {
    /// Held by the one whose question is being worked out: that leaves the other script hosts to decisions.
    pub(super) turn: tokio::sync::Mutex<()>,
    known: Mutex<HashMap<String, Known>>,
}

struct Known {
    output: Output,
    reads: ReadSet,
}

impl Foresight {
    /// The effect of a proposal on this state, if it is known.
    pub(super) fn recall(&self, proposal: &str, state: &State) -> Option<Output> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(proposal).filter(|known| known.reads.check(state).is_ok()).map(|known| known.output.clone())
    }

    /// Remembers the effect of a proposal, which follows from `reads`.
    pub(super) fn remember(&self, proposal: &str, output: &Output, reads: ReadSet) {
        if !matches!(&output.body, Body::Json(text) if text.len() <= MAX_REMEMBERED) {
            return;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(proposal.to_owned(), Known { output: output.clone(), reads });
    }
}

#[cfg(test)]
mod tests {
    use kv::{Tx, TxId, WriteSet};
    use serde_json::json;

    use super::*;

    fn changed(state: &State, key: &'static str) -> State {
        let (mut writes, mut state) = (WriteSet::default(), state.clone());
        writes.put("m", key, "v");
        state.apply(TxId::new(2, state.tx_id().seqno + 1), &writes);
        state
    }

    #[test]
    fn an_effect_is_known_until_something_that_was_read_changes() {
        let (foresight, state) = (Foresight::default(), State::default());
        let mut tx = Tx::new(state.clone());
        tx.get("m", b"k");
        let output = Output::json(&json!({ "a": 1 }));
        foresight.remember("p", &output, tx.into_parts().0);
        assert_eq!(foresight.recall("p", &changed(&state, "other")), Some(output));
        assert_eq!(foresight.recall("p", &changed(&state, "k")), None);
        assert_eq!(foresight.recall("q", &state), None);
    }

    #[test]
    fn memory_is_bounded() {
        let (foresight, state) = (Foresight::default(), State::default());
        let remember = |name: String, text: &str| {
            foresight.remember(&name, &Output::json(&json!(text)), ReadSet::default());
            foresight.recall(&name, &state).is_some()
        };
        assert!(!remember("long".into(), &"x".repeat(MAX_REMEMBERED)));
        assert!((0..3 * MAX_KNOWN).all(|number| remember(number.to_string(), "x")));
        assert!(foresight.known.lock().unwrap().len() <= MAX_KNOWN);
    }
}
