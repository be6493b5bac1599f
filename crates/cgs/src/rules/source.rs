use std::path::{Path, PathBuf};

use constitution::{Budget, DEFAULT_CONSTITUTION_FILES, Pool, PoolOptions, check_constitution};

use crate::{data, error::CliError};

/// The text that files are joined to, as a node joins those that it is founded with; or that of a directory of parts, as
/// the shipped ones are joined.
pub(super) fn read(paths: &[PathBuf]) -> Result<String, CliError> {
    match paths {
        [directory] if directory.is_dir() => read_parts(directory),
        files => files.iter().map(|file| data::text(file)).collect(),
    }
}

/// Each part that ships with this program has its place; where others belong, nobody can know.
fn read_parts(directory: &Path) -> Result<String, CliError> {
    let mut there = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(CliError::file(directory))? {
        let name = entry.map_err(CliError::file(directory))?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|extension| extension == "js") {
            there.push(name);
        }
    }
    let known = |name: &String| DEFAULT_CONSTITUTION_FILES.iter().any(|(part, _)| part == name);
    if let Some(other) = there.iter().find(|name| !known(name)) {
        return Err(CliError::usage(format!(
            "{other} in {} is not one of the shipped parts, so its place is not known: name the files one by one, in \
             their order",
            directory.display()
        )));
    }
    if there.is_empty() {
        return Err(CliError::usage(format!("there are no .js files in {}", directory.display())));
    }
    let mut text = String::new();
    for (name, _) in DEFAULT_CONSTITUTION_FILES.iter().filter(|(name, _)| there.iter().any(|file| file == name)) {
        text += &data::text(&directory.join(name))?;
        text.push('\n');
    }
    Ok(text)
}

/// Loads the rules as the service would, in a confined process (D3).
pub(super) fn check(text: &str) -> Result<(), CliError> {
    let program = std::env::current_exe()?;
    let wrong = |why: String| CliError::usage(format!("these rules do not work, so they are not proposed: {why}"));
    let pool = Pool::new(PoolOptions::new(program, ["script-host".into()])).map_err(|why| wrong(why.to_string()))?;
    check_constitution(&pool, "proposing", text, &mut Budget::default()).map_err(|why| wrong(why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_the_shipped_parts_is_the_shipped_constitution() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        let read = || read(&[directory.path().to_owned()]);
        assert!(read().unwrap_err().to_string().contains("no .js files"));
        for (name, text) in DEFAULT_CONSTITUTION_FILES {
            std::fs::write(file(name), text).unwrap();
        }
        std::fs::write(file("README.md"), "not a part").unwrap();
        assert_eq!(read().unwrap(), constitution::DEFAULT_CONSTITUTION);
        std::fs::write(file("own.js"), "").unwrap();
        assert!(read().unwrap_err().to_string().contains("own.js"));
    }

    #[test]
    fn files_are_joined_in_the_order_given() {
        let directory = tempfile::tempdir().unwrap();
        let [one, two] = ["b.js", "a.js"].map(|name| directory.path().join(name));
        std::fs::write(&one, "1\n").unwrap();
        std::fs::write(&two, "2").unwrap();
        assert_eq!(read(&[one.clone(), two]).unwrap(), "1\n2");
        assert!(read(&[one, directory.path().join("gone.js")]).unwrap_err().to_string().contains("gone.js"));
    }
}
