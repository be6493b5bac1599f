//! The JavaScript sandbox that runs the consortium's rules, and the host API they see
