//! What became possible that was not: two states of governance compared, in words of this test and not of the rules.
//!
//! A table that is not named here may not change at all.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::Certificate;
use kv::{State, UNIT_KEY};
use serde_json::{Value, json};

use crate::{
    people::people,
    phases::{phases, with_status},
    service::Service,
};

type Entries = BTreeMap<String, Vec<u8>>;

/// What `end` allows that `start` did not; empty if it allows no more.
pub(crate) fn gained(start: &State, end: &State) -> Vec<String> {
    let names: BTreeSet<&str> = start.map_names().chain(end.map_names()).filter(|name| is_watched(name)).collect();
    let mut gained = Vec::new();
    for name in names {
        let (old, new) = (entries(start, name), entries(end, name));
        for what in table(name.trim_start_matches("public:ccf.gov."), &old, &new, start) {
            gained.push(format!("{name}: {what}"));
        }
    }
    gained
}

/// Public tables but those of the platform itself, and those that record proposals.
fn is_watched(name: &str) -> bool {
    const RECORDS: [&str; 4] = ["proposals", "proposals_info", "cose_history", "cose_recent_proposals"];
    let record = name.strip_prefix("public:ccf.gov.").is_some_and(|short| RECORDS.contains(&short));
    name.starts_with("public:") && !name.starts_with("public:ccf.internal.") && !record
}

fn entries(state: &State, name: &str) -> Entries {
    let text =
        |bytes: &[u8]| if bytes == UNIT_KEY { String::new() } else { String::from_utf8(bytes.to_vec()).unwrap() };
    state.iter(name).map(|(key, found)| (text(key), found.value.to_vec())).collect()
}

fn table(name: &str, old: &Entries, new: &Entries, start: &State) -> Vec<String> {
    match name {
        "nodes.code_ids"
        | "nodes.executor_code_ids"
        | "nodes.snp.measurements"
        | "nodes.snp.host_data"
        | "nodes.virtual.measurements"
        | "nodes.virtual.host_data"
        | "tls.ca_cert_bundles" => fewer(old, new),
        "nodes.snp.uvm_endorsements" => endorsements(old, new),
        "nodes.snp.tcb_versions" => firmware(old, new),
        "jwt.issuers" => fewer(old, new),
        "jwt.public_signing_keys_metadata_v2" => keys(old, new),
        "members.info" => members(old, new),
        "members.certs" | "members.encryption_public_keys" | "members.acks" => fewer(old, new),
        "nodes.info" => nodes(old, new, start),
        "nodes.endorsed_certificates" => Vec::new(),
        "service.info" => service(old, new),
        "service.config" => configuration(old, new),
        // That the consortium was formed is remembered for good.
        "cgs_consortium" => {
            old.iter().filter(|(key, value)| new.get(*key) != Some(value)).map(|_| "lost".into()).collect()
        }
        "contracts_logging_status" | "contracts_telemetry_status" => switches(old, new),
        _ if old != new => vec!["changed".into()],
        _ => Vec::new(),
    }
}

/// Entries may go, and none may come or change.
fn fewer(old: &Entries, new: &Entries) -> Vec<String> {
    new.iter().filter(|(key, value)| old.get(*key) != Some(value)).map(|(key, _)| format!("{key:?} is new")).collect()
}

fn parse(entries: &Entries) -> BTreeMap<&str, Value> {
    entries.iter().map(|(key, value)| (key.as_str(), serde_json::from_slice(value).unwrap_or(json!(null)))).collect()
}

/// Issuer and feed may go, and the least svn may rise.
fn endorsements(old: &Entries, new: &Entries) -> Vec<String> {
    let (old, new) = (parse(old), parse(new));
    let mut gained = Vec::new();
    for (did, feeds) in &new {
        for (feed, entry) in feeds.as_object().into_iter().flatten() {
            let before = old.get(did).and_then(|feeds| feeds.as_object()?.get(feed));
            if before.is_none_or(|before| before != entry && svn(before) > svn(entry)) {
                gained.push(format!("{did} {feed}: {entry} after {before:?}"));
            }
        }
        let extra = feeds.as_object().is_none();
        gained.extend(extra.then(|| format!("{did} is no list of feeds")));
    }
    gained
}

/// A number in plain digits, of any length, so that numbers compare; anything else is less than any number.
fn svn(entry: &Value) -> Option<(usize, &str)> {
    let text = entry["svn"].as_str()?;
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = text.trim_start_matches('0');
    plain.then_some((digits.len(), digits))
}

/// Each processor keeps its entry, and no part of it falls.
fn firmware(old: &Entries, new: &Entries) -> Vec<String> {
    let (old, new) = (parse(old), parse(new));
    let mut gained: Vec<String> =
        old.keys().filter(|cpu| !new.contains_key(*cpu)).map(|cpu| format!("{cpu} has no least version")).collect();
    for (cpu, least) in &new {
        let part = |least: &Value, name: &str| least[name].as_u64().unwrap_or_default();
        let fallen = old.get(cpu).map(|before| {
            let names: Vec<&String> = before.as_object().into_iter().flatten().map(|(name, _)| name).collect();
            names.into_iter().any(|name| name != "hexstring" && part(least, name) < part(before, name))
        });
        if fallen.unwrap_or(true) {
            gained.push(format!("{cpu}: {least} after {:?}", old.get(cpu)));
        }
    }
    gained
}

/// Keys may go, one by one.
fn keys(old: &Entries, new: &Entries) -> Vec<String> {
    let (old, new) = (parse(old), parse(new));
    let known = |kid: &&str, key: &Value| old.get(*kid).is_some_and(|keys| keys.as_array().unwrap().contains(key));
    let each = new.iter().flat_map(|(kid, keys)| keys.as_array().unwrap().iter().map(move |key| (kid, key)));
    each.filter(|(kid, key)| !known(kid, key)).map(|(kid, key)| format!("{kid}: {key}")).collect()
}

fn roles(info: &Value) -> BTreeSet<&'static str> {
    let data = &info["member_data"];
    let own = |name: &str| api::is_truthy(&data[name]);
    let cgs = |name: &str| data["cgsRoles"][name] == "true";
    let all = [
        ("operator", own("isOperator")),
        ("recovery operator", own("isRecoveryOperator")),
        ("CGS operator", cgs("cgsOperator")),
        ("contract operator", cgs("contractOperator")),
    ];
    all.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
}

/// Nobody comes, nobody changes, and only operators go.
fn members(old: &Entries, new: &Entries) -> Vec<String> {
    let mut gained = fewer(old, new);
    for (id, info) in parse(old) {
        if !new.contains_key(id) && !roles(&info).contains("operator") {
            gained.push(format!("{id} is gone, who is no operator: {info}"));
        }
    }
    gained
}

/// A node becomes trusted only if it shows what was asked for at the start.
fn nodes(old: &Entries, new: &Entries, start: &State) -> Vec<String> {
    let (old, new) = (parse(old), parse(new));
    let mut gained = Vec::new();
    for (id, info) in &new {
        let before = old.get(id);
        let same_evidence = before.is_some_and(|before| {
            ["quote_info", "public_key", "certificate_signing_request"].iter().all(|name| before[*name] == info[*name])
        });
        if !same_evidence {
            gained.push(format!("{id} has other evidence"));
        }
        let newly = info["status"] == "Trusted" && before.is_none_or(|before| before["status"] != "Trusted");
        if newly && !passes(info, start) {
            gained.push(format!("{id} is trusted without what it has to show"));
        }
    }
    gained
}

fn passes(info: &Value, policy: &State) -> bool {
    let quote = STANDARD.decode(info["quote_info"]["quote"].as_str().unwrap_or_default()).unwrap_or_default();
    let quote: Value = serde_json::from_slice(&quote).unwrap_or_default();
    let shows = |table: &str, name: &str| {
        let table = format!("public:ccf.gov.nodes.virtual.{table}");
        quote[name].as_str().is_some_and(|shown| policy.get(&table, shown.as_bytes()).is_some())
    };
    info["quote_info"]["format"] == "Insecure_Virtual"
        && shows("host_data", "host_data")
        && shows("measurements", "measurement")
}

/// The service may be opened, and its certificate renewed for the same key.
fn service(old: &Entries, new: &Entries) -> Vec<String> {
    let record = |entries: &Entries| parse(entries).get("").cloned().unwrap_or_default();
    let (old, mut new) = (record(old), record(new));
    let key = |record: &Value| {
        let certificate = Certificate::from_pem(record["cert"].as_str().unwrap_or_default());
        certificate.ok().and_then(|certificate| certificate.public_key().ok())
    };
    let mut gained = Vec::new();
    if key(&new).is_none() || key(&old) != key(&new) {
        gained.push("the service has another key".into());
    }
    let steps = [("Opening", "Open"), ("Recovering", "WaitingForRecoveryShares")];
    let stepped = steps.iter().any(|(from, to)| old["status"] == *from && new["status"] == *to);
    if !stepped && old["status"] != new["status"] {
        gained.push(format!("from {} to {}", old["status"], new["status"]));
    }
    (new["cert"], new["status"]) = (old["cert"].clone(), old["status"].clone());
    gained.extend((old != new).then(|| format!("{new} after {old}")));
    gained
}

/// The recovery threshold may rise; nothing else changes.
fn configuration(old: &Entries, new: &Entries) -> Vec<String> {
    let record = |entries: &Entries| parse(entries).get("").cloned().unwrap_or_default();
    let (old, mut new) = (record(old), record(new));
    let threshold = |record: &Value| record["recovery_threshold"].as_u64();
    if threshold(&new) >= threshold(&old) {
        new["recovery_threshold"] = old["recovery_threshold"].clone();
    }
    (old != new).then(|| format!("{new} after {old}")).into_iter().collect()
}

/// What is watched of an execution may be switched off.
fn switches(old: &Entries, new: &Entries) -> Vec<String> {
    let changed = new.iter().filter(|(key, value)| old.get(*key) != Some(value));
    let on = changed.filter(|(_, value)| **value != br#"{"status":"disabled"}"#);
    on.map(|(key, _)| format!("{key} is switched on")).collect()
}

/// The comparison finds each kind of gain, and nothing where there is none.
pub(crate) fn d32_permissive_is_noticed() {
    let start = &phases()[2];
    let gov = |table: &str| format!("public:ccf.gov.{table}");
    let (bob, first) = (&people().members["bob"].id, &people().machines["first"].id);
    let pending = &people().machines["other-host-data"].id;
    let trusted = |id: &str| {
        let mut info = start.json(&gov("nodes.info"), id.as_bytes());
        info["status"] = json!("Trusted");
        info
    };
    let mut role = start.json(&gov("members.info"), bob.as_bytes());
    role["member_data"]["isRecoveryOperator"] = json!(1);
    let changes: Vec<(&str, &str, Value)> = vec![
        ("nodes.snp.host_data", "ff", json!("")),
        ("nodes.snp.measurements", "ff", json!("AllowedToJoin")),
        ("nodes.virtual.measurements", "mine", json!("AllowedToJoin")),
        ("nodes.snp.uvm_endorsements", "did:x509:known", json!({ "uvm": { "svn": "100" } })),
        ("nodes.snp.uvm_endorsements", "did:x509:known", json!({ "uvm": { "svn": "x" } })),
        ("nodes.snp.uvm_endorsements", "did:x509:mine", json!({ "uvm": { "svn": "900" } })),
        ("nodes.snp.tcb_versions", "00a00f11", json!({ "microcode": 218, "snp": 255, "tee": 0, "boot_loader": 4 })),
        ("nodes.snp.tcb_versions", "00a10f11", json!({ "microcode": 255, "snp": 255, "tee": 0, "boot_loader": 255 })),
        ("tls.ca_cert_bundles", "roots", json!("other")),
        ("jwt.issuers", "https://mine.example", json!({ "issuer": "https://mine.example" })),
        ("jwt.public_signing_keys_metadata_v2", "k2", json!([{ "public_key": "other" }])),
        ("members.info", bob, role),
        ("nodes.info", pending, trusted(pending)),
        ("nodes.info", first, json!({ "status": "Trusted" })),
        ("accepted_contracts", "mine", json!({})),
        ("a table that nobody knew of", "x", json!(1)),
    ];
    for (table, key, value) in changes {
        let mut end = start.clone();
        end.put(&gov(table), key.as_bytes(), &value);
        assert_eq!(gained(&start.state, &end.state).len(), 1, "{table} {key} {value}");
    }
    let removed = |table: &str, key: &[u8]| {
        let mut writes = kv::WriteSet::default();
        writes.remove(&gov(table), key.to_vec());
        let mut end = start.clone();
        end.write(&writes);
        gained(&start.state, &end.state).len()
    };
    assert_eq!(removed("members.info", bob.as_bytes()), 1);
    assert_eq!(removed("members.info", people().members["boss"].id.as_bytes()), 0);
    assert_eq!(removed("nodes.snp.tcb_versions", b"00a00f11"), 1);
    assert_eq!(removed("nodes.snp.host_data", b"1".repeat(64).as_slice()), 0);
    assert_eq!(removed("jwt.issuers", b"https://auto.example"), 0);
    settings_are_noticed(start);
}

fn settings_are_noticed(start: &Service) {
    let with_threshold = |threshold: u64| {
        let mut end = start.clone();
        let mut record = start.json("public:ccf.gov.service.config", &UNIT_KEY);
        record["recovery_threshold"] = json!(threshold);
        end.put("public:ccf.gov.service.config", &UNIT_KEY, &record);
        gained(&start.state, &end.state).len()
    };
    assert_eq!([with_threshold(1), with_threshold(2), with_threshold(3)], [1, 0, 0]);
    let opened = |from: &str, to: &str| gained(&with_status(start, from).state, &with_status(start, to).state).len();
    assert_eq!([opened("Opening", "Open"), opened("Recovering", "WaitingForRecoveryShares")], [0, 0]);
    assert_eq!([opened("Open", "Opening"), opened("Recovering", "Open")], [1, 1]);
}
