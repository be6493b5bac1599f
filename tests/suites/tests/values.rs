//! What a contract says is what was drafted, digit by digit, although scripts had it in their hands in between.

use serde_json::Value;
use suites::{API_VERSION, Consortium, KeyFolder, Node, Result, Settings, scratch};

/// What JavaScript and others write differently: numbers with all their digits, large and small ones, names that look like
/// an index, halves of what is one character. (Members that stand twice and integers beyond 2^53 are refused.)
const DATA: &str = r#"{"b":[0.36298962312359884,2.2250738585072011e-308,9007199254740991,1.0,-0,1e21,0.000001,1e-7],
    "10":{"2":0,"z":1,"1":2},"9":"\ud83d\ude00\u2028/","a":{"__proto__":1,"a":2}}"#;

#[tokio::test]
async fn a_contract_stays_the_same_text_from_draft_to_acceptance() -> Result<()> {
    let directory = scratch("values")?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let consortium = Consortium::of(&keys)?;
    let mut node = Node::prepare(&directory.join("node"), keys.path(), Settings::on_free_port()?)?;
    node.start().await?;
    consortium.bring_to_life(&node).await?;
    let (api, member) = (node.api(None)?, node.api(Some(consortium.first()))?);
    let body = format!(r#"{{"data":{DATA}}}"#).into_bytes();
    member.send(reqwest::Method::PUT, "/app/contracts/c", "application/json", body).await?.expect_status(200)?;
    let text = async || -> Result<String> {
        let answer = member.post("/app/contracts/c").await?.expect_status(200)?;
        let text = String::from_utf8(answer.body.to_vec())?;
        let data = text.split_once(r#""data":"#).and_then(|(_, rest)| rest.split_once(r#","proposalId""#));
        Ok(data.ok_or("the answer has no data")?.0.to_owned())
    };
    let draft = text().await?;
    assert!(draft.starts_with(r#"{"9":"#) && draft.contains("0.36298962312359884,2.225073858507201e-308"), "{draft}");
    let actions = format!(
        r#"{{"actions":[{{"name":"set_contract","args":{{"contractId":"c","contract":{{"data":{DATA}}}}}}}]}}"#
    );
    let request = consortium.first().sign("proposal", None, actions.as_bytes())?;
    let created = api.post_signed(&format!("/gov/members/proposals:create?{API_VERSION}"), request).await?;
    let proposal = created.expect_status(200)?.json()?["proposalId"].as_str().unwrap_or_default().to_owned();
    assert_eq!(text().await?, draft, "as proposed");
    let mut state = Value::Null;
    for number in 0..consortium.members.len() {
        state = consortium.accept(&api, number, &proposal).await?.json()?;
    }
    assert_eq!(state["proposalState"], "Accepted");
    assert_eq!(text().await?, draft, "as accepted");
    Ok(())
}
