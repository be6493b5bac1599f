// Builds the globals that scripts see from the functions of `host`, then forgets how.
(function (host) {
  "use strict";

  const { apply, construct } = Reflect;
  const { freeze } = Object;
  const { fromCharCode } = String;
  const { parse, stringify } = JSON;
  const { isView } = ArrayBuffer;
  const RealDate = Date;
  const Bytes = Uint8Array;
  const slice = Bytes.prototype.subarray;
  const CHUNK = 8192;

  // ---- Bytes and text ----

  // The bytes of a buffer as a string with one character per byte.
  function bytes(buffer) {
    if (!(buffer instanceof ArrayBuffer) || isView(buffer)) {
      throw new TypeError("Argument must be an ArrayBuffer");
    }
    const view = new Bytes(buffer);
    let text = "";
    for (let at = 0; at < view.length; at += CHUNK) {
      text += apply(fromCharCode, null, apply(slice, view, [at, at + CHUNK]));
    }
    return text;
  }

  function text(value) {
    if (typeof value !== "string") {
      throw new TypeError("Argument must be a string");
    }
    return value;
  }

  function number(value) {
    if (typeof value !== "number") {
      throw new TypeError("Argument must be a number");
    }
    return value;
  }

  function textOrBytes(value) {
    return value instanceof ArrayBuffer ? host.bufToStr(bytes(value)) : text(value);
  }

  // ---- Tables ----

  class KvMap {
    #name;

    constructor(name) {
      host.open(name);
      this.#name = name;
    }

    has(key) {
      return host.has(this.#name, bytes(key));
    }

    get(key) {
      return host.get(this.#name, bytes(key));
    }

    set(key, value) {
      host.set(this.#name, bytes(key), bytes(value));
      return this;
    }

    delete(key) {
      host.delete(this.#name, bytes(key));
      return true;
    }

    clear() {
      host.clear(this.#name);
    }

    // Visits what was there when it began, whatever the visitor writes meanwhile.
    forEach(visit) {
      const entries = host.entries(this.#name);
      for (let at = 0; at < entries.length; at++) {
        visit(entries[at][1], entries[at][0], this);
      }
    }

    get size() {
      return host.size(this.#name);
    }

    getVersionOfPreviousWrite(key) {
      return host.version(this.#name, bytes(key));
    }
  }

  const kv = new Proxy(Object.freeze({}), {
    get: (_, name) => (typeof name === "string" ? new KvMap(name) : undefined),
  });

  // ---- Keys and signatures ----

  const pemToJwk = (kty) => (pem, kid) => parse(host.pemToJwk(kty, text(pem), kid === undefined ? kid : text(kid)));
  const jwkToPem = (kty) => (jwk) => host.jwkToPem(kty, text(stringify(jwk)));

  // Over SHA-256. The result is false only where key, scheme and parameters make sense.
  function verifySignature(algorithm, key, signature, data) {
    const { name, hash, saltLength } = algorithm;
    if (name !== "RSA-PSS" && name !== "ECDSA" && name !== "EdDSA") {
      throw new RangeError("Unsupported signing algorithm, supported: RSA-PSS, ECDSA, EdDSA");
    }
    if (name !== "EdDSA" && hash !== "SHA-256") {
      throw new RangeError("Unsupported hash algorithm, supported: SHA-256");
    }
    if (name === "RSA-PSS" && saltLength !== 32) {
      throw new RangeError("Unsupported salt length, supported: 32 (say so with saltLength)");
    }
    return host.verify(name, text(key), bytes(signature), bytes(data));
  }

  const makesKeys = ["generateAesKey", "generateRsaKeyPair", "generateEcdsaKeyPair", "generateEddsaKeyPair"];
  const usesSecrets = ["sign", "wrapKey", "unwrapKey"];
  const convertsSecrets = ["pemToJwk", "rsaPemToJwk", "eddsaPemToJwk", "jwkToPem", "rsaJwkToPem", "eddsaJwkToPem"];

  function leftOut(name) {
    return () => {
      throw new Error(
        `ccf.crypto.${name} is left out: a decision is computed again from the ledger, which has no secrets for scripts`,
      );
    };
  }

  // ---- Settings of a runtime that is always the same ----

  function setting() {
    let current = false;
    return (value) => {
      if (typeof value !== "boolean") {
        throw new TypeError("Argument must be a boolean");
      }
      const previous = current;
      current = value;
      return previous;
    };
  }

  // ---- The ccf object ----

  const ccf = {
    kv,
    strToBuf: (value) => host.strToBuf(text(value)),
    bufToStr: (buffer) => host.bufToStr(bytes(buffer)),
    jsonCompatibleToBuf: (value) => host.strToBuf(text(stringify(value))),
    bufToJsonCompatible: (buffer) => parse(host.bufToStr(bytes(buffer))),
    pemToId: (pem) => host.pemToId(text(pem)),
    // Time is that of the request whatever is set, and nothing is measured.
    enableUntrustedDateTime: setting(),
    enableMetricsLogging: setting(),
    tcbHexToPolicy: (cpuid, version) => host.tcbPolicy(text(cpuid), text(version)),
    crypto: {
      digest(algorithm, buffer) {
        if (algorithm !== "SHA-256") {
          throw new TypeError("unsupported digest algorithm, supported: SHA-256");
        }
        return host.digest(bytes(buffer));
      },
      isValidX509CertBundle: (pem) => typeof pem === "string" && host.isBundle(pem),
      isValidX509CertChain: (chain, trusted) =>
        typeof chain === "string" && typeof trusted === "string" && host.isChain(chain, trusted),
      verifySignature,
      pubPemToJwk: pemToJwk("EC"),
      pubRsaPemToJwk: pemToJwk("RSA"),
      pubEddsaPemToJwk: pemToJwk("OKP"),
      pubJwkToPem: jwkToPem("EC"),
      pubRsaJwkToPem: jwkToPem("RSA"),
      pubEddsaJwkToPem: jwkToPem("OKP"),
    },
    gov: {
      validateConstitution: (value) => host.validateConstitution(text(value)),
      isValidEncryptionKey: (pem) => typeof pem === "string" && host.isEncryptionKey(pem),
      maximumRuntimeOptions: freeze(host.most),
    },
  };

  for (const name of [...makesKeys, ...usesSecrets, ...convertsSecrets]) {
    ccf.crypto[name] = leftOut(name);
  }

  if (host.applies) {
    const secrets = "public:ccf.internal.historical_encrypted_ledger_secret";
    const only = fromCharCode(0, 0, 0, 0, 0, 0, 0, 0);
    ccf.node = {
      triggerLedgerRekey: () => host.trigger("rekey"),
      triggerRecoverySharesRefresh: () => host.trigger("shares"),
      triggerLedgerChunk: () => host.trigger("chunk"),
      triggerSnapshot: () => host.trigger("snapshot"),
      transitionServiceToOpen: (previous, next) =>
        host.openService(previous === undefined ? undefined : textOrBytes(previous), textOrBytes(next)),
    };
    ccf.network = {
      // The record of the last change of the secret says from where on the new one is used.
      getLatestLedgerSecretSeqno() {
        const record = host.get(secrets, only);
        return record === undefined
          ? 1
          : (parse(host.bufToStr(bytes(record))).next_version ?? host.version(secrets, only) + 1);
      },
      // Certificates are new at every call: a decision that is computed again takes them from the record.
      generateEndorsedCertificate: (request, validFrom, days) =>
        host.endorse(text(request), text(validFrom), number(days)),
      generateNetworkCertificate: (validFrom, days) => host.renew(text(validFrom), number(days)),
    };
    // The metadata of an issuer has no part in what its keys are.
    ccf.setJwtPublicSigningKeys = (issuer, metadata, jwks) =>
      host.setTokenKeys(text(issuer), text(stringify(jwks)));
    ccf.removeJwtPublicSigningKeys = (issuer) => host.removeTokenKeys(text(issuer));
  }

  // ---- What must be the same whenever the script runs ----

  // Like Date, but the time it takes for now is that of the request.
  function FixedDate(...parts) {
    if (new.target === undefined) {
      return new RealDate(host.now).toString();
    }
    return construct(RealDate, parts.length === 0 ? [host.now] : parts, new.target);
  }

  const hidden = (value) => ({ value, writable: true, enumerable: false, configurable: true });
  Object.defineProperties(FixedDate, {
    name: { value: "Date", configurable: true },
    length: { value: 7, configurable: true },
    prototype: { value: RealDate.prototype, writable: false },
    now: hidden(() => host.now),
    parse: hidden(RealDate.parse),
    UTC: hidden(RealDate.UTC),
  });
  Object.defineProperty(RealDate.prototype, "constructor", hidden(FixedDate));
  Object.defineProperty(Math, "random", hidden(host.random));

  const quiet = () => {};
  Object.defineProperties(globalThis, {
    Date: hidden(FixedDate),
    ccf: hidden(ccf),
    console: hidden({ log: quiet, info: quiet, warn: quiet, error: quiet, debug: quiet }),
  });
  delete globalThis.Atomics;
  delete globalThis.SharedArrayBuffer;
});
