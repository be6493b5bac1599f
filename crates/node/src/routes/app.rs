//! The application.

use super::{Actor, Handler, Route, Verb};
use crate::{
    authn::Policy::{self, Jwt, MemberCert, UserCert},
    node_api,
};

const APP: &[Actor] = &[Actor::App];
/// Members, users with a certificate, users with a token.
const ANYBODY_KNOWN: &[Policy] = &[MemberCert, UserCert, Jwt];
const MEMBERS: &[Policy] = &[MemberCert];

pub(super) static ROUTES: &[Route] = &[
    Route::new(APP, Verb::Get, "/contracts", Handler::Read(cleanroom::contracts::list_contracts))
        .by(ANYBODY_KNOWN)
        .says("The ids of contracts, of one state if `state` is given."),
    Route::new(APP, Verb::Put, "/contracts/{contractId}", Handler::Write(cleanroom::contracts::put_contract))
        .by(MEMBERS)
        .says("Makes or changes the draft of a contract."),
    Route::new(APP, Verb::Post, "/contracts/{contractId}", Handler::Read(cleanroom::contracts::get_contract))
        .by(ANYBODY_KNOWN)
        .says("A contract: accepted, proposed or draft."),
    Route::new(
        APP,
        Verb::Post,
        "/contracts/{contractId}/deploymentspec",
        Handler::Read(cleanroom::deployment::get_spec),
    )
    .says("What is to be deployed for a contract, as voted."),
    Route::new(
        APP,
        Verb::Post,
        "/contracts/{contractId}/deploymentinfo",
        Handler::Read(cleanroom::deployment::get_info),
    )
    .says("What is known of a deployment, as voted."),
    Route::new(APP, Verb::Get, "/proposals/{proposalId}/historical", Handler::ProposalHistory)
        .by(ANYBODY_KNOWN)
        .says("The states of a proposal over time."),
    Route::new(APP, Verb::Get, "/version", Handler::Node(node_api::app_version))
        .always()
        .says("What the application is: name, version, digest of the build, measurement of the node."),
];
