use serde_json::{Value, json};

use super::*;

fn base() -> Value {
    example("127.0.0.1:8080", &["iPAddress:127.0.0.1", "dNSName:localhost"])
}

/// The example with `value` put at a path like `/network/x`.
fn with(path: &str, value: Value) -> Result<Config, ConfigError> {
    let mut config = base();
    let (parent, name) = path.rsplit_once('/').unwrap();
    let mut at = &mut config;
    for part in parent.split('/').skip(1) {
        at = at.as_object_mut().unwrap().entry(part).or_insert_with(|| json!({}));
    }
    at.as_object_mut().unwrap().insert(name.to_owned(), value);
    Config::parse(&config.to_string())
}

fn refusal(path: &str, value: Value) -> String {
    with(path, value).unwrap_err().to_string()
}

#[test]
fn d38_the_example_has_certificates_that_last() {
    let config = Config::parse(&base().to_string()).unwrap();
    assert_eq!(config.node_certificate.initial_validity_days, 90);
    let CommandKind::Start(start) = &config.command.kind else { panic!("the example starts a service") };
    assert_eq!(start.initial_service_certificate_validity_days, 365);
    assert_eq!(start.members.len(), 1);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn what_is_absent_is_as_in_ccf() {
    let config = Config::parse(&base().to_string()).unwrap();
    let interface = &config.network.rpc_interfaces[0];
    assert_eq!(interface.http, HttpLimits::default());
    assert_eq!((interface.max_open_sessions_soft, interface.max_open_sessions_hard), (1000, 1010));
    assert_eq!((interface.authority, interface.protocol), (Authority::Service, AppProtocol::Http1));
    assert_eq!(config.ledger.chunk_size.bytes, 5 << 20);
    assert_eq!(config.idle_connection_timeout, Duration::from_secs(60));
    assert_eq!(config.node_certificate.curve, Curve::P384);
}

#[test]
fn d35_the_state_lies_beside_the_ledger() {
    let mut config = base();
    config.as_object_mut().unwrap().remove("node_state");
    config["ledger"]["directory"] = json!("/data/l");
    assert_eq!(Config::parse(&config.to_string()).unwrap().state_directory, PathBuf::from("/data/l.state"));
    assert_eq!(with("/node_state/directory", json!("s")).unwrap().state_directory, PathBuf::from("s"));
}

#[test]
fn d35_nothing_else_lies_in_the_ledger_directory() {
    for directory in ["ledger", "./ledger/", "ledger/state"] {
        assert_eq!(
            refusal("/node_state/directory", json!(directory)),
            "node_state.directory lies in ledger.directory, where only chunk files lie: choose another one"
        );
    }
}

#[test]
fn d31_the_resume_mode_is_chosen_at_start() {
    let config = with("/command/start/resume", json!("witnessed")).unwrap();
    let CommandKind::Start(start) = &config.command.kind else { panic!("not a start") };
    assert_eq!(start.resume, Some(consortium::genesis::ResumeMode::Witnessed));
    assert_eq!(
        refusal("/command/start/resume", json!("never")),
        "command.start.resume is \"never\", must be one of: auto, witnessed, recovery"
    );
}

#[test]
fn the_listener_of_the_operator_is_asked_for() {
    assert_eq!(Config::parse(&base().to_string()).unwrap().admin_address, None);
    let config = with("/admin/bind_address", json!("127.0.0.1:9100")).unwrap();
    assert_eq!(config.admin_address.as_deref(), Some("127.0.0.1:9100"));
    assert_eq!(refusal("/admin/bind_address", json!("9100")), "admin.bind_address is \"9100\", must be host:port");
    assert_eq!(refusal("/admin", json!({})), "admin.bind_address is missing");
    assert!(refusal("/admin/port", json!(1)).starts_with("admin.bind_address is missing"));
    let both = json!({"bind_address": "localhost:0", "port": 1});
    assert!(refusal("/admin", both).starts_with("admin.port is not a known setting"));
}

#[test]
fn unknown_members_are_named_in_full() {
    assert!(refusal("/colour", json!(1)).starts_with("colour is not a known setting"));
    let interface = "/network/rpc_interfaces/primary_rpc_interface";
    assert!(
        refusal(&format!("{interface}/http_configuration/max_body"), json!("1MB"))
            .starts_with("network.rpc_interfaces.primary_rpc_interface.http_configuration.max_body is not a known")
    );
    assert!(refusal("/command/start/member", json!([])).starts_with("command.start.member is not"));
    let member = json!([{"certificate_file": "a.pem", "certficate": "b.pem"}]);
    assert!(refusal("/command/start/members", member).starts_with("command.start.members[0].certficate is not"));
}

#[test]
fn a_section_with_a_misspelt_name_is_missed_under_its_own() {
    for (section, name) in [("", "network"), ("", "command"), ("/network", "rpc_interfaces")] {
        let mut config = base();
        let parent = config.pointer_mut(section).unwrap().as_object_mut().unwrap();
        let value = parent.remove(name).unwrap();
        parent.insert(format!("{name}s"), value);
        let full = format!("{section}/{name}").trim_start_matches('/').replace('/', ".");
        assert_eq!(Config::parse(&config.to_string()).unwrap_err().to_string(), format!("{full} is missing"));
    }
}

#[test]
fn wrong_values_are_named_in_full() {
    let interface = "/network/rpc_interfaces/primary_rpc_interface";
    let name = "network.rpc_interfaces.primary_rpc_interface";
    for (path, value, text) in [
        (format!("{interface}/bind_address"), json!("nowhere"), format!("{name}.bind_address is \"nowhere\"")),
        (format!("{interface}/max_open_sessions_hard"), json!(5), format!("{name}.max_open_sessions_hard is 5")),
        (format!("{interface}/http_configuration/max_body_size"), json!("much"), "max_body_size must be a size".into()),
        (format!("{interface}/endorsement/authority"), json!("ACME"), "endorsement.authority is \"ACME\"".into()),
        ("/command/type".into(), json!("Stop"), "command.type is \"Stop\"".into()),
        ("/command/start/members".into(), json!([]), "command.start.members is missing".into()),
        ("/command/start/members".into(), json!([{}]), "command.start.members[0].certificate_file is missing".into()),
        ("/ledger/chunk_size".into(), json!(5), "ledger.chunk_size must be a string".into()),
        (
            "/node_certificate/subject_alt_names".into(),
            json!(["localhost"]),
            "subject_alt_names[0] is \"localhost\"".into(),
        ),
        ("/idle_connection_timeout".into(), json!("0s"), "idle_connection_timeout must be".into()),
        ("/network/rpc_interfaces".into(), json!({}), "network.rpc_interfaces.NAME is missing".into()),
        ("/worker_threads".into(), json!(-1), "worker_threads must be an integer".into()),
    ] {
        let error = refusal(&path, value);
        assert!(error.contains(&text), "{error} / {text}");
    }
}

#[test]
fn what_would_mean_something_else_is_refused_by_name() {
    for (path, value) in [
        ("/ledger/read_only_directories", json!(["old"])),
        ("/output_files/sealed_ledger_secret_location", json!("x")),
        ("/network/rpc_interfaces/primary_rpc_interface/accepted_endpoints", json!(["/node/.*"])),
    ] {
        let error = refusal(path, value);
        let name = path.trim_start_matches('/').replace('/', ".");
        assert!(error.starts_with(&format!("{name} is not supported: ")), "{error}");
    }
    assert!(with("/ledger/read_only_directories", json!([])).is_ok());
}

#[test]
fn d40_tuning_without_a_counterpart_is_taken_with_a_warning() {
    let config = with("/ledger_signatures", json!({"tx_count": 10, "delay": "100ms"})).unwrap();
    assert_eq!(config.warnings.len(), 2);
    assert!(config.warnings[0].starts_with("ledger_signatures.tx_count has no effect: every batch"));
    for section in ["consensus", "snapshots", "memory", "jwt"] {
        assert!(refusal(&format!("/{section}/nope"), json!(1)).starts_with(&format!("{section}.nope is not")));
    }
    assert_eq!(with("/tick_interval", json!("10ms")).unwrap().warnings.len(), 1);
}

#[test]
fn snapshots_are_taken_every_ten_thousand_transactions_unless_configured() {
    let config = Config::parse(&base().to_string()).unwrap();
    assert_eq!((config.snapshots.tx_count, config.warnings.len()), (10_000, 0));
    let told = json!({"directory": "s", "tx_count": 5, "read_only_directory": "old"});
    let snapshots = with("/snapshots", told).unwrap().snapshots;
    let directories = (Path::new("s").into(), Some(Path::new("old").into()));
    assert_eq!((snapshots.directory, snapshots.read_only_directory), directories);
    assert_eq!(snapshots.tx_count, 5);
    assert!(refusal("/snapshots/tx_count", json!(0)).starts_with("snapshots.tx_count "));
    for (setting, directory) in [("ledger", "ledger"), ("ledger", "./ledger/x"), ("node_state", "ledger.state")] {
        for field in ["directory", "read_only_directory"] {
            let error = refusal(&format!("/snapshots/{field}"), json!(directory));
            assert!(error.starts_with(&format!("snapshots.{field} lies in {setting}.directory")), "{error}");
        }
    }
}

#[test]
fn keys_of_issuers_are_fetched_every_half_hour_unless_configured() {
    assert_eq!(Config::parse(&base().to_string()).unwrap().jwt_key_refresh_interval, Duration::from_secs(1800));
    let config = with("/jwt/key_refresh_interval", json!("2s")).unwrap();
    assert_eq!((config.jwt_key_refresh_interval, config.warnings.len()), (Duration::from_secs(2), 0));
    for interval in ["0s", "500ms", "25h"] {
        assert!(refusal("/jwt/key_refresh_interval", json!(interval)).starts_with("jwt.key_refresh_interval must be"));
    }
}

#[test]
fn other_commands_are_read() {
    let mut config = base();
    config["command"]["type"] = json!("Join");
    assert_eq!(Config::parse(&config.to_string()).unwrap_err().to_string(), "command.join is missing");
    config["command"]["join"] = json!({"target_rpc_address": "10.0.0.1:8080", "retry_timeout": "2s"});
    let joined = Config::parse(&config.to_string()).unwrap();
    let CommandKind::Join(join) = joined.command.kind else { panic!("not a join") };
    assert_eq!((join.retry_timeout, join.fetch_snapshot_max_attempts), (Duration::from_secs(2), 3));
    config["command"] = json!({"type": "Recover", "recover": {"previous_service_identity_file": "old.pem"}});
    let recovered = Config::parse(&config.to_string()).unwrap();
    assert!(matches!(recovered.command.kind, CommandKind::Recover(_)));
}

#[test]
fn files_are_named() {
    let error = Config::load(Path::new("/nonexistent/node.json")).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/node.json: "), "{error}");
    assert!(Config::parse("{").unwrap_err().to_string().starts_with("the configuration is not JSON: "));
    assert_eq!(Config::parse("[]").unwrap_err().to_string(), "(the whole file) must be an object");
}

#[test]
fn files_have_limits() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("node.json");
    let deep = "[".repeat(200);
    for (content, says) in [
        (&br#"{"network":{},"network":{}}"#[..], "the configuration is not JSON: duplicate member \"network\""),
        (&vec![b' '; (8 << 20) + 1], "node.json: it is longer than 8388608 bytes"),
        (deep.as_bytes(), "the configuration is not JSON: recursion limit exceeded"),
        (b"{\"network\":\"\xff\"}", "node.json: stream did not contain valid UTF-8"),
    ] {
        std::fs::write(&file, content).unwrap();
        let error = Config::load(&file).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
}
