//! The binary under test, typed as a person would, and nodes to talk to.

#![allow(dead_code, unreachable_pub, reason = "each test file is a crate and uses a part of this")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is the failure report of a test")]

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

pub const CGS: &str = env!("CARGO_BIN_EXE_cgs");
const START_WITHIN: Duration = Duration::from_secs(20);

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Finished {
    /// The output, if it ended like this.
    #[track_caller]
    pub fn ended_with(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:#?}");
        format!("{}{}", self.out, self.err)
    }

    /// The output as JSON, if it ended like this.
    #[track_caller]
    pub fn json(self, code: i32) -> Value {
        assert_eq!(self.code, code, "{self:#?}");
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {self:#?}"))
    }
}

/// A person with profiles, working in a directory.
pub struct Person {
    pub directory: PathBuf,
    pub profiles: PathBuf,
}

impl Person {
    pub fn new(directory: &Path, profiles: &str) -> Self {
        Self { directory: directory.to_path_buf(), profiles: directory.join(profiles) }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(CGS);
        command.args(arguments).current_dir(&self.directory).stdin(Stdio::null());
        command.env_remove("CGS_PROFILE").env("CGS_PROFILE_DIR", &self.profiles);
        command
    }

    pub fn cgs(&self, arguments: &[&str]) -> Finished {
        let output = self.command(arguments).output().unwrap();
        Finished {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The words of one line.
    pub fn say(&self, line: &str) -> Finished {
        self.cgs(&line.split_whitespace().collect::<Vec<_>>())
    }
}

/// A node in its own directory below a scratch directory. Killed when dropped.
pub struct Node {
    pub directory: PathBuf,
    pub url: String,
    child: Option<Child>,
}

impl Node {
    /// Writes the configuration of a service whose founder is `member0`, whose keys are made in the same directory.
    pub fn prepare(scratch: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = scratch.join("node");
        let person = Person::new(scratch, "nobody");
        person.say(&format!("node init node --address 127.0.0.1:{port}")).ended_with(0);
        person.say("member keygen member0 --dir node --encryption-key").ended_with(0);
        any_admin_port(&directory.join("node.json"));
        Self { directory, url: format!("https://127.0.0.1:{port}"), child: None }
    }

    pub fn start(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.directory.join("node.log")).unwrap();
        let mut command = Command::new(CGS);
        command.args(["node", "--config", "node.json", "--stop-with-parent"]).current_dir(&self.directory);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let started = Instant::now();
        while std::net::TcpStream::connect(self.url.trim_start_matches("https://")).is_err() || !self.answers() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && started.elapsed() < START_WITHIN, "{ended:?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A profile of its own asks, so that no pin of a test is touched.
    fn answers(&self) -> bool {
        if !self.directory.join("service_cert.pem").exists() {
            return false;
        }
        let asker = Person::new(&self.directory, "asker");
        let login = format!("login asker --replace --url {} --service-cert service_cert.pem", self.url);
        asker.say(&login).out.contains("service: Open")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("node.log")).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A fresh node with its founder, logged in as `me`, active, and the service open.
pub fn open_service() -> (TempDir, Node, Person) {
    let scratch = tempfile::tempdir().unwrap();
    let mut node = Node::prepare(scratch.path());
    node.start();
    let person = Person::new(scratch.path(), "profiles");
    person.say(&login("me", &node)).ended_with(0);
    person.say("service verify").ended_with(12);
    person.say("member activate").ended_with(0);
    person.say("service open").ended_with(0);
    (scratch, node, person)
}

/// The login line of the founder.
pub fn login(profile: &str, node: &Node) -> String {
    format!(
        "login {profile} --url {} --service-cert node/service_cert.pem --member-cert node/member0_cert.pem \
         --member-key node/member0_privk.pem",
        node.url
    )
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
}

/// The port behind the free one may be that of another test.
fn any_admin_port(file: &Path) {
    let mut configuration: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    configuration["admin"]["bind_address"] = "127.0.0.1:0".into();
    fs::write(file, configuration.to_string()).unwrap();
}
