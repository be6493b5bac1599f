use client::{Action, Ballot, Proposal};
use serde_json::json;

use crate::{
    context::{Context, Session},
    error::CliError,
    proposal,
};

const OPEN: &str = "transition_service_to_open";

pub(super) async fn run(session: &Session, context: &Context) -> Result<(), CliError> {
    let network = session.service.network().await?;
    if network.service_status == "Open" {
        return Ok(context.output.show(&json!({ "status": "Open" }), || "the service is open already".into())?);
    }
    let proposal = match pending(session).await? {
        Some(proposal) => proposal,
        None => session.service.propose(&[action(session)]).await?,
    };
    let after = if proposal.is_open() { session.service.vote(&proposal.id, &Ballot::Accept).await? } else { proposal };
    proposal::settle(session, after).await?.print(context)
}

/// The proposal to open the service under the pinned identity.
fn action(session: &Session) -> Action {
    let certificate = session.service.connection().service().to_pem();
    Action::new(OPEN, json!({ "next_service_identity": certificate }))
}

/// An open proposal that does exactly this.
async fn pending(session: &Session) -> Result<Option<Proposal>, CliError> {
    let wanted = action(session);
    for proposal in session.service.proposals().await?.into_iter().filter(Proposal::is_open) {
        if let [only] = session.service.proposal_actions(&proposal.id).await?.as_slice()
            && *only == wanted
        {
            return Ok(Some(proposal));
        }
    }
    Ok(None)
}
