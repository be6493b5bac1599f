use super::*;
use crate::testing::{body, input, member, world};

/// Writes in memory, of which a page holds at most so many.
struct Writes(Vec<(u64, Bytes)>, usize);

impl PastWrites for Writes {
    type Error = ApiError;

    fn last(&self) -> Result<Option<u64>, ApiError> {
        Ok(self.0.last().map(|(seqno, _)| *seqno))
    }

    fn first(&self, from: u64, to: u64) -> Result<Option<u64>, ApiError> {
        Ok(self.0.iter().map(|(seqno, _)| *seqno).find(|seqno| (from..=to).contains(seqno)))
    }

    fn page(&self, from: u64, to: u64, at_most: usize) -> Result<Page, ApiError> {
        let mut found: Vec<_> = self.0.iter().filter(|(seqno, _)| (from..=to).contains(seqno)).cloned().collect();
        let at_most = at_most.min(self.1);
        let next = found.get(at_most).map(|(seqno, _)| *seqno);
        found.truncate(at_most);
        Ok(Page { writes: found, next })
    }
}

fn writes(seqnos: &[u64]) -> Vec<(u64, Bytes)> {
    let record = |state: &str| Bytes::from(format!(r#"{{"ballots":{{}},"proposer_id":"m","state":"{state}"}}"#));
    let last = seqnos.last().copied();
    let write = |seqno: &u64| (*seqno, record(if Some(*seqno) == last { "Accepted" } else { "Open" }));
    seqnos.iter().map(write).collect()
}

fn read(query: &str, seqnos: &[u64]) -> Result<Value, ApiError> {
    read_by(usize::MAX, query, seqnos)
}

fn read_by(most: usize, query: &str, seqnos: &[u64]) -> Result<Value, ApiError> {
    let mut input = input("proposalId", "p1", query, b"");
    input.committed.seqno = seqnos.last().copied().unwrap_or(0).max(60);
    let writes = Writes(writes(seqnos), most);
    proposal_history(&mut world(), &member("accepted"), &input, &writes).map(|output| body(&output))
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

/// Whoever keeps the writes says how many are too many for one answer: the link goes on behind them.
#[test]
fn d22_a_page_may_end_before_the_asked_number() {
    let page = read_by(2, "", &[10, 12, 20, 45]).unwrap();
    assert_eq!(seqnos(&page), [10, 12]);
    assert_eq!(page["nextLink"], "/app/proposals/p1/historical?from_seqno=20&to_seqno=45");
    assert_eq!(seqnos(&read("max_seqno_per_page=999999999", &(1..3000).collect::<Vec<_>>()).unwrap()).len(), 2000);
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
    let error = proposal_history(&mut world(), &Caller::anonymous(), &input, &Writes(Vec::new(), 1)).unwrap_err();
    assert_eq!(error.code, "UnknownAuthenticationPolicy");
}
