//! Many questions to the constitution in one call of a script host: compiling the rules takes longer than asking them.
//!
//! The rules are asked as the service asks them, `validate` with the text, `resolve` with text, proposer, votes and id,
//! in front of the tables of one state. What is recorded, voted and applied goes the way of the service, in `service`.

use std::sync::LazyLock;

use constitution::{Budget, Call, Context, DEFAULT_CONSTITUTION, Engine, RuntimeLimits, Tables};
use kv::State;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    people::people,
    service::{JUDGES, PATIENCE},
};

/// Asked behind the rules, in their own module.
const ASK: &str = "
export function ask(questions) {
  return questions.map(([text, proposer, ballots, id]) => {
    const { valid, description } = validate(text);
    const answer = (votes) => (valid ? resolve(text, proposer, votes, id) : `Refused: ${description}`);
    return ballots.map(answer);
  });
}
export function names() {
  return [...ACTIONS.keys()];
}
";
/// An id that no proposal has.
const UNKNOWN: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
/// Questions in one call.
const AT_ONCE: usize = 60;

static MODULE: LazyLock<String> = LazyLock::new(|| format!("{DEFAULT_CONSTITUTION}{ASK}"));

/// Who votes what.
pub(crate) type Votes = Vec<(&'static str, bool)>;

/// A proposal, and the votes to try.
pub(crate) struct Question<'a> {
    pub(crate) actions: &'a Value,
    pub(crate) proposer: &'a str,
    /// Sets of votes, each of names and what they vote.
    pub(crate) votes: Vec<Votes>,
    /// The proposal if it is recorded.
    pub(crate) id: Option<&'a str>,
}

/// What becomes of each with each set of votes: `Open`, `Accepted`, `Rejected`, or `Refused: ` and why.
pub(crate) fn ask(state: &State, questions: &[Question<'_>]) -> Vec<Vec<String>> {
    let id = |name: &str| people().members[name].id.clone();
    let vote = |(name, yes): &(&str, bool)| json!({ "member_id": id(name), "vote": yes });
    let asked = |question: &Question<'_>| {
        let text = json!({ "actions": question.actions }).to_string();
        let votes: Vec<Vec<Value>> = question.votes.iter().map(|votes| votes.iter().map(vote).collect()).collect();
        json!([text, id(question.proposer), votes, question.id.unwrap_or(UNKNOWN)])
    };
    let asked: Vec<Value> = questions.iter().map(asked).collect();
    asked.chunks(AT_ONCE).flat_map(|some| ask_some(state, json!(some))).collect()
}

/// The names of all actions.
pub(crate) fn action_names() -> Vec<String> {
    call(&State::default(), "names", Vec::new())
}

fn ask_some(state: &State, questions: Value) -> Vec<Vec<String>> {
    call(state, "ask", vec![questions])
}

fn call<T: DeserializeOwned>(state: &State, function: &str, arguments: Vec<Value>) -> T {
    let call = Call {
        module_name: "public:ccf.gov.constitution[0]".into(),
        module_text: MODULE.clone(),
        function: function.into(),
        arguments,
        context: Context::ReadOnly,
        created_at_ms: 0,
        seed: [0; 32],
        limits: RuntimeLimits::BASE,
    };
    let answer = JUDGES.run("ask", &call, &mut StateTables(state), &mut Budget::new(PATIENCE)).unwrap();
    serde_json::from_value(answer.value).unwrap()
}

struct StateTables<'a>(&'a State);

impl Tables for StateTables<'_> {
    fn get(&mut self, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(table, key).map(|found| found.value.to_vec())
    }

    fn entries(&mut self, table: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.0.iter(table).map(|(key, found)| (key.to_vec(), found.value.to_vec())).collect()
    }

    fn written(&mut self, table: &str, key: &[u8]) -> Option<u64> {
        self.0.get(table, key).map(|found| found.written.seqno)
    }
}
