//! What a host can do with a copy of the disk, and what it cannot hide.

use std::collections::BTreeMap;

use serde_json::json;
use suites::secrets::Secrets;
use suites::{Consortium, KeyFolder, Node, Result, Settings, chunks, copy_directory, scratch};

const WRITES: usize = 40;

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

async fn write(node: &Node, consortium: &Consortium, prefix: &str) -> Result<()> {
    let api = node.api(Some(consortium.first()))?;
    for number in 0..WRITES {
        let path = format!("/app/contracts/{prefix}-{number}");
        api.put(&path, &json!({"data": number})).await?.expect_status(200)?;
    }
    Ok(())
}
