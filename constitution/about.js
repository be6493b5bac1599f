// ---------------------------------------------------------------------------------------------------------------------
// The constitution of a consortium
//
// These are the rules by which the members of a clean room governance service decide: what may be proposed (validate),
// when a proposal is accepted (resolve), and what it then does (apply). The service calls these three functions and has
// no other say in the matter. The members may replace all of it by a vote, see set_constitution.
//
// The files are joined in this order:
//
//   checks, records, roles, claims        what the others use
//   members, users, invitations           who takes part
//   recovery, service, rules              how the service is run, and under which rules
//   nodes, certificates, attestation      which machines run it
//   tokens                                whose tokens of identity are believed
//   contracts, policy, keys               what clean rooms may do, and which keys the service holds for them
//   actions                               the list of everything that can be proposed
//   validate, operators, resolve, apply   how it is decided
//
// Everything here is decided from the tables of the ledger, which are public. The clock shows when the proposal was
// signed, and chance is fixed by its identifier, so anybody can recompute every decision later.
// ---------------------------------------------------------------------------------------------------------------------
