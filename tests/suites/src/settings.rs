//! What a node of a suite is started with.

use std::path::Path;

use serde_json::{Value, json};

/// The settings of a node. The defaults are those that the conformance kit asks for.
#[derive(Clone)]
pub struct Settings {
    /// The TCP port on 127.0.0.1.
    pub port: u16,
    /// `ledger.chunk_size`: a chunk is closed at the first signature beyond this size.
    pub chunk_size: String,
    /// `admin.bind_address`, if there is to be one.
    pub admin: Option<String>,
    /// `node_certificate.initial_validity_days`
    pub node_certificate_days: u32,
    /// `jwt.key_refresh_interval`, if it is not the usual one.
    pub jwt_key_refresh_interval: Option<String>,
}

impl Settings {
    /// The default settings on a port that was free a moment ago.
    ///
    /// # Errors
    /// If the machine has no free port.
    pub fn on_free_port() -> crate::Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(Self {
            port,
            chunk_size: "5MB".to_owned(),
            admin: None,
            node_certificate_days: 30,
            jwt_key_refresh_interval: None,
        })
    }

    /// The node configuration, in the form of CCF. Relative paths start from the directory of the node.
    #[must_use]
    pub fn node_json(&self, keys: &Path) -> Value {
        let address = format!("127.0.0.1:{}", self.port);
        let mut settings = json!({
            "network": {
                "node_to_node_interface": {"bind_address": "127.0.0.1:0"},
                "rpc_interfaces": {
                    "primary_rpc_interface": {"bind_address": address, "published_address": address},
                },
            },
            "node_certificate": {
                "subject_alt_names": ["iPAddress:127.0.0.1", "dNSName:localhost"],
                "initial_validity_days": self.node_certificate_days,
            },
            "command": {
                "type": "Start",
                "service_certificate_file": "service_cert.pem",
                "start": {
                    "members": members(keys),
                    "service_configuration": {
                        "recovery_threshold": 1,
                        "maximum_node_certificate_validity_days": 365,
                        "maximum_service_certificate_validity_days": 365,
                    },
                    "initial_service_certificate_validity_days": 90,
                },
            },
            "ledger": {"directory": "ledger", "chunk_size": self.chunk_size},
        });
        if let Some(admin) = &self.admin {
            settings["admin"] = json!({"bind_address": admin});
        }
        if let Some(interval) = &self.jwt_key_refresh_interval {
            settings["jwt"] = json!({"key_refresh_interval": interval});
        }
        settings
    }
}

fn members(keys: &Path) -> Value {
    let file = |name: String| keys.join(name).display().to_string();
    let member = |number: usize| {
        let mut member = json!({
            "certificate_file": file(format!("member{number}_cert.pem")),
            "data_json_file": file(format!("member{number}_data.json")),
        });
        if number == 0 {
            member["encryption_public_key_file"] = file("member0_enc_pubk.pem".to_owned()).into();
        }
        member
    };
    (0..3).map(member).collect()
}
