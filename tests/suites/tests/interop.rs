//! Tools that were not made for this service: the Python package of CCF, curl, openssl.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use suites::{
    API_VERSION, Consortium, Finished, KeyFolder, Node, Result, Settings, action, cgs_binary, copy_directory, python,
    repository, run, scratch,
};

/// A fresh node, not yet open, and its members.
async fn fresh(name: &str) -> Result<(Node, KeyFolder)> {
    let directory = scratch(name)?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let mut node = Node::prepare(&directory.join("node"), keys.path(), Settings::on_free_port()?)?;
    node.start().await?;
    Ok((node, keys))
}

fn script(name: &str) -> PathBuf {
    repository().join("tests/interop").join(name)
}

fn python_script(name: &str, arguments: &[&Path]) -> Result<Finished> {
    run(Command::new(python()).arg(script(name)).args(arguments))
}

#[tokio::test]
async fn ccf_cose_sign1_and_curl_open_the_service() -> Result<()> {
    let (node, keys) = fresh("interop-governance").await?;
    let programs = python().parent().map(Path::to_path_buf).unwrap_or_default();
    let mut command = Command::new(script("governance.sh"));
    command.arg(node.url()).arg(node.service_certificate()).arg(keys.path()).arg(programs);
    run(&mut command)?.succeeded("tests/interop/governance.sh")?;
    let info = node.api(None)?.get(&format!("/gov/service/info?{API_VERSION}")).await?.json()?;
    assert_eq!(info["status"], "Open");
    Ok(())
}

/// The ledger after a rekey, a kill and a clean stop, and receipts of every kind of transaction.
#[tokio::test]
async fn ccf_verifies_ledger_and_receipts() -> Result<()> {
    let (mut node, keys) = fresh("interop-ledger").await?;
    let consortium = Consortium::of(&keys)?;
    consortium.bring_to_life(&node).await?;
    let receipts = node.directory().join("receipts");
    std::fs::create_dir_all(&receipts)?;

    let mut transactions = write(&node, &consortium, "a").await?;
    collect_receipts(&node, &transactions, &receipts).await?;
    consortium.pass(&node.api(None)?, &[action("trigger_ledger_rekey", &Value::Null)]).await?;
    let behind = write(&node, &consortium, "rekeyed").await?;
    collect_receipts(&node, &behind, &receipts).await?;
    node.kill()?;
    check_ledger(&node, &receipts)?;
    node.start().await?;
    // Receipts of before the restart can still be had, and are still the same transactions.
    collect_receipts(&node, &transactions, &receipts).await?;
    transactions = write(&node, &consortium, "b").await?;
    collect_receipts(&node, &transactions, &receipts).await?;
    node.stop().await?;
    check_ledger(&node, &receipts)?;
    let read = run(Command::new(python()).args(["-m", "ccf.read_ledger", "--uncommitted"]).arg(node.ledger()))?;
    let said = format!("{}{}", read.stdout, read.stderr);
    assert!(read.code == 0 && said.contains("Ledger verification complete"), "read_ledger: {said}");
    Ok(())
}

async fn write(node: &Node, consortium: &Consortium, prefix: &str) -> Result<Vec<String>> {
    let api = node.api(Some(consortium.first()))?;
    let mut transactions = Vec::new();
    for number in 0..5 {
        let path = format!("/app/contracts/{prefix}{number}");
        let answer = api.put(&path, &json!({"data": {"number": number}})).await?.expect_status(200)?;
        transactions.push(answer.transaction.ok_or("an answer without its transaction id")?);
    }
    Ok(transactions)
}

async fn collect_receipts(node: &Node, transactions: &[String], folder: &Path) -> Result<()> {
    let api = node.api(None)?;
    for transaction in transactions {
        let answer = api.get(&format!("/node/receipt?transaction_id={transaction}")).await?.expect_status(200)?;
        std::fs::write(folder.join(format!("{transaction}.json")), &answer.body)?;
    }
    Ok(())
}

fn check_ledger(node: &Node, receipts: &Path) -> Result<()> {
    let (option, chain) = (Path::new("--receipts"), Path::new("--secret-chain"));
    let certificate = node.service_certificate();
    let service = Path::new("--service-cert");
    python_script("ledger.py", &[&node.ledger(), option, receipts, chain, service, &certificate])?
        .succeeded("ledger.py")?;
    python_script("receipts.py", &[receipts, service, &certificate])?.succeeded("receipts.py")?;
    Ok(())
}

/// What `cgs ledger verify` says of a ledger: the last transaction and the number of signatures.
fn judged(ledger: &Path) -> Result<(String, u64)> {
    let command = ["ledger", "verify", "--output", "json", "--strict"];
    let report: Value =
        serde_json::from_str(&run(Command::new(cgs_binary()).args(command).arg(ledger))?.succeeded("cgs")?)?;
    assert_eq!(report["verified"], report["last"], "{report}");
    let last = report["last"].as_str().and_then(|last| last.split('.').nth(1)).ok_or("there is no last transaction")?;
    Ok((last.to_owned(), report["signatures"].as_u64().ok_or("a number is missing")?))
}

/// Ledgers of real services, one of them recovered, expired and with entries of old types.
#[test]
fn python_and_cgs_agree_on_ledgers_of_ccf() -> Result<()> {
    let ledgers = repository().join("tests/data/ccf-ledgers");
    for service in ["expired_service", "cose_flipflop_service"] {
        let ledger = ledgers.join(service).join("ledger");
        let said = python_script("ledger.py", &[&ledger, Path::new("--deprecated")])?.succeeded("ledger.py")?;
        let (last, signatures) = judged(&ledger)?;
        assert_eq!(said.trim(), format!("{last} transactions, {signatures} signatures, verified until {last}"));
    }
    let snapshot = ledgers.join("expired_service/snapshots/snapshot_61_62.committed");
    let options = [Path::new("--deprecated"), Path::new("--snapshot"), &snapshot];
    let ledger = ledgers.join("expired_service/ledger");
    python_script("ledger.py", &[[ledger.as_path()].as_slice(), &options].concat())?.succeeded("ledger.py")?;
    Ok(())
}

/// One byte of a transaction, changed: both refuse.
#[test]
fn python_and_cgs_refuse_a_changed_ledger_of_ccf() -> Result<()> {
    let directory = scratch("interop-changed")?;
    let file = "ledger_15-46.committed";
    let genuine = repository().join("tests/data/ccf-ledgers/cose_flipflop_service/ledger");
    for place in [200, 9_000, 20_000] {
        let ledger = directory.join(place.to_string());
        copy_directory(&genuine, &ledger)?;
        let mut bytes = std::fs::read(genuine.join(file))?;
        bytes[place] ^= 0x10;
        std::fs::write(ledger.join(file), bytes)?;
        let ours = run(Command::new(cgs_binary()).args(["ledger", "verify"]).arg(&ledger))?;
        assert!(ours.code != 0 && ours.stderr.contains(file), "{place}: {}{}", ours.stdout, ours.stderr);
        assert_ne!(python_script("ledger.py", &[&ledger])?.code, 0, "byte {place}");
    }
    Ok(())
}

#[tokio::test]
async fn curl_speaks_both_versions_of_http() -> Result<()> {
    let (node, keys) = fresh("interop-curl").await?;
    let consortium = Consortium::of(&keys)?;
    consortium.bring_to_life(&node).await?;
    for (option, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let said = curl(&node, None, &[option, "--write-out", " %{http_version}"], "/node/network")?;
        assert!(said.contains("\"service_status\":\"Open\"") && said.ends_with(&format!(" {version}")), "{said}");
        for tls in ["--tlsv1.3", "--tls-max"] {
            let options: &[&str] = if tls == "--tls-max" { &[option, tls, "1.2"] } else { &[option, tls] };
            curl(&node, None, options, "/node/commit")?;
        }
        let id = format!("/app/contracts/curl-{version}");
        let put = ["--request", "PUT", "--data", "{\"data\": \"from curl\"}", option];
        let member = Some(&consortium);
        curl(&node, member, &put, &id)?;
        let read = curl(&node, member, &[option, "--request", "POST"], &id)?;
        assert!(read.contains("from curl"), "{read}");
        let status = ["--write-out", " %{http_code}", option, "--request", "POST"];
        let refused = curl_may_fail(&node, None, &status, &id)?;
        assert!(refused.stdout.ends_with(" 401"), "without a certificate: {}", refused.stdout);
    }
    Ok(())
}

fn curl(node: &Node, member: Option<&Consortium>, options: &[&str], path: &str) -> Result<String> {
    curl_may_fail(node, member, options, path)?.succeeded("curl")
}

fn curl_may_fail(node: &Node, member: Option<&Consortium>, options: &[&str], path: &str) -> Result<Finished> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail-with-body", "--cacert"]).arg(node.service_certificate());
    if let Some(consortium) = member {
        let first = consortium.first();
        command.arg("--cert").arg(&first.certificate_file).arg("--key").arg(&first.key_file);
    }
    run(command.args(options).arg(format!("{}{path}", node.url())))
}

#[tokio::test]
async fn openssl_shakes_hands_with_and_without_certificate() -> Result<()> {
    let (node, keys) = fresh("interop-openssl").await?;
    let consortium = Consortium::of(&keys)?;
    let address = format!("127.0.0.1:{}", node.port());
    for version in ["-tls1_2", "-tls1_3"] {
        for member in [None, Some(consortium.first())] {
            let mut command = Command::new("openssl");
            command.args(["s_client", "-connect", &address, "-verify_return_error", version]);
            command.args(["-verify_ip", "127.0.0.1", "-CAfile"]).arg(node.service_certificate());
            if let Some(member) = member {
                command.arg("-cert").arg(&member.certificate_file).arg("-key").arg(&member.key_file);
            }
            let said = run(&mut command)?.succeeded("openssl s_client")?;
            assert!(said.contains("Verify return code: 0 (ok)"), "{version}: {said}");
        }
    }
    let mut old = Command::new("openssl");
    old.args(["s_client", "-connect", &address, "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"]);
    assert_ne!(run(&mut old)?.code, 0, "TLS 1.1 must be refused");
    Ok(())
}
