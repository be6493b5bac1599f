//! The play: who does what, in order.

use client::{
    Action, Ballot, ClientError, Contract, ContractState, Invitation, Service, TxId,
    assessment::{Assessment, Expectations, Level, Verdict, assess},
};
use serde_json::json;

use super::{
    cast::Party,
    document::{self, CONTRACT},
    proof,
    stage::Stage,
    timeline::Timeline,
};
use crate::{error::CliError, output::short, receipt, service::verify};

/// The three services are one, as each party sees it with its own eyes.
struct Eyes {
    helio: Service,
    ada: Service,
    birch: Service,
}

pub(super) async fn play(stage: &mut Stage, timeline: &mut Timeline) -> Result<(), CliError> {
    introduce(stage, timeline)?;
    let eyes = form_consortium(stage, timeline).await?;
    open(stage, &eyes, timeline).await?;
    write_contract(stage, &eyes, timeline).await?;
    let accepted = agree(stage, &eyes, timeline).await?;
    deploy(stage, &eyes, timeline).await?;
    prove(stage, &eyes, &accepted, timeline).await?;
    for service in [&eyes.helio, &eyes.ada, &eyes.birch] {
        service.keep_pin().await?;
    }
    Ok(())
}

fn introduce(stage: &Stage, timeline: &Timeline) -> Result<(), CliError> {
    timeline.say("Three organisations that do not trust each other agree on a contract:\n")?;
    for party in stage.cast.all() {
        timeline.say(format!("  {:17}  {}", party.name, party.role))?;
    }
    timeline.say(
        "\nWARNING: this node runs on the virtual platform: whoever runs the host can read and change everything.\n\
         Good for trials, not for secrets.\n",
    )
}

async fn form_consortium(stage: &mut Stage, timeline: &mut Timeline) -> Result<Eyes, CliError> {
    stage.start_node().await?;
    let certificate = stage.service_certificate_file();
    let certificate = std::fs::read_to_string(&certificate).map_err(CliError::file(&certificate))?;
    let Stage { cast, profiles, .. } = &*stage;
    timeline.tell("node", format!("answers at {}; the service is Opening", stage.url())).await?;
    let helio = cast.helio.log_in(profiles, &stage.url(), &certificate).await?;
    let assessment = judge(&helio, None).await?;
    accept_state(&helio, &assessment).await?;
    timeline.tell(cast.helio.name, "judges its new service, acknowledges its state: the first active member").await?;
    invite_others(stage, &helio, timeline).await?;
    let ada = join(&stage.cast.ada, stage, &helio, timeline).await?;
    let birch = join(&stage.cast.birch, stage, &helio, timeline).await?;
    Ok(Eyes { helio, ada, birch })
}

async fn invite_others(stage: &Stage, helio: &Service, timeline: &mut Timeline) -> Result<(), CliError> {
    let mut actions = Vec::new();
    for party in [&stage.cast.ada, &stage.cast.birch] {
        actions.push(Action::new("set_member", party.as_member()?));
    }
    let proposal = helio.propose(&actions).await?;
    let proposal = helio.vote(&proposal.id, &Ballot::Accept).await?;
    expect(&proposal.state, "Accepted", "the proposal to add two members")?;
    let both = format!("{} and {}", stage.cast.ada.name, stage.cast.birch.name);
    timeline.tell(stage.cast.helio.name, format!("adds {both}, and sends each an invitation")).await
}

/// An invited party: reads the invitation, looks at the service with its own eyes, and only then accepts.
async fn join(party: &Party, stage: &Stage, helio: &Service, timeline: &mut Timeline) -> Result<Service, CliError> {
    let file = stage.directory().join(format!("{}-invitation.json", party.login));
    Invitation::of(helio, &party.made.id).await?.write(&file)?;
    let invitation = Invitation::read(&file)?;
    let service = party.log_in(&stage.profiles, &invitation.url, &invitation.service_certificate).await?;
    let assessment = judge(&service, Some(&invitation)).await?;
    timeline.tell(party.name, format!("judges the service before accepting:\n{}", findings(&assessment))).await?;
    stage.profiles.remember(party.login, verify::JUDGED, &assessment.judged)?;
    let digest = accept_state(&service, &assessment).await?;
    timeline.tell(party.name, format!("accepts: acknowledges exactly that state, {}…", short(&digest))).await?;
    Ok(service)
}

async fn judge(service: &Service, invitation: Option<&Invitation>) -> Result<Assessment, CliError> {
    let expectations = Expectations { constitution: constitution::DEFAULT_CONSTITUTION, invitation, build: None };
    let assessment = assess(service, expectations).await?;
    if assessment.verdict() == Verdict::NotAsExpected {
        return Err(CliError::Demo(format!("a service as promised, but: {:?}", assessment.findings)));
    }
    Ok(assessment)
}

/// What matters of an assessment, a line each.
fn findings(assessment: &Assessment) -> String {
    let rules = verify::constitution_difference(assessment);
    let rules = if rules.is_empty() { "the shipped ones, word for word" } else { &rules };
    let kept = assessment.findings.iter().filter(|finding| finding.what.starts_with("invitation"));
    let kept = kept.filter(|finding| finding.level == Level::Good).count();
    let mut lines = vec![
        format!("rules        {rules}"),
        format!("promises     {kept} of the invitation hold: service, rules, version, build, resume, member"),
    ];
    for power in &assessment.powers {
        let what = power.what.split(['(', ';']).next().unwrap_or_default().trim_end();
        lines.push(format!("alone        {}: {what}", power.who));
    }
    lines.push(format!("verdict      {}", verify::verdict(assessment.verdict())));
    lines.join("\n")
}

async fn accept_state(service: &Service, assessment: &Assessment) -> Result<String, CliError> {
    let changes = match service.activate(&assessment.judged).await? {
        Ok(digest) => return Ok(digest),
        Err(changes) => changes,
    };
    Err(CliError::Demo(format!("the state changed between judging and accepting: {}", changes.join("; "))))
}

async fn open(stage: &Stage, eyes: &Eyes, timeline: &mut Timeline) -> Result<(), CliError> {
    let certificate = eyes.helio.connection().service().to_pem();
    let actions = [
        Action::new("set_recovery_threshold", json!({ "recovery_threshold": 2 })),
        Action::new("transition_service_to_open", json!({ "next_service_identity": certificate })),
    ];
    let proposal = eyes.helio.propose(&actions).await?;
    let mut state = proposal.state;
    for service in [&eyes.helio, &eyes.ada, &eyes.birch] {
        state = service.vote(&proposal.id, &Ballot::Accept).await?.state;
    }
    expect(&state, "Accepted", "the proposal to open the service")?;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while !eyes.helio.is_open().await? {
        if std::time::Instant::now() > deadline {
            return Err(CliError::Demo("the service does not open after the vote".into()));
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let text = "proposes that two of three can recover the service, and to open it; all vote yes: Open";
    timeline.tell(stage.cast.helio.name, text).await
}

async fn write_contract(stage: &Stage, eyes: &Eyes, timeline: &mut Timeline) -> Result<(), CliError> {
    let cast = &stage.cast;
    let first = eyes.helio.put_contract(CONTRACT, &document::draft(), None).await?;
    timeline.tell(cast.helio.name, format!("drafts contract {CONTRACT}, version {first}")).await?;
    let seen_by_ada = eyes.ada.contract(CONTRACT).await?;
    let seen_by_birch = eyes.birch.contract(CONTRACT).await?;
    let text = format!("both read version {first}");
    timeline.tell(&format!("{}, {}", short_name(cast.ada.name), short_name(cast.birch.name)), text).await?;
    let second = amend(&eyes.birch, &seen_by_birch, document::with_sealed_weights).await?;
    timeline.tell(cast.birch.name, format!("amends it (the base model stays sealed), version {second}")).await?;
    let merged_from = lose_update(&eyes.ada, &seen_by_ada).await?;
    let text = format!(
        "amends version {first} too: refused, 412 PreconditionFailed; nothing of {} is overwritten",
        cast.birch.name
    );
    timeline.tell(cast.ada.name, text).await?;
    let third = amend(&eyes.ada, &merged_from, document::with_privacy).await?;
    let text = format!("reads version {second}, puts its amendment (privacy, deletion) on top, version {third}");
    timeline.tell(cast.ada.name, text).await
}

fn short_name(name: &str) -> &str {
    name.split(' ').next().unwrap_or(name)
}

async fn amend(
    service: &Service,
    base: &Contract,
    amendment: fn(serde_json::Value) -> serde_json::Value,
) -> Result<TxId, CliError> {
    Ok(service.put_contract(CONTRACT, &amendment(base.data.clone()), Some(&base.version)).await?)
}

/// Writes over a version that is not the latest any more, which must be refused; returns the latest.
async fn lose_update(service: &Service, stale: &Contract) -> Result<Contract, CliError> {
    match amend(service, stale, document::with_privacy).await {
        Err(CliError::Client(ClientError::Refused { status: 412, .. })) => Ok(service.contract(CONTRACT).await?),
        Err(other) => Err(other),
        Ok(version) => Err(CliError::Demo(format!("a stale update was taken as version {version}"))),
    }
}

async fn agree(stage: &Stage, eyes: &Eyes, timeline: &mut Timeline) -> Result<Contract, CliError> {
    let cast = &stage.cast;
    let contract = eyes.helio.contract_json(CONTRACT).await?;
    let action = Action::new("set_contract", json!({ "contractId": CONTRACT, "contract": contract }));
    let proposal = eyes.helio.propose(&[action]).await?;
    timeline.tell(cast.helio.name, format!("proposes it as it stands, proposal {}", short(&proposal.id))).await?;
    for (party, service) in [(&cast.helio, &eyes.helio), (&cast.ada, &eyes.ada), (&cast.birch, &eyes.birch)] {
        let read = service.contract(CONTRACT).await?;
        let after = service.vote(&read.proposal_id, &Ballot::Accept).await?;
        timeline.tell(party.name, format!("reads the proposed contract, votes yes: {}", after.state)).await?;
    }
    let accepted = eyes.birch.contract(CONTRACT).await?;
    if accepted.state != ContractState::Accepted {
        return Err(CliError::Demo(format!("the contract is {}", accepted.state)));
    }
    let states = eyes.birch.proposal_history(&proposal.id).await?;
    let last = states.last().map(|state| state.proposal_state.as_str()).unwrap_or_default();
    expect(last, "Accepted", "the history of the proposal")?;
    timeline
        .tell(
            "all",
            format!("the contract is Accepted, transaction {}; nobody can change it any more", accepted.version),
        )
        .await?;
    Ok(accepted)
}

async fn deploy(stage: &Stage, eyes: &Eyes, timeline: &mut Timeline) -> Result<(), CliError> {
    let cast = &stage.cast;
    let actions = [
        Action::new("set_deployment_spec", json!({ "contractId": CONTRACT, "spec": { "data": document::spec() } })),
        Action::new("set_deployment_info", json!({ "contractId": CONTRACT, "info": { "data": document::info() } })),
    ];
    let proposal = eyes.helio.propose(&actions).await?;
    timeline.tell(cast.helio.name, "proposes what is to be deployed for it, and where").await?;
    let effect = eyes.ada.effect(&proposal.id).await?;
    let text = format!(
        "asks what a vote would change before voting: {} records, {} votes are missing",
        effect.writes.len(),
        effect.waiting_for.map_or(0, |members| members.len())
    );
    timeline.tell(cast.ada.name, text).await?;
    let mut state = proposal.state;
    for service in [&eyes.helio, &eyes.ada, &eyes.birch] {
        state = service.vote(&proposal.id, &Ballot::Accept).await?.state;
    }
    expect(&state, "Accepted", "the proposal to deploy")?;
    let voted = eyes.birch.deployment_spec(CONTRACT).await?.data == document::spec();
    expect(if voted { "the voted one" } else { "another one" }, "the voted one", "the deployment spec")?;
    timeline.tell("all", "vote yes: Accepted; clean rooms are deployed as agreed").await
}

async fn prove(stage: &Stage, eyes: &Eyes, accepted: &Contract, timeline: &mut Timeline) -> Result<(), CliError> {
    let malformed = |why: client::ParseTxIdError| CliError::Demo(format!("the version of the contract: {why}"));
    let transaction: TxId = accepted.version.parse().map_err(malformed)?;
    let file = stage.directory().join("receipt.json");
    receipt::save(&file, &eyes.ada.receipt(transaction).await?)?;
    timeline.tell(stage.cast.ada.name, format!("fetches the receipt of {transaction}, and it verifies")).await?;
    let service = stage.service_certificate_file();
    let root = proof::receipt(&file, &service, &accepted.version)?;
    let text = format!("cgs receipt verify, a process of its own: in the ledger under signed root {}…", short(&root));
    timeline.tell("anybody, offline", text).await?;
    let ledger = proof::ledger(&stage.node_directory().join("ledger"), &service)?;
    let verified = ledger.verified.parse::<TxId>().map_err(malformed)?;
    if verified < transaction {
        return Err(CliError::Demo(format!("the ledger is verified up to {verified} only")));
    }
    let text = format!(
        "cgs ledger verify, a process of its own: all {} transactions and {} signatures verify from files alone",
        verified.seqno, ledger.signatures
    );
    timeline.tell("anybody, offline", text).await
}

fn expect(got: &str, wanted: &str, what: &str) -> Result<(), CliError> {
    if got == wanted { Ok(()) } else { Err(CliError::Demo(format!("{what} is {got}, not {wanted}"))) }
}
