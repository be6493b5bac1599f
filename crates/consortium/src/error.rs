/// Why something that governance decided cannot be done, or why a service cannot be founded.
///
/// The texts stand in a failed proposal or at the start of a node; they contain no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsortiumError {
    /// A table of the service does not hold what it must.
    #[error("{table} does not hold what it must: {why}")]
    Stored {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The identity in the proposal is not that of this service (texts of the reference).
    #[error(
        "Service identity mismatch: the next service identity in the transition_service_to_open proposal does not match \
         the current service identity:\nNext:\n{next}\nCurrent:\n{current}"
    )]
    NextIdentity {
        /// What the proposal says.
        next: String,
        /// The certificate of the service.
        current: String,
    },
    /// A new service has no previous identity.
    #[error("a new service is opened without a previous_service_identity: leave it out")]
    PreviousIdentity,
    /// The service is in a state in which this cannot be done.
    #[error("the service is {status}: {why}")]
    Status {
        /// The state of the service.
        status: String,
        /// What cannot be done and what to do instead.
        why: &'static str,
    },
    /// An effect that this version does not have.
    #[error("{0} is not available in this version")]
    NotAvailable(&'static str),
    /// A set of keys of an issuer of tokens cannot be taken.
    #[error("the keys of issuer {issuer} cannot be set: {why}")]
    Jwks {
        /// The issuer.
        issuer: String,
        /// The member of the set that is wrong, and why.
        why: String,
    },
    /// A certificate that would be valid for longer than the settings of the service allow.
    #[error("a certificate of {of} may be valid for at most {most} days, not for {days}")]
    Validity {
        /// Whose certificate.
        of: &'static str,
        /// The days that were asked for.
        days: u32,
        /// The most that is allowed.
        most: u64,
    },
    /// A certificate cannot be made.
    #[error("Failed to make a certificate: {0}")]
    Certificate(String),
    /// Recovery shares cannot be issued.
    #[error("Failed to issue recovery shares: {0}")]
    Shares(String),
    /// A service needs a node to run on.
    #[error("no trusted node would be left, and the service could not go on: its only node cannot be removed")]
    NoTrustedNode,
    /// The settings that a service is founded with contradict each other.
    #[error("the service cannot be founded: {0}")]
    Genesis(String),
}
