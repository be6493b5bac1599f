//! Node and floor under the same load, in turn.

use std::path::Path;

use serde_json::json;
use suites::{Consortium, KeyFolder, Node, Result, Settings};

use crate::floor::Floor;
use crate::load::{Case, Figure, Goal, Kind, Target};
use crate::options::Options;

/// The cases with goals: what a member reads and writes most.
const CASES: [Case; 5] = [
    Case { name: "contract read", kind: Kind::Read, connections: 64, goal: Goal::Rate(0.75) },
    Case { name: "contract read", kind: Kind::Read, connections: 1, goal: Goal::P50(1.7) },
    Case { name: "durable PUT", kind: Kind::Write, connections: 64, goal: Goal::Rate(0.40) },
    Case { name: "durable PUT", kind: Kind::Write, connections: 1, goal: Goal::P50(2.4) },
    Case { name: "read on a new connection", kind: Kind::FreshRead, connections: 16, goal: Goal::Rate(0.85) },
];

/// Node and floor alternate, so that both see the same minutes of the machine.
pub async fn measure(options: &Options, directory: &Path, keys: &KeyFolder) -> Result<Vec<Figure>> {
    let consortium = Consortium::of(keys)?;
    let mut node = Node::prepare(&directory.join("node"), keys.path(), Settings::on_free_port()?)?;
    node.start().await?;
    consortium.bring_to_life(&node).await?;
    let body = json!({"data": {"text": "x".repeat(crate::TEXT)}});
    let api = node.api(Some(consortium.first()))?;
    api.put("/app/contracts/bench", &body).await?.expect_status(200)?;
    let answer = api.post("/app/contracts/bench").await?.expect_status(200)?.body.len();

    let floor = Floor::start(&directory.join("floor"), answer)?;
    let member = consortium.first();
    let (service, ground) = (Target::node(&node, member), Target::floor(&floor, member));
    let mut figures: Vec<Figure> = CASES.iter().map(|case| Figure::of(*case)).collect();
    for round in 1..=options.rounds {
        for figure in &mut figures {
            let measured = service.load(figure.case, options.seconds, &body.to_string())?;
            let lowest = ground.load(figure.case, options.seconds, &body.to_string())?;
            let Case { name, connections, .. } = figure.case;
            println!("round {round}, {name} at {connections}: {:.0}/s, floor {:.0}/s", measured.rate, lowest.rate);
            figure.add(measured, lowest);
        }
    }
    node.stop().await?;
    Ok(figures)
}
