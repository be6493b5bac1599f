use std::{
    io::Write,
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{context::Context, error::CliError};

const README: &str = "\
# A new service

`node.json` founds a service on this machine. It is CCF's node configuration; everything not mentioned has CCF's default.

| setting | meaning |
|---|---|
| `network.rpc_interfaces.*.bind_address` | where the node listens |
| `network.rpc_interfaces.*.published_address` | where clients reach it |
| `node_certificate.subject_alt_names` | the names that clients may use for it; add yours |
| `node_certificate.initial_validity_days` | 90 days; the node renews its certificate within what the members allow |
| `command.start.members` | who founds the service: certificates, and for a recovery share an RSA key |
| `command.start.members[].data_json_file` | what is noted about a member; `identifier` is the name that people see |
| `command.start.constitution_files` | left out: the shipped constitution (`constitution.js` is a copy to read) |
| `command.start.resume` | `auto`, `witnessed` or `recovery`: how it comes back after a restart; all members see it |
| `command.start.service_configuration` | how many recovery shares are needed, longest validity of certificates |
| `command.start.initial_service_certificate_validity_days` | 365 days; a vote renews it |
| `ledger.directory` | the ledger; nothing else lies there, anybody may read it |
| `node_state.directory` | keys and log of this node; keep it with the ledger, show it to nobody |
| `snapshots.directory` | what the node starts from; anybody may read it, and a file removed there only makes a start slower |
| `admin.bind_address` | where Prometheus reads `/metrics` over plain HTTP, on this machine only; leave it out for none |

Then:

    cgs member keygen member0 --encryption-key     # or put the certificates of the founders here
    cgs node --config node.json
    cgs login me --url https://ADDRESS --service-cert service_cert.pem \\
        --member-cert member0_cert.pem --member-key member0_privk.pem
    cgs service verify
    cgs member activate
    cgs service open

Start the node again in this directory and it resumes. The directories are the service: back up both, together.
";

/// Write the configuration of a new service, with an explanation
///
///   cgs node init my-service --address 10.0.0.5:8080
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Where the files go
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Where the node listens, HOST:PORT
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = address)]
    address: String,
}

fn address(text: &str) -> Result<String, String> {
    let valid = text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if valid { Ok(text.to_owned()) } else { Err("write HOST:PORT, for example 10.0.0.5:8080".into()) }
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), CliError> {
    let directory = &args.dir;
    std::fs::create_dir_all(directory).map_err(CliError::file(directory))?;
    let text = serde_json::to_string_pretty(&configuration(&args.address)).unwrap_or_default() + "\n";
    let readme = README.replace("ADDRESS", &args.address);
    let member = json!({ "identifier": "member0" }).to_string() + "\n";
    let files = [
        ("node.json", text.as_str()),
        ("constitution.js", constitution::DEFAULT_CONSTITUTION),
        ("member0_data.json", &member),
        ("README.md", &readme),
    ];
    for (name, content) in files {
        write_new(&directory.join(name), content)?;
    }
    let value = json!({ "directory": directory, "files": files.map(|(name, _)| name) });
    Ok(context.output.show(&value, || {
        format!(
            "{0}/node.json is written, {0}/README.md explains it\n\
             next: cd {0} && cgs member keygen member0 --encryption-key && cgs node --config node.json",
            directory.display()
        )
    })?)
}

fn configuration(address: &str) -> Value {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let own = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => format!("iPAddress:{ip}"),
        Err(_) => format!("dNSName:{host}"),
    };
    let mut names = vec![own.as_str(), "iPAddress:127.0.0.1", "dNSName:localhost"];
    names.sort_unstable();
    names.dedup();
    let mut configuration = node::config::example(address, &names);
    if let Some(start) = configuration.pointer_mut("/command/start").and_then(Value::as_object_mut) {
        // Without files the shipped constitution is taken, byte for byte.
        start.remove("constitution_files");
    }
    if let Some(member) = configuration.pointer_mut("/command/start/members/0").and_then(Value::as_object_mut) {
        member.insert("data_json_file".into(), "member0_data.json".into());
    }
    if let Some(configuration) = configuration.as_object_mut() {
        configuration.insert("admin".into(), json!({ "bind_address": admin_address(address) }));
    }
    configuration
}

/// The port behind that of the clients, on this machine only.
fn admin_address(address: &str) -> String {
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).unwrap_or_default();
    let behind = if port == 0 { 0 } else { port.checked_add(1).unwrap_or(port - 1) };
    format!("127.0.0.1:{behind}")
}

fn write_new(path: &Path, content: &str) -> Result<(), CliError> {
    let created = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    created.and_then(|mut file| file.write_all(content.as_bytes())).map_err(CliError::file(path))
}

#[cfg(test)]
mod tests {
    use node::config::CommandKind;

    use super::*;

    #[test]
    fn the_certificate_is_for_the_address() {
        let names = |address| configuration(address)["node_certificate"]["subject_alt_names"].clone();
        assert_eq!(names("10.0.0.5:1"), json!(["dNSName:localhost", "iPAddress:10.0.0.5", "iPAddress:127.0.0.1"]));
        assert_eq!(names("127.0.0.1:1"), json!(["dNSName:localhost", "iPAddress:127.0.0.1"]));
        assert_eq!(
            names("node.example:1"),
            json!(["dNSName:localhost", "dNSName:node.example", "iPAddress:127.0.0.1"])
        );
        assert_eq!(names("[::1]:1"), json!(["dNSName:localhost", "iPAddress:127.0.0.1", "iPAddress:::1"]));
        assert!(address("host").is_err() && address(":1").is_err() && address("h:x").is_err());
    }

    #[test]
    fn d38_what_is_written_is_a_configuration_that_lasts() {
        let text = configuration("127.0.0.1:8080").to_string();
        let config = node::config::Config::parse(&text).unwrap();
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        assert_eq!(config.node_certificate.initial_validity_days, 90);
        assert_eq!(config.admin_address.as_deref(), Some("127.0.0.1:8081"));
        let CommandKind::Start(start) = config.command.kind else { panic!("not a start") };
        assert_eq!(start.initial_service_certificate_validity_days, 365);
        assert_eq!(admin_address("[::]:0"), "127.0.0.1:0");
        assert_eq!(admin_address("h:65535"), "127.0.0.1:65534");
    }
}
