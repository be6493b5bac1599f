//! `cargo xtask test`: everything that shows whether the project works.

use crate::places::{cargo, target};
use crate::report::Report;
use crate::suites::{SUITES, Suite};
use crate::{Result, python};

const UNIT: &str = "unit";

struct Options {
    only: Vec<String>,
    raise: bool,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self { only: Vec::new(), raise: false };
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            match (*word, word.strip_prefix("--only=")) {
                ("--raise", _) => options.raise = true,
                ("--only", _) => options.only.push(step(rest.next().copied().unwrap_or_default())?),
                (_, Some(name)) => options.only.push(step(name)?),
                (other, _) => return Err(format!("unknown option {other}\n{}", crate::USAGE).into()),
            }
        }
        Ok(options)
    }

    fn includes(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }
}

fn step(name: &str) -> Result<String> {
    let mut names = std::iter::once(UNIT).chain(SUITES.iter().map(|suite| suite.name));
    if names.any(|known| known == name) {
        return Ok(name.to_owned());
    }
    let known: Vec<&str> = std::iter::once(UNIT).chain(SUITES.iter().map(|suite| suite.name)).collect();
    Err(format!("there is no step `{name}`; there are {}", known.join(", ")).into())
}

/// Runs the steps; true if all passed.
pub(crate) fn run(words: &[&str]) -> Result<bool> {
    let options = Options::parse(words)?;
    let mut report = Report::default();
    let python = python::environment()?;
    report.check(
        "Build: the binary that all suites run",
        "cargo build -p cgs",
        cargo().args(["build", "-p", "cgs"]),
    )?;
    if report.has_failed() {
        return Ok(report.finish());
    }
    let mut settings = vec![("CGS_BIN", keep_binary()?), ("CGS_PYTHON", python), ("RUST_BACKTRACE", "0".into())];
    if options.raise {
        settings.push(("CGS_RAISE", "1".into()));
    }
    if options.includes(UNIT) {
        let again = "cargo xtask test --only unit";
        let mut command = cargo();
        command.args(["test", "--workspace", "--quiet", "--no-fail-fast"]).envs(settings.iter().cloned());
        report.tests("Unit and property tests of every crate", again, &mut command)?;
    }
    for suite in SUITES.iter().filter(|suite| options.includes(suite.name)) {
        let Suite { name, about, threads } = suite;
        let again = format!("cargo xtask test --only {name}");
        let mut command = cargo();
        command.args(["test", "--quiet", "-p", "suites", "--test", name, "--", "--nocapture", "--test-threads"]);
        command.arg(threads).envs(settings.iter().cloned());
        report.tests(&format!("Suite {name}: {about}"), &again, &mut command)?;
    }
    Ok(report.finish())
}

/// A copy of the binary, so that a build meanwhile does not change what is being tested.
fn keep_binary() -> Result<std::path::PathBuf> {
    let kept = target().join("tested/cgs");
    std::fs::create_dir_all(target().join("tested"))?;
    // A running process keeps a file busy; a new name does not mind.
    let _ = std::fs::remove_file(&kept);
    std::fs::copy(target().join("debug/cgs"), &kept)?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn options_name_known_steps() {
        let options = Options::parse(&["--only", "crash", "--only=unit"]).unwrap();
        assert!(options.includes("crash") && options.includes("unit") && !options.includes("fork"));
        assert!(Options::parse(&[]).unwrap().includes("fork"));
        assert!(Options::parse(&["--only", "nothing"]).is_err());
        assert!(Options::parse(&["--quick"]).is_err());
    }
}
