use super::{Actor, Route, Verb};

/// The table, arranged for finding a route by a path: by actor, then by the number of segments.
pub struct Table {
    app: Vec<Vec<Place>>,
    gov: Vec<Vec<Place>>,
    node: Vec<Vec<Place>>,
}

/// One path with the routes that it has.
pub struct Place {
    /// The path behind the actor, with its parameters.
    pub path: &'static str,
    segments: Vec<Segment>,
    /// In the order of their verbs.
    routes: Vec<&'static Route>,
    /// The value of `allow`.
    pub allow: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    /// A parameter, and the text behind it.
    Parameter(&'static str, &'static str),
}

/// What there is at a path.
pub enum Found<'a> {
    /// A route for the verb, with the parameters.
    Route(&'static Route, Vec<(&'static str, String)>),
    /// Routes for other verbs only.
    Place(&'a Place),
    /// Nothing.
    Nothing,
}

impl Table {
    /// Arranges the routes.
    #[must_use]
    pub fn new(routes: impl Iterator<Item = &'static Route> + Clone) -> Self {
        let of = |actor: Actor| {
            let mut places = Vec::new();
            routes.clone().filter(|route| route.actors.contains(&actor)).for_each(|route| add(&mut places, route));
            arrange(places)
        };
        Self { app: of(Actor::App), gov: of(Actor::Gov), node: of(Actor::Node) }
    }

    fn of(&self, actor: Actor) -> &[Vec<Place>] {
        match actor {
            Actor::App => &self.app,
            Actor::Gov => &self.gov,
            Actor::Node => &self.node,
        }
    }

    /// All paths of an actor.
    pub fn places(&self, actor: Actor) -> impl Iterator<Item = &Place> {
        self.of(actor).iter().flatten()
    }

    /// What there is at `path` behind `actor`. Of several paths that match, the most literal one counts.
    #[must_use]
    pub fn find(&self, actor: Actor, verb: Option<Verb>, path: &str) -> Found<'_> {
        if !path.starts_with('/') {
            return Found::Nothing;
        }
        let segments = path.bytes().filter(|byte| *byte == b'/').count();
        let places = self.of(actor).get(segments).map_or(&[][..], Vec::as_slice);
        let Some(place) = places.iter().find(|place| place.matches(path)) else { return Found::Nothing };
        match place.routes.iter().find(|route| Some(route.verb) == verb) {
            Some(route) => Found::Route(route, place.parameters(path)),
            None => Found::Place(place),
        }
    }
}

fn add(places: &mut Vec<Place>, route: &'static Route) {
    match places.iter_mut().find(|place| place.path == route.path) {
        Some(place) => place.routes.push(route),
        None => {
            let segments = split(route.path).map(Segment::of).collect();
            places.push(Place { path: route.path, segments, routes: vec![route], allow: String::new() });
        }
    }
}

fn arrange(places: Vec<Place>) -> Vec<Vec<Place>> {
    let longest = places.iter().map(|place| place.segments.len()).max().unwrap_or(0);
    let mut arranged: Vec<Vec<Place>> = (0..=longest).map(|_| Vec::new()).collect();
    for mut place in places {
        place.routes.sort_by_key(|route| route.verb);
        let verbs = place.routes.iter().map(|route| route.verb.name());
        place.allow = std::iter::once("OPTIONS").chain(verbs).collect::<Vec<_>>().join(", ");
        if let Some(same_length) = arranged.get_mut(place.segments.len()) {
            same_length.push(place);
        }
    }
    for same_length in &mut arranged {
        same_length.sort_by_key(|place| place.segments.iter().map(|segment| segment.looseness()).collect::<Vec<_>>());
    }
    arranged
}

fn split(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').skip(1)
}

impl Segment {
    fn of(text: &'static str) -> Self {
        match text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((name, behind)) => Self::Parameter(name, behind),
            None => Self::Literal(text),
        }
    }

    /// Literal text first, then parameters with text behind them.
    fn looseness(self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Parameter(_, "") => 2,
            Self::Parameter(..) => 1,
        }
    }

    /// The value of the segment in a path: for literal text the text itself.
    fn value(self, text: &str) -> Option<&str> {
        match self {
            Self::Literal(literal) => (literal == text).then_some(text),
            Self::Parameter(_, behind) => text.strip_suffix(behind).filter(|value| !value.is_empty()),
        }
    }
}

impl Place {
    /// The routes, in the order of their verbs.
    pub fn routes(&self) -> impl Iterator<Item = &'static Route> + use<'_> {
        self.routes.iter().copied()
    }

    /// The names of the parameters.
    pub fn parameter_names(&self) -> impl Iterator<Item = &'static str> + use<'_> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Parameter(name, _) => Some(*name),
            Segment::Literal(_) => None,
        })
    }

    fn matches(&self, path: &str) -> bool {
        split(path).zip(&self.segments).all(|(text, segment)| segment.value(text).is_some())
    }

    fn parameters(&self, path: &str) -> Vec<(&'static str, String)> {
        let value = |(text, segment): (&str, &Segment)| match segment {
            Segment::Parameter(name, _) => Some((*name, segment.value(text)?.to_owned())),
            Segment::Literal(_) => None,
        };
        split(path).zip(&self.segments).filter_map(value).collect()
    }
}
