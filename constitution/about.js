// ---------------------------------------------------------------------------------------------------------------------
// The constitution of a consortium
//
// These are the rules by which the members of a clean room governance service decide: what may be proposed (validate),
// when a proposal is accepted (resolve), and what it then does (apply). The service calls these three functions and has
// no other say in the matter. The members may replace all of it by a vote, see set_constitution.
//
// The files are joined in this order: checks, records and roles say what the others use; people, service and contracts
// say what can be done; actions lists it; validate, resolve and apply decide.
//
// Everything here is decided from the tables of the ledger, which are public. The clock shows when the proposal was
// signed, and chance is fixed by its identifier, so anybody can recompute every decision later.
// ---------------------------------------------------------------------------------------------------------------------
