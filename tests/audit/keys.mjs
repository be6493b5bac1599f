// Public keys and signatures for scripts (`ccf.crypto`), by the means of Node.js.

import { X509Certificate, constants, createPublicKey, verify } from "node:crypto";

const MEMBERS = { EC: ["crv", "x", "y"], RSA: ["n", "e"], OKP: ["crv", "x"] };
const CURVES = { EC: ["P-256", "P-384", "P-521"], OKP: ["Ed25519", "X25519"] };

// The JWK of a PEM key of the named kind, its members in the order of their names.
export function pemToJwk(kty, pem, kid) {
  return explained("Failed to convert pem to jwk: ", () => {
    const jwk = publicKeyOf(pem, ["PUBLIC KEY"]).export({ format: "jwk" });
    check(jwk.kty === kty, `the key is of kind ${jwk.kty}, not ${kty}`);
    const members = { ...jwk, ...(kid === undefined ? {} : { kid }) };
    return Object.fromEntries(Object.entries(members).sort(([one], [other]) => (one < other ? -1 : 1)));
  });
}

// The PEM key of a JWK of the named kind.
export function jwkToPem(kty, text) {
  return explained("Failed to convert jwk to pem: ", () => {
    const jwk = JSON.parse(text);
    check(jwk?.kty === kty, `"kty" must be "${kty}"`);
    const members = MEMBERS[kty].map((name) => [name, jwk[name]]);
    check(members.every(([, value]) => typeof value === "string"), "a member must be a string");
    check(kty === "RSA" || CURVES[kty].includes(jwk.crv), `"crv" must be one of ${CURVES[kty]?.join(", ")}`);
    const key = createPublicKey({ key: { kty, ...Object.fromEntries(members) }, format: "jwk" });
    return key.export({ type: "spki", format: "pem" });
  });
}

// Whether a signature with SHA-256 verifies; throws where scheme and key do not fit.
export function isSignature(scheme, pem, signature, data) {
  return explained("Failed to verify signature: ", () => {
    const key = publicKeyOf(pem, ["PUBLIC KEY", "CERTIFICATE"]);
    const wanted = { "RSA-PSS": "rsa", ECDSA: "ec", EdDSA: "ed25519" }[scheme];
    check(key.asymmetricKeyType === wanted, "public key: not for signatures of this kind");
    const [message, given] = [data, signature].map((binary) => Buffer.from(binary, "latin1"));
    switch (scheme) {
      case "RSA-PSS":
        return verifyPss(key, message, given);
      case "ECDSA":
        return verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, given);
      default:
        return verify(null, message, key, given);
    }
  });
}

function verifyPss(key, message, signature) {
  const { modulusLength } = key.asymmetricKeyDetails;
  const options = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  return modulusLength >= 2048 && modulusLength <= 8192 && verify("sha256", message, options, signature);
}

// The key in the first block of a PEM text, whose tag is one of those listed.
function publicKeyOf(pem, tags) {
  const [block, tag] = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/.exec(pem) ?? [];
  check(tags.includes(tag), `PEM block is a ${tag}`);
  return tag === "CERTIFICATE" ? new X509Certificate(block).publicKey : createPublicKey(block);
}

function explained(what, work) {
  try {
    return work();
  } catch (error) {
    throw new Error(what + error.message);
  }
}

function check(holds, otherwise) {
  if (!holds) {
    throw new Error(otherwise);
  }
}
