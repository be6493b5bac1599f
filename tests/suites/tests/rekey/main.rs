//! The ledger secret changes, and who holds what of it: read from the ledger directory alone, with members' own keys.

mod circle;

use std::collections::BTreeSet;

use circle::{Circle, OWNER};
use serde_json::{Value, json};
use suites::chunks::{self, Entry};
use suites::secrets::{Issued, open_with};
use suites::{API_VERSION, Dice, Member, Node, Result, Settings, action, copy_directory};

const ROUNDS_OF_KILLS: u64 = 10;

fn seqno(transaction: &str) -> Result<u64> {
    Ok(transaction.split('.').nth(1).ok_or("no transaction id")?.parse()?)
}

#[tokio::test]
async fn shares_lead_down_the_chain_over_rekeys_and_resumes() -> Result<()> {
    let mut circle = Circle::open("rekey-chain").await?;
    let mut written = vec![circle.write("a").await?];
    circle.pass("trigger_ledger_rekey", Value::Null).await?;
    written.push(circle.write("b").await?);
    circle.restart().await?;
    written.push(circle.write("c").await?);
    circle.pass("trigger_ledger_rekey", Value::Null).await?;
    written.push(circle.write("d").await?);
    circle.node.stop().await?;
    circle.node.start().await?;
    written.push(circle.write("e").await?);
    circle.pass("trigger_ledger_rekey", Value::Null).await?;
    written.push(circle.write("f").await?);

    let (entries, secrets) = circle.read_all()?;
    assert_eq!(secrets.count(), 6, "one of the founding, three of rekeys, two of resumes");
    let under: BTreeSet<_> = written.iter().map(|id| secrets.of(seqno(id)?)).collect::<Result<_>>()?;
    assert_eq!(under.len(), 6, "a transaction was written under each of them");

    let issued = Issued::last(&entries)?;
    let latest = circle.owned(&issued)?;
    let shares = (0..OWNER).map(|number| circle.share(&issued, number)).collect::<Result<Vec<_>>>()?;
    for (one, other) in [(0, 1), (0, 2), (2, 1)] {
        assert_eq!(issued.unwrap(&[shares[one].clone(), shares[other].clone()])?, latest);
    }
    assert_eq!(issued.unwrap(&shares)?, latest);
    assert!(shares.iter().all(|share| issued.unwrap(std::slice::from_ref(share)).is_err()), "one share is not enough");

    // Receipts of each time disclose the evidence that its secret gives.
    for id in &written {
        let receipt = circle.api()?.get(&format!("/node/receipt?transaction_id={id}")).await?.expect_status(200)?;
        let expected = secrets.commit_evidence(&entries[usize::try_from(seqno(id)?)? - 1])?;
        assert_eq!(receipt.json()?["leaf_components"]["commit_evidence"], expected, "{id}");
    }
    circle.node.stop().await?;
    circle.check_with_python()
}

#[tokio::test]
async fn a_removed_holder_opens_nothing_newer() -> Result<()> {
    let circle = Circle::open("rekey-removal").await?;
    circle.write("before").await?;
    let old = Issued::last(&circle.entries()?)?;
    let removed = circle.id(2).to_owned();
    let (theirs, accomplice) = (circle.share(&old, 2)?, circle.share(&old, 1)?);

    circle.pass("remove_member", json!({ "member_id": removed })).await?;
    let after = circle.write("after").await?;
    let (entries, secrets) = circle.read_all()?;
    let new = Issued::last(&entries)?;
    assert!(new.seqno > old.seqno && new.holders().all(|holder| holder != removed));
    assert_eq!(new.holders().count(), 3);
    let path = format!("/gov/recovery/encrypted-shares/{removed}?{API_VERSION}");
    assert_eq!(circle.api()?.get(&path).await?.status, 404);

    // All old shares together give the old secret, which ends with the transaction that removed the member.
    let known = old.unwrap(&[theirs.clone(), accomplice.clone()])?;
    for entry in &entries {
        assert_eq!(open_with(known, entry).is_ok(), entry.seqno <= new.seqno, "{}", entry.id());
    }
    assert!(seqno(&after)? > new.seqno && secrets.of(seqno(&after)?)? != known);
    // Neither do they open the new one, nor together with a share of one who stayed.
    let fresh = circle.share(&new, 1)?;
    for shares in [vec![theirs.clone()], vec![theirs.clone(), accomplice], vec![theirs, fresh]] {
        assert!(new.unwrap(&shares).is_err());
    }
    Ok(())
}

/// Who holds shares, and that they unwrap the secret of what comes next.
async fn expect_fresh_shares(circle: &Circle, count: &mut usize, holders: usize, what: &str) -> Result<()> {
    let next = circle.write(&format!("after-{count}")).await?;
    let (entries, secrets) = circle.read_all()?;
    let all = Issued::all(&entries)?;
    assert_eq!(all.len(), *count + 1, "{what}: shares are issued once");
    let issued = all.last().ok_or("no shares")?;
    assert_eq!(issued.holders().count(), holders, "{what}");
    assert_eq!(circle.owned(issued)?, secrets.of(seqno(&next)?)?, "{what}: they unwrap the secret that is in use");
    *count += 1;
    Ok(())
}

#[tokio::test]
async fn shares_are_issued_anew_whenever_holders_or_secrets_change() -> Result<()> {
    let mut circle = Circle::found("rekey-shares").await?;
    circle.consortium.activate(&circle.api()?).await?;
    assert!(Issued::all(&circle.entries()?)?.is_empty(), "nobody holds anything before the service is open");
    circle.consortium.open(&circle.node).await?;
    let mut count = 0;
    expect_fresh_shares(&circle, &mut count, 4, "opening").await?;
    circle.pass("trigger_recovery_shares_refresh", Value::Null).await?;
    expect_fresh_shares(&circle, &mut count, 4, "trigger_recovery_shares_refresh").await?;
    circle.pass("set_recovery_threshold", json!({"recovery_threshold": 3})).await?;
    expect_fresh_shares(&circle, &mut count, 4, "another threshold").await?;
    let issued = Issued::last(&circle.entries()?)?;
    let shares = (0..3).map(|number| circle.share(&issued, number)).collect::<Result<Vec<_>>>()?;
    assert!(issued.unwrap(&shares).is_ok() && issued.unwrap(&shares[..2]).is_err(), "three are needed now");

    let directory = circle.node.directory().to_path_buf();
    let (public, private) = crypto::wrap::generate_rsa_pair()?;
    let newcomer = Member::create(&directory, "newcomer")?;
    let certificate = std::fs::read_to_string(&newcomer.certificate_file)?;
    circle.pass("set_member", json!({"cert": certificate, "encryption_pub_key": public})).await?;
    assert_eq!(Issued::all(&circle.entries()?)?.len(), count, "one who has not confirmed the state holds nothing");
    circle.consortium.acknowledge(&circle.api()?, &newcomer).await?;
    circle.keys.insert(newcomer.id.clone(), private.to_string());
    circle.consortium.members.push(newcomer);
    expect_fresh_shares(&circle, &mut count, 5, "activation of a holder").await?;

    let gone = circle.id(0).to_owned();
    circle.pass("remove_member", json!({ "member_id": gone })).await?;
    circle.consortium.members.remove(0);
    let owner = circle.consortium.members.iter().position(|member| member.name == "member3").ok_or("no owner")?;
    circle.consortium.members.swap(owner, OWNER);
    expect_fresh_shares(&circle, &mut count, 4, "removal of a holder").await?;
    circle.pass("trigger_ledger_rekey", Value::Null).await?;
    expect_fresh_shares(&circle, &mut count, 4, "rekey").await?;
    circle.restart().await?;
    expect_fresh_shares(&circle, &mut count, 4, "resume").await?;
    Ok(())
}

/// What one proposal does in one transaction.
#[tokio::test]
async fn a_proposal_rekeys_once_and_only_an_open_service() -> Result<()> {
    let circle = Circle::found("rekey-once").await?;
    let api = circle.api()?;
    circle.consortium.activate(&api).await?;
    let rekey = || action("trigger_ledger_rekey", &Value::Null);
    let certificate = std::fs::read_to_string(circle.node.service_certificate())?;
    let open = || action("transition_service_to_open", &json!({"next_service_identity": certificate}));
    for actions in [vec![rekey()], vec![rekey(), open()]] {
        let refused = circle.consortium.pass(&api, &actions).await.unwrap_err().to_string();
        assert!(refused.contains("Failed") && refused.contains("only while the service is open"), "{refused}");
    }
    assert_eq!(chunks::read(&circle.node.ledger())?.iter().filter(|entry| writes_chain(entry)).count(), 0);
    circle.consortium.pass(&api, &[open(), rekey()]).await?;
    circle.write("a").await?;
    let (_, secrets) = circle.read_all()?;
    assert_eq!(secrets.count(), 2);
    let refresh = action("trigger_recovery_shares_refresh", &Value::Null);
    circle.consortium.pass(&api, &[rekey(), refresh, rekey()]).await?;
    circle.write("b").await?;
    let (entries, secrets) = circle.read_all()?;
    assert_eq!(secrets.count(), 3, "two rekeys in one transaction are one");
    assert_eq!(Issued::all(&entries)?.len(), 2);
    circle.check_with_python()
}

fn writes_chain(entry: &Entry) -> bool {
    let tables = entry.public_tables().unwrap_or_default();
    tables.contains_key("public:ccf.internal.historical_encrypted_ledger_secret")
}

/// Rekeys and refreshes of shares that are decided at the same time, each with the last vote of another member.
#[tokio::test]
async fn shares_that_race_rekeys_unwrap_the_latest_secret() -> Result<()> {
    let circle = Circle::open("rekey-race").await?;
    let api = circle.api()?;
    let mut rekeys = 0;
    for round in 0..3 {
        let names = ["trigger_ledger_rekey", "trigger_recovery_shares_refresh", "trigger_ledger_rekey"];
        let mut proposals = Vec::new();
        for (last, name) in names.iter().enumerate() {
            let proposed = circle.consortium.propose(&api, last, &[action(name, &Value::Null)]).await?.json()?;
            let id = proposed["proposalId"].as_str().ok_or("the answer names no proposal")?.to_owned();
            for other in (0..=OWNER).filter(|other| *other != last) {
                circle.consortium.accept(&api, other, &id).await?;
            }
            proposals.push(id);
        }
        let vote = |last: usize| circle.consortium.accept(&api, last, &proposals[last]);
        let beside = format!("beside-{round}");
        let (a, b, c, _) = tokio::join!(vote(0), vote(1), vote(2), circle.write(&beside));
        for answer in [a?, b?, c?] {
            assert_eq!(answer.json()?["proposalState"], "Accepted");
        }
        rekeys += 2;
        let (entries, secrets) = circle.read_all()?;
        assert_eq!(secrets.count(), rekeys + 1);
        let last = entries.last().ok_or("an empty ledger")?;
        assert_eq!(circle.owned(&Issued::last(&entries)?)?, secrets.of(last.seqno)?);
    }
    Ok(())
}

/// The host takes a copy of the disk while the node runs, right behind a rekey, and lets both go on: in the same places,
/// in the same view where it can, and each with rekeys of its own.
#[tokio::test]
async fn copies_that_rekey_share_no_secret_from_then_on() -> Result<()> {
    let mut circle = Circle::open("rekey-copies").await?;
    circle.pass("trigger_ledger_rekey", Value::Null).await?;
    let place = circle.node.directory().with_file_name("copy");
    copy_directory(circle.node.directory(), &place)?;
    circle.write("ahead-of-the-copy").await?;
    circle.pass("trigger_ledger_rekey", Value::Null).await?;
    circle.write("and-further").await?;
    circle.restart().await?;
    circle.write("again").await?;
    let (ours, secrets) = circle.read_all()?;

    let keys = circle.node.directory().with_file_name("");
    circle.node.kill()?;
    circle.node = Node::prepare(&place, &keys, Settings::on_free_port()?)?;
    circle.node.start().await?;
    circle.write("only-here").await?;
    circle.pass("trigger_ledger_rekey", Value::Null).await?;
    circle.write("and-here").await?;
    let (theirs, other_secrets) = circle.read_all()?;
    let common = ours.iter().zip(&theirs).take_while(|(one, other)| one == other).count();
    assert!(ours.len() > common + 10 && theirs.len() > common + 10);
    let mut alike = 0;
    for entry in &theirs[common..] {
        let secret = other_secrets.of(entry.seqno)?;
        assert!(secrets.all().all(|known| *known != secret), "{} is under a secret of the original", entry.id());
        alike += ours[common..].iter().filter(|one| one.iv == entry.iv).count();
    }
    assert!(alike > 0, "the copies never came to the same IV, so this says nothing");
    Ok(())
}

/// Rekeys and writes, killed at a random moment: every answered write can be read down the chain, whatever came of the
/// rekey that was under way.
#[tokio::test]
async fn no_kill_around_a_rekey_loses_a_secret() -> Result<()> {
    let mut circle = Circle::open("rekey-kill").await?;
    let mut dice = Dice::roll()?;
    let (mut answered, mut rekeys) = (Vec::new(), 0);
    for round in 0..ROUNDS_OF_KILLS {
        let api = circle.api()?;
        let rekey = [action("trigger_ledger_rekey", &Value::Null)];
        let proposed = circle.consortium.propose(&api, 0, &rekey).await?.json()?;
        let id = proposed["proposalId"].as_str().ok_or("the answer names no proposal")?.to_owned();
        for member in 0..OWNER {
            circle.consortium.accept(&api, member, &id).await?;
        }
        let (writer, consortium) = (circle.node.api(Some(circle.consortium.first()))?, &circle.consortium);
        let writing = async {
            let mut done = Vec::new();
            for number in 0.. {
                let path = format!("/app/contracts/{round}-{number}");
                let Ok(answer) = writer.put(&path, &json!({"data": {"number": number}})).await else { break };
                let Some(transaction) = answer.transaction.filter(|_| answer.status == 200) else { break };
                done.push(transaction);
            }
            done
        };
        let before_vote = dice.millis(20, 80);
        let before_kill = before_vote + dice.millis(0, 100);
        let voting = async {
            tokio::time::sleep(before_vote).await;
            consortium.accept(&api, OWNER, &id).await
        };
        let kill = async {
            tokio::time::sleep(before_kill).await;
            circle.node.kill()
        };
        let (written, voted, killed) = tokio::join!(writing, voting, kill);
        killed?;
        rekeys += usize::from(voted.is_ok());
        answered.extend(written);
        circle.node.start().await?;
        let (entries, _) = circle.read_all()?;
        let known: BTreeSet<String> = entries.iter().map(Entry::id).collect();
        let lost: Vec<_> = answered.iter().filter(|id| !known.contains(*id)).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}");
    }
    println!("{} writes and {rekeys} rekeys were answered in {ROUNDS_OF_KILLS} rounds", answered.len());
    let (entries, secrets) = circle.read_all()?;
    assert!(secrets.count() >= rekeys + usize::try_from(ROUNDS_OF_KILLS)?, "{}", secrets.count());
    assert!(entries.len() > answered.len() && !answered.is_empty(), "the kills came too early to say anything");
    circle.node.stop().await?;
    circle.check_with_python()
}
