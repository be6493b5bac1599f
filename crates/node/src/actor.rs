//! Who is asked.

/// The first segment of a path, which names who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The application; also everything that names nobody.
    App,
    /// Governance.
    Gov,
    /// The node itself.
    Node,
}

impl Actor {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::App, Self::Gov, Self::Node];

    /// The segment.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Gov => "gov",
            Self::Node => "node",
        }
    }

    /// Who is asked, and the path behind the name; a path that names nobody is the application's as a whole.
    #[must_use]
    pub fn of(path: &str) -> (Self, &str) {
        let behind = |actor: Self| Some((actor, path.strip_prefix('/')?.strip_prefix(actor.name())?));
        let named = Self::ALL.into_iter().filter_map(behind).find(|(_, rest)| rest.starts_with('/'));
        named.unwrap_or((Self::App, path))
    }
}
