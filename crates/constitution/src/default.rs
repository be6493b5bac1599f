//! The constitution that a service starts with when its members bring none.

/// Defines the list of files and their concatenation from one list of names, so that the two cannot differ.
macro_rules! constitution {
    ($($name:literal),* $(,)?) => {
        /// The shipped constitution: one ES module without imports, the concatenation of
        /// [`DEFAULT_CONSTITUTION_FILES`] in their order.
        pub const DEFAULT_CONSTITUTION: &str =
            concat!($(include_str!(concat!("../../../constitution/", $name)), "\n"),*);

        /// Name and text of each file of the shipped constitution, in the order in which they are concatenated (with
        /// an empty line after each).
        pub const DEFAULT_CONSTITUTION_FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../constitution/", $name)))),*];
    };
}

constitution![
    "about.js",
    "checks.js",
    "records.js",
    "roles.js",
    "claims.js",
    "members.js",
    "users.js",
    "invitations.js",
    "recovery.js",
    "service.js",
    "rules.js",
    "nodes.js",
    "certificates.js",
    "attestation.js",
    "tokens.js",
    "contracts.js",
    "policy.js",
    "keys.js",
    "actions.js",
    "validate.js",
    "operators.js",
    "resolve.js",
    "apply.js",
];
