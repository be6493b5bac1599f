use std::{fs, path::Path, time::Duration};

use evidence::{Certificates, EvidenceError, Online};
use serde_json::json;

use crate::{
    genuine,
    server::{Reply, Server},
};

const LIMIT: Duration = Duration::from_secs(2);
const GENOA_CHIP: &str = "b1e24a27bbc3a4d58090d8b89851dce3b8031544be249b9ac17132bb222b027622347ee4d0fe4f689efdfc47a68cefc686cbb448d01436506ee1e28010cab7c0";

/// The certificates of a genuine chain: chip, and the authorities in PEM.
fn parts(name: &str) -> (crypto::Certificate, String, String) {
    let chain = String::from_utf8(genuine(&format!("{name}/chain.pem"))).unwrap();
    let certificates = crypto::certificates_from_pem(&chain).unwrap();
    let authorities = certificates[1..].iter().map(crypto::Certificate::to_pem).collect();
    let whole = certificates.iter().map(crypto::Certificate::to_pem).collect();
    (certificates[0].clone(), authorities, whole)
}

fn report(name: &str) -> Vec<u8> {
    genuine(&format!("{name}/report.bin"))
}

/// AMD, as far as these samples go.
fn amd() -> Server {
    let (chip, authorities, _) = parts("genoa");
    let (_, lent, _) = parts("vlek");
    Server::start(move |request| match request.line.as_str() {
        line if line == format!("GET /vcek/v1/Genoa/{GENOA_CHIP}?blSPL=10&teeSPL=00&snpSPL=23&ucodeSPL=84") => {
            Reply::Ok(chip.der().to_vec())
        }
        "GET /vcek/v1/Genoa/cert_chain" => Reply::Ok(authorities.clone().into_bytes()),
        "GET /vlek/v1/Milan/cert_chain" => Reply::Ok(lent.clone().into_bytes()),
        _ => Reply::Status(404),
    })
}

fn asking(online: Online) -> Certificates {
    Certificates::new(None, Some(online), LIMIT).unwrap()
}

#[tokio::test]
async fn amd_is_asked_for_chip_and_authorities_once() {
    let server = amd();
    let certificates = asking(Online::Amd(server.url.clone()));
    let (_, _, whole) = parts("genoa");
    for _ in 0..3 {
        assert_eq!(certificates.chain_of(&report("genoa"), None).await.unwrap(), whole);
    }
    assert_eq!(server.requests().len(), 2, "the second time it is remembered");
}

#[tokio::test]
async fn a_lent_key_is_known_to_its_host_only() {
    let server = amd();
    let certificates = asking(Online::Amd(server.url.clone()));
    let (chip, _, whole) = parts("vlek");
    let error = certificates.chain_of(&report("vlek"), None).await.unwrap_err();
    assert!(error.to_string().contains("only its host has"), "{error}");
    assert_eq!(certificates.chain_of(&report("vlek"), Some(&chip)).await.unwrap(), whole);
    // The host's word for a chip's own certificate is not needed.
    let (stranger, _, _) = parts("milan-v2");
    assert!(certificates.chain_of(&report("genoa"), Some(&stranger)).await.is_ok());
}

#[tokio::test]
async fn azure_knows_the_chip_of_this_machine() {
    let (chip, authorities, whole) = parts("genoa");
    let answer = json!({
        "vcekCert": chip.to_pem(),
        "certificateChain": authorities,
        "tcbm": "541700000000000a",
        "cacheControl": "86400",
    });
    let server = Server::start(move |_| Reply::Ok(answer.to_string().into_bytes()));
    let certificates = asking(Online::Azure(server.url.clone()));
    let chain = certificates.chain_of(&report("genoa"), None).await.unwrap();
    assert_eq!(chain.replace('\n', ""), whole.replace('\n', ""));
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!(request.line, "GET /metadata/THIM/amd/certification");
    assert!(request.headers.iter().any(|header| header.eq_ignore_ascii_case("metadata: true")), "{request:?}");
}

#[tokio::test]
async fn what_does_not_prove_the_report_is_neither_given_nor_remembered() {
    let (chip, authorities, _) = parts("vlek");
    let answer = json!({"vcekCert": chip.to_pem(), "certificateChain": authorities});
    let server = Server::start(move |_| Reply::Ok(answer.to_string().into_bytes()));
    let certificates = asking(Online::Azure(server.url.clone()));
    for _ in 0..2 {
        let error = certificates.chain_of(&report("genoa"), None).await.unwrap_err();
        assert!(matches!(&error, EvidenceError::NotProven { place, .. } if *place == server.url), "{error}");
        assert!(error.to_string().contains("chain.family"), "{error}");
    }
    assert_eq!(server.requests().len(), 2);
}

/// A directory as AMD's service is laid out.
fn filled(directory: &Path) {
    let (chip, authorities, _) = parts("genoa");
    let place = directory.join("vcek/v1/Genoa");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join(format!("{GENOA_CHIP}-541700000000000a.der")), chip.der()).unwrap();
    fs::write(place.join("cert_chain"), authorities).unwrap();
}

#[tokio::test]
async fn a_directory_is_enough() {
    let directory = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(Some(directory.path().to_path_buf()), None, LIMIT).unwrap();
    let error = certificates.chain_of(&report("genoa"), None).await.unwrap_err();
    assert!(error.to_string().contains(&format!("vcek/v1/Genoa/{GENOA_CHIP}-541700000000000a.der")), "{error}");
    filled(directory.path());
    let (_, _, whole) = parts("genoa");
    assert_eq!(certificates.chain_of(&report("genoa"), None).await.unwrap(), whole);
    let lent = directory.path().join("vlek/v1/Milan");
    fs::create_dir_all(&lent).unwrap();
    let (chip, authorities, whole) = parts("vlek");
    fs::write(lent.join("cert_chain"), authorities).unwrap();
    assert_eq!(certificates.chain_of(&report("vlek"), Some(&chip)).await.unwrap(), whole);
    let error = Certificates::new(Some(directory.path().to_path_buf()), None, LIMIT).unwrap();
    let error = error.chain_of(&report("vlek"), None).await.unwrap_err();
    assert!(matches!(error, EvidenceError::NotFound(_)), "{error}");
}

#[tokio::test]
async fn a_directory_comes_before_the_network_and_may_be_wrong() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let server = amd();
    let both = || {
        let online = Online::Amd(server.url.clone());
        Certificates::new(Some(directory.path().to_path_buf()), Some(online), LIMIT).unwrap()
    };
    both().chain_of(&report("genoa"), None).await.unwrap();
    assert_eq!(server.requests().len(), 0);
    let chip = directory.path().join(format!("vcek/v1/Genoa/{GENOA_CHIP}-541700000000000a.der"));
    fs::write(&chip, b"x").unwrap();
    let error = both().chain_of(&report("genoa"), None).await.unwrap_err().to_string();
    assert!(error.contains(&chip.display().to_string()), "{error}");
    fs::remove_file(&chip).unwrap();
    both().chain_of(&report("genoa"), None).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn questions_that_nobody_can_answer_are_not_asked() {
    let server = amd();
    let certificates = asking(Online::Amd(server.url.clone()));
    let ask = async |report: Vec<u8>| certificates.chain_of(&report, None).await.unwrap_err().to_string();
    assert!(ask(report("milan-v2")).await.contains("does not say of which family"));
    assert!(ask(vec![0; 10]).await.contains("1184"));
    let mut hidden = report("genoa");
    hidden[0x1a0..0x1e0].fill(0);
    assert!(ask(hidden).await.contains("hides which chip"));
    let mut unsigned = report("genoa");
    unsigned[0x48] = 7 << 2;
    assert!(ask(unsigned).await.contains("switched signatures off"));
    assert_eq!(server.requests().len(), 0);
    let mut other = report("genoa");
    other[0x1a0] ^= 1;
    assert!(ask(other).await.contains("answers 404"));
}

#[tokio::test]
async fn amd_may_be_slow_large_or_wrong() {
    for (reply, expected) in [
        (Reply::Status(429), "asked too often"),
        (Reply::Endless, "answers more than"),
        (Reply::Never, "no complete answer within 300ms"),
        (Reply::Ok(b"no certificate".to_vec()), "not a usable certificate"),
    ] {
        let server = Server::start(move |_| reply.clone());
        let online = Some(Online::Amd(server.url.clone()));
        let certificates = Certificates::new(None, online, Duration::from_millis(300)).unwrap();
        let error = certificates.chain_of(&report("genoa"), None).await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("/vcek/v1/Genoa/"), "{expected}: {error}");
    }
}
