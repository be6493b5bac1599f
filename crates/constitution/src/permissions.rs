//! Which tables a script may use, and how (ccf-substrate 8.2). Asked on both sides of the pipe.

use crate::Context;

const INTERNAL: &str = "public:ccf.internal.";
const GOVERNANCE: &str = "public:ccf.gov.";
/// The platform's own, and what the service records about itself.
const RESERVED: [&str; 3] = ["ccf.", "public:ccf.", "public:cgs."];
const PUBLIC: &str = "public:";

/// What a script may do with one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Nothing,
    Read,
    Write,
    ReadWrite,
}

impl Access {
    pub(crate) fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }

    /// The word that the refusal uses.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Nothing => "inaccessible",
            Self::Read => "read-only",
            Self::Write => "write-only",
            Self::ReadWrite => "read-write",
        }
    }
}

/// Whether `table` has a prefix that belongs to the platform and is none of the known ones.
pub(crate) fn reserved_prefix(table: &str) -> Option<&'static str> {
    let known = table.starts_with(INTERNAL) || table.starts_with(GOVERNANCE);
    RESERVED.into_iter().find(|prefix| !known && table.starts_with(prefix))
}

/// What a script in `context` may do with `table`.
pub(crate) fn access(context: Context, table: &str) -> Access {
    let apply = context == Context::Apply;
    if reserved_prefix(table).is_some() {
        Access::Nothing
    } else if table.starts_with(INTERNAL) {
        Access::Read
    } else if table.starts_with(GOVERNANCE) {
        if apply { Access::ReadWrite } else { Access::Read }
    } else if table.starts_with(PUBLIC) && apply {
        Access::Write
    } else {
        Access::Nothing
    }
}

/// How refusals name a context.
pub(crate) fn context_name(context: Context) -> &'static str {
    match context {
        Context::ReadOnly => "read-only governance",
        Context::Apply => "read-write governance",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_by_context() {
        for (table, read_only, apply) in [
            ("public:ccf.gov.members.info", Access::Read, Access::ReadWrite),
            ("public:ccf.internal.tree", Access::Read, Access::Read),
            ("public:ccf.internal.cgs_open_proposals", Access::Read, Access::Read),
            ("public:contracts", Access::Nothing, Access::Write),
            ("public:cgs.resume_mode", Access::Nothing, Access::Nothing),
            ("public:cgs.releases", Access::Nothing, Access::Nothing),
            ("secrets", Access::Nothing, Access::Nothing),
            ("public:ccf.gov", Access::Nothing, Access::Nothing),
            ("public:ccf.other", Access::Nothing, Access::Nothing),
            ("ccf.gov.x", Access::Nothing, Access::Nothing),
        ] {
            assert_eq!(access(Context::ReadOnly, table), read_only, "{table}");
            assert_eq!(access(Context::Apply, table), apply, "{table}");
        }
    }

    #[test]
    fn reserved_prefixes() {
        assert_eq!(reserved_prefix("ccf.foo"), Some("ccf."));
        assert_eq!(reserved_prefix("public:ccf.foo"), Some("public:ccf."));
        assert_eq!(reserved_prefix("public:cgs.foo"), Some("public:cgs."));
        assert_eq!(reserved_prefix("public:cgsx"), None);
        assert_eq!(reserved_prefix("public:ccf.gov.foo"), None);
        assert_eq!(reserved_prefix("public:ccfx"), None);
    }
}
