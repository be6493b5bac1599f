//! Figures of a release build beside the floors of the same run. Started by `cargo xtask bench`, which builds what it
//! measures and says where that is (`CGS_BIN`, `CGS_LOADGEN`).

mod evidence;
mod floor;
mod lives;
mod load;
mod proofs;
mod table;

use std::path::PathBuf;

use floor::Floor;
use load::{Case, Figure, Target};
use serde_json::json;
use suites::{Consortium, KeyFolder, Node, Result, Settings, scratch};

/// The cases with goals: what a member reads and writes most.
const CASES: [Case; 4] = [
    Case { name: "contract read", write: false, connections: 64 },
    Case { name: "contract read", write: false, connections: 1 },
    Case { name: "durable PUT", write: true, connections: 64 },
    Case { name: "durable PUT", write: true, connections: 1 },
];
/// A contract of about 1 KiB.
const TEXT: usize = 960;

struct Options {
    rounds: usize,
    seconds: u64,
    write: bool,
}

impl Options {
    fn parse() -> Result<Self> {
        let mut options = Self { rounds: 5, seconds: 4, write: false };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || words.next().ok_or("a number is missing").map(|text| text.parse::<u64>());
            match word.as_str() {
                "--rounds" => options.rounds = usize::try_from(number()??)?.max(1),
                "--seconds" => options.seconds = number()??.max(1),
                "--write" => options.write = true,
                other => return Err(format!("unknown option {other}: --rounds N, --seconds S, --write").into()),
            }
        }
        Ok(options)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse()?;
    let directory = scratch("bench")?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let figures = in_turn(&options, &directory, &keys).await?;
    let lives = lives::measure(&directory, &keys).await?;
    let proofs = proofs::measure(&directory, &keys).await?;
    let evidence = evidence::measure()?;
    let text = table::render(&options_line(&options), &figures, &lives, &proofs, &evidence);
    println!("\n{text}");
    if options.write {
        table::write(&text)?;
    }
    Ok(())
}

fn options_line(options: &Options) -> String {
    format!("{} rounds in turn, {} s each after 1 s of warm-up, medians", options.rounds, options.seconds)
}

/// Node and floor alternate, so that both see the same minutes of the machine.
async fn in_turn(options: &Options, directory: &std::path::Path, keys: &KeyFolder) -> Result<Vec<Figure>> {
    let consortium = Consortium::of(keys)?;
    let mut node = Node::prepare(&directory.join("node"), keys.path(), Settings::on_free_port()?)?;
    node.start().await?;
    consortium.bring_to_life(&node).await?;
    let body = json!({"data": {"text": "x".repeat(TEXT)}});
    let api = node.api(Some(consortium.first()))?;
    api.put("/app/contracts/bench", &body).await?.expect_status(200)?;
    let answer = api.post("/app/contracts/bench").await?.expect_status(200)?.body.len();

    let floor = Floor::start(&directory.join("floor"), answer)?;
    let member = consortium.first();
    let service = Target::node(&node, member);
    let ground = Target::floor(&floor, member);
    let mut figures: Vec<Figure> = CASES.iter().map(|case| Figure::of(*case)).collect();
    for round in 1..=options.rounds {
        for figure in &mut figures {
            let measured = service.load(figure.case, options.seconds, &body.to_string())?;
            let lowest = ground.load(figure.case, options.seconds, &body.to_string())?;
            println!(
                "round {round}, {} at {}: {:.0}/s, floor {:.0}/s",
                figure.case.name, figure.case.connections, measured.rate, lowest.rate
            );
            figure.add(measured, lowest);
        }
    }
    node.stop().await?;
    Ok(figures)
}

/// Where the load generator and the floor are.
fn tool(name: &str) -> Result<PathBuf> {
    let folder = std::env::var_os("CGS_LOADGEN").ok_or("start this with cargo xtask bench")?;
    Ok(PathBuf::from(folder).join(name))
}
