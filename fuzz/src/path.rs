//! The paths of requests.

use std::sync::OnceLock;

use node::{
    actor::Actor,
    routes::{self, Found, Table, Verb},
};

const VERBS: [Option<Verb>; 6] =
    [None, Some(Verb::Get), Some(Verb::Head), Some(Verb::Post), Some(Verb::Put), Some(Verb::Delete)];

/// The bytes as a path, for every verb.
///
/// # Panics
/// If a path is found that does not fit its route, or in another way for another verb.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (actor, path) = Actor::of(&text);
    assert!(text.ends_with(path) && (path.len() == text.len() || path.starts_with('/')));
    let mut places = Vec::new();
    for verb in VERBS {
        match table().find(actor, verb, path) {
            Found::Route(route, params) => {
                assert_eq!(Some(route.verb), verb);
                assert_eq!(filled(route.path, &params), path);
                places.push(Some(route.path));
            }
            Found::Place(place) => {
                assert!(verb.is_none_or(|verb| !place.allow.split(", ").any(|one| one == verb.name())));
                places.push(Some(place.path));
            }
            Found::Nothing => places.push(None),
        }
    }
    places.dedup();
    assert_eq!(places.len(), 1, "there is one place, or none");
}

/// The path of a route with its parameters put in, which are taken in their order.
fn filled(route: &str, params: &[(&'static str, String)]) -> String {
    let mut params = params.iter();
    let segments: Vec<String> = route.split('/').map(|segment| fill(segment, &mut params)).collect();
    assert!(params.next().is_none(), "more parameters than {route} has");
    segments.join("/")
}

fn fill<'a>(segment: &str, params: &mut impl Iterator<Item = &'a (&'static str, String)>) -> String {
    let Some((name, behind)) = segment.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return segment.to_owned();
    };
    let (found, value) = params.next().expect("a parameter");
    assert!(*found == name && !value.is_empty() && !value.contains('/'), "{found} is {value:?}");
    format!("{value}{behind}")
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table::new(routes::all().collect::<Vec<_>>().into_iter()))
}
