//! Governance.

use api::{ApiError, Caller, Input, Output, percent_decode};
use consortium::{
    api_version::ApiVersion, members, nodes, policies, proposals, recovery, service, state_digests, users,
};
use kv::Tx;

use super::{Actor, Handler, Route, Verb};
use crate::{authn::Policy, governance::Kind, node_api};

const GOV: &[Actor] = &[Actor::Gov];

/// A read of the versioned API.
const fn read(path: &'static str, decide: super::Decide) -> Route {
    Route::new(GOV, Verb::Get, path, Handler::Read(decide)).since(ApiVersion::Preview)
}

/// A signed request.
const fn signed(path: &'static str, kind: Kind) -> Route {
    Route::new(GOV, Verb::Post, path, Handler::Governance(kind)).since(ApiVersion::Preview)
}

/// Something that the node knows.
const fn node(path: &'static str, tell: super::Tell) -> Route {
    Route::new(GOV, Verb::Get, path, Handler::Node(tell)).since(ApiVersion::Preview)
}

type Decided = Result<Output, ApiError>;

pub(super) static ROUTES: &[Route] = &[
    signed("/members/proposals:create", Kind::Create).says("Makes a proposal. Signed as `proposal`."),
    signed("/members/proposals/{proposalId}:withdraw", Kind::Withdraw)
        .says("Takes a proposal back. Signed as `withdrawal` by its proposer."),
    signed("/members/proposals/{proposalId}/ballots/{memberId}:submit", Kind::Ballot)
        .says("Votes on a proposal. Signed as `ballot`."),
    signed("/members/state-digests/{memberId}:update", Kind::StateDigestUpdate)
        .says("Fetches the state digest to acknowledge. Signed as `state_digest`."),
    signed("/members/state-digests/{memberId}:ack", Kind::StateDigestAck)
        .says("Acknowledges a state digest, which activates the member. Signed as `ack`."),
    Route::new(GOV, Verb::Get, "/members/proposals", Handler::Proposals)
        .since(ApiVersion::Preview)
        .says("All proposals."),
    read("/members/proposals/{proposalId}", |tx, _, input| proposals::get(tx, input.param("proposalId")))
        .says("A proposal."),
    read("/members/proposals/{proposalId}/actions", |tx, _, input| proposals::actions(tx, input.param("proposalId")))
        .says("The actions of a proposal, exactly as they were signed."),
    Route::new(GOV, Verb::Get, "/members/proposals/{proposalId}/effect", Handler::Effect)
        .by(&[Policy::MemberCert])
        .since(ApiVersion::Preview)
        .says("What an open proposal would do: writes, effects, and whose agreement it waits for."),
    read("/members/proposals/{proposalId}/ballots/{memberId}", ballot).says("The ballot of a member."),
    read("/members/state-digests/{memberId}", |tx, _, input| state_digests::read(tx, input.param("memberId")))
        .says("The state digest of a member."),
    read("/recovery/encrypted-shares/{memberId}", |tx, _, input| {
        recovery::encrypted_share(tx, input.param("memberId"))
    })
    .says("The recovery share of a member, encrypted to it."),
    node("/service/info", node_api::service_info).says("The service: certificate, status, settings."),
    read("/service/constitution", |tx, _, _| service::constitution(tx)).says("The text of the constitution."),
    read("/service/members", |tx, _, _| members::list(tx)).says("The members."),
    read("/service/members/{memberId}", |tx, _, input| members::read(tx, input.param("memberId"))).says("A member."),
    read("/service/users", |tx, _, _| users::list(tx)).says("The users with a certificate."),
    read("/service/users/{userId}", |tx, _, input| users::read(tx, input.param("userId"))).says("A user."),
    read("/service/nodes", |tx, _, _| nodes::list(tx)).says("The nodes."),
    read("/service/nodes/{nodeId}", |tx, _, input| nodes::read(tx, input.param("nodeId"))).says("A node."),
    read("/service/join-policy", |tx, _, _| policies::join_policy(tx)).says("What a node has to show to join."),
    read("/service/jwk", |tx, _, _| policies::jwk(tx)).says("Token issuers and their keys."),
    read("/service/javascript-app", |_, _, input| service::javascript_app(&input.query))
        .since(ApiVersion::V1)
        .says("Empty: the application is part of the attested node."),
    read("/service/javascript-modules", |_, _, _| Ok(service::javascript_modules()))
        .since(ApiVersion::V1)
        .says("Empty: the application is part of the attested node."),
    read("/service/javascript-modules/{moduleName}", javascript_module)
        .since(ApiVersion::V1)
        .says("Always 404: the application is part of the attested node."),
    node("/service/transactions/commit", node_api::transaction_commit).says("The last committed transaction."),
    node("/service/transactions/{transactionId}", node_api::transaction).says("The status of a transaction."),
    Route::new(GOV, Verb::Get, "/proposals/{proposalId}", Handler::Read(classic_proposal))
        .says("A proposal with its ballots, as the classic API has it."),
];

fn ballot(tx: &mut Tx, _: &Caller, input: &Input) -> Decided {
    proposals::ballot(tx, input.param("proposalId"), input.param("memberId"))
}

fn classic_proposal(tx: &mut Tx, _: &Caller, input: &Input) -> Decided {
    proposals::classic(tx, input.param("proposalId"))
}

fn javascript_module(_: &mut Tx, _: &Caller, input: &Input) -> Decided {
    service::javascript_module(&decode(input.param("moduleName")))
}

/// The only path parameter that is percent-decoded.
fn decode(segment: &str) -> String {
    percent_decode(segment, |byte| byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_names_are_decoded() {
        assert_eq!(decode("%2Fa%20b.js"), "/a b.js");
        assert_eq!(decode("a%2"), "a%2");
        assert_eq!(decode("%zz%"), "%zz%");
    }
}
