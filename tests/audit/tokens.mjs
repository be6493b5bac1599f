// The keys that an issuer of tokens signs with, from a JWK set (RFC 7517) to the table of keys.
//
// The table maps a key id to a list, since two issuers may use the same id: `[{constraint?, issuer, public_key}]`, with
// the base64 of a SubjectPublicKeyInfo. All keys of an issuer are replaced at once, in place, and only what changes is
// written.

import { X509Certificate, createPublicKey } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

import { binaryOf, jsonOf, sortedJson, textOf } from "./state.mjs";

export const TOKEN_KEYS = "public:ccf.gov.jwt.public_signing_keys_metadata_v2";
export const ISSUERS = "public:ccf.gov.jwt.issuers";
const CURVES = ["P-256", "P-384", "P-521"];
const [MOST_KEYS, MOST_CERTIFICATES] = [64, 16];
const [MOST_ID, MOST_NUMBER, MOST_CERTIFICATE, MOST_URL] = [256, 1400, 16 << 10, 2048];

// Replaces all keys of an issuer; throws with the text that the proposal fails with.
export function setTokenKeys(draft, issuer, jwks) {
  let keys;
  try {
    keys = readSet(issuer, jwks);
  } catch (error) {
    throw new Error(`the keys of issuer ${issuer} cannot be set: ${error.message}`);
  }
  replace(draft, issuer, keys);
}

export function removeTokenKeys(draft, issuer) {
  replace(draft, issuer, new Map());
}

function replace(draft, issuer, keys) {
  for (const [kid, value] of draft.entries(TOKEN_KEYS)) {
    const before = jsonOf(value);
    let own = keys.get(textOf(kid));
    keys.delete(textOf(kid));
    const after = [];
    for (const key of before) {
      if (key.issuer !== issuer) {
        after.push(key);
      } else if (own !== undefined) {
        after.push(own);
        own = undefined;
      }
    }
    after.push(...(own === undefined ? [] : [own]));
    if (!isDeepStrictEqual(after, before)) {
      draft.put(TOKEN_KEYS, kid, after.length === 0 ? null : binaryOf(sortedJson(after)));
    }
  }
  for (const [kid, key] of keys) {
    draft.put(TOKEN_KEYS, binaryOf(kid), binaryOf(sortedJson([key])));
  }
}

function readSet(issuer, jwks) {
  checkLength("issuer", issuer, MOST_URL);
  check(Array.isArray(jwks?.keys), "jwks.keys must be an array");
  check(jwks.keys.length <= MOST_KEYS, `jwks.keys has ${jwks.keys.length} keys; there may be ${MOST_KEYS}`);
  const set = new Map();
  for (const [index, key] of jwks.keys.entries()) {
    const at = `jwks.keys[${index}]`;
    check(key !== null && typeof key === "object" && !Array.isArray(key), `${at} must be an object`);
    if (!signsTokens(key, at)) {
      continue;
    }
    const kid = required(key, "kid", MOST_ID, at);
    const record = readKey(issuer, key, at);
    check(!set.has(kid), `${at}.kid is that of another key`);
    set.set(kid, record);
  }
  check(set.size > 0, "jwks.keys has no key that tokens are signed with");
  return set;
}

function signsTokens(key, at) {
  const kind = required(key, "kty", 16, at);
  const knownCurve = key.crv === undefined || CURVES.includes(key.crv);
  return ["RSA", "EC"].includes(kind) && knownCurve && (key.use === undefined || key.use === "sig");
}

function readKey(issuer, key, at) {
  const public_key = publicKey(key, at).export({ type: "spki", format: "der" }).toString("base64");
  const constraint = text(key, "issuer", MOST_URL, at);
  if (constraint !== undefined && !mayConstrain(issuer, constraint)) {
    const why = "must have the host of the issuer that it is registered for, or a parent domain";
    throw new Error(`${at}.issuer ${JSON.stringify(constraint)} ${why}`);
  }
  return constraint === undefined ? { issuer, public_key } : { constraint, issuer, public_key };
}

// By its numbers, or else of the first certificate; where there are both, they agree.
function publicKey(key, at) {
  const numbers = keyOfNumbers(key, at);
  if (key.x5c === undefined) {
    check(numbers !== undefined, `${at} must have n and e, or crv, x and y, or x5c`);
    return numbers;
  }
  const certified = keyOfCertificate(key, at);
  check(numbers === undefined || numbers.equals(certified), `${at}.x5c[0] is the certificate of another key`);
  return certified;
}

// The numbers of its kind; others are not looked at.
function keyOfNumbers(key, at) {
  const { kty } = key;
  const names = kty === "RSA" ? ["n", "e"] : ["crv", "x", "y"];
  const numbers = names.map((name) => [name, text(key, name, MOST_NUMBER, at)]);
  const isWhole = numbers.every(([, value]) => value !== undefined);
  return isWhole ? createPublicKey({ key: { kty, ...Object.fromEntries(numbers) }, format: "jwk" }) : undefined;
}

function keyOfCertificate({ kty, x5c }, at) {
  check(Array.isArray(x5c) && x5c.length > 0, `${at}.x5c must be an array of certificates`);
  check(x5c.length <= MOST_CERTIFICATES, `${at}.x5c has ${x5c.length} certificates; there may be ${MOST_CERTIFICATES}`);
  check(typeof x5c[0] === "string", `${at}.x5c[0] must be a string`);
  checkLength(`${at}.x5c[0]`, x5c[0], MOST_CERTIFICATE);
  const { publicKey } = new X509Certificate(Buffer.from(x5c[0], "base64"));
  const isOfKind = publicKey.asymmetricKeyType === kty.toLowerCase();
  check(isOfKind, `${at}.x5c[0] is the certificate of a key of another kind than kty says`);
  return publicKey;
}

// The host of the constraint is that of the issuer, or a parent domain.
function mayConstrain(issuer, constraint) {
  const [own, parent] = [hostOf(issuer), hostOf(constraint)];
  return own !== undefined && parent !== undefined && (own === parent || own.endsWith(`.${parent}`));
}

function hostOf(url) {
  const authority = /^https?:\/\/([^/?#]*)/.exec(url)?.[1];
  const host = authority?.startsWith("[") ? /^\[([^\]]*)\]/.exec(authority)?.[1] : authority?.split(":")[0];
  return host && /^[!-~]+$/.test(host) && !/[@\\%]/.test(host) ? host.toLowerCase() : undefined;
}

function required(key, name, most, at) {
  const value = text(key, name, most, at);
  check(value !== undefined && value !== "", `${at}.${name} must be a string that is not empty`);
  return value;
}

function text(key, name, most, at) {
  const value = key[name] ?? undefined;
  check(value === undefined || typeof value === "string", `${at}.${name} must be a string`);
  if (value !== undefined) {
    checkLength(`${at}.${name}`, value, most);
  }
  return value;
}

function checkLength(name, value, most) {
  const size = Buffer.byteLength(value);
  check(size <= most, `${name} has ${size} bytes; there may be ${most}`);
}

function check(holds, otherwise) {
  if (!holds) {
    throw new Error(otherwise);
  }
}
