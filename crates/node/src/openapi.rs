//! The description of the interface (OpenAPI 3.0), from the table of routes.

use serde_json::{Map, Value, json};

use crate::{
    actor::Actor,
    authn::Policy,
    routes::{Place, Route, Table},
};

/// The description of everything that an actor answers, as JSON text.
#[must_use]
pub fn document(table: &Table, actor: Actor) -> String {
    let (title, description) = match actor {
        Actor::App => ("Clean room governance: application", "Contracts, documents, secrets, users, history."),
        Actor::Gov => ("Clean room governance: governance", "Members, proposals, ballots, state of the service."),
        Actor::Node => ("Clean room governance: node", "State of the node and of the network."),
    };
    let mut paths: Vec<(String, Value)> =
        table.places(actor).map(|place| (format!("/{}{}", actor.name(), place.path), path(place))).collect();
    paths.sort_by(|a, b| a.0.cmp(&b.0));
    json!({
        "components": { "securitySchemes": schemes() },
        "info": { "description": description, "title": title, "version": env!("CARGO_PKG_VERSION") },
        "openapi": "3.0.0",
        "paths": Value::Object(paths.into_iter().collect()),
        "servers": [{ "url": "/" }],
    })
    .to_string()
}

fn path(place: &Place) -> Value {
    let mut path = Map::new();
    for route in place.routes() {
        path.insert(route.verb.name().to_lowercase(), operation(route));
    }
    let parameter =
        |name: &str| json!({ "in": "path", "name": name, "required": true, "schema": { "type": "string" } });
    let parameters: Vec<Value> = place.parameter_names().map(parameter).collect();
    if !parameters.is_empty() {
        path.insert("parameters".into(), parameters.into());
    }
    Value::Object(path)
}

fn operation(route: &Route) -> Value {
    let mut operation = Map::new();
    operation.insert("description".into(), route.guarantee().into());
    if route.since.is_some() {
        let version = json!({ "in": "query", "name": "api-version", "required": true, "schema": { "type": "string" } });
        operation.insert("parameters".into(), json!([version]));
    }
    operation.insert("responses".into(), json!({ "default": { "description": "An answer, or an OData error." } }));
    let security = |policy: &Policy| json!({ policy.name(): [] });
    let security: Vec<Value> = route
        .policies
        .iter()
        .map(|policy| if *policy == Policy::NoAuth { json!({}) } else { security(policy) })
        .collect();
    if !security.is_empty() {
        operation.insert("security".into(), security.into());
    }
    operation.insert("summary".into(), route.summary.into());
    Value::Object(operation)
}

fn schemes() -> Value {
    json!({
        "jwt": { "bearerFormat": "JWT", "scheme": "bearer", "type": "http" },
        "member_cert": { "description": "TLS client certificate of a member", "type": "mutualTLS" },
        "user_cert": { "description": "TLS client certificate of a user", "type": "mutualTLS" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes;

    #[test]
    fn every_route_is_described() {
        let table = Table::new(routes::all().collect::<Vec<_>>().into_iter());
        for actor in Actor::ALL {
            let document: Value = serde_json::from_str(&document(&table, actor)).unwrap();
            let paths = document["paths"].as_object().unwrap();
            for route in routes::all().filter(|route| route.actors.contains(&actor)) {
                let path = &paths[&format!("/{}{}", actor.name(), route.path)];
                let operation = &path[route.verb.name().to_lowercase()];
                assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{}", route.path);
                assert_eq!(path.get("parameters").is_some(), route.path.contains('{'), "{}", route.path);
            }
        }
    }
}
