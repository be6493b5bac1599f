//! The application.

use cleanroom::{contracts, deployment, member_documents, user_documents, user_proposals};

use super::{Actor, Decide, Handler, Route, Verb};
use crate::{
    authn::Policy::{self, Jwt, MemberCert, UserCert},
    node_api,
};

const APP: &[Actor] = &[Actor::App];
/// Members, users with a certificate, users with a token.
const ANYBODY_KNOWN: &[Policy] = &[MemberCert, UserCert, Jwt];
const MEMBERS: &[Policy] = &[MemberCert];

/// Read by anybody who is known, with `GET`.
const fn get(path: &'static str, decide: Decide) -> Route {
    Route::new(APP, Verb::Get, path, Handler::Read(decide)).by(ANYBODY_KNOWN)
}

/// Read by anybody who is known, with `POST`, as the reference has it.
const fn look(path: &'static str, decide: Decide) -> Route {
    Route::new(APP, Verb::Post, path, Handler::Read(decide)).by(ANYBODY_KNOWN)
}

/// Written by anybody who is known.
const fn write(verb: Verb, path: &'static str, decide: Decide) -> Route {
    Route::new(APP, verb, path, Handler::Write(decide)).by(ANYBODY_KNOWN)
}

pub(super) static ROUTES: &[Route] = &[
    get("/contracts", contracts::list_contracts).says("The ids of contracts, of one state if `state` is given."),
    write(Verb::Put, "/contracts/{contractId}", contracts::put_contract)
        .by(MEMBERS)
        .says("Makes or changes the draft of a contract."),
    look("/contracts/{contractId}", contracts::get_contract).says("A contract: accepted, proposed or draft."),
    look("/contracts/{contractId}/deploymentspec", deployment::get_spec)
        .by(&[])
        .says("What is to be deployed for a contract, as voted."),
    look("/contracts/{contractId}/deploymentinfo", deployment::get_info)
        .by(&[])
        .says("What is known of a deployment, as voted."),
    get("/contracts/{contractId}/memberdocuments", member_documents::list_documents)
        .says("The ids of the documents of members, of all contracts."),
    write(Verb::Put, "/contracts/{contractId}/memberdocuments/{documentId}", member_documents::put_document)
        .by(MEMBERS)
        .says("Makes or changes the draft of a document of members."),
    look("/contracts/{contractId}/memberdocuments/{documentId}", member_documents::get_document)
        .says("A document of members: accepted, proposed or draft."),
    get("/memberdocuments", member_documents::list_documents).says("The same under its old path."),
    write(Verb::Put, "/memberdocuments/{documentId}", member_documents::put_document)
        .by(MEMBERS)
        .says("The same under its old path."),
    get("/memberdocuments/{documentId}", member_documents::get_document).says("The same under its old path."),
    get("/contracts/{contractId}/userdocuments", user_documents::list_documents)
        .says("The documents of users, of all contracts; `labelSelector` chooses among them."),
    write(Verb::Put, "/contracts/{contractId}/userdocuments/{documentId}", user_documents::put_document)
        .says("Makes or changes the draft of a document of users."),
    look("/contracts/{contractId}/userdocuments/{documentId}", user_documents::get_document)
        .says("A document of users: accepted, proposed or draft."),
    get("/userdocuments", user_documents::list_documents).says("The same under its old path."),
    write(Verb::Put, "/userdocuments/{documentId}", user_documents::put_document).says("The same under its old path."),
    get("/userdocuments/{documentId}", user_documents::get_document).says("The same under its old path."),
    write(Verb::Put, "/users/proposals/{proposalId}", user_proposals::put_proposal)
        .says("Proposes a document of users to its approvers."),
    look("/users/proposals/{proposalId}", user_proposals::get_proposal).says("What is proposed, and to whom."),
    look("/users/proposals/{proposalId}/status", user_proposals::get_status)
        .says("The state of a proposal, and its ballots."),
    write(Verb::Post, "/users/proposals/{proposalId}/withdraw", user_proposals::withdraw)
        .says("Takes a proposal back."),
    write(Verb::Post, "/users/proposals/{proposalId}/ballots/submit", user_proposals::submit_ballot)
        .says("Accepts or rejects a proposal."),
    Route::new(APP, Verb::Get, "/proposals/{proposalId}/historical", Handler::ProposalHistory)
        .by(ANYBODY_KNOWN)
        .says("The states of a proposal over time."),
    Route::new(APP, Verb::Get, "/version", Handler::Node(node_api::app_version))
        .always()
        .says("What the application is: name, version, digest of the build, measurement of the node."),
];
