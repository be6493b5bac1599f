//! What a host can do with a copy of the disk, and what it cannot hide.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use suites::secrets::Secrets;
use suites::{Consortium, KeyFolder, Member, Node, Result, Settings, cgs, chunks, copy_directory, scratch};

const WRITES: usize = 40;
/// The exit code of a service that does not continue what it showed before.
const ROLLED_BACK: i32 = 11;

/// The same IVs come up in both copies (same view, same sequence numbers), so the secrets must differ. They are
/// recovered from the recovery shares on each ledger, and proven by decrypting every entry with them.
#[tokio::test]
async fn two_copies_never_encrypt_two_entries_alike() -> Result<()> {
    let directory = scratch("fork")?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let consortium = Consortium::of(&keys)?;
    let mut original = Node::prepare(&directory.join("original"), keys.path(), Settings::on_free_port()?)?;
    original.start().await?;
    consortium.bring_to_life(&original).await?;
    write(&original, &consortium, "before").await?;
    original.kill()?;

    let mut copies = Vec::new();
    for name in ["left", "right"] {
        let path = directory.join(name);
        copy_directory(original.directory(), &path)?;
        let mut copy = Node::prepare(&path, keys.path(), Settings::on_free_port()?)?;
        copy.start().await?;
        write(&copy, &consortium, name).await?;
        copy.kill()?;
        copy.start().await?;
        write(&copy, &consortium, &format!("{name}-again")).await?;
        copy.stop().await?;
        copies.push(chunks::read(&copy.ledger())?);
    }
    let common = copies[0].iter().zip(&copies[1]).take_while(|(left, right)| left == right).count();
    let share_key = keys.share_key()?;
    let mut used = BTreeMap::new();
    for (number, entries) in copies.iter().enumerate() {
        let secrets = Secrets::recover(entries, &share_key)?;
        assert!(secrets.count() >= 3, "each of three starts draws a ledger secret, there are {}", secrets.count());
        for entry in entries.iter().skip(if number == 0 { 0 } else { common }) {
            secrets.open(entry)?;
            let twin = used.insert((secrets.of(entry.seqno)?, entry.iv), entry.id());
            assert!(twin.is_none(), "{} is encrypted with the secret and IV of {twin:?}", entry.id());
        }
    }
    let again =
        copies[0].iter().skip(common).filter(|left| copies[1].iter().skip(common).any(|right| right.iv == left.iv));
    let again = again.count();
    println!(
        "{common} entries in common, {} and {} apart, {again} of them with equal IVs",
        copies[0].len() - common,
        copies[1].len() - common
    );
    assert!(again > 0, "the copies never came to the same IV, so the test says nothing");
    Ok(())
}

/// The copy is of yesterday, but it has gone on since: it has transactions under the very ids that the member saw, is
/// served under the same address, and has the same certificate. Only the receipt that the member keeps tells it apart.
#[tokio::test]
async fn d31_the_command_line_refuses_a_rewound_service() -> Result<()> {
    let directory = scratch("rewind")?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let consortium = Consortium::of(&keys)?;
    let mut today = Node::prepare(&directory.join("today"), keys.path(), Settings::on_free_port()?)?;
    today.start().await?;
    consortium.bring_to_life(&today).await?;
    today.kill()?;
    copy_directory(today.directory(), &directory.join("yesterday"))?;
    today.start().await?;
    let profiles = directory.join("profiles");
    log_in(&profiles, &today, consortium.first())?;
    write(&today, &consortium, "today").await?;
    let seen = cgs(&profiles, &["contract", "list", "--output", "json"])?.succeeded("cgs contract list")?;
    assert!(seen.contains("today-0"), "{seen}");
    // The pin holds as long as the service goes on, restarts included.
    today.kill()?;
    today.start().await?;
    let seen = cgs(&profiles, &["contract", "show", "today-0"])?.succeeded("cgs contract show")?;
    assert!(seen.contains("today-0"), "{seen}");
    today.kill()?;

    let mut yesterday = Node::prepare(&directory.join("yesterday"), keys.path(), today.settings().clone())?;
    // As many starts as today, so that both are in the same view.
    yesterday.start().await?;
    yesterday.kill()?;
    yesterday.start().await?;
    for round in 0..4 {
        write(&yesterday, &consortium, &format!("yesterday-{round}")).await?;
    }
    let refused = cgs(&profiles, &["contract", "list"])?;
    assert_eq!(refused.code, ROLLED_BACK, "{refused:?}");
    assert!(refused.stderr.contains("in the receipt of transaction"), "{}", refused.stderr);
    assert!(!refused.stdout.contains("yesterday"), "nothing of a forked service is shown: {}", refused.stdout);
    println!("{}", refused.stderr.trim());
    let overridden = cgs(&profiles, &["--accept-rollback", "contract", "list"])?;
    assert_eq!(overridden.code, 0, "{overridden:?}");
    Ok(())
}

/// As above, but the copy is shorter than what the member saw.
#[tokio::test]
async fn d31_a_copy_that_is_behind_is_refused_too() -> Result<()> {
    let directory = scratch("behind")?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let consortium = Consortium::of(&keys)?;
    let mut today = Node::prepare(&directory.join("today"), keys.path(), Settings::on_free_port()?)?;
    today.start().await?;
    consortium.bring_to_life(&today).await?;
    today.kill()?;
    copy_directory(today.directory(), &directory.join("yesterday"))?;
    today.start().await?;
    let profiles = directory.join("profiles");
    log_in(&profiles, &today, consortium.first())?;
    write(&today, &consortium, "today").await?;
    cgs(&profiles, &["contract", "list"])?.succeeded("cgs contract list")?;
    today.kill()?;
    let mut yesterday = Node::prepare(&directory.join("yesterday"), keys.path(), today.settings().clone())?;
    yesterday.start().await?;
    let refused = cgs(&profiles, &["contract", "list"])?;
    assert_eq!(refused.code, ROLLED_BACK, "{refused:?}");
    Ok(())
}

/// Two processes on one directory would be a fork by accident.
#[tokio::test]
async fn a_directory_has_one_process() -> Result<()> {
    let directory = scratch("locked")?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let place = directory.join("node");
    let mut first = Node::prepare(&place, keys.path(), Settings::on_free_port()?)?;
    first.start().await?;
    let mut second = Node::prepare(&place, keys.path(), Settings::on_free_port()?)?;
    let refused = second.start().await;
    assert!(refused.is_err_and(|why| why.to_string().contains("lock")), "{}", second.log_end());
    first.api(None)?.get("/node/network").await?.expect_status(200)?;
    Ok(())
}

/// A ledger whose keys are gone is never written over: a new service in its place would look like the old one, emptied.
#[tokio::test]
async fn d35_a_ledger_without_its_state_is_refused() -> Result<()> {
    let directory = scratch("without-state")?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let mut node = Node::prepare(&directory.join("node"), keys.path(), Settings::on_free_port()?)?;
    node.start().await?;
    node.stop().await?;
    std::fs::remove_dir_all(node.directory().join("ledger.state"))?;
    let before = chunks::read(&node.ledger())?;
    let started = node.start().await;
    assert!(started.is_err_and(|why| why.to_string().contains("Recover")), "{}", node.log_end());
    assert!(before == chunks::read(&node.ledger())?, "the ledger was touched");
    Ok(())
}

/// Whatever the node leaves on the disk, its log included: no ledger secret in any form that one would recognise. (On
/// `virtual` the key that they are sealed with lies beside them; that is said where it matters.)
#[tokio::test]
async fn no_ledger_secret_lies_in_the_clear() -> Result<()> {
    let directory = scratch("secrets")?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let consortium = Consortium::of(&keys)?;
    let mut node = Node::prepare(&directory.join("node"), keys.path(), Settings::on_free_port()?)?;
    node.start().await?;
    consortium.bring_to_life(&node).await?;
    node.kill()?;
    node.start().await?;
    write(&node, &consortium, "a").await?;
    node.stop().await?;
    let secrets = Secrets::recover(&chunks::read(&node.ledger())?, &keys.share_key()?)?;
    assert!(secrets.count() >= 2);
    let files = files_below(node.directory())?;
    assert!(files.len() > 5, "a node leaves more than {} files", files.len());
    for file in &files {
        let bytes = std::fs::read(file)?;
        for secret in secrets.all() {
            let forms = [secret.to_vec(), hex::encode(secret).into_bytes(), STANDARD.encode(secret).into_bytes()];
            let found = forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == form.as_slice()));
            assert!(!found, "{} holds a ledger secret in the clear", file.display());
        }
    }
    Ok(())
}

fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { files.extend(files_below(&path)?) } else { files.push(path) }
    }
    Ok(files)
}

fn log_in(profiles: &Path, node: &Node, member: &Member) -> Result<()> {
    let text = |path: &Path| path.display().to_string();
    let (service, certificate, key) =
        (text(&node.service_certificate()), text(&member.certificate_file), text(&member.key_file));
    let place = ["login", "here", "--url", &node.url(), "--service-cert", &service];
    let who = ["--member-cert", &certificate, "--member-key", &key];
    cgs(profiles, &[place.as_slice(), who.as_slice()].concat())?.succeeded("cgs login")?;
    Ok(())
}

async fn write(node: &Node, consortium: &Consortium, prefix: &str) -> Result<()> {
    let api = node.api(Some(consortium.first()))?;
    for number in 0..WRITES {
        let path = format!("/app/contracts/{prefix}-{number}");
        api.put(&path, &json!({"data": {"number": number}})).await?.expect_status(200)?;
    }
    Ok(())
}
