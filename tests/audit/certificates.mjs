// What scripts ask about certificates and keys, by the means of Node.js.

import { X509Certificate, createPublicKey } from "node:crypto";

import { sha256 } from "./ledger.mjs";

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

// All certificates of a PEM text; throws if one of them is none.
export function certificatesOf(pem) {
  return (pem.match(BLOCK) ?? []).map((block) => new X509Certificate(block));
}

// Hex SHA-256 of the first certificate: the identifier of a member or user.
export function idOf(pem) {
  const [first] = certificatesOf(pem);
  if (first === undefined) {
    throw new Error("no PEM block of a certificate");
  }
  return sha256(first.raw).toString("hex");
}

// Whether the text holds one or more certificates.
export function isBundle(pem) {
  return attempt(() => certificatesOf(pem).length > 0);
}

// Whether each certificate of the chain is issued by the next, and the last is, or is issued by, a trusted one.
export function isChain(chainPem, trustedPem) {
  return attempt(() => {
    const chain = certificatesOf(chainPem);
    const trusted = certificatesOf(trustedPem);
    const last = chain.at(-1);
    const linked = chain.every((one, at) => one === last || isIssuedBy(one, chain[at + 1]));
    return linked && trusted.some((root) => root.raw.equals(last.raw) || isIssuedBy(last, root));
  });
}

function isIssuedBy(certificate, issuer) {
  return issuer.publicKey.asymmetricKeyType === "ec" && certificate.verify(issuer.publicKey);
}

// Whether recovery shares can be encrypted to the key.
export function isEncryptionKey(pem) {
  return attempt(() => {
    const { asymmetricKeyType: kind, asymmetricKeyDetails: details } = createPublicKey(pem);
    return /-----BEGIN PUBLIC KEY-----/.test(pem) && kind === "rsa" && details.modulusLength >= 2048;
  });
}

function attempt(check) {
  try {
    return check();
  } catch {
    return false;
  }
}
