//! Figures of a release build beside the floors of the same run. Started by `cargo xtask bench`, which builds what it
//! measures and says where that is (`CGS_BIN`, `CGS_LOADGEN`).

mod evidence;
mod floor;
mod lives;
mod load;
mod machine;
mod memory;
mod options;
mod pages;
mod proofs;
mod restart;
mod table;
mod turns;

use std::path::PathBuf;

use machine::Moment;
use options::Options;
use suites::{KeyFolder, Result, scratch};
use table::Figures;

/// A contract of about 1 KiB.
const TEXT: usize = 960;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse()?;
    let directory = scratch("bench")?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let before = Moment::now(&directory)?;
    println!("before: {}", before.describe());
    let mut figures = Figures::default();
    if options.wants("load") {
        figures.load = turns::measure(&options, &directory, &keys).await?;
    }
    if options.wants("lives") {
        figures.lives = Some(lives::measure(&directory, &keys).await?);
    }
    if options.wants("memory") {
        figures.memory = Some(memory::measure(&directory, &keys).await?);
    }
    if options.wants("restart") {
        figures.restart = Some(restart::measure(&directory, &keys, options.transactions).await?);
    }
    if options.wants("pages") {
        figures.pages = pages::measure(options.transactions)?;
    }
    if options.wants("proofs") {
        figures.proofs = proofs::measure(&directory, &keys).await?;
    }
    if options.wants("evidence") {
        figures.evidence = evidence::measure()?;
    }
    let conditions = table::conditions(&options, &before, &Moment::now(&directory)?);
    let text = format!("{conditions}{}", figures.render());
    println!("\n{text}");
    if options.write {
        table::write(&text)?;
    }
    Ok(())
}

/// Where the load generator and the floor are.
fn tool(name: &str) -> Result<PathBuf> {
    let folder = std::env::var_os("CGS_LOADGEN").ok_or("start this with cargo xtask bench")?;
    Ok(PathBuf::from(folder).join(name))
}
