use serde_json::{Value, json};

/// A configuration that founds a service on this machine, for `cgs node init`: one interface, certificates that last long
/// enough to be renewed in time (D38), everything else as CCF has it.
///
/// `address` is what clients connect to (`host:port`); `names` are the names that the node certificate is for
/// (`iPAddress:…`, `dNSName:…`).
#[must_use]
pub fn example(address: &str, names: &[&str]) -> Value {
    json!({
        "network": {
            "rpc_interfaces": {
                "primary_rpc_interface": { "bind_address": address, "published_address": address },
            },
        },
        "command": {
            "type": "Start",
            "service_certificate_file": "service_cert.pem",
            "start": {
                "constitution_files": ["constitution.js"],
                "members": [
                    {
                        "certificate_file": "member0_cert.pem",
                        "encryption_public_key_file": "member0_enc_pubk.pem",
                    },
                ],
                "service_configuration": {
                    "recovery_threshold": 1,
                    "maximum_node_certificate_validity_days": 365,
                    "maximum_service_certificate_validity_days": 365,
                },
                "initial_service_certificate_validity_days": 365,
                "service_subject_name": "CN=CCF Service",
            },
        },
        "node_certificate": {
            "subject_name": "CN=CCF Node",
            "subject_alt_names": names,
            "initial_validity_days": 90,
        },
        "ledger": { "directory": "ledger" },
        "node_state": { "directory": "ledger.state" },
        "snapshots": { "directory": "snapshots" },
        "output_files": { "node_certificate_file": "nodecert.pem" },
        "logging": { "format": "Text" },
    })
}
