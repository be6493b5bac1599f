use clap::{Parser, Subcommand};

use crate::{
    attestation, ca_bundle, completions, context::Global, contract, demo, deployment, exit, jwt_issuer, ledger, login,
    member, node, profile, proposal, receipt, rules, service, user,
};

const TOUR: &str = "\
The way to an accepted contract:
  cgs demo                                       watch it happen, on a node of its own
  cgs member keygen ada                          make the key and certificate of a member
  cgs node init my-service                       write the configuration of a new service
  cgs node --config node.json                    run it
  cgs login ada --url https://HOST:PORT --service-cert service_cert.pem \\
      --member-cert ada_cert.pem --member-key ada_privk.pem
  cgs service verify                             judge the service before trusting it
  cgs member activate                            accept the invitation
  cgs service open                               propose to open the service, and vote
  cgs contract create trial --file trial.json    write a draft
  cgs contract propose trial --vote              propose it as it stands
  cgs proposal list                              what awaits my vote comes first
  cgs contract vote trial --accept
  cgs deployment spec propose trial --file template.json
  cgs receipt get 2.41 --file receipt.json       proof for anybody, offline
";

/// Clean Room Governance Service: parties that do not trust each other agree, and prove it.
#[derive(Debug, Parser)]
#[command(name = "cgs", version, max_term_width = 110, after_help = TOUR, after_long_help = exit::help(TOUR))]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The nouns. Those without a text here have it at their arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::Args),
    Login(login::Args),
    /// The profiles that are stored
    #[command(subcommand)]
    Profile(profile::Verb),
    Node(node::Args),
    /// Members: keys, invitations, who is in
    #[command(subcommand)]
    Member(member::Verb),
    /// The service as a whole: what it is, whether to trust it, opening it
    #[command(subcommand)]
    Service(service::Verb),
    /// Contracts: draft, propose, vote
    #[command(subcommand)]
    Contract(contract::Verb),
    /// Deployments of accepted contracts: what, and where
    #[command(subcommand)]
    Deployment(deployment::Verb),
    /// Users with a certificate
    #[command(subcommand)]
    User(user::Verb),
    /// Issuers of tokens that the service takes
    #[command(subcommand)]
    JwtIssuer(jwt_issuer::Verb),
    /// Certificates by which the service recognises the servers of issuers
    #[command(subcommand)]
    CaBundle(ca_bundle::Verb),
    /// The rules: read, compare, replace
    #[command(subcommand)]
    Constitution(rules::Verb),
    /// Proposals of any kind
    #[command(subcommand)]
    Proposal(proposal::Verb),
    /// Receipts: proof that a transaction is in the ledger
    #[command(subcommand)]
    Receipt(receipt::Verb),
    /// Ledger files: verify and read them, offline
    #[command(subcommand)]
    Ledger(ledger::Verb),
    /// Evidence of clean rooms: verify it and read what it proves, offline
    #[command(subcommand)]
    Attestation(attestation::Verb),
    Completions(completions::Args),
    /// Run scripts for a node (the node starts this by itself)
    #[command(hide = true)]
    ScriptHost,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    use crate::output::Format;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_tour_parses() {
        let tour = TOUR.replace("\\\n", " ");
        let commands = tour.lines().filter_map(|line| line.trim().strip_prefix("cgs "));
        let mut count = 0;
        for command in commands {
            let words = command.split("   ").next().unwrap_or_default().split_whitespace();
            let words: Vec<&str> = std::iter::once("cgs").chain(words).collect();
            // Only the login line has values behind three spaces of continuation.
            let words = if words.get(1) == Some(&"login") { command_words(command) } else { words };
            Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
            count += 1;
        }
        assert!(count > 10);
    }

    fn command_words(command: &str) -> Vec<&str> {
        std::iter::once("cgs").chain(command.split_whitespace()).collect()
    }

    #[test]
    fn global_options_stand_anywhere() {
        let cli = Cli::try_parse_from(["cgs", "contract", "list", "--output", "json", "--profile", "a"]).unwrap();
        assert_eq!((cli.global.output, cli.global.profile.as_deref()), (Format::Json, Some("a")));
    }

    #[test]
    fn a_node_needs_a_configuration_unless_it_writes_one() {
        assert!(Cli::try_parse_from(["cgs", "node"]).is_err());
        assert!(Cli::try_parse_from(["cgs", "node", "--config", "x"]).is_ok());
        assert!(Cli::try_parse_from(["cgs", "node", "init"]).is_ok());
    }

    #[test]
    fn votes_are_one_way_or_the_other() {
        let vote = |rest: &[&str]| Cli::try_parse_from([&["cgs", "contract", "vote", "c"], rest].concat()).is_ok();
        assert!(vote(&["--accept"]) && vote(&["--reject"]));
        assert!(!vote(&[]) && !vote(&["--accept", "--reject"]));
    }
}
