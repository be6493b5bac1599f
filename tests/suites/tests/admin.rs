//! What an operator reads of a node, and what the members can do about its certificates.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crypto::Certificate;
use reqwest::tls::TlsInfo;
use reqwest::{Client, Method};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use suites::{API_VERSION, Consortium, KeyFolder, Node, Result, Settings, action, scratch};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONTRACTS: u64 = 20;
const SOON: Duration = Duration::from_secs(10);

async fn start(name: &str) -> Result<(Node, Consortium, String)> {
    let directory = scratch(name)?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let consortium = Consortium::of(&keys)?;
    let admin = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let settings = Settings { admin: Some(admin.clone()), ..Settings::on_free_port()? };
    let mut node = Node::prepare(&directory.join("node"), keys.path(), settings)?;
    node.start().await?;
    consortium.bring_to_life(&node).await?;
    Ok((node, consortium, admin))
}

/// A page of Prometheus text (version 0.0.4), read as strictly as the format is written.
struct Page {
    series: BTreeMap<String, f64>,
}

impl Page {
    async fn fetch(admin: &str) -> Result<Self> {
        let answer = Client::new().get(format!("http://{admin}/metrics")).send().await?;
        assert_eq!(answer.status(), 200);
        let kind = answer.headers().get("content-type").map(|value| value.to_str().unwrap_or_default().to_owned());
        assert_eq!(kind.as_deref(), Some("text/plain; version=0.0.4; charset=utf-8"));
        let text = answer.text().await?;
        assert!(!text.contains("PRIVATE"));
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'));
        let (mut family, mut seen, mut series) = ((String::new(), String::new()), BTreeSet::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a text behind the name");
                assert!(seen.insert(name.to_owned()), "{name} is there twice");
                assert!(!help.is_empty());
                family = (name.to_owned(), String::new());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type behind the name");
                assert_eq!(name, family.0, "a type follows its help");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                family.1 = kind.to_owned();
            } else {
                let (name, value) = line.rsplit_once(' ').expect("a value behind the name");
                check_name(name, &family);
                let value = value.replace("+Inf", "inf").parse().expect("a number");
                assert!(series.insert(name.to_owned(), value).is_none(), "{name} is there twice");
            }
        }
        let page = Self { series };
        page.check_histograms();
        page
    }

    fn check_histograms(&self) {
        for (name, count) in &self.series {
            let Some((family, labels)) = name.split_once("_count") else { continue };
            let inside = labels.trim_matches(['{', '}']);
            let comma = if inside.is_empty() { "" } else { "," };
            assert_eq!(self.get(&format!("{family}_bucket{{{inside}{comma}le=\"+Inf\"}}")), *count, "{name}");
            assert!(self.get(&format!("{family}_sum{labels}")) >= 0.0);
        }
    }

    fn get(&self, name: &str) -> f64 {
        *self.series.get(name).unwrap_or_else(|| panic!("{name} is not there: {:?}", self.series.keys()))
    }

    fn count(&self, name: &str) -> u64 {
        self.get(name).to_string().parse().unwrap_or_else(|_| panic!("{name} is {}", self.get(name)))
    }
}

fn check_name(series: &str, (family, kind): &(String, String)) {
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let allowed =
        |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    assert!(allowed(name), "{series}");
    let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
    assert!(suffixes.iter().any(|suffix| *name == format!("{family}{suffix}")), "{series} is not of {family}");
    let labels = labels.strip_suffix('}').expect("labels end");
    for label in labels.split("\",").filter(|label| !label.is_empty()) {
        let (key, _) = label.split_once("=\"").expect("a quoted value");
        assert!(allowed(key), "{series}");
    }
}

/// The figures once the snapshot of the service that was opened is there: its evidence is a transaction too.
async fn after_the_first_snapshot(admin: &str) -> Result<Page> {
    for _ in 0..1_000 {
        let page = Page::fetch(admin).await?;
        if page.count("cgs_snapshots_total") == 1 {
            assert!(page.count("cgs_snapshot_last_seqno") > 1 && page.count("cgs_snapshot_bytes") > 1_000);
            assert_eq!(page.count("cgs_snapshot_failures_total"), 0);
            return Ok(page);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    Err("no snapshot was taken when the service opened".into())
}

#[tokio::test]
async fn figures_are_those_of_what_happened() -> Result<()> {
    let (mut node, consortium, admin) = start("figures").await?;
    let before = after_the_first_snapshot(&admin).await?;
    let member = node.api(Some(consortium.first()))?;
    for number in 1..=CONTRACTS {
        member.put(&format!("/app/contracts/c{number}"), &json!({"data": number})).await?.expect_status(200)?;
    }
    node.api(None)?.get("/app/contracts").await?.expect_status(401)?;
    let page = Page::fetch(&admin).await?;
    let grew = |name: &str| page.count(name) - before.count(name);
    assert_eq!(grew("cgs_transactions_total"), CONTRACTS);
    assert_eq!(grew("cgs_batch_transactions_sum"), CONTRACTS);
    assert_eq!(grew("cgs_commit_duration_seconds_count"), CONTRACTS);
    assert_eq!(grew("cgs_http_requests_total{actor=\"app\",status=\"2xx\"}"), CONTRACTS);
    assert_eq!(grew("cgs_http_requests_total{actor=\"app\",status=\"4xx\"}"), 1);
    assert!(page.count("cgs_scripts_total{outcome=\"returned\"}") > 0);
    assert_eq!(page.count("cgs_scripts_total{outcome=\"time_limit\"}"), 0);
    assert_eq!(page.count("cgs_service_status{status=\"Open\"}"), 1);
    assert_eq!(page.count("cgs_view"), 2);
    assert_eq!(page.count("cgs_jwt_key_refreshes_total{outcome=\"failure\"}"), 0);
    let committed = node.api(None)?.get("/node/commit").await?.json()?;
    let committed = committed["transaction_id"].as_str().and_then(|id| id.split_once('.')).ok_or("no id")?.1;
    assert_eq!(page.count("cgs_committed_seqno").to_string(), committed);
    assert!(grew("cgs_sessions_opened_total{interface=\"primary_rpc_interface\"}") >= 1);
    assert!(page.count("cgs_ledger_bytes") > before.count("cgs_ledger_bytes"));
    assert!(page.count("process_resident_memory_bytes") > 1 << 20);
    assert!(page.count("process_open_fds") > 5);
    for (name, pem) in certificates(&node).await? {
        let ends = page.get(&format!("cgs_certificate_expiry_timestamp_seconds{{certificate=\"{name}\"}}"));
        assert_eq!(ends.to_string(), pem.not_after().to_string(), "{name}");
    }
    assert_eq!(page.count("cgs_resumes_total"), 0);
    node.stop().await?;
    node.start().await?;
    assert_eq!(Page::fetch(&admin).await?.count("cgs_resumes_total"), 1);
    Ok(())
}

/// The certificates that governance shows.
async fn certificates(node: &Node) -> Result<[(&'static str, Certificate); 2]> {
    let api = node.api(None)?;
    let service = api.get(&format!("/gov/service/info?{API_VERSION}")).await?.json()?;
    let nodes = api.get(&format!("/gov/service/nodes?{API_VERSION}")).await?.json()?;
    let read = |value: &Value| Certificate::from_pem(value.as_str().unwrap_or_default());
    Ok([("service", read(&service["certificate"])?), ("node", read(&nodes["value"][0]["certificate"])?)])
}

#[tokio::test]
async fn the_listener_of_the_operator_serves_figures_and_nothing_else() -> Result<()> {
    let (_node, _, admin) = start("listener").await?;
    let client = Client::new();
    let status = async |method: Method, path: &str| -> Result<u16> {
        Ok(client.request(method, format!("http://{admin}{path}")).send().await?.status().as_u16())
    };
    assert_eq!(status(Method::GET, "/livez").await?, 200);
    for (method, path, wanted) in [
        (Method::POST, "/metrics", 405),
        (Method::GET, "/", 404),
        (Method::GET, "/node/network", 404),
        (Method::PUT, "/app/contracts/c", 404),
    ] {
        assert_eq!(status(method, path).await?, wanted, "{path}");
    }
    let mut stream = TcpStream::connect(&admin).await?;
    stream.write_all(format!("GET /metrics HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(100_000)).as_bytes()).await?;
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    assert!(!text.starts_with(b"HTTP/1.1 200"));
    Ok(())
}

#[tokio::test]
async fn connections_of_the_operator_are_bounded() -> Result<()> {
    let (_node, _, admin) = start("bounded").await?;
    let mut idle = Vec::new();
    for _ in 0..8 {
        idle.push(TcpStream::connect(&admin).await?);
    }
    let mut surplus = TcpStream::connect(&admin).await?;
    let mut text = Vec::new();
    let _ = surplus.write_all(b"GET /livez HTTP/1.1\r\n\r\n").await;
    let _ = tokio::time::timeout(SOON, surplus.read_to_end(&mut text)).await?;
    assert_eq!(text, b"", "dropped without a word");
    drop(idle);
    let asked = Instant::now();
    while Page::fetch(&admin).await.is_err() {
        assert!(asked.elapsed() < SOON, "there is room again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// The certificate that the node shows in a new connection, to a client that trusts one certificate only.
async fn shown(node: &Node, trusted: &Path) -> Result<Certificate> {
    let trusted = reqwest::Certificate::from_pem(&std::fs::read(trusted)?)?;
    let client = Client::builder().tls_certs_only([trusted]).tls_info(true).build()?;
    let answer = client.get(format!("{}/node/commit", node.url())).send().await?;
    let info = answer.extensions().get::<TlsInfo>().and_then(|info| info.peer_certificate()).ok_or("no certificate")?;
    Ok(Certificate::from_der(info)?)
}

fn now() -> i64 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs().try_into().unwrap_or(i64::MAX))
}

fn actions(node_id: &str) -> [Value; 2] {
    // Formats of the reference: a day ago, so that clocks that differ do not matter.
    let from = "2026-01-01 00:00:00";
    [
        action("set_service_certificate_validity", &json!({"valid_from": from, "validity_period_days": 365})),
        action(
            "set_node_certificate_validity",
            &json!({"node_id": node_id, "valid_from": from, "validity_period_days": 364}),
        ),
    ]
}

#[tokio::test]
async fn d38_what_the_members_renew_is_shown_at_once_and_after_a_restart() -> Result<()> {
    let (mut node, consortium, admin) = start("renew").await?;
    let api = node.api(None)?;
    let old = certificates(&node).await?;
    let before = std::fs::read_to_string(node.service_certificate())?;
    assert_eq!(shown(&node, &node.service_certificate()).await?, old[1].1);
    let id = api.get("/node/network").await?.json()?["primary_id"].as_str().unwrap_or_default().to_owned();
    consortium.pass(&api, &actions(&id)).await?;

    let [(_, service), (_, endorsed)] = certificates(&node).await?;
    assert!(service != old[0].1 && endorsed != old[1].1);
    assert_eq!(service.public_key()?, old[0].1.public_key()?);
    let asked = Instant::now();
    while std::fs::read_to_string(node.service_certificate())? == before
        || shown(&node, &node.service_certificate()).await? != endorsed
    {
        assert!(asked.elapsed() < SOON, "the new certificates are not shown");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(std::fs::read_to_string(node.service_certificate())?, service.to_pem());
    let network = node.api(None)?.get("/node/network").await?.json()?;
    assert_eq!(network["service_certificate"], service.to_pem());
    let page = Page::fetch(&admin).await?;
    let ends = page.get("cgs_certificate_expiry_timestamp_seconds{certificate=\"node\"}");
    assert_eq!(ends.to_string(), endorsed.not_after().to_string());

    node.stop().await?;
    node.verify_ledger()?.succeeded("cgs ledger verify")?;
    node.start().await?;
    let [(_, resumed), (_, again)] = certificates(&node).await?;
    assert_eq!(resumed, service);
    assert!(again != endorsed && again.not_before() >= now() - 60, "a start renews the certificate of the node");
    assert_eq!(shown(&node, &node.service_certificate()).await?, again);
    Ok(())
}

/// Whoever watches a node can lead clients away before it stops.
#[tokio::test]
async fn a_stop_can_be_announced_before_it_comes() -> Result<()> {
    let directory = scratch("notice")?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let mut node = Node::prepare(&directory.join("node"), keys.path(), Settings::on_free_port()?)?;
    let file = node.directory().join("node.json");
    let mut settings: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    settings["ignore_first_sigterm"] = true.into();
    std::fs::write(&file, settings.to_string())?;
    node.start().await?;
    let api = node.api(None)?;
    assert_eq!(api.get("/node/state").await?.json()?["stop_notice"], false);
    let pid = node.pid().and_then(|pid| Pid::from_raw(pid.try_into().ok()?)).ok_or("no process")?;
    kill_process(pid, Signal::TERM)?;
    let told = Instant::now();
    while api.get("/node/state").await?.json()?["stop_notice"] != true {
        assert!(told.elapsed() < SOON, "the node does not say that it is going to stop");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    node.stop().await
}

/// A service without a node could not go on, and nobody could vote it another one.
#[tokio::test]
async fn the_only_node_cannot_be_removed() -> Result<()> {
    let (mut node, consortium, _) = start("removed").await?;
    let api = node.api(None)?;
    let id = api.get("/node/network").await?.json()?["primary_id"].as_str().unwrap_or_default().to_owned();
    let mut state = consortium.propose(&api, 0, &[action("remove_node", &json!({"node_id": id}))]).await?.json()?;
    let proposal = state["proposalId"].as_str().unwrap_or_default().to_owned();
    for number in 0..3 {
        if state["proposalState"] == "Open" {
            state = consortium.accept(&api, number, &proposal).await?.json()?;
        }
    }
    assert_eq!(state["proposalState"], "Failed", "{state}");
    let reason = state["failure"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("cannot be removed"), "{state}");
    node.stop().await?;
    node.start().await?;
    let nodes = node.api(None)?.get(&format!("/gov/service/nodes?{API_VERSION}")).await?.json()?;
    assert_eq!(nodes["value"][0]["status"], "Trusted");
    Ok(())
}
