// Certificates that `apply` asks the service for: another one at each call, so they are taken from the ledger.
//
// Taken is a certificate that stands in what the transaction wrote, for the key that was asked for (the service's own,
// or that of the signing request), issued with the key of the service, and valid exactly as long as was asked for: from
// the first second, for so many days less a second.

import { X509Certificate } from "node:crypto";

import { SERVICE_CONFIG, SERVICE_INFO } from "./names.mjs";
import { ONLY, jsonOf, textOf } from "./state.mjs";

const DEFAULT_MOST_DAYS = 365;
const DAY_MS = 86_400_000;
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----(?:\r?\n|\\n)?/g;

// The certificate, PEM; throws where the service refuses to make one. What is not in the ledger is a text that says so.
export function certificateFor(draft, entry, wanted) {
  const isForNode = wanted.request !== undefined;
  const settings = jsonOf(draft.get(SERVICE_CONFIG, ONLY)) ?? {};
  const setting = `maximum_${isForNode ? "node" : "service"}_certificate_validity_days`;
  const most = settings[setting] ?? DEFAULT_MOST_DAYS;
  if (wanted.days > most) {
    const of = isForNode ? "a node" : "the service";
    throw new Error(`a certificate of ${of} may be valid for at most ${most} days, not for ${wanted.days}`);
  }
  const service = new X509Certificate(jsonOf(draft.get(SERVICE_INFO, ONLY)).cert);
  const asked = { from: startOf(wanted.validFrom), days: wanted.days, issuer: service.publicKey };
  asked.key = isForNode ? keyOfRequest(wanted.request) : spkiOf(service);
  const recorded = recordedCertificates(entry).find(({ certificate }) => isAsAsked(certificate, asked));
  return recorded?.pem ?? "a certificate that is not in the ledger\n";
}

function isAsAsked(certificate, { from, days, issuer, key }) {
  const [since, until] = [certificate.validFrom, certificate.validTo].map((text) => Date.parse(text));
  return (
    spkiOf(certificate).equals(key) &&
    certificate.verify(issuer) &&
    since === from &&
    until === from + days * DAY_MS - 1000
  );
}

const spkiOf = (certificate) => certificate.publicKey.export({ type: "spki", format: "der" });

// All certificates in what a transaction wrote, whether as they are or in a JSON string.
function recordedCertificates(entry) {
  const values = [...entry.tables.values()].flatMap((writes) => [...writes.values()]);
  const texts = values.filter((value) => value !== null).map(textOf);
  const blocks = texts.flatMap((text) => text.match(BLOCK) ?? []);
  return blocks.map((block) => block.replaceAll("\\n", "\n").replace(/\n*$/, "\n")).flatMap(certificateOf);
}

// What only looks like a certificate is none: a transaction also has texts that anybody may have written.
function certificateOf(pem) {
  try {
    return [{ pem, certificate: new X509Certificate(pem) }];
  } catch {
    return [];
  }
}

// `YYYY-MM-DD HH:MM:SS`, `YYMMDDHHMMSSZ` (1950 to 2049) or `YYYYMMDDHHMMSSZ`, in UTC; in milliseconds.
function startOf(text) {
  const spaced = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)$/.exec(text);
  const compact = /^(\d\d|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  const [, year, ...rest] = spaced ?? compact ?? [];
  const century = year?.length === 2 ? (Number(year) >= 50 ? "19" : "20") : "";
  const [month, day, hour, minute, second] = rest;
  const iso = `${century}${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const time = Date.parse(iso);
  if (Number.isNaN(time) || new Date(time).toISOString() !== iso) {
    throw new Error(`Failed to make a certificate: ${text} is no start of a validity`);
  }
  return time;
}

// The SubjectPublicKeyInfo of a signing request (PKCS#10): the third member of the first member.
function keyOfRequest(pem) {
  const base64 = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([^-]*)-----END/.exec(pem)?.[1];
  try {
    const [info] = members(Buffer.from(base64, "base64"));
    return members(info)[2];
  } catch {
    throw new Error("Failed to make a certificate: the signing request cannot be read");
  }
}

// The members of a DER SEQUENCE, each with its header.
function members(bytes) {
  const [, body] = header(bytes);
  const items = [];
  for (let at = body; at < bytes.length; ) {
    const [length, start] = header(bytes.subarray(at));
    items.push(bytes.subarray(at, at + start + length));
    at += start + length;
  }
  return items;
}

// Length of the content of a DER item, and where that begins.
function header(bytes) {
  const first = bytes[1];
  if (first < 0x80) {
    return [first, 2];
  }
  const size = first & 0x7f;
  return [bytes.readUIntBE(2, size), 2 + size];
}
