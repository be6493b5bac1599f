//! The suites over real processes.

/// Name (of the step and of the test target), what it shows, and how many of its tests may run at once.
pub(crate) struct Suite {
    /// The word for `--only`, and the name of the test target in `tests/suites`.
    pub(crate) name: &'static str,
    /// For the headline.
    pub(crate) about: &'static str,
    /// Tests that run at once: timing matters to some of them.
    pub(crate) threads: &'static str,
}

/// All of them, in the order in which they run: the quickest to fail first.
pub(crate) const SUITES: [Suite; 13] = [
    Suite { name: "conformance", about: "what the reference answered, against a fresh node", threads: "1" },
    Suite { name: "interop", about: "CCF's Python package, curl and openssl as clients", threads: "2" },
    Suite { name: "decisions", about: "decisions on compatibility, seen from outside", threads: "2" },
    Suite { name: "membership", about: "connections and proposals when members go and come", threads: "2" },
    Suite { name: "admin", about: "what an operator reads, and certificates that change", threads: "2" },
    Suite { name: "jwt", about: "issuers of tokens, and tokens", threads: "2" },
    Suite { name: "cli", about: "the command line, typed as a member would", threads: "1" },
    Suite { name: "load", about: "many clients at once, and scripts that want to stop the node", threads: "1" },
    Suite { name: "fork", about: "copies and rewound copies of the disk", threads: "1" },
    Suite { name: "rekey", about: "the ledger secret changes, and who holds what of it", threads: "1" },
    Suite { name: "recompute", about: "decisions recomputed by a program that is not ours", threads: "1" },
    Suite { name: "values", about: "what goes through scripts stays what it is", threads: "1" },
    Suite { name: "crash", about: "SIGKILL at random moments", threads: "1" },
];
