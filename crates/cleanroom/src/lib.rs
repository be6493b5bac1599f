//! What the application decides: contracts and the reading of proposals over time
