//! The floor server as a process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use suites::{Result, run};

/// A running floor, with a durable file beside it. Killed when dropped.
pub struct Floor {
    child: Child,
    /// Where it listens.
    pub url: String,
    /// The certificate to trust.
    pub certificate: PathBuf,
}

impl Floor {
    /// Starts one that answers as many bytes as the node does.
    pub fn start(directory: &Path, answer: usize) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        make_certificate(directory)?;
        let mut child = Command::new(crate::tool("floor")?)
            .current_dir(directory)
            .args(["--cert", "cert.pem", "--key", "key.pem", "--address", "127.0.0.1:0"])
            .args(["--durable", "floor.log", "--body-bytes", &answer.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("the floor says nothing")?;
        BufReader::new(output).read_line(&mut line)?;
        let url = line.split(' ').nth(1).ok_or("the floor does not say where it listens")?.to_owned();
        Ok(Self { child, url, certificate: directory.join("cert.pem") })
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        if self.child.kill().and_then(|()| self.child.wait()).is_err() {
            eprintln!("the floor may still be running");
        }
    }
}

fn make_certificate(directory: &Path) -> Result<()> {
    let mut command = Command::new("openssl");
    command.current_dir(directory);
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-days", "2"]);
    command.args(["-subj", "/CN=floor", "-addext", "subjectAltName=IP:127.0.0.1"]);
    command.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "cert.pem"]);
    run(&mut command)?.succeeded("openssl req")?;
    Ok(())
}
