//! D31: whoever runs the service cannot put yesterday's disk back, or another service in its place, unnoticed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failure report of a test")]

mod support;

use std::{fs, path::Path};

use support::{Node, Person, copy, login, open_service};

fn draft(person: &Person, id: &str) {
    fs::write(person.directory.join("draft.json"), "{\"n\":1}").unwrap();
    person.say(&format!("contract create {id} --file draft.json")).ended_with(0);
}

fn pinned(person: &Person) -> (u64, u64) {
    let pin: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(person.profiles.join("me/pin.json")).unwrap()).unwrap();
    let (view, seqno) = pin["transaction_id"].as_str().unwrap().split_once('.').unwrap();
    (view.parse().unwrap(), seqno.parse().unwrap())
}

fn replace(node: &Node, with: &Path) {
    for name in ["ledger", "ledger.state"] {
        fs::remove_dir_all(node.directory.join(name)).unwrap();
        copy(&with.join(name), &node.directory.join(name));
    }
}

#[test]
fn d31_a_resumed_service_extends_the_pin() {
    let (_scratch, mut node, person) = open_service();
    draft(&person, "before");
    let before = pinned(&person);
    node.kill();
    node.start();
    person.say("contract show before").ended_with(0);
    assert!(pinned(&person) > before);
}

#[test]
fn d31_a_rewound_service_is_refused_also_once_it_has_gone_past_the_pin() {
    let (scratch, mut node, person) = open_service();
    draft(&person, "kept");
    node.kill();
    let yesterday = scratch.path().join("yesterday");
    copy(&node.directory, &yesterday);
    node.start();
    draft(&person, "lost");
    let pin = pinned(&person);
    node.kill();

    replace(&node, &yesterday);
    node.start();
    let refused = person.say("contract list").ended_with(11);
    assert!(
        refused.contains("rolled back or forked") && refused.contains(&format!("{}.{}", pin.0, pin.1)),
        "{refused}"
    );

    // Somebody without a pin drives it past the pinned seqno.
    let other = Person::new(scratch.path(), "profiles-other");
    other.say(&login("me", &node)).ended_with(0);
    for number in 0..8 {
        draft(&other, &format!("other-{number}"));
    }
    assert!(pinned(&other).1 > pin.1, "{:?} {pin:?}", pinned(&other));
    let refused = person.say("contract list").ended_with(11);
    let names = format!("in the receipt of transaction {}.{}", pin.0, pin.1);
    assert!(refused.contains(&names), "the differing receipt is not named: {refused}");
    assert_eq!(pinned(&person), pin, "a refused service does not move the pin");

    person.say("contract list --accept-rollback").ended_with(0);
    person.say("contract list").ended_with(0);
}

#[test]
fn d31_another_service_at_the_same_address_is_refused() {
    let (_scratch, mut node, person) = open_service();
    node.kill();
    for name in ["ledger", "ledger.state"] {
        fs::remove_dir_all(node.directory.join(name)).unwrap();
    }
    // The snapshot that follows the opening of the service may not have been begun yet.
    let snapshots = node.directory.join("snapshots");
    if snapshots.exists() {
        fs::remove_dir_all(snapshots).unwrap();
    }
    fs::rename(node.directory.join("service_cert.pem"), node.directory.join("old_cert.pem")).unwrap();
    node.start();
    let refused = person.say("service info").ended_with(10);
    assert!(refused.contains("does not prove to be the pinned service"), "{refused}");
    let refused = person.say(&login("me", &node)).ended_with(1);
    assert!(refused.contains("--replace"), "{refused}");
    person.say(&format!("{} --replace", login("me", &node))).ended_with(0);
    person.say("service info").ended_with(0);
}
