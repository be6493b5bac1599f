use std::collections::BTreeMap;

use client::{Effect, Write};
use serde_json::Value;

use crate::{output::one_line, people::People};

/// Tables of governance behind their prefix, and what a record of them is.
const RECORDS: [(&str, &str); 33] = [
    ("accepted_contracts", "accepted contract"),
    ("accepted_member_documents", "accepted document"),
    ("accepted_user_invitations", "accepted invitation"),
    ("cgs_consortium", "the note that the consortium is formed"),
    ("cgs_runtime_options", "option"),
    ("constitution", "the constitution"),
    ("contracts_logging_status", "logging of contract"),
    ("contracts_telemetry_status", "telemetry of contract"),
    ("deployment_info", "deployment info of contract"),
    ("deployment_specs", "deployment spec of contract"),
    ("js_runtime_options", "the limits of scripts"),
    ("jwt.issuers", "token issuer"),
    ("jwt.public_signing_keys_metadata_v2", "key of token issuers"),
    ("members.acks", "the state to acknowledge of member"),
    ("members.certs", "certificate of member"),
    ("members.encryption_public_keys", "encryption key of member"),
    ("members.info", "member"),
    ("nodes.endorsed_certificates", "certificate of node"),
    ("nodes.info", "node"),
    ("nodes.snp.host_data", "admitted host data"),
    ("nodes.snp.measurements", "admitted measurement"),
    ("nodes.snp.tcb_versions", "minimum version of processor"),
    ("nodes.snp.uvm_endorsements", "trusted issuer of endorsements"),
    ("nodes.virtual.host_data", "admitted host data (virtual)"),
    ("nodes.virtual.measurements", "admitted measurement (virtual)"),
    ("proposals_info", "proposal"),
    ("service.config", "the settings of the service"),
    ("service.info", "the service"),
    ("tls.ca_cert_bundles", "CA bundle"),
    ("user_identities", "identity of user"),
    ("user_invitations", "invitation"),
    ("users.certs", "certificate of user"),
    ("users.info", "user"),
];

/// What the service would do besides writing, in words.
pub(super) fn effect(name: &str) -> &str {
    match name {
        "transitionServiceToOpen" => "the service opens; recovery shares are issued",
        "rekeyLedger" => "a new ledger secret; new recovery shares",
        "refreshRecoveryShares" => "new recovery shares; the old ones become useless",
        "chunkLedger" => "the current file of the ledger ends",
        "snapshot" => "a snapshot is written",
        "setJwtPublicSigningKeys" => "the keys of an issuer of tokens are replaced, as above",
        "removeJwtPublicSigningKeys" => "the keys of an issuer of tokens are removed, as above",
        other => other,
    }
}

/// What people call members: those who are in, and those who would be.
pub(super) struct Names<'a> {
    people: &'a People,
    new: BTreeMap<&'a str, &'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn new(people: &'a People, effect: &'a Effect) -> Self {
        let members = effect.writes.iter().filter(|write| write.table == "public:ccf.gov.members.info");
        let name = |write: &'a Write| {
            let data = write.after.as_ref()?.get("member_data")?;
            let name = ["identifier", "name"].into_iter().find_map(|key| data.get(key)?.as_str())?;
            Some((write.key.as_ref()?.as_str()?, name))
        };
        Self { people, new: members.filter_map(name).collect() }
    }

    /// The headline of a record.
    pub(super) fn of(&self, write: &Write) -> String {
        let what = match (&write.before, &write.after) {
            (None, _) => "new",
            (_, None) => "removed",
            _ => "changed",
        };
        let short = write.table.strip_prefix("public:ccf.gov.");
        let record = RECORDS.iter().find(|(table, _)| Some(*table) == short).map_or("record", |(_, words)| words);
        let key = match &write.key {
            None => String::new(),
            Some(Value::String(key)) => format!(" {}", self.key(short, key)),
            Some(other) => format!(" {other}"),
        };
        one_line(&format!("{what}: {record}{key} ({})", write.table)).into_owned()
    }

    /// A key; that of a member with its name.
    fn key(&self, table: Option<&str>, key: &str) -> String {
        let known = self.people.iter().any(|member| member.id == key).then(|| self.people.name(key));
        match known.or_else(|| self.new.get(key).copied()) {
            Some(name) if table.is_some_and(|table| table.starts_with("members.")) => format!("{name} {key}"),
            _ => key.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::people::tests::people;

    #[test]
    fn tables_are_listed_in_order_and_once() {
        assert!(RECORDS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn a_new_member_is_called_by_its_name() {
        let effect: Effect = serde_json::from_value(json!({
            "proposalId": "p", "wouldBe": "Accepted", "writes": [
                {"table": "public:ccf.gov.members.certs", "key": "cccc", "after": "PEM", "format": "text"},
                {"table": "public:ccf.gov.members.info", "key": "cccc", "format": "json",
                 "after": {"member_data": {"identifier": "cedar"}, "status": "Accepted"}},
                {"table": "public:other", "key": {"base64": "/w=="}, "after": 1, "format": "json"},
            ],
        }))
        .unwrap();
        let people = people();
        let names = Names::new(&people, &effect);
        assert_eq!(
            effect.writes.iter().map(|write| names.of(write)).collect::<Vec<_>>(),
            [
                "new: certificate of member cedar cccc (public:ccf.gov.members.certs)",
                "new: member cedar cccc (public:ccf.gov.members.info)",
                r#"new: record {"base64":"/w=="} (public:other)"#,
            ]
        );
    }
}
