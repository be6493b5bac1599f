// ---------------------------------------------------------------------------------------------------------------------
// Checks
//
// What the arguments of an action must look like. Every check throws an error that names the argument.
// ---------------------------------------------------------------------------------------------------------------------

// The value has the named type: one that `typeof` knows, "array" or "integer". A type that ends in "?" also admits a
// value that is missing.
function checkType(value, type, field) {
  const optional = type.endsWith("?");
  if (optional && !isGiven(value)) {
    return;
  }
  const wanted = optional ? type.slice(0, -1) : type;
  if (wanted === "array") {
    check(Array.isArray(value), `${field} must be an array`);
  } else if (wanted === "integer") {
    check(Number.isInteger(value), `${field} must be an integer`);
  } else {
    check(typeof value === wanted, `${field} must be of type ${wanted} but is ${typeof value}`);
  }
}

// An argument that is null counts as one that is missing.
function isGiven(value) {
  return value !== undefined && value !== null;
}

// The number, if there is one, lies between the bounds; both are allowed, and either may be left out.
function checkBounds(value, least, most, field) {
  check(!(value < least), `${field} must be greater than ${least}`);
  check(!(value > most), `${field} must be lower than ${most}`);
}

// The value is one of those listed.
function checkChoice(value, choices, field) {
  check(choices.includes(value), `${field} must be one of ${choices}`);
}

// The value can be the identifier of a member, a user or a node: the hexadecimal digest of a certificate or key.
function checkIdentifier(value, field) {
  checkType(value, "string", field);
  checkHex(value, 64, field);
}

// The text has so many hexadecimal characters.
function checkHex(value, length, field) {
  check(value.length === length, `${field} must contain exactly ${length} characters`);
  check(/^[0-9a-fA-F]*$/.test(value), `${field} contains non-hexadecimal character`);
}

// The text has so many hexadecimal characters, in lower case: it is compared with what the evidence of a node shows.
function checkLowerHex(value, length, field) {
  checkHex(value, length, field);
  check(value === value.toLowerCase(), `${field} must be in lower case`);
}

// The value is one or more certificates.
function checkCertificates(value, field) {
  check(
    ccf.crypto.isValidX509CertBundle(value),
    `${field} must be a valid X509 certificate (bundle) in PEM format`,
  );
}

// The value is an object that carries something under "data": what is voted on must be there to be read.
function checkCarriesData(value, field) {
  check(value !== null && value.data !== undefined, `${field} must be an object with a field 'data'`);
}

// The action is proposed without arguments.
function checkNoArguments(args) {
  check(!isGiven(args), `Proposal does not accept any argument, found "${args}"`);
}

function check(holds, otherwise) {
  if (!holds) {
    throw new Error(otherwise);
  }
}
