//! What becomes of a member's connections and of open proposals when members go and come.

use serde_json::{Value, json};
use suites::{
    API_VERSION, Api, Consortium, KeyFolder, Member, Node, Protocol, Result, Session, Settings, action, scratch,
};

const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

async fn opened(name: &str) -> Result<(Node, Consortium)> {
    let directory = scratch(name)?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let consortium = Consortium::of(&keys)?;
    let mut node = Node::prepare(&directory.join("node"), keys.path(), Settings::on_free_port()?)?;
    node.start().await?;
    consortium.bring_to_life(&node).await?;
    node.api(Some(consortium.first()))?.put("/app/contracts/draft", &json!({"data": "x"})).await?.expect_status(200)?;
    Ok((node, consortium))
}

/// Connections of a member in both protocols, each of which was used and is left open.
async fn connections(node: &Node, member: &Member) -> Result<Vec<Session>> {
    let mut open = Vec::new();
    for protocol in PROTOCOLS {
        let mut session = Session::open(node, Some(member), protocol).await?;
        assert_eq!(read_draft(&mut session).await?, 200, "{protocol:?}: an active member reads");
        open.push(session);
    }
    Ok(open)
}

async fn read_draft(session: &mut Session) -> Result<u16> {
    Ok(session.send("POST", "/app/contracts/draft", "application/json", Vec::new()).await?.status)
}

async fn write_draft(session: &mut Session) -> Result<u16> {
    let body = json!({"data": "y"}).to_string().into_bytes();
    Ok(session.send("PUT", "/app/contracts/of-somebody", "application/json", body).await?.status)
}

/// A ballot of a member that is properly signed.
async fn vote(session: &mut Session, member: &Member, proposal: &str) -> Result<u16> {
    let ballot = json!({"ballot": "export function vote () { return true }"}).to_string();
    let request = member.sign("ballot", Some(proposal), ballot.as_bytes())?;
    let path = format!("/gov/members/proposals/{proposal}/ballots/{}:submit?{API_VERSION}", member.id);
    Ok(session.send("POST", &path, "application/cose", request).await?.status)
}

fn removal(member: &Member) -> Value {
    action("remove_member", &json!({"member_id": member.id}))
}

/// Sets a member again, which makes it Accepted until it confirms the state (G10).
fn again(member: &Member, encryption_key: Option<&str>) -> Result<Value> {
    let certificate = std::fs::read_to_string(&member.certificate_file)?;
    let mut arguments = json!({"cert": certificate, "member_data": {"identifier": member.name}});
    if let Some(key) = encryption_key {
        arguments["encryption_pub_key"] = json!(key);
    }
    Ok(action("set_member", &arguments))
}

/// Everything that the certificate or the key of a removed member once opened is closed, at once, on connections that
/// were open all the time; and these are still the same connections, since they still answer what anybody may ask.
async fn is_shut_out(node: &Node, member: &Member, open: &mut [Session], proposal: &str) -> Result<()> {
    for session in &mut *open {
        assert_eq!(read_draft(session).await?, 401);
        assert_eq!(write_draft(session).await?, 401);
        assert_eq!(vote(session, member, proposal).await?, 401);
        let public = session.send("GET", "/node/network", "application/json", Vec::new()).await?;
        assert_eq!(public.status, 200);
    }
    for protocol in PROTOCOLS {
        let mut session = Session::open(node, Some(member), protocol).await?;
        assert_eq!(read_draft(&mut session).await?, 401, "{protocol:?}: a new connection is no way back");
    }
    let written = node.api(None)?.get(&format!("/gov/members/proposals/{proposal}?{API_VERSION}")).await?.json()?;
    assert_eq!(written["ballotCount"], 0, "a vote was counted: {written}");
    Ok(())
}

#[tokio::test]
async fn a_removed_members_open_connection_is_refused_at_its_next_request() -> Result<()> {
    let (node, consortium) = opened("membership-removed").await?;
    let (api, leaving) = (node.api(None)?, &consortium.members[2]);
    let waiting = proposed(&consortium, &api, 0, &[contract("waiting")]).await?;
    let mut open = connections(&node, leaving).await?;
    consortium.pass(&api, &[removal(leaving)]).await?;
    is_shut_out(&node, leaving, &mut open, &waiting).await
}

/// The same for a holder of a recovery share, whose removal renews the ledger secret and the shares.
#[tokio::test]
async fn a_removed_share_holder_is_refused_as_well() -> Result<()> {
    let (node, consortium) = opened("membership-holder").await?;
    let api = node.api(None)?;
    let [leaving, staying, _] = &consortium.members[..] else { return Err("not three members".into()) };
    let (key, _) = crypto::wrap::generate_rsa_pair()?;
    consortium.pass(&api, &[again(staying, Some(&key))?]).await?;
    consortium.acknowledge(&api, staying).await?;
    let waiting = proposed(&consortium, &api, 1, &[contract("waiting")]).await?;
    let mut open = connections(&node, leaving).await?;
    consortium.pass(&api, &[removal(leaving)]).await?;
    is_shut_out(&node, leaving, &mut open, &waiting).await?;
    let active = node.api(Some(staying))?;
    active.put("/app/contracts/afterwards", &json!({"data": "x"})).await?.expect_status(200)?;
    active.post("/app/contracts/draft").await?.expect_status(200)?;
    Ok(())
}

/// Whoever is set again is Accepted: an open connection reads from then on (D17), until the member confirms the state.
#[tokio::test]
async fn a_member_that_is_set_again_only_reads_until_it_confirms() -> Result<()> {
    let (node, consortium) = opened("membership-again").await?;
    let (api, member) = (node.api(None)?, &consortium.members[2]);
    let waiting = proposed(&consortium, &api, 0, &[contract("waiting")]).await?;
    let mut open = connections(&node, member).await?;
    consortium.pass(&api, &[again(member, None)?]).await?;
    for session in &mut open {
        assert_eq!(read_draft(session).await?, 200);
        assert_eq!(write_draft(session).await?, 403);
        assert_eq!(vote(session, member, &waiting).await?, 401);
    }
    consortium.acknowledge(&api, member).await?;
    assert_eq!(write_draft(&mut open[0]).await?, 200);
    assert_eq!(vote(&mut open[1], member, &waiting).await?, 200);
    Ok(())
}

/// All have voted for a contract, and it waits only for somebody who is not active: the acknowledgement decides it.
#[tokio::test]
async fn d20_an_open_proposal_is_decided_when_an_accepted_member_activates() -> Result<()> {
    let (node, consortium) = opened("membership-activation").await?;
    let (api, third) = (node.api(None)?, &consortium.members[2]);
    let waiting = proposed(&consortium, &api, 0, &[contract("waiting")]).await?;
    let other = proposed(&consortium, &api, 0, &[contract("other")]).await?;
    consortium.accept(&api, 2, &waiting).await?;
    consortium.pass(&api, &[again(third, None)?]).await?;
    for member in 0..2 {
        let answer = consortium.accept(&api, member, &waiting).await?.json()?;
        assert_eq!(answer["proposalState"], "Open", "it waits for the third: {answer}");
        consortium.accept(&api, member, &other).await?;
    }
    consortium.acknowledge(&api, third).await?;
    assert_eq!(state(&api, &waiting).await?, "Accepted");
    let accepted = node.api(Some(third))?.post("/app/contracts/waiting").await?.expect_status(200)?.json()?;
    assert_eq!(accepted["state"], "Accepted", "{accepted}");
    assert_eq!(accepted["finalVotes"].as_array().map(Vec::len), Some(3), "{accepted}");
    assert_eq!(state(&api, &other).await?, "Open", "the third has not voted for the other one");
    consortium.accept(&api, 2, &other).await?;
    assert_eq!(state(&api, &other).await?, "Accepted");
    Ok(())
}

fn contract(id: &str) -> Value {
    action("set_contract", &json!({"contractId": id, "contract": {"data": "x"}}))
}

async fn proposed(consortium: &Consortium, api: &Api, member: usize, actions: &[Value]) -> Result<String> {
    let answer = consortium.propose(api, member, actions).await?.json()?;
    assert_eq!(answer["proposalState"], "Open", "{answer}");
    Ok(answer["proposalId"].as_str().ok_or("the answer names no proposal")?.to_owned())
}

async fn state(api: &Api, proposal: &str) -> Result<String> {
    let shown =
        api.get(&format!("/gov/members/proposals/{proposal}?{API_VERSION}")).await?.expect_status(200)?.json()?;
    Ok(shown["proposalState"].as_str().unwrap_or_default().to_owned())
}
