//! Every decision of a long history is recomputed by a program that shares no code with the service: JavaScript for Node.js,
//! see `tests/audit/recompute.mjs`. And what somebody changed in a ledger afterwards, that program names.
//!
//! `CGS_DECISIONS` makes the history longer, `CGS_SEED` repeats its choices.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use suites::{Dice, Finished, KeyFolder, Node, Settings, repository, run, scratch};
use world::World;

#[path = "recompute/actions.rs"]
mod actions;
#[path = "recompute/ballots.rs"]
mod ballots;
#[path = "recompute/deck.rs"]
mod deck;
#[path = "recompute/forgery.rs"]
mod forgery;
#[path = "recompute/rules.rs"]
mod rules;
#[path = "recompute/steps.rs"]
mod steps;
#[path = "recompute/world.rs"]
mod world;

use suites::Result;

const DECISIONS: usize = 500;

/// Runs the program that recomputes.
fn recompute(ledger: &Path, flags: &[&str]) -> Result<Finished> {
    let program = repository().join("tests/audit/recompute.mjs");
    run(Command::new("node").arg(program).arg(ledger).args(flags))
}

/// What happened, and what was found.
fn tell(world: &World, report: &Value) {
    let told = &world.told;
    println!("{} decisions, {} refusals, states {:?}", told.decisions, told.refused, told.states);
    for (what, names) in [("proposed", &told.proposed), ("accepted", &told.accepted)] {
        let others: Vec<&str> = told.actions.iter().filter(|name| !names.contains(*name)).map(String::as_str).collect();
        println!(
            "{} of {} actions {what}; not {}",
            told.actions.len() - others.len(),
            told.actions.len(),
            others.join(" ")
        );
    }
    for part in ["decisions", "states", "ballotsRun", "takenFromTheLedger", "limits"] {
        println!("{part}: {}", report[part]);
    }
}

#[tokio::test]
async fn d39_every_decision_of_a_long_history_is_recomputed_from_the_ledger() -> Result<()> {
    let directory = scratch("recompute")?;
    let decisions = std::env::var("CGS_DECISIONS").map_or(Ok(DECISIONS), |text| text.parse())?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let settings = Settings { chunk_size: "200KB".into(), ..Settings::on_free_port()? };
    let mut node = Node::prepare(&directory.join("node"), keys.path(), settings)?;
    node.start().await?;
    let mut world = World::found(Dice::roll()?, keys, &node).await?;
    let (first, rest) = (decisions / 8, decisions - decisions / 8);

    let founders = world.founders();
    for founder in &founders {
        world.acknowledge(founder).await?;
    }
    world.disagree().await?;
    world.wait_for_a_member(&founders[2]).await?;
    // The service is not open yet.
    world.go_on(first).await?;
    world.open().await?;
    world.change_the_rules().await?;
    world.wait_for_a_newcomer().await?;
    world.go_on(rest / 2).await?;
    // The chunk that is being written is read, too.
    recompute(&node.ledger(), &[])?.succeeded("recompute.mjs on the ledger of a running node")?;
    node.stop().await?;
    node.start().await?;
    world.reconnect(&node)?;
    world.go_on(rest - rest / 2).await?;
    world.wait_for_a_newcomer().await?;
    node.kill()?;

    let report = recompute(&node.ledger(), &["--ids", "--json"])?.succeeded("recompute.mjs")?;
    let report: Value = serde_json::from_str(&report)?;
    tell(&world, &report);
    let recomputed = report["decisionsRecomputed"].as_u64().unwrap_or_default();
    assert!(recomputed >= u64::try_from(decisions / 2)?, "{recomputed} of {} requests", world.told.decisions);
    for kind in ["proposal", "ballot", "withdrawal", "acknowledgement"] {
        assert!(report["decisions"][kind].as_u64() > Some(0), "no decision of kind {kind}: {report}");
    }
    forgery::is_named(&node.ledger(), &directory.join("forged"))?;
    Ok(())
}
