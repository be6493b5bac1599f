use proptest::prelude::*;

use super::*;

fn table() -> Table {
    Table::new(all().collect::<Vec<_>>().into_iter())
}

fn find(verb: Verb, path: &str) -> Option<(String, Vec<(&'static str, String)>)> {
    let table = table();
    let (actor, rest) = Actor::of(path);
    match table.find(actor, Some(verb), rest) {
        Found::Route(route, params) => Some((route.path.to_owned(), params)),
        Found::Place(_) | Found::Nothing => None,
    }
}

#[test]
fn the_first_segment_names_the_actor() {
    assert_eq!(Actor::of("/node/commit"), (Actor::Node, "/commit"));
    assert_eq!(Actor::of("/app/contracts/"), (Actor::App, "/contracts/"));
    assert_eq!(Actor::of("/gov/x"), (Actor::Gov, "/x"));
    for whole in ["/nope", "/NODE/commit", "//node/commit", "/node%2Fcommit", "/node", "/nodes/x", "*", ""] {
        assert_eq!(Actor::of(whole), (Actor::App, whole));
    }
}

#[test]
fn a_path_begins_at_the_root() {
    assert!(find(Verb::Put, "/contracts/c1").is_some());
    for rootless in ["contracts/c1", "*/contracts/c1", "+app/contracts/c1"] {
        assert_eq!(find(Verb::Put, rootless), None, "{rootless}");
    }
}

#[test]
fn parameters_are_taken_as_they_are() {
    let (path, params) = find(Verb::Put, "/app/contracts/a%20b%2Fc").unwrap();
    assert_eq!((path.as_str(), params), ("/contracts/{contractId}", vec![("contractId", "a%20b%2Fc".to_owned())]));
    assert!(find(Verb::Put, "/app/contracts/").is_none());
    assert!(find(Verb::Put, "/app/contracts/a/b").is_none());
    assert_eq!(find(Verb::Get, "/contracts").unwrap().0, "/contracts");
}

#[test]
fn text_behind_a_parameter_ends_it() {
    let (path, params) = find(Verb::Post, "/gov/members/proposals/p1:withdraw").unwrap();
    assert_eq!(
        (path.as_str(), params),
        ("/members/proposals/{proposalId}:withdraw", vec![("proposalId", "p1".into())])
    );
    let (_, params) = find(Verb::Post, "/gov/members/proposals/p1/ballots/m1:submit").unwrap();
    assert_eq!(params, [("proposalId", "p1".to_owned()), ("memberId", "m1".to_owned())]);
    assert_eq!(find(Verb::Get, "/gov/members/proposals/p1").unwrap().0, "/members/proposals/{proposalId}");
    assert_eq!(find(Verb::Post, "/gov/members/proposals:create").unwrap().0, "/members/proposals:create");
    assert!(find(Verb::Post, "/gov/members/proposals/:withdraw").is_none());
}

#[test]
fn literal_text_goes_first() {
    assert_eq!(find(Verb::Get, "/node/network/nodes/self").unwrap().0, "/network/nodes/self");
    assert_eq!(find(Verb::Get, "/node/network/nodes/abc").unwrap().0, "/network/nodes/{node_id}");
    assert_eq!(find(Verb::Get, "/gov/service/transactions/commit").unwrap().0, "/service/transactions/commit");
}

#[test]
fn d29_old_spellings_are_served() {
    for (old, new) in [
        ("/contracts/c/checkstatus/logging", "/contracts/c/runtimeoptions/logging/status"),
        ("/contracts/c/consentcheck/execution", "/contracts/c/runtimeoptions/execution/status"),
        ("/contracts/c/enable", "/contracts/c/runtimeoptions/execution/enable"),
        ("/contracts/c/disable", "/contracts/c/runtimeoptions/execution/disable"),
        ("/runtimeoptions/checkstatus/o", "/runtimeoptions/o/status"),
        ("/contracts/c/userdocuments/d/consentcheck/o", "/contracts/c/userdocuments/d/runtimeoptions/o/status"),
        ("/userdocuments/d/checkstatus/o", "/contracts/c/userdocuments/d/runtimeoptions/o/status"),
        ("/userdocuments/d/runtimeoptions/o/enable", "/contracts/c/userdocuments/d/runtimeoptions/o/enable"),
        ("/userdocuments/d/runtimeoptions/o/disable", "/contracts/c/userdocuments/d/runtimeoptions/o/disable"),
        ("/contracts/c/users/isactive", "/users/identities/self/status"),
    ] {
        let table = table();
        let what = |path: &str| match table.find(Actor::App, Some(Verb::Post), path) {
            Found::Route(route, _) => match route.handler {
                Handler::Read(decide) | Handler::Write(decide) => (route.policies, decide as usize),
                _ => panic!("{path} is not decided"),
            },
            _ => panic!("{path} is not served"),
        };
        assert_eq!(what(old), what(new), "{old}");
    }
    for path in ["/memberdocuments", "/memberdocuments/d", "/userdocuments", "/userdocuments/d"] {
        assert!(find(Verb::Get, path).is_some(), "{path}");
    }
}

#[test]
fn other_methods_are_told_which_ones_there_are() {
    let table = table();
    let allow = |path: &str| match table.find(Actor::of(path).0, None, Actor::of(path).1) {
        Found::Place(place) => place.allow.clone(),
        _ => String::new(),
    };
    assert_eq!(allow("/app/contracts/1234"), "OPTIONS, POST, PUT");
    assert_eq!(allow("/gov/service/info"), "OPTIONS, GET");
    assert_eq!(allow("/gov/members/proposals:create"), "OPTIONS, POST");
    assert_eq!(allow("/node/primary"), "OPTIONS, GET, HEAD");
    assert_eq!(allow("/node/nope"), "");
}

#[test]
fn every_actor_has_the_common_endpoints() {
    for actor in Actor::ALL {
        for path in ["commit", "tx", "receipt", "api"] {
            assert!(find(Verb::Get, &format!("/{}/{path}", actor.name())).is_some());
        }
    }
}

#[test]
fn no_two_paths_of_one_actor_look_alike() {
    let shape = |path: &str| {
        path.split('/')
            .map(|part| {
                if part.starts_with('{') { "{}" } else { part }.to_owned() + part.split('}').nth(1).unwrap_or("")
            })
            .collect::<Vec<_>>()
    };
    let table = table();
    for actor in Actor::ALL {
        let shapes: Vec<_> = table.places(actor).map(|place| shape(place.path)).collect();
        for (index, one) in shapes.iter().enumerate() {
            assert!(!shapes[index + 1..].contains(one), "{one:?}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_asked_is_answered(path in "(/(app|gov|node|contracts|members|[a-z{}:%/]{0,9})){0,7}") {
        let table = table();
        let (actor, rest) = Actor::of(&path);
        if let Found::Route(route, params) = table.find(actor, Some(Verb::Get), rest) {
            // The parameters put back into the template give the path.
            let again = params.iter().fold(route.path.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
            prop_assert_eq!(again, rest);
        }
    }
}
