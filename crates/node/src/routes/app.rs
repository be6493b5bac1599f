//! The application.

use cleanroom::{
    contracts, deployment, identities, invitations, member_documents, options, secrets, user_documents, user_proposals,
};

use super::{Actor, Decide, Handler, Route, Verb};
use crate::{
    authn::Policy::{self, Jwt, MemberCert, NoAuth, UserCert},
    node_api,
};

const APP: &[Actor] = &[Actor::App];
/// Members, users with a certificate, users with a token.
const ANYBODY_KNOWN: &[Policy] = &[MemberCert, UserCert, Jwt];
/// And clean rooms, which show evidence in the body.
const ANYBODY: &[Policy] = &[MemberCert, UserCert, Jwt, NoAuth];
const MEMBERS: &[Policy] = &[MemberCert];
const TOKENS: &[Policy] = &[Jwt];
const OLD: &str = "An old spelling of another path.";

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
    look("/contracts/{contractId}/runtimeoptions/{option}/status", options::get_contract_option)
        .by(ANYBODY)
        .says("Whether a contract may be executed, and whether there may be logs and telemetry."),
    write(Verb::Post, "/contracts/{contractId}/runtimeoptions/{option}/enable", options::enable_contract)
        .by(MEMBERS)
        .says("Gives consent to the execution of a contract again."),
    write(Verb::Post, "/contracts/{contractId}/runtimeoptions/{option}/disable", options::disable_contract)
        .by(MEMBERS)
        .says("Takes back the consent to the execution of a contract."),
    look("/runtimeoptions/{option}/status", options::get_service_option).says("An option of the service, as voted."),
    get("/contracts/{contractId}/secrets", secrets::list_secrets).says("The ids of the secrets of a contract."),
    write(Verb::Put, "/contracts/{contractId}/secrets/{secretName}", secrets::put_secret)
        .by(ANYBODY)
        .says("Stores a secret for the clean rooms of a contract."),
    get("/contracts/{contractId}/memberdocuments", member_documents::list_documents)
        .says("The ids of the documents of members, of all contracts."),
    write(Verb::Put, "/contracts/{contractId}/memberdocuments/{documentId}", member_documents::put_document)
        .by(MEMBERS)
        .says("Makes or changes the draft of a document of members."),
    look("/contracts/{contractId}/memberdocuments/{documentId}", member_documents::get_document)
        .says("A document of members: accepted, proposed or draft."),
    get("/memberdocuments", member_documents::list_documents).says(OLD),
    write(Verb::Put, "/memberdocuments/{documentId}", member_documents::put_document).by(MEMBERS).says(OLD),
    get("/memberdocuments/{documentId}", member_documents::get_document).says(OLD),
    get("/contracts/{contractId}/userdocuments", user_documents::list_documents)
        .says("The documents of users, of all contracts; `labelSelector` chooses among them."),
    write(Verb::Put, "/contracts/{contractId}/userdocuments/{documentId}", user_documents::put_document)
        .says("Makes or changes the draft of a document of users."),
    look("/contracts/{contractId}/userdocuments/{documentId}", user_documents::get_document)
        .says("A document of users: accepted, proposed or draft."),
    look(
        "/contracts/{contractId}/userdocuments/{documentId}/runtimeoptions/{option}/status",
        options::get_document_option,
    )
    .by(ANYBODY)
    .says("Whether a document of users may be used."),
    write(
        Verb::Post,
        "/contracts/{contractId}/userdocuments/{documentId}/runtimeoptions/{option}/enable",
        options::enable_document,
    )
    .says("Gives consent to the use of a document again."),
    write(
        Verb::Post,
        "/contracts/{contractId}/userdocuments/{documentId}/runtimeoptions/{option}/disable",
        options::disable_document,
    )
    .says("Takes back the consent to the use of a document."),
    get("/userdocuments", user_documents::list_documents).says(OLD),
    write(Verb::Put, "/userdocuments/{documentId}", user_documents::put_document).says(OLD),
    get("/userdocuments/{documentId}", user_documents::get_document).says(OLD),
    get("/users/identities", identities::list_identities).says("The users who sign in with tokens."),
    look("/users/identities/self/status", identities::get_own_status).by(TOKENS).says("Whether the caller is a user."),
    look("/users/identities/{identityId}", identities::get_identity).says("A user who signs in with tokens."),
    get("/users/invitations", invitations::list_invitations)
        .says("The invitations; for whoever is not a user yet, those that its token satisfies."),
    look("/users/invitations/{invitationId}", invitations::get_invitation).says("An invitation, and its status."),
    write(Verb::Post, "/users/invitations/{invitationId}/accept", invitations::accept_invitation)
        .by(TOKENS)
        .says("Accepts an invitation with the caller's token."),
    write(Verb::Put, "/users/proposals/{proposalId}", user_proposals::put_proposal)
        .says("Proposes a document of users to its approvers."),
    look("/users/proposals/{proposalId}", user_proposals::get_proposal).says("What is proposed, and to whom."),
    look("/users/proposals/{proposalId}/status", user_proposals::get_status)
        .says("The state of a proposal, and its ballots."),
    write(Verb::Post, "/users/proposals/{proposalId}/withdraw", user_proposals::withdraw)
        .says("Takes a proposal back."),
    write(Verb::Post, "/users/proposals/{proposalId}/ballots/submit", user_proposals::submit_ballot)
        .says("Accepts or rejects a proposal."),
    // What earlier versions of the reference, and its published description of the interface, call the same (D29).
    look("/contracts/{contractId}/checkstatus/{option}", options::get_contract_option).by(ANYBODY).says(OLD),
    look("/contracts/{contractId}/consentcheck/{option}", options::get_contract_option).by(ANYBODY).says(OLD),
    write(Verb::Post, "/contracts/{contractId}/enable", options::enable_contract).by(MEMBERS).says(OLD),
    write(Verb::Post, "/contracts/{contractId}/disable", options::disable_contract).by(MEMBERS).says(OLD),
    look("/runtimeoptions/checkstatus/{option}", options::get_service_option).says(OLD),
    look("/contracts/{contractId}/userdocuments/{documentId}/consentcheck/{option}", options::get_document_option)
        .by(ANYBODY)
        .says(OLD),
    look("/userdocuments/{documentId}/checkstatus/{option}", options::get_document_option).by(ANYBODY).says(OLD),
    write(Verb::Post, "/userdocuments/{documentId}/runtimeoptions/{option}/enable", options::enable_document).says(OLD),
    write(Verb::Post, "/userdocuments/{documentId}/runtimeoptions/{option}/disable", options::disable_document)
        .says(OLD),
    look("/contracts/{contractId}/users/isactive", identities::get_own_status).by(TOKENS).says(OLD),
    Route::new(APP, Verb::Get, "/proposals/{proposalId}/historical", Handler::ProposalHistory)
        .by(ANYBODY_KNOWN)
        .says("The states of a proposal over time."),
    Route::new(APP, Verb::Get, "/version", Handler::Node(node_api::app_version))
        .always()
        .says("What the application is: name, version, digest of the build, measurement of the node."),
];
