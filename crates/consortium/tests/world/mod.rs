//! A service in one state: requests are signed, authenticated, decided and committed one after the other.

use std::time::Duration;

use api::{ApiError, Body, Caller, CallerPolicy, Input, Output};
use bytes::Bytes;
use consortium::{
    Issuer, NodeEffect, Scripts, ServiceContext,
    envelope::{self, MessageType, Policy, Signed},
    genesis::{Application, GenesisInput, GenesisMember, GenesisNode, ResumeMode, genesis},
    proposals, service, state_digests,
};
use constitution::{Budget, DEFAULT_CONSTITUTION, Pool, PoolOptions};
use crypto::{
    AesKey, Certificate, Curve, SigningKey,
    issue::{self, Validity},
};
use kv::{State, Tx, TxId, UNIT_KEY, WriteSet};
use ledger::{secrets::Secret, tables};
use serde_json::{Value, json};

pub(crate) const SCRIPT_HOST: &str = "script-host";
pub(crate) const ACCEPT: &str = "export function vote (proposal, proposerId) { return true }";
pub(crate) const REJECT: &str = "export function vote (proposal, proposerId) { return false }";
const VALIDITY: issue::Validity = issue::Validity { from: 1_700_000_000, days: 365 };

pub(crate) fn action(name: &str, args: Value) -> Value {
    json!({ "name": name, "args": args })
}

struct Member {
    id: String,
    key: SigningKey,
    certificate: String,
}

/// Signs with this key.
struct ServiceKey(SigningKey);

impl Issuer for ServiceKey {
    fn endorse(&self, request: &str, validity: Validity, service: &Certificate) -> crypto::Result<Certificate> {
        issue::endorse_request(request, validity, &self.0, service)
    }

    fn renew(&self, service: &Certificate, validity: Validity) -> crypto::Result<Certificate> {
        issue::renew_service_certificate(&self.0, service, validity)
    }
}

pub(crate) struct World {
    state: State,
    members: Vec<Member>,
    pool: Pool,
    service_key: ServiceKey,
    ledger_secret: Secret,
    now: i64,
    fixed_now: bool,
}

impl World {
    /// A new service with three Accepted members.
    fn new() -> Self {
        let program = std::env::current_exe().unwrap();
        let pool = Pool::new(PoolOptions::new(program, [SCRIPT_HOST.into()])).unwrap();
        let (encryption_key, _) = crypto::wrap::generate_rsa_pair().unwrap();
        let (members, given): (Vec<Member>, Vec<GenesisMember>) =
            (0..3).map(|index| member(index, &encryption_key)).unzip();
        let service_key = SigningKey::generate(Curve::P384).unwrap();
        let service_certificate = issue::service_certificate(&service_key, "CCF Service", VALIDITY).unwrap().to_pem();
        let mut state = State::default();
        state.apply(TxId::new(2, 1), &genesis(&genesis_input(given, service_certificate)).unwrap());
        let ledger_secret = Secret::new(1, AesKey::from_bytes([9; 32]).unwrap());
        let mut world = Self {
            state,
            members,
            pool,
            service_key: ServiceKey(service_key),
            ledger_secret,
            now: 1_760_000_000,
            fixed_now: false,
        };
        world.sign_state();
        world
    }

    /// A service that three Active members have opened.
    pub(crate) fn opened() -> Self {
        let mut world = Self::new();
        for index in 0..3 {
            assert!(world.activate(index).is_empty());
        }
        let certificate = service::record(&mut world.tx()).unwrap().cert;
        let open = json!([action("transition_service_to_open", json!({ "next_service_identity": certificate }))]);
        let effects = world.pass(0, &open, 3);
        assert_eq!(effects, [NodeEffect::ChunkLedger, NodeEffect::Snapshot]);
        assert_eq!(service::status(&mut world.tx()).unwrap(), service::ServiceStatus::Open);
        assert_eq!(world.single(tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET), json!({ "next_version": 1 }));
        let shares = world.single(tables::RECOVERY_SHARES);
        assert!(shares["encrypted_shares"][world.member_id(0)].is_string(), "{shares}");
        world
    }

    pub(crate) fn member_id(&self, index: usize) -> &str {
        &self.members[index].id
    }

    pub(crate) fn certificate(&self, index: usize) -> &str {
        &self.members[index].certificate
    }

    /// From now on all requests are made at this time.
    pub(crate) fn set_time(&mut self, now: i64) {
        (self.now, self.fixed_now) = (now, true);
    }

    fn tx(&self) -> Tx {
        Tx::new(self.state.clone())
    }

    fn commit(&mut self, tx: Tx) {
        let (reads, writes) = tx.into_parts();
        reads.check(&self.state).unwrap();
        let next = TxId::new(2, self.state.tx_id().seqno + 1);
        self.state.apply(next, &writes);
        self.sign_state();
    }

    /// A signature transaction, as far as governance looks at it.
    fn sign_state(&mut self) {
        let seqno = self.state.tx_id().seqno + 1;
        let root = hex::encode(crypto::sha256(&seqno.to_le_bytes()));
        let mut writes = WriteSet::default();
        writes.put(tables::SIGNATURES, UNIT_KEY.to_vec(), json!({ "root": root }).to_string());
        self.state.apply(TxId::new(2, seqno), &writes);
    }

    fn single(&self, table: &'static str) -> Value {
        serde_json::from_slice(&self.state.get(table, &UNIT_KEY).unwrap().value).unwrap()
    }

    /// A raw record.
    pub(crate) fn raw(&self, table: &str, key: &str) -> Option<String> {
        let stored = self.state.get(table, key.as_bytes())?;
        Some(String::from_utf8(stored.value.to_vec()).unwrap())
    }

    /// Writes the record of a table of one value, as if that had been voted.
    pub(crate) fn put_record(&mut self, table: &str, record: &Value) {
        let mut tx = self.tx();
        tx.put(table, UNIT_KEY.to_vec(), record.to_string());
        self.commit(tx);
    }

    pub(crate) fn service_certificate(&self) -> Certificate {
        Certificate::from_pem(&service::record(&mut self.tx()).unwrap().cert).unwrap()
    }

    /// The service's list of open proposals.
    pub(crate) fn open_proposals(&self) -> Vec<String> {
        let id = |key: &Bytes| String::from_utf8(key.to_vec()).unwrap();
        self.state.iter(consortium::OPEN_PROPOSALS).map(|(key, _)| id(key)).collect()
    }

    pub(crate) fn record(&self, table: &str, key: &str) -> Value {
        serde_json::from_slice(&self.state.get(table, key.as_bytes()).unwrap().value).unwrap()
    }

    /// Signs a request and has it authenticated.
    fn signed(&mut self, index: usize, kind: MessageType, id: Option<&str>, payload: &str) -> Signed {
        if !self.fixed_now {
            self.now += 1;
        }
        let member = &self.members[index];
        let message =
            crypto::cose::sign_governance(&member.key, &member.id, kind.as_str(), self.now, id, payload.as_bytes());
        let policy = match kind {
            MessageType::Ack | MessageType::StateDigest => Policy::ANY,
            _ => Policy::ACTIVE,
        };
        let body = Bytes::from(message.unwrap());
        envelope::authenticate(&mut self.tx(), &body, Some("application/cose"), policy, kind).unwrap()
    }

    /// Runs a decision and commits it.
    fn decide<T>(
        &mut self,
        run: impl FnOnce(&mut Tx, &mut Scripts<'_>, &ServiceContext<'_>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut tx = self.tx();
        let mut budget = Budget::new(Duration::from_secs(2));
        let mut scripts = Scripts { engine: &self.pool, budget: &mut budget };
        let context = ServiceContext {
            ledger_secret: &self.ledger_secret,
            next_secret: &AesKey::generate().unwrap(),
            share_seed: &[5; 32],
            identity_endorsement: br#"{"endorsement":"e"}"#,
            issuer: &self.service_key,
        };
        let result = run(&mut tx, &mut scripts, &context)?;
        self.commit(tx);
        Ok(result)
    }

    /// Confirms the state as a member; what became of the proposals that were resolved again.
    pub(crate) fn activate(&mut self, index: usize) -> Vec<(String, String)> {
        let id = self.member_id(index).to_owned();
        let update = self.signed(index, MessageType::StateDigest, None, "");
        let digest = self.decide(|tx, _, _| state_digests::update(tx, &update, &id)).unwrap();
        let ack = self.signed(index, MessageType::Ack, None, &body(&digest).to_string());
        let done = self.decide(|tx, _, context| state_digests::acknowledge(tx, &ack, &id, context)).unwrap();
        assert!(done.activated);
        let mut settled = Vec::new();
        for proposal in proposals::waiting(&mut self.tx()).unwrap() {
            let decided = self.decide(|tx, scripts, context| {
                proposals::reresolve(tx, &proposal, &id, ack.created_at, scripts, context)
            });
            let shown = body(&decided.unwrap().unwrap().output);
            settled.push((proposal, shown["proposalState"].as_str().unwrap().to_owned()));
        }
        settled
    }

    pub(crate) fn propose(&mut self, index: usize, actions: &Value) -> Result<Value, ApiError> {
        self.propose_raw(index, &json!({ "actions": actions }).to_string())
    }

    pub(crate) fn propose_raw(&mut self, index: usize, payload: &str) -> Result<Value, ApiError> {
        let signed = self.signed(index, MessageType::Proposal, None, payload);
        let root = crypto::sha256(&self.state.tx_id().seqno.to_le_bytes());
        let decided = self.decide(|tx, scripts, context| {
            let mut validation = Tx::new(tx.base().clone());
            let validated = proposals::validate(&mut validation, &signed, scripts)?;
            proposals::create(tx, &signed, &validated, &root, scripts, context)
        })?;
        Ok(body(&decided.output))
    }

    pub(crate) fn propose_open(&mut self, index: usize, actions: &Value) -> String {
        let proposed = self.propose(index, actions).unwrap();
        assert_eq!(proposed["proposalState"], "Open", "{proposed}");
        proposed["proposalId"].as_str().unwrap().to_owned()
    }

    pub(crate) fn vote(&mut self, index: usize, proposal: &str, ballot: &str) -> Result<Value, ApiError> {
        self.vote_with_effects(index, proposal, ballot).map(|(shown, _)| shown)
    }

    fn vote_with_effects(
        &mut self,
        index: usize,
        proposal: &str,
        ballot: &str,
    ) -> Result<(Value, Vec<NodeEffect>), ApiError> {
        let payload = json!({ "ballot": ballot }).to_string();
        let signed = self.signed(index, MessageType::Ballot, Some(proposal), &payload);
        let member = signed.member_id.clone();
        let decided = self.decide(|tx, scripts, context| {
            proposals::submit_ballot(tx, &signed, proposal, &member, scripts, context)
        })?;
        Ok((body(&decided.output), decided.effects))
    }

    /// Proposes and has the first `voters` members vote for it, which accepts it.
    pub(crate) fn pass(&mut self, proposer: usize, actions: &Value, voters: usize) -> Vec<NodeEffect> {
        let id = self.propose_open(proposer, actions);
        let votes: Vec<(Value, Vec<NodeEffect>)> =
            (0..voters).map(|index| self.vote_with_effects(index, &id, ACCEPT).unwrap()).collect();
        let (shown, effects) = votes.last().unwrap();
        assert_eq!(shown["proposalState"], "Accepted", "{shown}");
        effects.clone()
    }

    pub(crate) fn put_draft(&mut self, id: &str, data: &Value) {
        let caller = Caller::identified(CallerPolicy::MemberCert, self.member_id(0));
        let input = input(id, &json!({ "data": data }).to_string());
        self.decide(|tx, _, _| cleanroom::contracts::put_contract(tx, &caller, &input)).unwrap();
    }

    pub(crate) fn contract(&self, id: &str) -> Value {
        let caller = Caller::identified(CallerPolicy::MemberCert, self.member_id(1));
        body(&cleanroom::contracts::get_contract(&mut self.tx(), &caller, &input(id, "")).unwrap())
    }
}

fn input(contract: &str, payload: &str) -> Input {
    let params = vec![("contractId", contract.to_owned())];
    Input { params, body: Bytes::from(payload.to_owned()), ..Input::default() }
}

fn body(output: &Output) -> Value {
    assert_eq!(output.status, 200);
    let Body::Json(text) = &output.body else { panic!("not JSON: {output:?}") };
    serde_json::from_str(text).unwrap()
}

fn member(index: usize, encryption_key: &str) -> (Member, GenesisMember) {
    let key = SigningKey::generate(Curve::P384).unwrap();
    let certificate = issue::self_signed(&key, &format!("member{index}"), &[], VALIDITY).unwrap();
    let given = GenesisMember {
        certificate: certificate.to_pem(),
        encryption_public_key: (index == 0).then(|| encryption_key.to_owned()),
        data: Some(json!({ "identifier": format!("member{index}") })),
        recovery_role: None,
    };
    (Member { id: certificate.id(), key, certificate: certificate.to_pem() }, given)
}

fn genesis_input(members: Vec<GenesisMember>, service_certificate: String) -> GenesisInput {
    GenesisInput {
        constitution: DEFAULT_CONSTITUTION.into(),
        members,
        node: GenesisNode {
            id: "cd".repeat(32),
            info: json!({ "status": "Trusted" }),
            endorsed_certificate: "PEM".into(),
            join_policy: Vec::new(),
        },
        configuration: service::ServiceConfiguration { recovery_threshold: 1, ..Default::default() },
        service_certificate,
        tx_id: TxId::new(2, 1),
        service_data: None,
        resume: ResumeMode::Auto,
        application: Application {
            name: "cgs".into(),
            version: "0.1.0".into(),
            build_digest: String::new(),
            node_measurement: String::new(),
        },
    }
}
