// Signed governance requests: COSE_Sign1 (RFC 9052), tag 18, with the parameters of CCF in the protected header.

import { X509Certificate, verify } from "node:crypto";

const SIGN1 = 18;
const [ALG, KID] = [1, 4];
const HASHES = new Map([
  [-7, "sha256"],
  [-35, "sha384"],
  [-36, "sha512"],
]);

// The parts of a request; `bytes` is the whole message.
export function parseRequest(bytes) {
  const message = decode(bytes);
  if (message?.tag !== SIGN1 || !Array.isArray(message.value) || message.value.length !== 4) {
    throw new Error("the request is no COSE_Sign1");
  }
  const [protectedBytes, , payload, signature] = message.value;
  const header = decode(protectedBytes);
  return {
    alg: header.get(ALG),
    memberId: Buffer.from(header.get(KID)).toString("utf8"),
    type: header.get("ccf.gov.msg.type"),
    createdAt: header.get("ccf.gov.msg.created_at"),
    proposalId: header.get("ccf.gov.msg.proposal_id"),
    payload: Buffer.from(payload),
    signature: Buffer.from(signature),
    signed: encodeArray([Buffer.from("Signature1"), protectedBytes, Buffer.alloc(0), payload]),
  };
}

// Whether the holder of a certificate (PEM) signed the request.
export function isSignedBy(request, certificate) {
  const hash = HASHES.get(request.alg);
  if (hash === undefined) {
    return false;
  }
  const key = new X509Certificate(certificate).publicKey;
  return verify(hash, request.signed, { key, dsaEncoding: "ieee-p1363" }, request.signature);
}

// What is signed: a text and three byte strings.
function encodeArray([context, ...parts]) {
  const pieces = [head(4, 1 + parts.length), head(3, context.length), context];
  parts.forEach((part) => pieces.push(head(2, part.length), part));
  return Buffer.concat(pieces);
}

function head(major, count) {
  const first = major << 5;
  if (count < 24) {
    return Buffer.from([first | count]);
  }
  const size = count < 0x100 ? 1 : count < 0x10000 ? 2 : 4;
  const bytes = Buffer.alloc(1 + size);
  bytes[0] = first | (24 + Math.log2(size));
  bytes.writeUIntBE(count, 1, size);
  return bytes;
}

// One item of CBOR (RFC 8949). Floating point numbers, which no request needs, are undefined.
export function decode(bytes) {
  const [value, at] = item(Buffer.from(bytes), 0, 0);
  if (at !== bytes.length) {
    throw new Error("bytes follow the CBOR item");
  }
  return value;
}

const DEEPEST = 32;
const BREAK = 0xff;
const [BYTES, TEXT, LIST, MAP, TAG] = [2, 3, 4, 5, 6];

// The item that begins at `start`, and where it ends.
function item(bytes, start, depth) {
  if (start >= bytes.length || depth > DEEPEST) {
    throw new Error("the CBOR ends too early, or is nested too deeply");
  }
  const major = bytes[start] >> 5;
  const [argument, at] = argumentOf(bytes, start);
  switch (major) {
    case 0:
      return [argument, at];
    case 1:
      return [-1 - Number(argument), at];
    case BYTES:
    case TEXT:
      return string(bytes, at, argument, major, depth);
    case LIST:
      return items(bytes, at, argument, depth);
    case MAP: {
      const [flat, end] = items(bytes, at, argument === undefined ? undefined : 2 * argument, depth);
      return [new Map(flat.flatMap((key, index) => (index % 2 === 0 ? [[key, flat[index + 1]]] : []))), end];
    }
    case TAG: {
      const [value, end] = item(bytes, at, depth + 1);
      return [{ tag: argument, value }, end];
    }
    default:
      return [{ 20: false, 21: true, 22: null }[bytes[start] & 31], at];
  }
}

// The number in the head of an item, undefined where the length is not given, and where the head ends.
function argumentOf(bytes, start) {
  const low = bytes[start] & 31;
  if (low < 24) {
    return [low, start + 1];
  }
  if (low === 31) {
    return [undefined, start + 1];
  }
  const size = 2 ** (low - 24);
  if (low > 27 || start + 1 + size > bytes.length) {
    throw new Error("the head of a CBOR item is wrong");
  }
  const value = size === 8 ? safe(bytes.readBigUInt64BE(start + 1)) : bytes.readUIntBE(start + 1, size);
  return [value, start + 1 + size];
}

// As a number, if it can be one.
function safe(value) {
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

function string(bytes, at, length, major, depth) {
  if (length === undefined) {
    const [parts, end] = items(bytes, at, undefined, depth);
    return [major === TEXT ? parts.join("") : Buffer.concat(parts), end];
  }
  if (at + length > bytes.length) {
    throw new Error("the CBOR ends too early");
  }
  const content = bytes.subarray(at, at + length);
  return [major === TEXT ? content.toString("utf8") : content, at + length];
}

// So many items, or those up to a break.
function items(bytes, start, count, depth) {
  const found = [];
  let at = start;
  while (count === undefined ? bytes[at] !== BREAK : found.length < count) {
    const [value, end] = item(bytes, at, depth + 1);
    found.push(value);
    at = end;
  }
  return [found, count === undefined ? at + 1 : at];
}
