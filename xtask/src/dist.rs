//! `cargo xtask dist`: a release binary that anybody can build again, byte for byte.
//!
//! What a build depends on beside its sources is fixed here: paths are replaced by names, dates by that of the commit,
//! dependencies by `Cargo.lock`. What is left is the toolchain, whose versions are printed with the digest.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;
use crate::places::{cargo, repository, target};

/// Settings of whoever builds that would change the result.
const FORGOTTEN: [&str; 14] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_PROFILE_RELEASE_DEBUG",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CFLAGS",
    "CXXFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "CARGO_TARGET_DIR",
    "AWS_LC_SYS_CFLAGS",
];

/// Builds once, or with `--check` twice in two directories; true if that went well, and gave the same bytes.
pub(crate) fn run(options: &[&str]) -> Result<bool> {
    match options {
        [] => once(),
        ["--check"] => twice(&target().join("dist-check")),
        ["--check", "--in", directory] => twice(&std::path::absolute(directory)?),
        _ => Err(crate::USAGE.into()),
    }
}

fn once() -> Result<bool> {
    let binary = build(&repository(), &target().join("dist"))?;
    println!("{}", binary.display());
    println!("sha256 {}", digest(&binary)?);
    println!("built by {}", toolchain()?);
    println!("a node that runs it is known by: cgs service verify --expect-build <this digest>");
    Ok(true)
}

/// The committed sources, built in two places whose paths differ in length and depth.
fn twice(directory: &Path) -> Result<bool> {
    let mut digests = Vec::new();
    for place in ["first", "second/one-that-lies-deeper"] {
        let place = directory.join(place);
        if place.exists() {
            std::fs::remove_dir_all(&place)?;
        }
        export(&place)?;
        let binary = build(&place, &place.join("target"))?;
        let digest = digest(&binary)?;
        println!("{digest}  {}", binary.display());
        digests.push(digest);
    }
    let same = digests.windows(2).all(|two| two.first() == two.last());
    println!("{}, built by {}", if same { "identical" } else { "DIFFERENT" }, toolchain()?);
    if same {
        std::fs::remove_dir_all(directory)?;
    }
    Ok(same)
}

/// Writes the files of the last commit to a new directory.
fn export(place: &Path) -> Result<()> {
    std::fs::create_dir_all(place)?;
    let mut git = Command::new("git");
    let mut archive =
        git.current_dir(repository()).args(["archive", "--format=tar", "HEAD"]).stdout(Stdio::piped()).spawn()?;
    let files = archive.stdout.take().ok_or("git archive has no output")?;
    let unpacked = Command::new("tar").arg("x").current_dir(place).stdin(files).status()?;
    if archive.wait()?.success() && unpacked.success() {
        Ok(())
    } else {
        Err("the files of the last commit could not be unpacked".into())
    }
}

/// Builds the sources in `source`, and returns the binary.
fn build(source: &Path, target: &Path) -> Result<PathBuf> {
    let names = names(source, target)?;
    let rust: Vec<String> = names.iter().map(|(path, name)| format!("--remap-path-prefix={path}={name}")).collect();
    let c: Vec<String> = names.iter().map(|(path, name)| format!("-ffile-prefix-map={path}={name}")).collect();
    let mut command = cargo();
    for variable in FORGOTTEN {
        command.env_remove(variable);
    }
    command
        .current_dir(source)
        .args(["build", "--release", "--locked", "-p", "cgs", "--target-dir"])
        .arg(target)
        .env("CARGO_ENCODED_RUSTFLAGS", rust.join("\u{1f}"))
        .env("CFLAGS", c.join(" "))
        .env("CXXFLAGS", c.join(" "))
        .env("SOURCE_DATE_EPOCH", commit_time()?)
        .env("CARGO_INCREMENTAL", "0")
        .env("ZERO_AR_DATE", "1")
        .env("LC_ALL", "C")
        .env("TZ", "UTC");
    if command.status()?.success() { Ok(target.join("release/cgs")) } else { Err("the build failed".into()) }
}

/// What the directories of this machine are called in the binary. The last one that fits a path wins, so the inner ones
/// follow the outer ones.
fn names(source: &Path, target: &Path) -> Result<Vec<(String, &'static str)>> {
    let home = std::env::var_os("HOME").map(PathBuf::from).ok_or("HOME is not set")?;
    let cargo_home = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let named = [(cargo_home, "/cargo"), (source.to_path_buf(), "/cgs"), (target.to_path_buf(), "/target")];
    let text = |path: PathBuf| path.into_os_string().into_string().map_err(|path| format!("{path:?} is not UTF-8"));
    let mut names = Vec::new();
    for (path, name) in named {
        let path = text(path)?;
        if path.contains(char::is_whitespace) {
            return Err(format!("{path:?} has a space, which the flags of the C compiler cannot carry").into());
        }
        names.push((path, name));
    }
    Ok(names)
}

/// When the last commit was made, in seconds since 1970.
fn commit_time() -> Result<String> {
    said(Command::new("git").current_dir(repository()).args(["log", "-1", "--format=%ct"]))
}

fn toolchain() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let rust = said(Command::new(rustc).current_dir(repository()).arg("--version"))?;
    let c = said(Command::new("cc").arg("--version"))?;
    Ok(format!("{rust}, {}", c.lines().next().unwrap_or_default()))
}

fn digest(file: &Path) -> Result<String> {
    let line = said(Command::new("sha256sum").arg("--").arg(file))?;
    Ok(line.split(' ').next().unwrap_or_default().to_owned())
}

/// The standard output of a program that must succeed.
fn said(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_of_this_machine_keeps_its_name() {
        let names = names(Path::new("/a/source"), Path::new("/a/source/target")).unwrap();
        let last = names.iter().rfind(|(path, _)| "/a/source/target/release/x.rs".starts_with(path.as_str()));
        assert_eq!(last.unwrap().1, "/target");
        assert!(names.iter().any(|(path, name)| path == "/a/source" && *name == "/cgs"));
        assert!(super::names(Path::new("/a b"), Path::new("/t")).is_err());
    }

    #[test]
    fn a_digest_is_that_of_the_file() {
        let file = std::env::temp_dir().join(format!("xtask-digest-{}", std::process::id()));
        std::fs::write(&file, "abc").unwrap();
        let found = digest(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(found, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(digest(Path::new("/nowhere/at/all")).is_err());
    }
}
