//! What works without a service, and how commands fail.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failure report of a test")]

mod support;

use std::os::unix::fs::PermissionsExt;

use support::Person;

fn person() -> (tempfile::TempDir, Person) {
    let scratch = tempfile::tempdir().unwrap();
    let person = Person::new(scratch.path(), "config/cgs");
    (scratch, person)
}

#[test]
fn help_teaches_the_way_and_the_exit_codes() {
    let (_scratch, person) = person();
    let help = person.say("--help").ended_with(0);
    for part in ["cgs demo", "cgs member activate", "Exit codes:", "rolled back or forked", "NOT verifiable"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let help = person.say("contract update --help").ended_with(0);
    assert!(help.contains("--version 2.31"), "{help}");
    assert!(person.say("contract").ended_with(2).contains("propose"));
}

#[test]
fn completions_know_the_nouns() {
    let (_scratch, person) = person();
    for shell in ["bash", "zsh", "fish"] {
        let script = person.say(&format!("completions {shell}")).ended_with(0);
        assert!(script.contains("contract") && script.contains("activate"), "{shell}");
        assert!(!script.contains("No such"), "{shell}");
    }
    person.say("completions tcl").ended_with(2);
}

#[test]
fn a_profile_is_private_and_an_absent_service_is_no_secret() {
    let (scratch, person) = person();
    person.say("member keygen ada").ended_with(0);
    assert!(person.say("service info").ended_with(1).contains("cgs login"));
    // Any certificate will do for a service that does not answer.
    let login =
        "login ada --url 127.0.0.1:9 --service-cert ada_cert.pem --member-cert ada_cert.pem --member-key ada_privk.pem";
    person.say(login).ended_with(0);
    let mode = |path: &str| std::fs::metadata(scratch.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("config/cgs"), mode("config/cgs/ada")), (0o700, 0o700));
    assert_eq!((mode("config/cgs/ada/profile.json"), mode("ada_privk.pem")), (0o600, 0o600));
    let stored = std::fs::read_to_string(scratch.path().join("config/cgs/ada/profile.json")).unwrap();
    assert!(!stored.contains("PRIVATE KEY"), "the key stays in its file");
    let said = person.say("service info").ended_with(3);
    assert!(said.contains("https://127.0.0.1:9 does not answer"), "{said}");
    assert!(person.say("--profile nobody service info").ended_with(1).contains("nobody"));
    person.say("login x --url http://h:1 --service-cert ada_cert.pem").ended_with(1);
    person.say("login x --url https://h:1").ended_with(2);
}

#[test]
fn a_key_that_others_can_read_is_mentioned() {
    let (scratch, person) = person();
    person.say("member keygen ada").ended_with(0);
    let key = scratch.path().join("ada_privk.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let login =
        "login ada --url 127.0.0.1:9 --service-cert ada_cert.pem --member-cert ada_cert.pem --member-key ada_privk.pem";
    assert!(person.say(login).ended_with(0).contains("chmod 600"));
}

#[test]
fn a_node_configuration_that_is_wrong_is_explained() {
    let (scratch, person) = person();
    person.say("node init here").ended_with(0);
    assert!(person.say("node init here").ended_with(1).contains("node.json"), "nothing is overwritten");
    let file = scratch.path().join("here/node.json");
    let text = std::fs::read_to_string(&file).unwrap().replacen("\"logging\"", "\"loging\"", 1);
    std::fs::write(&file, text).unwrap();
    let said = person.say("node --config here/node.json").ended_with(1);
    assert!(said.contains("loging"), "{said}");
    assert!(person.say("node --config nowhere.json").ended_with(1).contains("nowhere.json"));
}

#[test]
fn d03_no_service_is_founded_with_rules_that_do_not_work() {
    let (scratch, person) = person();
    person.say("node init . --address 127.0.0.1:0").ended_with(0);
    person.say("member keygen member0 --encryption-key").ended_with(0);
    let text = std::fs::read_to_string(scratch.path().join("node.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    config["command"]["start"]["constitution_files"] = serde_json::json!(["rules.js"]);
    std::fs::write(scratch.path().join("node.json"), config.to_string()).unwrap();
    for rules in ["", "not JavaScript", "export function validate(input) {}"] {
        std::fs::write(scratch.path().join("rules.js"), rules).unwrap();
        let said = person.say("node --config node.json").ended_with(1);
        assert!(said.contains("command.start.constitution_files"), "{said}");
    }
    assert!(!scratch.path().join("ledger").exists() && !scratch.path().join("ledger.state").exists());
}

/// Otherwise strangers who open connections could keep a node from writing the next file of its ledger.
#[test]
fn a_node_has_open_files_for_its_sessions_and_its_ledger() {
    let (scratch, person) = person();
    person.say("node init . --address 127.0.0.1:0").ended_with(0);
    person.say("member keygen member0 --encryption-key").ended_with(0);
    let node = |limit: &str| {
        let line =
            format!("ulimit {limit} && exec timeout --preserve-status 3 {} node --config node.json", support::CGS);
        let output = std::process::Command::new("sh").args(["-c", &line]).current_dir(scratch.path()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = node("-n 1024");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("primary_rpc_interface.max_open_sessions_hard needs 1138 open files"), "{said}");
    let (code, said) = node("-Sn 256");
    assert_eq!(code, Some(0), "the limit is raised where that is allowed: {said}");
}
