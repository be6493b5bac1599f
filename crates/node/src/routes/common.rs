//! What every actor answers.

use super::{Actor, Handler, Route, Verb};
use crate::node_api;

pub(super) static ROUTES: &[Route] = &[
    Route::new(&Actor::ALL, Verb::Get, "/commit", Handler::Node(node_api::commit))
        .json()
        .says("The last committed transaction; with `view_history` also where each view starts."),
    Route::new(&Actor::ALL, Verb::Get, "/tx", Handler::Node(node_api::tx)).json().says("The status of a transaction."),
    Route::new(&Actor::ALL, Verb::Get, "/receipt", Handler::Receipt).says("The receipt of a transaction."),
    Route::new(&[Actor::App], Verb::Get, "/api", Handler::Node(node_api::app_interface))
        .json()
        .says("This description."),
    Route::new(&[Actor::Gov], Verb::Get, "/api", Handler::Node(node_api::gov_interface))
        .json()
        .says("This description."),
    Route::new(&[Actor::Node], Verb::Get, "/api", Handler::Node(node_api::node_interface))
        .json()
        .says("This description."),
];
