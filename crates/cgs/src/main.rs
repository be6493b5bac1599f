//! Clean Room Governance Service.

fn main() {}
