// ---------------------------------------------------------------------------------------------------------------------
// Tokens
//
// Users sign in with tokens of issuers that the members trust. What an issuer's keys have signed is believed, so
// whoever names an issuer, or its keys, or the authorities (CA bundle) by which its server is known, decides who gets
// in.
// ---------------------------------------------------------------------------------------------------------------------

// ---- Certificate authorities ----

// The certificates are kept under a name, to be used for one purpose only: to know the server of an issuer.
const setCaCertBundle = {
  validate(args) {
    checkType(args.name, "string", "name");
    checkCertificates(args.cert_bundle, "cert_bundle");
  },
  apply(args) {
    writeRecord("tls.ca_cert_bundles", args.name, args.cert_bundle);
  },
};

// Issuers that name the bundle cannot have their keys fetched any more.
const removeCaCertBundle = {
  validate(args) {
    checkType(args.name, "string", "name");
  },
  apply(args) {
    removeRecord("tls.ca_cert_bundles", args.name);
  },
};

// ---- Issuers ----

// The keys of an issuer are given by the members, or fetched from the issuer by the service itself (auto_refresh), or
// both: then those given serve until others were fetched. Setting an issuer again without keys leaves its keys.
const setJwtIssuer = {
  validate(args) {
    checkType(args.issuer, "string", "issuer");
    checkType(args.auto_refresh, "boolean?", "auto_refresh");
    checkType(args.ca_cert_bundle_name, "string?", "ca_cert_bundle_name");
    if (isGiven(args.jwks)) {
      checkKeySet(args.jwks, "jwks");
    }
    if (args.auto_refresh) {
      check(args.ca_cert_bundle_name, "ca_cert_bundle_name is missing but required if auto_refresh is true");
      checkAddress(args.issuer);
    }
  },
  apply(args) {
    const bundle = args.ca_cert_bundle_name;
    check(
      !args.auto_refresh || hasRecord("tls.ca_cert_bundles", bundle),
      `No CA cert bundle found with name '${bundle}'`,
    );
    const issuer = issuerRecord(args);
    if (isGiven(args.jwks)) {
      ccf.setJwtPublicSigningKeys(args.issuer, issuer, args.jwks);
    }
    writeRecord("jwt.issuers", args.issuer, issuer);
  },
};

// What is kept of an issuer; nothing else of the arguments is.
function issuerRecord(args) {
  return {
    issuer: args.issuer,
    auto_refresh: args.auto_refresh ?? undefined,
    ca_cert_bundle_name: args.ca_cert_bundle_name ?? undefined,
  };
}

// The keys of an issuer are replaced, all of them.
const setJwtPublicSigningKeys = {
  validate(args) {
    checkType(args.issuer, "string", "issuer");
    checkKeySet(args.jwks, "jwks");
  },
  apply(args) {
    const issuer = readRecord("jwt.issuers", args.issuer);
    check(issuer !== undefined, `issuer ${args.issuer} not found`);
    ccf.setJwtPublicSigningKeys(args.issuer, issuer, args.jwks);
  },
};

// An issuer is removed together with its keys. Removing one that is not known does nothing.
const removeJwtIssuer = {
  validate(args) {
    checkType(args.issuer, "string", "issuer");
  },
  apply(args) {
    if (hasRecord("jwt.issuers", args.issuer)) {
      ccf.removeJwtPublicSigningKeys(args.issuer);
      removeRecord("jwt.issuers", args.issuer);
    }
  },
};

// Keys can only be fetched from a plain address that is protected on its way.
function checkAddress(issuer) {
  const hasHost = /^https:\/\/[^/?#\s@]+([/?#]|$)/.test(issuer);
  check(hasHost, "issuer must be a URL starting with https:// if auto_refresh is true");
  check(!/[?#\s]/.test(issuer), "issuer must be a URL without query/fragment if auto_refresh is true");
}

// ---- Keys of issuers ----

// A set of JSON Web Keys (RFC 7517).
function checkKeySet(value, field) {
  checkType(value, "object", field);
  check(value !== null, `${field} must be an object with a field 'keys'`);
  checkType(value.keys, "array", `${field}.keys`);
  value.keys.forEach((key, at) => checkKey(key, `${field}.keys[${at}]`));
}

// A key is given by a certificate. One on an elliptic curve may also be given by its point.
function checkKey(key, field) {
  checkType(key, "object", field);
  check(key !== null, `${field} must be an object`);
  checkType(key.kid, "string", `${field}.kid`);
  checkType(key.kty, "string", `${field}.kty`);
  checkType(key.issuer, "string?", `${field}.issuer`);
  if (key.kty === "EC" && key.x5c === undefined) {
    for (const part of ["crv", "x", "y"]) {
      checkType(key[part], "string", `${field}.${part}`);
    }
  } else {
    checkCertificateChain(key.x5c, `${field}.x5c`);
  }
}

// At least one certificate, each its bytes in base64.
function checkCertificateChain(value, field) {
  checkType(value, "array", field);
  check(value.length > 0, `${field} must be an array of minimum 1 elements`);
  value.forEach((certificate, at) => {
    checkType(certificate, "string", `${field}[${at}]`);
    checkCertificates(pemOf(certificate), `${field}[${at}]`);
  });
}

function pemOf(base64) {
  const lines = base64.match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}
