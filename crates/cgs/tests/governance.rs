//! What a consortium decides beside contracts, with nothing but commands; and what a vote would do, before it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failure report of a test")]

mod support;

use std::fs;

use crypto::Certificate;
use serde_json::{Value, json};
use support::{Person, open_service};

impl Person {
    fn write(&self, name: &str, value: &Value) {
        fs::write(self.directory.join(name), value.to_string()).unwrap();
    }

    /// The JSON that a command prints.
    #[track_caller]
    fn ask(&self, line: &str) -> Value {
        self.say(&format!("{line} --output json")).json(0)
    }

    /// Proposes by a command, and votes for it, which is enough where one member decides.
    #[track_caller]
    fn decide(&self, line: &str) {
        let decided = self.ask(&format!("{line} --vote"));
        assert_eq!(decided["proposal"]["proposalState"], "Accepted", "{line}: {decided:#}");
    }

    /// Adds a member that accepts.
    fn with_member(&self, name: &str) -> Self {
        self.say(&format!("member keygen {name}")).ended_with(0);
        self.decide(&format!("member add {name} --cert {name}_cert.pem"));
        self.say(&format!("member invite {name} --file {name}.json")).ended_with(0);
        let member = Self::new(&self.directory, &format!("profiles-{name}"));
        let keys = format!("--member-cert {name}_cert.pem --member-key {name}_privk.pem");
        member.say(&format!("login {name} --invitation {name}.json {keys}")).ended_with(0);
        member.say("service verify").ended_with(12);
        member.say("member activate").ended_with(0);
        member
    }
}

fn accepted_contract(founder: &Person) {
    founder.write("trial.json", &json!({"purpose": "trial"}));
    founder.say("contract create trial --file trial.json").ended_with(0);
    founder.decide("contract propose trial");
}

#[test]
fn a_vote_is_shown_as_what_it_changes_before_it_is_cast() {
    let (_scratch, _node, founder) = open_service();
    let ada = founder.with_member("ada");
    founder.write("data.json", &json!({"identifier": "ada", "department": "research"}));
    let proposed = founder.ask("member set-data ada --data data.json");
    let id = proposed["proposal"]["proposalId"].as_str().unwrap()[..8].to_owned();
    let shown = ada.ask(&format!("proposal show {id}"));
    let effect = &shown["effect"];
    let members: Vec<String> = founder
        .ask("member list")
        .as_array()
        .unwrap()
        .iter()
        .filter(|member| member["status"] == "Active")
        .map(|member| member["memberId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((&effect["wouldBe"], &effect["waitingFor"]), (&json!("Accepted"), &json!(members)));
    let [write] = effect["writes"].as_array().unwrap().as_slice() else { unreachable!("{effect:#}") };
    assert_eq!((&write["table"], &write["format"]), (&json!("public:ccf.gov.members.info"), &json!("json")));
    assert_eq!(write["before"]["member_data"], json!({"identifier": "ada"}));
    assert_eq!(write["after"]["member_data"], json!({"identifier": "ada", "department": "research"}));

    let text = ada.say(&format!("proposal show {id}")).ended_with(0);
    for part in
        ["Signed by the proposer:", "set_member_data {", "changed: member ada", "+    \"department\": \"research\""]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("agreement of") && text.contains("ada (me)") && text.contains("member0"), "{text}");
    founder.say(&format!("proposal vote {id} --accept")).ended_with(0);
    let waiting = ada.ask(&format!("proposal show {id}"))["effect"]["waitingFor"].clone();
    assert_eq!(waiting.as_array().unwrap().len(), 1, "{waiting}");
    ada.say(&format!("proposal vote {id} --accept")).ended_with(0);

    let data = founder.ask("member show ada")["memberData"].clone();
    assert_eq!(data, write["after"]["member_data"], "what was shown is what happened");
    let resolved = ada.ask(&format!("proposal show {id}"));
    assert_eq!((&resolved["effect"], &resolved["proposal"]["proposalState"]), (&Value::Null, &json!("Accepted")));
    assert!(ada.say(&format!("proposal vote {id} --accept")).ended_with(4).contains("ProposalNotOpen"));
    assert!(ada.say(&format!("proposal withdraw {id}")).ended_with(4).contains("AuthorizationFailed"));
}

#[test]
fn an_effect_that_cannot_be_is_told_to_those_who_may_ask() {
    let (scratch, node, founder) = open_service();
    let _ada = founder.with_member("ada");
    let action = json!({"name": "set_member_data", "args": {"member_id": "ab".repeat(32), "member_data": {}}});
    founder.write("nobody.json", &json!({"actions": [action]}));
    let proposed = founder.ask("proposal create nobody.json");
    let id = proposed["proposal"]["proposalId"].as_str().unwrap().to_owned();
    assert_eq!(founder.ask(&format!("proposal show {id}"))["effect"]["wouldBe"], "Failed");
    let text = founder.say(&format!("proposal show {id}")).ended_with(0);
    assert!(text.contains("FAIL and change nothing") && text.contains("does not exist"), "{text}");

    let stranger = Person::new(scratch.path(), "profiles-stranger");
    stranger.say(&format!("login x --url {} --service-cert node/service_cert.pem", node.url)).ended_with(0);
    let shown = stranger.ask(&format!("proposal show {id}"));
    assert!(shown["effect"].is_null() && shown["effectUnknown"].as_str().unwrap().contains("members only"));
    assert!(stranger.say(&format!("proposal vote {id} --accept")).ended_with(1).contains("cgs login"));
    founder.say(&format!("proposal withdraw {id}")).ended_with(0);
}

#[test]
fn deployments_are_voted_for_accepted_contracts() {
    let (_scratch, _node, founder) = open_service();
    founder.write("trial.json", &json!({"purpose": "trial"}));
    founder.write("template.json", &json!({"resources": [1, 2]}));
    founder.say("contract create trial --file trial.json").ended_with(0);
    let early = founder.say("deployment spec propose trial --file template.json").ended_with(1);
    assert!(early.contains("trial is Draft") && early.contains("cgs contract propose trial"), "{early}");
    founder.decide("contract propose trial");
    assert!(founder.say("deployment spec show trial").ended_with(0).contains("no deployment spec"));
    founder.decide("deployment spec propose trial --file template.json");
    assert_eq!(founder.ask("deployment spec show trial")["data"], json!({"resources": [1, 2]}));
    founder.write("where.json", &json!({"url": "https://room"}));
    let open = founder.ask("deployment info propose trial --file where.json");
    let id = open["proposal"]["proposalId"].as_str().unwrap().to_owned();
    assert_eq!(founder.ask("deployment info show trial")["proposalIds"], json!([id]));
    founder.say(&format!("proposal vote {id} --accept")).ended_with(0);
    assert!(founder.say("deployment info show trial").ended_with(0).contains("https://room"));
    for (line, code, says) in [
        ("deployment spec propose nope --file template.json", 4, "cgs contract list"),
        ("deployment spec propose trial --file gone.json", 1, "gone.json"),
        ("deployment spec propose trial", 2, "--file"),
    ] {
        assert!(founder.say(line).ended_with(code).contains(says), "{line}");
    }
    fs::write(founder.directory.join("bad.json"), "{").unwrap();
    assert!(founder.say("deployment info propose trial --file bad.json").ended_with(1).contains("is not JSON"));
}

#[test]
fn users_come_and_go() {
    let (_scratch, _node, founder) = open_service();
    assert!(founder.say("user list").ended_with(0).contains("cgs user add"));
    founder.say("member keygen analyst").ended_with(0);
    founder.write("analyst.json", &json!({"team": "a"}));
    founder.decide("user add analyst_cert.pem --data analyst.json");
    let users = founder.ask("user list");
    let id = users[0]["userId"].as_str().unwrap().to_owned();
    assert_eq!(users[0]["userData"], json!({"user_data": {"team": "a"}}));
    founder.write("analyst.json", &json!({"team": "b"}));
    founder.decide(&format!("user set-data {} --data analyst.json", &id[..8]));
    assert!(founder.say("user list").ended_with(0).contains(r#"{"team":"b"}"#));
    founder.decide(&format!("user remove {id}"));
    assert_eq!(founder.ask("user list"), json!([]));
    assert!(founder.say("user remove 00000000").ended_with(1).contains("cgs user list"));
    assert!(founder.say("user add analyst.json").ended_with(1).contains("not a certificate"));
    founder.write("list.json", &json!([1]));
    assert!(founder.say("user add analyst_cert.pem --data list.json").ended_with(1).contains("is a list"));
}

#[test]
fn members_are_removed_and_their_data_changed() {
    let (_scratch, _node, founder) = open_service();
    founder.say("member keygen ada").ended_with(0);
    founder.decide("member add ada --cert ada_cert.pem");
    founder.write("ada.json", &json!({"identifier": "ada", "isOperator": true}));
    founder.decide("member set-data ada --data ada.json");
    assert!(founder.say("member show ada").ended_with(0).contains("operator"));
    founder.decide("member remove ada");
    assert!(founder.say("member remove ada").ended_with(1).contains("cgs member list"));
    assert!(founder.say("member set-data member0 --data gone.json").ended_with(1).contains("gone.json"));
}

#[test]
fn rules_are_compared_and_replaced() {
    let (scratch, _node, founder) = open_service();
    let said = founder.say("constitution show --file rules.js").ended_with(0);
    assert!(said.contains("the shipped ones"), "{said}");
    assert!(founder.say("constitution diff rules.js").ended_with(0).contains("no difference"));
    let same = founder.say("constitution propose rules.js").ended_with(1);
    assert!(same.contains("nothing to propose"), "{same}");
    let rules = scratch.path().join("rules.js");
    let text = fs::read_to_string(&rules).unwrap();
    fs::write(&rules, format!("{text}// Agreed in May.\n")).unwrap();
    assert_eq!(founder.ask("constitution diff rules.js")["equal"], false);
    for broken in ["export function", "export function validate() {}"] {
        fs::write(scratch.path().join("broken.js"), broken).unwrap();
        let said = founder.say("constitution propose broken.js --vote").ended_with(1);
        assert!(said.contains("do not work"), "{said}");
    }
    let proposed = founder.ask("constitution propose rules.js");
    assert!(proposed["diff"].as_str().unwrap().contains("+// Agreed in May."), "{proposed:#}");
    let id = proposed["proposal"]["proposalId"].as_str().unwrap().to_owned();
    let shown = founder.say(&format!("proposal show {id}")).ended_with(0);
    assert!(shown.contains("changed: the constitution") && shown.contains("\n+// Agreed in May.\n"), "{shown}");
    let said = founder.say(&format!("proposal vote {id} --accept")).ended_with(0);
    assert!(said.contains("Accepted"), "{said}");
    let now = founder.ask("constitution show");
    assert_eq!((&now["digest"], &now["shipped"]), (&proposed["digest"], &json!(false)));
    assert!(founder.say("service verify").ended_with(12).contains("+// Agreed in May."));
    let said = founder.say("constitution diff gone.js").ended_with(1);
    assert!(said.contains("gone.js"), "{said}");
}

#[test]
fn settings_of_the_service_are_voted() {
    let (_scratch, _node, founder) = open_service();
    founder.decide("service set option autoapprove-deploymentspec-proposal enabled");
    founder.decide("service set recovery-threshold 1");
    founder.decide("service set recent-proposals 200");
    founder.decide("service set script-limits --heap-bytes 104857600 --stack-bytes 1048576 --time-ms 1000");
    assert_eq!(founder.ask("service info")["service"]["configuration"]["recentCoseProposalsWindowSize"], 200);
    let unknown = founder.say("service set option no-such-option enabled").ended_with(4);
    assert!(unknown.contains("not an allowed option"), "{unknown}");
    for wrong in [
        "service set option autoapprove-jsapp-proposal on",
        "service set recovery-threshold 0",
        "service set certificate-validity --days 0",
        "service set certificate-validity --from yesterday",
        "service set colour blue",
    ] {
        founder.say(wrong).ended_with(2);
    }
    assert!(founder.say("service set --help").ended_with(0).contains("cgs service set recovery-threshold 2"));
}

#[test]
fn d38_certificates_are_renewed_by_vote() {
    let (_scratch, _node, founder) = open_service();
    let info = founder.ask("service info");
    assert_eq!(info["warnings"], json!([]));
    founder.decide("service set certificate-validity --days 2");
    let node = &founder.ask("node list")[0]["certificate"].as_str().unwrap().to_owned();
    let service = Certificate::from_pem(info["service"]["certificate"].as_str().unwrap()).unwrap();
    let proposed = founder.ask("service set node-certificate-validity --days 2");
    let id = proposed["proposal"]["proposalId"].as_str().unwrap();
    let foreseen = &founder.ask(&format!("proposal show {id}"))["effect"]["writes"][0];
    assert_eq!(&foreseen["before"], node);
    let stand_in = Certificate::from_pem(foreseen["after"].as_str().unwrap()).unwrap();
    assert!(stand_in.verify_issued_by(&service).is_err(), "a certificate that was not voted on must not exist");
    assert!(founder.say(&format!("proposal show {id}")).ended_with(0).contains("stands in"));
    founder.say(&format!("proposal vote {id} --accept")).ended_with(0);
    let made = &founder.ask("node list")[0]["certificate"];
    let made = Certificate::from_pem(made.as_str().unwrap()).unwrap();
    made.verify_issued_by(&service).unwrap();
    assert_eq!(made.not_after() - made.not_before(), 2 * 86_400 - 1);
    let from = time::OffsetDateTime::from_unix_timestamp(client::now() - 9 * 86_400).unwrap().date();
    founder.decide(&format!("service set certificate-validity --days 10 --from {from}"));
    let warnings = founder.ask("service info")["warnings"].to_string();
    assert!(warnings.contains("the service certificate ends in"), "{warnings}");
    assert!(founder.say("service info").ended_with(0).contains("cgs service set certificate-validity"));
    assert!(founder.say("service verify").ended_with(12).contains("WARNING"));
    let long = founder.say("service set certificate-validity --days 100000").ended_with(4);
    assert!(long.contains("greater than maximum allowed"), "{long}");
}

#[test]
fn ledger_secret_and_shares_are_renewed_by_vote() {
    let (_scratch, _node, founder) = open_service();
    let proposed = founder.ask("service rekey");
    let id = proposed["proposal"]["proposalId"].as_str().unwrap().to_owned();
    let shown = founder.say(&format!("proposal show {id}")).ended_with(0);
    assert!(shown.contains("a new ledger secret; new recovery shares"), "{shown}");
    let shown = founder.ask(&format!("proposal show {id}"));
    assert!(!shown["effect"].to_string().contains("share\""), "no share is shown: {shown:#}");
    let said = founder.say(&format!("proposal vote {id} --accept")).ended_with(0);
    assert!(said.contains("Accepted"), "{said}");
    founder.decide("service refresh-shares");
}

#[test]
fn nodes_are_listed_and_noted() {
    let (_scratch, _node, founder) = open_service();
    let nodes = founder.ask("node list");
    let id = nodes[0]["nodeId"].as_str().unwrap().to_owned();
    assert_eq!(
        (&nodes[0]["status"], &nodes[0]["quoteInfo"]["format"]),
        (&json!("Trusted"), &json!("Insecure_Virtual"))
    );
    founder.write("rack.json", &json!({"rack": 7}));
    founder.decide(&format!("node set-data {} --data rack.json", &id[..8]));
    assert!(founder.say("node list").ended_with(0).contains(r#"{"rack":7}"#));
    let failed = founder.ask(&format!("node remove {id} --vote"));
    assert_eq!(failed["proposal"]["proposalState"], "Failed", "the last node stays: {failed:#}");
    assert!(founder.say("node trust 00000000").ended_with(1).contains("cgs node list"));
}

#[test]
fn issuers_of_tokens_and_their_bundles_are_voted() {
    let (_scratch, _node, founder) = open_service();
    let early = founder.say("jwt-issuer add https://login.example --auto-refresh --ca-bundle example").ended_with(1);
    assert!(early.contains("cgs ca-bundle set example --file PEM"), "{early}");
    founder.say("member keygen root").ended_with(0);
    founder.decide("ca-bundle set example --file root_cert.pem");
    assert!(founder.ask("ca-bundle list")["example"].as_str().unwrap().contains("BEGIN CERTIFICATE"));
    founder.decide("jwt-issuer add https://login.example --auto-refresh --ca-bundle example");
    let issuers = founder.ask("jwt-issuer list")["issuers"].clone();
    assert_eq!(issuers, json!({"https://login.example": {"autoRefresh": true, "caCertBundleName": "example"}}));
    let pem = fs::read_to_string(founder.directory.join("root_cert.pem")).unwrap();
    let x5c: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    founder.write("keys.json", &json!({"keys": [{"kid": "k1", "kty": "EC", "x5c": [x5c]}]}));
    founder.decide("jwt-issuer add https://other.example --jwks keys.json");
    founder.decide("jwt-issuer set-keys https://login.example --jwks keys.json");
    let listed = founder.say("jwt-issuer list").ended_with(0);
    assert!(listed.contains("k1") && listed.contains("with bundle example"), "{listed}");
    let warned = founder.say("ca-bundle remove example --vote").ended_with(0);
    assert!(warned.contains("the keys of https://login.example stay as they are"), "{warned}");
    founder.decide("jwt-issuer remove https://login.example");
    for (line, code, says) in [
        ("jwt-issuer remove https://login.example", 1, "cgs jwt-issuer list"),
        ("jwt-issuer add http://x --auto-refresh --ca-bundle example", 1, "https://"),
        ("jwt-issuer add https://x --auto-refresh", 2, "--ca-bundle"),
        ("jwt-issuer add https://x", 2, "--jwks"),
        ("jwt-issuer add https://x --jwks root_cert.pem", 1, "is not JSON"),
        ("ca-bundle set x --file keys.json", 1, "not a list of certificates"),
        ("ca-bundle remove x", 1, "cgs ca-bundle list"),
    ] {
        assert!(founder.say(line).ended_with(code).contains(says), "{line}");
    }
}

#[test]
fn a_proposal_that_is_none_is_told_before_it_is_signed() {
    let (_scratch, _node, founder) = open_service();
    for (value, says) in [
        (json!([]), "must be an object"),
        (json!({"actions": []}), "is empty"),
        (json!({"actions": [{"args": {}}]}), "action 0 has no \"name\""),
    ] {
        founder.write("odd.json", &value);
        let said = founder.say("proposal create odd.json").ended_with(1);
        assert!(said.contains(says) && said.contains("set_member_data"), "{said}");
    }
    assert_eq!(founder.ask("proposal list").as_array().unwrap().len(), 1, "nothing was sent");
    founder.write("unknown.json", &json!({"actions": [{"name": "no_such_action"}]}));
    assert!(founder.say("proposal create unknown.json").ended_with(4).contains("no such action"));
    accepted_contract(&founder);
    let mut command = founder.command(&["proposal", "create", "-", "--vote", "--output", "json"]);
    let mut child = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let text = json!({"actions": [{"name": "trigger_ledger_chunk"}]}).to_string();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(made["proposal"]["proposalState"], "Accepted");
}
