// ---------------------------------------------------------------------------------------------------------------------
// Users
//
// Users work with the application and decide nothing. They are known by a certificate, or by the identity that an
// issuer of tokens vouches for.
// ---------------------------------------------------------------------------------------------------------------------

// ---- Users with a certificate ----

const setUser = {
  validate(args) {
    checkCertificates(args.cert, "cert");
    checkType(args.user_data, "object?", "user_data");
  },
  apply(args) {
    const id = ccf.pemToId(args.cert);
    writeText("users.certs", id, args.cert);
    setUserRecord(id, args.user_data);
  },
};

const removeUser = {
  validate(args) {
    checkIdentifier(args.user_id, "user_id");
  },
  apply(args) {
    removeRecord("users.certs", args.user_id);
    removeRecord("users.info", args.user_id);
  },
};

const setUserData = {
  validate(args) {
    checkIdentifier(args.user_id, "user_id");
    checkType(args.user_data, "object?", "user_data");
  },
  apply(args) {
    setUserRecord(args.user_id, args.user_data);
  },
};

// A user without data has no record beside its certificate.
function setUserRecord(id, data) {
  if (isGiven(data)) {
    writeRecord("users.info", id, { user_data: data });
  } else {
    removeRecord("users.info", id);
  }
}

// ---- Users with an identity ----

const ACCOUNT_TYPES = ["microsoft"];

// An identity belongs to a tenant: a token of another tenant is not accepted for it. Where it answers an invitation,
// that is now settled.
const setUserIdentity = {
  validate(args) {
    checkType(args.id, "string", "id");
    checkType(args.accountType, "string", "accountType");
    checkType(args.invitationId, "string?", "invitationId");
    checkType(args.data, "object", "data");
    check(args.data !== null, "data must be an object with a field 'tenantId'");
    checkType(args.data.tenantId, "string", "data.tenantId");
    checkType(args.data.identifier, "string?", "data.identifier");
    check(
      ACCOUNT_TYPES.includes(args.accountType),
      `User identity with account type '${args.accountType}' is not supported`,
    );
  },
  apply(args) {
    writeRecord("user_identities", args.id, {
      accountType: args.accountType,
      invitationId: args.invitationId ?? undefined,
      data: args.data,
    });
    if (args.invitationId) {
      writeRecord("accepted_user_invitations", args.invitationId, {});
    }
  },
};

// Removing an identity that is not known does nothing.
const removeUserIdentity = {
  validate(args) {
    checkType(args.id, "string", "id");
  },
  apply(args) {
    removeRecord("user_identities", args.id);
  },
};
