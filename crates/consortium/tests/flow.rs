//! The whole way with real keys, real scripts in real script hosts, and the shipped constitution: three members become
//! active, open the service and accept a contract.
//!
//! The test binary starts itself as script host, so it has a `main` of its own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test with its own main: a panic is the failure report"
)]

mod world;

use std::process::ExitCode;

use crypto::{Certificate, Curve, SigningKey};
use serde_json::{Value, json};
use world::{ACCEPT, REJECT, World, action};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(world::SCRIPT_HOST) {
        return constitution::script_host_main();
    }
    let tests: [(&str, fn()); 15] = [
        ("three_members_open_the_service_and_accept_a_contract", three_members_open_the_service_and_accept_a_contract),
        ("a_contract_is_decided_once", a_contract_is_decided_once),
        ("one_rejection_ends_a_contract_proposal", one_rejection_ends_a_contract_proposal),
        ("d02_applications_are_not_installed_by_vote", d02_applications_are_not_installed_by_vote),
        ("d03_a_constitution_must_be_one", d03_a_constitution_must_be_one),
        ("d04_malformed_proposals_are_named", d04_malformed_proposals_are_named),
        ("d05_a_new_constitution_ends_what_was_open", d05_a_new_constitution_ends_what_was_open),
        ("d06_empty_actions_are_refused", d06_empty_actions_are_refused),
        ("apply_gets_certificates_and_sets_keys", apply_gets_certificates_and_sets_keys),
        ("limits_of_scripts_are_raised_by_vote", limits_of_scripts_are_raised_by_vote),
        ("d18_a_removed_members_ballot_is_ignored", d18_a_removed_members_ballot_is_ignored),
        ("d19_a_proposal_that_cannot_be_applied_has_failed", d19_a_proposal_that_cannot_be_applied_has_failed),
        ("d20_an_ack_resolves_what_waited_for_it", d20_an_ack_resolves_what_waited_for_it),
        ("d39_scripts_see_the_time_of_the_request", d39_scripts_see_the_time_of_the_request),
        ("d41_an_endless_ballot_is_kept_and_counts_as_failed", d41_an_endless_ballot_is_kept_and_counts_as_failed),
    ];
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    for (name, test) in tests.iter().filter(|(name, _)| name.contains(&filter)) {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

fn set_contract(id: &str, contract: &Value) -> Value {
    json!([action("set_contract", json!({ "contractId": id, "contract": contract }))])
}

fn an_option() -> Value {
    json!([action(
        "set_cgs_runtime_options",
        json!({ "option": "autoapprove-constitution-proposal", "status": "disabled" })
    )])
}

fn three_members_open_the_service_and_accept_a_contract() {
    let mut world = World::opened();
    world.put_draft("1234", &json!({ "hello": "world" }));
    let draft = world.contract("1234");
    assert_eq!((&draft["state"], &draft["proposalId"]), (&json!("Draft"), &json!("")));
    let proposed = world.propose(0, &set_contract("1234", &draft)).unwrap();
    let id = proposed["proposalId"].as_str().unwrap().to_owned();
    assert_eq!(world.contract("1234")["state"], "Proposed");
    for (index, state) in [(0, "Open"), (1, "Open"), (2, "Accepted")] {
        assert_eq!(world.vote(index, &id, ACCEPT).unwrap()["proposalState"], state);
    }
    let accepted = world.contract("1234");
    assert_eq!((&accepted["state"], &accepted["proposalId"]), (&json!("Accepted"), &json!(id)));
    assert_eq!(accepted["data"], json!({ "hello": "world" }));
    assert_eq!(accepted["finalVotes"].as_array().unwrap().len(), 3);
}

fn a_contract_is_decided_once() {
    let mut world = World::opened();
    let contract = json!({ "data": 1 });
    assert_eq!(world.propose(0, &set_contract("c", &contract)).unwrap()["proposalState"], "Open");
    assert_eq!(world.propose(1, &set_contract("c", &contract)).unwrap()["proposalState"], "Rejected");
}

fn one_rejection_ends_a_contract_proposal() {
    let mut world = World::opened();
    let id = world.propose_open(0, &set_contract("c", &json!({ "data": 1 })));
    let rejected = world.vote(1, &id, REJECT).unwrap();
    assert_eq!(rejected["proposalState"], "Rejected");
    assert_eq!(rejected["finalVotes"], json!({ world.member_id(1): false }));
}

fn d02_applications_are_not_installed_by_vote() {
    let mut world = World::opened();
    let error = world.propose(0, &json!([action("set_js_app", json!({ "bundle": {} }))])).unwrap_err();
    assert_eq!((error.status, error.code), (400, "ProposalFailedToValidate"));
}

fn d03_a_constitution_must_be_one() {
    let mut world = World::opened();
    for text in ["not javascript", "export function validate() {}"] {
        let error =
            world.propose(0, &json!([action("set_constitution", json!({ "constitution": text }))])).unwrap_err();
        assert_eq!((error.status, error.code), (400, "ProposalFailedToValidate"), "{error}");
    }
}

fn d04_malformed_proposals_are_named() {
    let mut world = World::opened();
    for (payload, word) in
        [("nope{", "JSON"), ("{}", "actions"), (r#"{"actions":{}}"#, "actions"), (r#""x""#, "actions")]
    {
        let error = world.propose_raw(0, payload).unwrap_err();
        assert_eq!((error.status, error.code), (400, "ProposalFailedToValidate"));
        assert!(error.message.contains(word), "{error}");
    }
    let error = world.propose(0, &json!([action("no_such_action", json!({}))])).unwrap_err();
    assert_eq!(error.message, "Proposal failed to validate: no_such_action: no such action");
}

fn d05_a_new_constitution_ends_what_was_open() {
    let mut world = World::opened();
    world.put_draft("c", &json!({ "hello": "world" }));
    let contract = world.contract("c");
    let waiting = world.propose_open(0, &set_contract("c", &contract));
    assert_eq!(world.open_proposals(), [waiting.as_str()]);
    let text = format!("{}\n", constitution::DEFAULT_CONSTITUTION);
    world.pass(1, &json!([action("set_constitution", json!({ "constitution": text }))]), 3);
    assert_eq!(world.record("public:ccf.gov.proposals_info", &waiting)["state"], "Dropped");
    assert_eq!(world.open_proposals(), [""; 0]);
    assert_eq!(world.contract("c")["state"], "Draft");
    let again = world.propose_open(2, &set_contract("c", &contract));
    assert_eq!(world.open_proposals(), [again.as_str()]);
    assert_eq!(world.contract("c")["proposalId"], json!(again));
}

fn d06_empty_actions_are_refused() {
    let error = World::opened().propose(0, &json!([])).unwrap_err();
    assert_eq!((error.status, error.code), (400, "ProposalFailedToValidate"));
}

/// Replaces the constitution by one that accepts everything and does this.
fn rule(world: &mut World, apply: &str) {
    let text = format!(
        "const put = (table, key, value) => ccf.kv['public:ccf.gov.' + table].set(ccf.strToBuf(key), ccf.strToBuf(value));
         export function validate(proposal) {{ return {{ valid: true, description: '' }} }}
         export function resolve(proposal, proposer, votes) {{ return 'Accepted' }}
         export function apply(proposal, id) {{ const args = JSON.parse(proposal); {apply} }}"
    );
    world.pass(0, &json!([action("set_constitution", json!({ "constitution": text }))]), 3);
}

fn apply_gets_certificates_and_sets_keys() {
    let mut world = World::opened();
    rule(
        &mut world,
        "put('made', 'node', ccf.network.generateEndorsedCertificate(args.request, '261124034750Z', args.days));
         put('made', 'service', ccf.network.generateNetworkCertificate('2026-11-24 03:47:50', args.days));
         ccf.setJwtPublicSigningKeys('https://issuer', {}, args.jwks);",
    );
    let node = SigningKey::generate(Curve::P384).unwrap();
    let request = crypto::issue::signing_request(&node, "CN=CCF Node", &["dNSName:localhost".into()]).unwrap();
    let certificate = world.certificate(0).replace("-----BEGIN CERTIFICATE-----", "");
    let x5c = certificate.replace("-----END CERTIFICATE-----", "").replace('\n', "");
    let jwks = json!({ "keys": [{ "kid": "k", "kty": "EC", "x5c": [x5c] }] });
    let payload = |days: u32, jwks: &Value| json!({ "request": request, "days": days, "jwks": jwks }).to_string();
    let done = world.propose_raw(0, &payload(90, &jwks)).unwrap();
    assert_eq!(done["proposalState"], "Accepted", "{done}");
    let made =
        |world: &World, key: &str| Certificate::from_pem(&world.raw("public:ccf.gov.made", key).unwrap()).unwrap();
    let (service, endorsed) = (made(&world, "service"), made(&world, "node"));
    endorsed.verify_issued_by(&service).unwrap();
    endorsed.verify_issued_by(&world.service_certificate()).unwrap();
    assert_eq!(&endorsed.public_key().unwrap(), node.public());
    let keys = "public:ccf.gov.jwt.public_signing_keys_metadata_v2";
    assert_eq!(world.record(keys, "k")[0]["issuer"], "https://issuer");

    for (payload, why) in [
        (payload(366, &jwks), "a certificate of a node may be valid for at most 365 days, not for 366"),
        (payload(1, &json!({})), "the keys of issuer https://issuer cannot be set: "),
    ] {
        let failed = world.propose_raw(0, &payload).unwrap();
        assert_eq!(failed["proposalState"], "Failed", "{failed}");
        let reason = failed["failure"]["reason"].as_str().unwrap();
        assert!(reason.starts_with(&format!("Failed to apply(): Error: {why}")), "{reason}");
    }
    assert_eq!(made(&world, "node"), endorsed, "a proposal that failed has changed nothing");
}

fn limits_of_scripts_are_raised_by_vote() {
    let mut world = World::opened();
    let options = json!({ "max_heap_bytes": 200 << 20, "max_stack_bytes": 1 << 20, "max_execution_time_ms": 4000 });
    rule(
        &mut world,
        "const heap = []; for (let i = 0; i < 120; i++) heap.push(new Uint8Array(1 << 20).fill(1));
         put('made', 'size', String(heap.length));",
    );
    assert_eq!(world.propose_raw(0, "{}").unwrap()["proposalState"], "Failed");
    world.put_record("public:ccf.gov.js_runtime_options", &options);
    let done = world.propose_raw(0, "{}").unwrap();
    assert_eq!(done["proposalState"], "Accepted", "{done}");
    assert_eq!(world.raw("public:ccf.gov.made", "size").as_deref(), Some("120"));
}

fn d18_a_removed_members_ballot_is_ignored() {
    let mut world = World::opened();
    let waiting = world.propose_open(0, &an_option());
    world.vote(2, &waiting, ACCEPT).unwrap();
    let removal = json!([action("remove_member", json!({ "member_id": world.member_id(2) }))]);
    world.pass(0, &removal, 3);
    world.vote(0, &waiting, ACCEPT).unwrap();
    let accepted = world.vote(1, &waiting, ACCEPT).unwrap();
    assert_eq!(accepted["proposalState"], "Accepted");
    assert_eq!(accepted["finalVotes"].as_object().unwrap().len(), 2);
}

fn d19_a_proposal_that_cannot_be_applied_has_failed() {
    let mut world = World::opened();
    let unknown = json!([action("set_member_data", json!({ "member_id": "0".repeat(64), "member_data": {} }))]);
    let id = world.propose_open(0, &unknown);
    world.vote(0, &id, ACCEPT).unwrap();
    world.vote(1, &id, ACCEPT).unwrap();
    let failed = world.vote(2, &id, ACCEPT).unwrap();
    assert_eq!((&failed["proposalState"], &failed["ballotCount"]), (&json!("Failed"), &json!(3)));
    let reason = failed["failure"]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("Failed to apply(): Error: Member 000") && reason.ends_with(" does not exist"),
        "{reason}"
    );
}

fn d20_an_ack_resolves_what_waited_for_it() {
    let mut world = World::opened();
    let contract = world.propose_open(0, &set_contract("c", &json!({ "data": 1 })));
    world.vote(2, &contract, ACCEPT).unwrap();
    // Setting a member again makes it Accepted, and a contract waits for those who are not active yet.
    let again = json!([action("set_member", json!({ "cert": world.certificate(2), "member_data": {} }))]);
    world.pass(0, &again, 3);
    world.vote(0, &contract, ACCEPT).unwrap();
    assert_eq!(world.vote(1, &contract, ACCEPT).unwrap()["proposalState"], "Open");
    assert_eq!(world.activate(2), [(contract, "Accepted".to_owned())]);
    assert_eq!(world.contract("c")["finalVotes"].as_array().unwrap().len(), 3);
}

fn d39_scripts_see_the_time_of_the_request() {
    let ballot = "export function vote () { return Date.now() === 1760000123000 }";
    let mut world = World::opened();
    let id = world.propose_open(0, &an_option());
    // `Date` is the time of the request that is decided, so all votes are cast at the same second.
    world.set_time(1_760_000_123);
    world.vote(0, &id, ballot).unwrap();
    world.vote(1, &id, ACCEPT).unwrap();
    let decided = world.vote(2, &id, ACCEPT).unwrap();
    assert_eq!(decided["finalVotes"][world.member_id(0)], true, "{decided}");
}

fn d41_an_endless_ballot_is_kept_and_counts_as_failed() {
    let mut world = World::opened();
    let id = world.propose_open(0, &an_option());
    let kept = world.vote(1, &id, "export function vote () { while (true) {} }").unwrap();
    assert_eq!((&kept["ballotCount"], &kept["proposalState"]), (&json!(1), &json!("Open")));
    let started = std::time::Instant::now();
    world.vote(0, &id, ACCEPT).unwrap();
    let last = world.vote(2, &id, ACCEPT).unwrap();
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "the endless ballot ran again");
    assert_eq!((&last["ballotCount"], &last["proposalState"]), (&json!(3), &json!("Open")));
    let record = world.record("public:ccf.gov.proposals_info", &id);
    let marked = &record["limited_ballots"][world.member_id(1)]["reason"];
    assert_eq!(marked, "Operation took too long to complete.");
}
