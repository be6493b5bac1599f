//! A service in one state, which real deciders and the shipped constitution change.

use std::{
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::Duration,
};

use api::{ApiError, Body, Output};
use bytes::Bytes;
use consortium::{
    Issuer, Scripts, ServiceContext,
    envelope::{self, MessageType, Policy, Signed},
    proposals, state_digests,
};
use constitution::{Budget, Call, Engine, Outcome, Pool, PoolOptions, ScriptError, Tables};
use crypto::{
    AesKey, Certificate,
    issue::{self, Validity},
};
use kv::{State, Tx, TxId, UNIT_KEY, WriteSet};
use ledger::{secrets::Secret, tables};
use serde_json::{Value, json};

use crate::people::{Person, UNCOUNTED, people};

pub(crate) const SCRIPT_HOST: &str = "script-host";
const YES: &str = "export function vote () { return true }";
const NO: &str = "export function vote () { return false }";
/// No limit is under test here, and the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Does something with each of them, on as many threads as there are script hosts; what that finds.
pub(crate) fn in_parallel<T: Sync>(items: &[T], find: impl Fn(&T) -> Vec<String> + Sync) -> Vec<String> {
    let (queue, found) = (Mutex::new(items.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some(item) = next else { break };
                    let more = find(item);
                    found.lock().unwrap().extend(more);
                }
            });
        }
    });
    found.into_inner().unwrap()
}

/// Runs the constitution in script hosts. What a ballot of these tests says is known: it needs no process.
pub(crate) struct Judges(Pool);

pub(crate) static JUDGES: LazyLock<Judges> = LazyLock::new(|| {
    let program = std::env::current_exe().unwrap();
    Judges(Pool::new(PoolOptions::new(program, [SCRIPT_HOST.into()])).unwrap())
});

impl Engine for Judges {
    fn run(
        &self,
        who: &str,
        call: &Call,
        tables: &mut dyn Tables,
        budget: &mut Budget,
    ) -> Result<Outcome, ScriptError> {
        match call.module_text.as_str() {
            YES => Ok(Outcome { value: json!(true), writes: Vec::new(), effects: Vec::new() }),
            NO => Ok(Outcome { value: json!(false), writes: Vec::new(), effects: Vec::new() }),
            _ => self.0.run(who, call, tables, budget),
        }
    }
}

/// Signs with the key of the service.
struct ServiceKey;

impl Issuer for ServiceKey {
    fn endorse(&self, request: &str, validity: Validity, service: &Certificate) -> crypto::Result<Certificate> {
        issue::endorse_request(request, validity, &people().service_key, service)
    }

    fn renew(&self, service: &Certificate, validity: Validity) -> crypto::Result<Certificate> {
        issue::renew_service_certificate(&people().service_key, service, validity)
    }
}

/// A service; a clone of it is another one with the same past.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) state: State,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposed {
    pub(crate) id: String,
    pub(crate) state: String,
    /// Why it failed.
    pub(crate) failure: String,
}

impl Service {
    pub(crate) fn tx(&self) -> Tx {
        Tx::new(self.state.clone())
    }

    fn commit(&mut self, tx: Tx) {
        let (_, writes) = tx.into_parts();
        self.write(&writes);
    }

    /// Commits something, and signs it as far as governance looks at that.
    pub(crate) fn write(&mut self, writes: &WriteSet) {
        let seqno = self.state.tx_id().seqno + 1;
        self.state.apply(TxId::new(2, seqno), writes);
        let mut signature = WriteSet::default();
        let root = hex::encode(crypto::sha256(&seqno.to_le_bytes()));
        signature.put(tables::SIGNATURES, UNIT_KEY.to_vec(), json!({ "root": root }).to_string());
        self.state.apply(TxId::new(2, seqno + 1), &signature);
    }

    pub(crate) fn put(&mut self, table: &str, key: &[u8], value: &Value) {
        let mut writes = WriteSet::default();
        writes.put(table, key.to_vec(), value.to_string());
        self.write(&writes);
    }

    pub(crate) fn json(&self, table: &str, key: &[u8]) -> Value {
        self.state.get(table, key).map_or(Value::Null, |found| serde_json::from_slice(&found.value).unwrap())
    }

    fn decide<T>(
        &mut self,
        run: impl FnOnce(&mut Tx, &mut Scripts<'_>, &ServiceContext<'_>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut tx = self.tx();
        let mut budget = Budget::new(PATIENCE);
        let mut scripts = Scripts { engine: &*JUDGES, budget: &mut budget };
        let context = ServiceContext {
            ledger_secret: &Secret::new(1, AesKey::from_bytes([9; 32]).unwrap()),
            next_secret: &AesKey::from_bytes([8; 32]).unwrap(),
            share_seed: &[5; 32],
            identity_endorsement: br#"{"endorsement":"e"}"#,
            issuer: &ServiceKey,
        };
        let result = run(&mut tx, &mut scripts, &context)?;
        self.commit(tx);
        Ok(result)
    }

    /// Confirms the state as a member, and has resolved again what waits (D20); what became of it.
    pub(crate) fn activate(&mut self, name: &str) -> Vec<Proposed> {
        let person = &people().members[name];
        let update = signed(person, MessageType::StateDigest, None, "");
        let digest = self.decide(|tx, _, _| state_digests::update(tx, &update, &person.id)).unwrap();
        let ack = signed(person, MessageType::Ack, None, &body(&digest).to_string());
        self.decide(|tx, _, context| state_digests::acknowledge(tx, &ack, &person.id, context)).unwrap();
        self.resolve_open()
    }

    /// Resolves all that is open again; what became of it.
    pub(crate) fn resolve_open(&mut self) -> Vec<Proposed> {
        let waiting = proposals::waiting(&mut self.tx()).unwrap();
        waiting.iter().filter_map(|proposal| self.reresolve(proposal)).collect()
    }

    /// Whether a member's signature under a proposal is taken at all.
    pub(crate) fn may_propose(&self, name: &str, actions: &Value) -> bool {
        let person = &people().members[name];
        let payload = json!({ "actions": actions }).to_string();
        let message =
            crypto::cose::sign_governance(&person.key, &person.id, "proposal", now(), None, payload.as_bytes());
        let body = Bytes::from(message.unwrap());
        let kind = MessageType::Proposal;
        let answer = envelope::authenticate(&mut self.tx(), &body, Some("application/cose"), Policy::ACTIVE, kind);
        if let Err(error) = &answer {
            assert_eq!((error.status, error.code), (401, "InvalidAuthenticationInfo"), "{error}");
        }
        answer.is_ok()
    }

    /// Proposes; an error is the refusal of the rules.
    pub(crate) fn propose(&mut self, name: &str, actions: &Value) -> Result<Proposed, ApiError> {
        let payload = json!({ "actions": actions }).to_string();
        let signed = signed(&people().members[name], MessageType::Proposal, None, &payload);
        let root = crypto::sha256(&self.state.tx_id().seqno.to_le_bytes());
        let decided = self.decide(|tx, scripts, context| {
            let mut validation = Tx::new(tx.base().clone());
            let validated = proposals::validate(&mut validation, &signed, scripts)?;
            proposals::create(tx, &signed, &validated, &root, scripts, context)
        })?;
        Ok(proposed(&body(&decided.output)))
    }

    /// A vote for it.
    pub(crate) fn accept(&mut self, name: &str, proposal: &str) -> Proposed {
        let payload = json!({ "ballot": YES }).to_string();
        let person = &people().members[name];
        let ballot = signed(person, MessageType::Ballot, Some(proposal), &payload);
        let decided = self.decide(|tx, scripts, context| {
            proposals::submit_ballot(tx, &ballot, proposal, &person.id, scripts, context)
        });
        proposed(&body(&decided.unwrap_or_else(|why| panic!("{why}")).output))
    }

    /// Has these members vote, and looks once what that means.
    pub(crate) fn vote_all(&mut self, names: &[&str], yes: bool, proposal: &str) -> Proposed {
        self.note_votes(names, yes, proposal);
        self.reresolve(proposal).expect("it is open")
    }

    /// Records votes that are looked at with the next one.
    pub(crate) fn note_votes(&mut self, names: &[&str], yes: bool, proposal: &str) {
        let mut info = self.json(tables::PROPOSALS_INFO, proposal.as_bytes());
        for name in names {
            info["ballots"][people().members[*name].id.as_str()] = json!(if yes { YES } else { NO });
        }
        self.put(tables::PROPOSALS_INFO, proposal.as_bytes(), &info);
    }

    fn reresolve(&mut self, proposal: &str) -> Option<Proposed> {
        let boss = &people().members["boss"].id;
        let decided = self
            .decide(|tx, scripts, context| proposals::reresolve(tx, proposal, boss, now(), scripts, context))
            .unwrap_or_else(|why| panic!("{why}"))?;
        Some(proposed(&body(&decided.output)))
    }

    /// Proposes as one who is not counted, and has all Active counted members accept it.
    pub(crate) fn pass(&mut self, actions: &Value) {
        let mut proposed = self.propose("boss", actions).unwrap_or_else(|why| panic!("{why}: {actions}"));
        for name in self.active(&["alice", "bob"]) {
            if proposed.state == "Open" {
                proposed = self.accept(name, &proposed.id);
            }
        }
        assert_eq!(proposed.state, "Accepted", "{proposed:?}: {actions}");
    }

    /// Those of them who are Active.
    pub(crate) fn active<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        let status =
            |name: &str| self.json(tables::MEMBERS_INFO, people().members[name].id.as_bytes())["status"].clone();
        names.iter().copied().filter(|name| status(name) == "Active").collect()
    }

    /// Everybody who is Active and not counted.
    pub(crate) fn uncounted(&self) -> Vec<&'static str> {
        self.active(&UNCOUNTED)
    }
}

/// A request as if it had been authenticated. Each is later than the one before, and has another signature.
fn signed(person: &Person, msg_type: MessageType, proposal_id: Option<&str>, payload: &str) -> Signed {
    let created_at = now();
    let signature = [crypto::sha256(&created_at.to_le_bytes()); 3].concat();
    Signed {
        member_id: person.id.clone(),
        msg_type,
        created_at,
        proposal_id: proposal_id.map(str::to_owned),
        payload: Bytes::from(payload.to_owned()),
        signature,
        raw: Bytes::from_static(b"raw"),
    }
}

fn now() -> i64 {
    static NOW: AtomicI64 = AtomicI64::new(1_760_000_000);
    NOW.fetch_add(1, Ordering::Relaxed)
}

fn proposed(shown: &Value) -> Proposed {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Proposed {
        id: text(&shown["proposalId"]),
        state: text(&shown["proposalState"]),
        failure: text(&shown["failure"]["reason"]),
    }
}

fn body(output: &Output) -> Value {
    assert_eq!(output.status, 200);
    let Body::Json(text) = &output.body else { panic!("not JSON: {output:?}") };
    serde_json::from_str(text).unwrap()
}
