/// Where work is done that commits do not wait for: index files, snapshots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Background {
    /// On threads of its own, beside the commit thread.
    #[default]
    Thread,
    /// On the commit thread, when there is something to do. What a simulation finds with a seed, it then finds again.
    Inline,
}
