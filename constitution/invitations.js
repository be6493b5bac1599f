// ---------------------------------------------------------------------------------------------------------------------
// Invitations
//
// An invitation names the claims of the user that is meant. Whoever shows a token with these claims may accept it; the
// members then decide whether to make the identity in that token a user, see set_user_identity.
// ---------------------------------------------------------------------------------------------------------------------

const INVITATION_CLAIMS = ["preferred_username", "email", "appid", "tid", "sub", "upn"];

// An invitation that has led to a user is settled, and not changed any more.
const setUserInvitation = {
  validate(args) {
    checkType(args.invitationId, "string", "invitationId");
    checkType(args.type, "string", "type");
    checkType(args.accountType, "string", "accountType");
    checkType(args.claims, "object", "claims");
    check(CLAIM_CHANGES.includes(args.type), `Invitation with type '${args.type}' is not supported`);
    check(
      ACCOUNT_TYPES.includes(args.accountType),
      `Invitation with account type '${args.accountType}' is not supported`,
    );
    checkClaims(args.claims, INVITATION_CLAIMS, "claim");
    check(
      !hasRecord("accepted_user_invitations", args.invitationId),
      `Invitation with Id '${args.invitationId}' has already been accepted.`,
    );
  },
  apply(args) {
    changeClaims(args.type, invitationTable(args.invitationId), args.claims, "invitation");
    if (args.type === "add") {
      writeRecord("user_invitations", args.invitationId, { accountType: args.accountType });
    }
  },
};

// An invitation is removed together with its acceptance: another one under the same name must be accepted again. The
// user it led to stays, see remove_user_identity.
const removeUserInvitation = {
  validate(args) {
    checkType(args.invitationId, "string", "invitationId");
  },
  apply(args) {
    removeRecord("user_invitations", args.invitationId);
    removeRecord("accepted_user_invitations", args.invitationId);
    tableOf(invitationTable(args.invitationId)).clear();
    ccf.kv["public:user_invitations_info"].delete(ccf.strToBuf(args.invitationId));
  },
};

function invitationTable(invitationId) {
  return `user_invitations-${invitationId}`;
}
