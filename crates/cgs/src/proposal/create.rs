use std::path::PathBuf;

use serde_json::Value;

use super::Proposing;
use crate::{
    context::{Context, Session},
    data,
    error::CliError,
};

/// Make a proposal from a file
///
/// For everything that has no command of its own. The file is
/// {"actions": [{"name": ..., "args": {...}}]}; what actions there are, the constitution
/// says (`cgs constitution show`). The text is signed and kept exactly as it is.
///
///   cgs proposal create proposal.json --vote
///   jq ... | cgs proposal create -
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The proposal, JSON; - reads standard input
    file: PathBuf,
    #[command(flatten)]
    proposing: Proposing,
}

pub(super) async fn run(args: &Args, session: &Session, context: &Context) -> Result<(), CliError> {
    let text = data::text(&args.file)?;
    let file = args.file.display();
    let value = data::parse(&args.file, &text)?;
    check(&value).map_err(|why| {
        CliError::usage(format!(
            "{file}: {why}. A proposal is {{\"actions\": [{{\"name\": \"set_member_data\", \"args\": {{...}}}}]}}"
        ))
    })?;
    let made = session.service.propose_text(&text).await?;
    args.proposing.go_on(session, made).await?.print(context)
}

/// What every constitution expects of a proposal.
fn check(proposal: &Value) -> Result<(), String> {
    let Value::Object(members) = proposal else {
        return Err(format!("it must be an object and is {}", data::kind_of(proposal)));
    };
    let actions = match members.get("actions") {
        Some(Value::Array(actions)) if !actions.is_empty() => actions,
        Some(Value::Array(_)) => return Err("the list \"actions\" is empty".into()),
        _ => return Err("it has no list \"actions\"".into()),
    };
    for (position, action) in actions.iter().enumerate() {
        if !action.get("name").is_some_and(Value::is_string) {
            return Err(format!("action {position} has no \"name\""));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_proposal_is_told_before_it_is_signed() {
        assert_eq!(check(&json!({"actions": [{"name": "trigger_snapshot"}]})), Ok(()));
        for (bad, says) in [
            (json!([]), "is a list"),
            (json!({}), "no list"),
            (json!({"actions": {}}), "no list"),
            (json!({"actions": []}), "empty"),
            (json!({"actions": [{"name": "x"}, {"args": {}}]}), "action 1"),
            (json!({"actions": ["x"]}), "action 0"),
        ] {
            assert!(check(&bad).unwrap_err().contains(says), "{bad}");
        }
    }
}
