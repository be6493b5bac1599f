use client::Member;

use crate::{
    context::Context,
    error::CliError,
    output::{Table, date, short},
    people::People,
};

/// Show one member
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Name, id, or the beginning of an id; without it, me
    who: Option<String>,
}

pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    context
        .online(async |session| {
            let members = session.service.members().await?;
            let me = session.me();
            Ok(context.output.show(&members, || table(&members, me).to_string())?)
        })
        .await
}

fn table(members: &[Member], me: Option<&str>) -> Table {
    let mut table = Table::new(["MEMBER", "NAME", "STATUS", "ROLES", "RECOVERY", ""]);
    for member in members {
        table.row([
            short(&member.id).into(),
            member.name().unwrap_or("-").into(),
            member.status.clone(),
            roles(member),
            member.recovery_role.clone(),
            if me == Some(&member.id) { "me".into() } else { String::new() },
        ]);
    }
    table
}

/// The roles as words; a member without any votes.
fn roles(member: &Member) -> String {
    let flags = [("isOperator", "operator"), ("isRecoveryOperator", "recovery operator")];
    let mut roles: Vec<&str> = flags.into_iter().filter(|(flag, _)| member.flag(flag)).map(|(_, name)| name).collect();
    roles.extend(["cgsOperator", "contractOperator"].into_iter().filter(|role| member.has_role(role)));
    if member.is_counted() {
        roles.push("votes");
    }
    roles.join(", ")
}

pub(crate) async fn show(args: &ShowArgs, context: &Context) -> Result<(), CliError> {
    context
        .online(async |session| {
            let people = People::new(session.service.members().await?);
            let member = match (&args.who, session.me()) {
                (Some(who), _) => people.find(who)?,
                (None, Some(me)) => people.find(me)?,
                (None, None) => return Err(CliError::usage("the profile has no member: say which one to show")),
            };
            let certificate = crypto::Certificate::from_pem(&member.certificate)?;
            Ok(context.output.show(member, || describe(member, &certificate))?)
        })
        .await
}

fn describe(member: &Member, certificate: &crypto::Certificate) -> String {
    let mut table = Table::pairs();
    table.pair("member", &member.id);
    table.pair("name", member.name().unwrap_or("-"));
    table.pair("status", &member.status);
    table.pair("roles", roles(member));
    table.pair("recovery", &member.recovery_role);
    table.pair("data", &member.member_data);
    let validity = format!("{} to {}", date(certificate.not_before()), date(certificate.not_after()));
    table.pair("certificate", format!("{}, {validity}", certificate.subject()));
    table.to_string()
}
