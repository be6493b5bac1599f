//! Decisions on compatibility (docs/differences.md) that can only be seen from outside; the number is in the name.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use suites::{Consortium, KeyFolder, Node, Result, Settings, action, scratch};

async fn start(name: &str) -> Result<(Node, Consortium)> {
    let directory = scratch(name)?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let consortium = Consortium::of(&keys)?;
    let mut node = Node::prepare(&directory.join("node"), keys.path(), Settings::on_free_port()?)?;
    node.start().await?;
    Ok((node, consortium))
}

/// An invitee reads what it is about to accept, and writes only once it has accepted.
#[tokio::test]
async fn d17_an_accepted_member_reads_and_does_not_write() -> Result<()> {
    let (node, consortium) = start("d17").await?;
    let api = node.api(None)?;
    for member in &consortium.members[..2] {
        consortium.acknowledge(&api, member).await?;
    }
    consortium.open(&node).await?;
    let active = node.api(Some(&consortium.members[0]))?;
    let invited = node.api(Some(&consortium.members[2]))?;
    active.put("/app/contracts/c", &json!({"data": "x"})).await?.expect_status(200)?;
    invited.post("/app/contracts/c").await?.expect_status(200)?;
    let refused = invited.put("/app/contracts/d", &json!({"data": "x"})).await?;
    assert_eq!(refused.status, 403, "{refused:?}");
    consortium.acknowledge(&api, &consortium.members[2]).await?;
    invited.put("/app/contracts/d", &json!({"data": "x"})).await?.expect_status(200)?;
    Ok(())
}

/// What is committed can be read back at once.
#[tokio::test]
async fn d22_history_needs_no_second_request() -> Result<()> {
    let (node, consortium) = start("d22").await?;
    consortium.bring_to_life(&node).await?;
    let contract = json!({"contractId": "c", "contract": {"data": "x"}});
    let proposal = consortium.pass(&node.api(None)?, &[action("set_contract", &contract)]).await?;
    let member = node.api(Some(consortium.first()))?;
    let history = member.get(&format!("/app/proposals/{proposal}/historical")).await?.expect_status(200)?.json()?;
    let states = history["value"].as_array().map_or(0, Vec::len);
    assert!(states >= 2, "at least its creation and its acceptance: {history}");
    Ok(())
}

/// What CCF has no file for lies beside the ledger, for the owner only, and nothing else lies in the ledger.
#[tokio::test]
async fn d35_the_state_directory_is_for_its_owner_only() -> Result<()> {
    let (node, consortium) = start("d35").await?;
    consortium.bring_to_life(&node).await?;
    let state = node.directory().join("ledger.state");
    assert!(for_the_owner_only(&state)? >= 3, "the state directory holds keys, secrets and a log");
    for file in std::fs::read_dir(node.ledger())? {
        let name = file?.file_name().to_string_lossy().into_owned();
        assert!(name.starts_with("ledger_"), "{name} does not belong into the ledger");
    }
    Ok(())
}

/// Checks modes below a directory, and returns the number of files.
fn for_the_owner_only(directory: &Path) -> Result<usize> {
    let mode = |path: &Path| -> Result<u32> { Ok(std::fs::metadata(path)?.permissions().mode() & 0o777) };
    assert_eq!(mode(directory)?, 0o700, "{}", directory.display());
    let mut files = 0;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files += for_the_owner_only(&path)?;
        } else {
            assert_eq!(mode(&path)?, 0o600, "{}", path.display());
            files += 1;
        }
    }
    Ok(files)
}
