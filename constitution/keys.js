// ---------------------------------------------------------------------------------------------------------------------
// Keys that the service holds for clean rooms
//
// The members decide that there is a key, and when it is replaced. The service makes the key itself when a member asks
// for it, and nobody sees it. The number of the request tells the service whether it has made the current one.
// ---------------------------------------------------------------------------------------------------------------------

// ---- The issuer of identity tokens, and signatures on behalf of the service ----

const enableOidcIssuer = enablementOf("oidc_issuer");
const rotateOidcSigningKey = rotationOf("oidc_issuer");
const enableSigning = enablementOf("signing");
const rotateSigningKey = rotationOf("signing");

// The name under which the tokens of the service are issued.
const setOidcIssuerUrl = {
  validate(args) {
    checkType(args.issuer_url, "string", "issuer_url");
  },
  apply(args) {
    writeText("oidc_issuer", "issuerUrl", args.issuer_url);
  },
};

// A key is enabled once, under a name (kid) that the names of all its successors begin with.
function enablementOf(table) {
  return {
    validate(args) {
      checkType(args.kid, "string", "kid");
    },
    apply(args) {
      if (!hasRecord(table, "enabled")) {
        writeText(table, "enabled", "true");
        writeText(table, "generateSigningKeyRequestId", "1");
        writeText(table, "generateSigningKeyKid", args.kid);
      }
    },
  };
}

// Another key is asked for. Where none was enabled this does nothing.
function rotationOf(table) {
  return {
    validate() {},
    apply() {
      const request = readRecord(table, "generateSigningKeyRequestId");
      if (request !== undefined) {
        writeText(table, "generateSigningKeyRequestId", String(request + 1));
      }
    },
  };
}

// ---- The certificate authority of a contract ----

const enableCa = {
  validate(args) {
    checkType(args.contractId, "string", "contractId");
    checkAccepted(args.contractId, "Enabling the CA");
  },
  apply(args) {
    if (readRecord("ca", args.contractId)?.enabled !== "true") {
      writeRecord("ca", args.contractId, { enabled: "true", requestId: "1" });
    }
  },
};

const rotateCaSigningKey = {
  validate(args) {
    checkType(args.contractId, "string", "contractId");
    checkAccepted(args.contractId, "Enabling the CA");
    enabledCa(args.contractId);
  },
  apply(args) {
    const ca = enabledCa(args.contractId);
    writeRecord("ca", args.contractId, { ...ca, requestId: String(Number(ca.requestId) + 1) });
  },
};

function enabledCa(contractId) {
  const ca = readRecord("ca", contractId);
  check(ca !== undefined, "Cannot rotate the CA signing key as CA is not enabled for the contract.");
  check(
    ca.enabled === "true",
    `Cannot rotate the CA signing key as CA status is '${ca.enabled}' for the contract.`,
  );
  return ca;
}
