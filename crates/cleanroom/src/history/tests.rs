use super::*;
use crate::testing::{body, input, member, world};

fn writes(seqnos: &[u64]) -> Vec<(u64, Bytes)> {
    let record = |state: &str| Bytes::from(format!(r#"{{"ballots":{{}},"proposer_id":"m","state":"{state}"}}"#));
    let last = seqnos.last().copied();
    let write = |seqno: &u64| (*seqno, record(if Some(*seqno) == last { "Accepted" } else { "Open" }));
    seqnos.iter().map(write).collect()
}

fn read(query: &str, seqnos: &[u64]) -> Result<Value, ApiError> {
    let input = input("proposalId", "p1", query, b"");
    proposal_history(&mut world(), &member("accepted"), &input, &writes(seqnos)).map(|output| body(&output))
}

fn seqnos(page: &Value) -> Vec<u64> {
    page["value"].as_array().unwrap().iter().map(|entry| entry["seqno"].as_u64().unwrap()).collect()
}

#[test]
fn every_write_is_a_state() {
    let page = read("", &[10, 12, 20]).unwrap();
    assert_eq!(seqnos(&page), [10, 12, 20]);
    assert_eq!(page["value"][0], json!({"seqno": 10, "proposalId": "p1", "proposalState": "Open"}));
    assert_eq!(page["value"][2]["proposalState"], "Accepted");
    assert_eq!(page.get("nextLink"), None);
}

#[test]
fn unknown_proposals_have_no_states() {
    assert_eq!(read("from_seqno=1&to_seqno=5", &[]).unwrap(), json!({"value": []}));
}

#[test]
fn ranges_include_both_ends() {
    assert_eq!(seqnos(&read("from_seqno=12&to_seqno=20", &[10, 12, 20, 30]).unwrap()), [12, 20]);
    assert_eq!(seqnos(&read("from_seqno=13&to_seqno=19", &[10, 12, 20, 30]).unwrap()), [0u64; 0]);
}

#[test]
fn d22_pages_link_on_with_every_parameter() {
    let all = [10, 12, 20, 45, 50];
    let mut query = "max_seqno_per_page=3&to_seqno=50".to_owned();
    let mut seen = Vec::new();
    for _ in 0..all.len() {
        let page = read(&query, &all).unwrap();
        let page_seqnos = seqnos(&page);
        assert!(!page_seqnos.is_empty() && page_seqnos.len() <= 3);
        seen.extend(page_seqnos);
        let Some(link) = page.get("nextLink") else { break };
        let link = link.as_str().unwrap();
        query = link.strip_prefix("/app/proposals/p1/historical?").unwrap().to_owned();
        assert!(query.ends_with("&to_seqno=50&max_seqno_per_page=3"), "{query}");
    }
    assert_eq!(seen, all);
}

#[test]
fn d22_links_are_encoded() {
    assert_eq!(encode("a%20b/c?é"), "a%20b%2Fc%3F%C3%A9");
}

#[test]
fn d04_a_wrong_range_is_the_callers_fault() {
    let error = read("from_seqno=abc", &[10]).unwrap_err();
    assert_eq!((error.status, error.code), (400, "InvalidQueryParameterValue"));
    assert_eq!(error.message, "from_seqno is not an integer");
}

#[test]
fn nobody_reads_without_authorisation() {
    let input = input("proposalId", "p1", "", b"");
    let error = proposal_history(&mut world(), &Caller::anonymous(), &input, &[]).unwrap_err();
    assert_eq!(error.code, "UnknownAuthenticationPolicy");
}
