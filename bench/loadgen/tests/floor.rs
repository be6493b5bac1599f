//! Load generator and floor as processes: what was answered is in the file.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A folder and a floor that are gone when the test is over, however it ends.
struct Bench {
    folder: PathBuf,
    floor: Child,
    url: String,
}

impl Bench {
    fn start(name: &str, options: &[&str]) -> Bench {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        certificate(&folder);
        let mut floor = Command::new(env!("CARGO_BIN_EXE_floor"))
            .current_dir(&folder)
            .args(["--cert", "cert.pem", "--key", "key.pem"])
            .args(["--address", "127.0.0.1:0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(floor.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let url = line.split(' ').nth(1).unwrap().to_owned();
        Bench { folder, floor, url }
    }

    /// Runs the load generator and returns its JSON.
    fn load(&self, options: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
            .current_dir(&self.folder)
            .args(["--json", "--ca", "cert.pem", "--warmup", "0"])
            .args(["--cert", "cert.pem", "--key", "key.pem"])
            .args(["--url", &format!("{}/c-{{n}}", self.url)])
            .args(options)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Asks the floor to stop, as an operator would, and waits until it has.
    fn stop(&mut self) {
        let id = self.floor.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
        assert!(self.floor.wait().unwrap().success());
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.floor.kill();
        let _ = self.floor.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The command of the README.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .current_dir(folder)
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "30"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-384", "-subj", "/CN=floor"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .output()
        .unwrap();
    assert!(made.status.success());
}

#[test]
fn every_answered_put_is_in_the_file() {
    let mut bench = Bench::start("floor-put", &["--durable", "log"]);
    let put = ["--method", "PUT", "--body", "<{n}>", "--connections", "8"];
    let report = bench.load(&[&put[..], &["--requests", "500"]].concat());
    assert!(report.contains("\"statuses\":{\"200\":500}"), "{report}");
    bench.stop();
    let log = std::fs::read_to_string(bench.folder.join("log")).unwrap();
    let mut bodies: Vec<u32> = log.split_inclusive('>').map(|body| body[1..body.len() - 1].parse().unwrap()).collect();
    bodies.sort_unstable();
    assert!(bodies.into_iter().eq(0..500));
}

#[test]
fn reads_answer_the_length_asked_for() {
    let bench = Bench::start("floor-read", &["--body-bytes", "100", "--threads", "1"]);
    for method in ["GET", "POST"] {
        let report = bench.load(&["--method", method, "--requests", "20"]);
        assert!(report.contains("\"statuses\":{\"200\":20}"), "{report}");
        assert!(report.contains("\"body_bytes\":2000"), "{report}");
    }
    let report = bench.load(&["--method", "DELETE", "--requests", "1"]);
    assert!(report.contains("\"statuses\":{\"405\":1}"), "{report}");
}
