// ---------------------------------------------------------------------------------------------------------------------
// Claims
//
// What somebody must show: a table of names, each with the values of which one must be shown. Invitations of users and
// policies of clean rooms are made of claims.
// ---------------------------------------------------------------------------------------------------------------------

const CLAIM_CHANGES = ["add", "remove"];

// The claims, if any, are all of those listed. `what` says how the refusal calls them.
function checkClaims(claims, allowed, what) {
  check(claims !== null, "claims must be an object");
  for (const name of Object.keys(claims)) {
    check(allowed.includes(name), `The claim '${name}' is not an allowed ${what}`);
    const values = asList(claims[name]);
    check(values.length > 0, `The claim '${name}' must have a value`);
    check(values.every(isClaimValue), `The values of the claim '${name}' must be strings, numbers or booleans`);
  }
}

// What evidence can be compared with.
function isClaimValue(value) {
  return ["string", "number", "boolean"].includes(typeof value);
}

function asList(value) {
  return Array.isArray(value) ? value : [value];
}

// Adds values to the claims of a table, or removes them. `whose` says in errors which claims are meant.
function changeClaims(change, table, claims, whose) {
  for (const [name, given] of Object.entries(claims)) {
    const stored = readRecord(table, name);
    const values =
      change === "add"
        ? withValues(stored, asList(given))
        : withoutValues(stored, asList(given), name, whose);
    if (values.length > 0) {
      writeRecord(table, name, values);
    } else {
      removeRecord(table, name);
    }
  }
}

// Values are added to those that are there, each once. Of a yes or no only the new one counts.
function withValues(stored, given) {
  const replaced = stored === undefined || typeof given[0] === "boolean";
  return [...new Set([...(replaced ? [] : stored), ...given])];
}

// Only what is there can be removed. A claim that is a yes or no is removed whatever it says.
function withoutValues(stored, given, name, whose) {
  check(
    stored !== undefined,
    `Cannot remove values of ${name} because the key does not exist in the ${whose} claims`,
  );
  if (typeof given[0] === "boolean") {
    return [];
  }
  for (const value of given) {
    check(stored.includes(value), `Trying to remove value '${value}' from ${stored} and it does not exist`);
  }
  return stored.filter((value) => !given.includes(value));
}
