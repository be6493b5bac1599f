//! What governance decides: members, proposals, ballots, acks, recovery shares
