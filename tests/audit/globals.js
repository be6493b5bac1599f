// What a script of governance sees besides the language itself. This text is evaluated inside the script's own realm
// and gives a function that builds the globals.
//
// `bridge(name, ...arguments)` is the only thing that comes from outside. It takes and returns nothing but primitive
// values (bytes are strings with one character per byte), so that no object of the auditor's realm can get into the
// hands of a script. It answers JSON: ["value", …], ["nothing"] or ["throw", kind, text].
//
// Scripts may change every object of their realm, so nothing here looks up a property or an iterator that they can
// reach after they have begun.
(function (bridge, now, applies) {
  "use strict";

  const { apply, construct } = Reflect;
  const { parse, stringify } = JSON;
  const { fromCharCode } = String;
  const charCodeAt = String.prototype.charCodeAt;
  const subarray = Uint8Array.prototype.subarray;
  const Bytes = Uint8Array;
  const Buffer = ArrayBuffer;
  const RealDate = Date;
  const Errors = { Error, TypeError, RangeError, SyntaxError };
  const MORE_THAN_THE_STACK = "Maximum call stack size exceeded";

  function host(...question) {
    let answer;
    try {
      answer = apply(bridge, undefined, question);
    } catch {
      // An exception of the other realm is an object of the other realm.
      throw new Errors.RangeError(MORE_THAN_THE_STACK);
    }
    const parsed = parse(answer);
    if (parsed[0] === "throw") {
      throw new Errors[parsed[1]](parsed[2]);
    }
    return parsed[0] === "value" ? parsed[1] : undefined;
  }

  function bytes(buffer) {
    if (!(buffer instanceof Buffer)) {
      throw new Errors.TypeError("Argument must be an ArrayBuffer");
    }
    const view = new Bytes(buffer);
    let text = "";
    for (let at = 0; at < view.length; at += 8192) {
      text += apply(fromCharCode, null, apply(subarray, view, [at, at + 8192]));
    }
    return text;
  }

  function buffer(text) {
    const view = new Bytes(text.length);
    for (let at = 0; at < text.length; at++) {
      view[at] = apply(charCodeAt, text, [at]);
    }
    return view.buffer;
  }

  function text(value) {
    if (typeof value !== "string") {
      throw new Errors.TypeError("Argument must be a string");
    }
    return value;
  }

  function number(value) {
    if (typeof value !== "number") {
      throw new Errors.TypeError("Argument must be a number");
    }
    return value;
  }

  const textOrBytes = (value) => (value instanceof Buffer ? host("bufToStr", bytes(value)) : text(value));

  class KvMap {
    #name;

    constructor(name) {
      host("open", name);
      this.#name = name;
    }

    has(key) {
      return host("has", this.#name, bytes(key));
    }

    get(key) {
      const value = host("get", this.#name, bytes(key));
      return value === undefined ? undefined : buffer(value);
    }

    set(key, value) {
      host("set", this.#name, bytes(key), bytes(value));
      return this;
    }

    delete(key) {
      host("delete", this.#name, bytes(key));
      return true;
    }

    clear() {
      host("clear", this.#name);
    }

    forEach(visit) {
      const entries = host("entries", this.#name);
      for (let at = 0; at < entries.length; at++) {
        visit(buffer(entries[at][1]), buffer(entries[at][0]), this);
      }
    }

    get size() {
      return host("size", this.#name);
    }

    getVersionOfPreviousWrite(key) {
      return host("version", this.#name, bytes(key));
    }
  }

  // ---- Keys and signatures ----

  const pemToJwk = (kty) => (pem, kid) => host("pemToJwk", kty, text(pem), kid === undefined ? kid : text(kid));
  const jwkToPem = (kty) => (jwk) => host("jwkToPem", kty, text(stringify(jwk)));

  function verifySignature(algorithm, key, signature, data) {
    const { name, hash, saltLength } = algorithm;
    if (name !== "RSA-PSS" && name !== "ECDSA" && name !== "EdDSA") {
      throw new Errors.RangeError("Unsupported signing algorithm, supported: RSA-PSS, ECDSA, EdDSA");
    }
    if (name !== "EdDSA" && hash !== "SHA-256") {
      throw new Errors.RangeError("Unsupported hash algorithm, supported: SHA-256");
    }
    if (name === "RSA-PSS" && saltLength !== 32) {
      throw new Errors.RangeError("Unsupported salt length, supported: 32 (say so with saltLength)");
    }
    return host("verify", name, text(key), bytes(signature), bytes(data));
  }

  // Whatever needs or makes a secret is left out of the service.
  const LEFT_OUT = [
    "generateAesKey", "generateRsaKeyPair", "generateEcdsaKeyPair", "generateEddsaKeyPair",
    "sign", "wrapKey", "unwrapKey",
    "pemToJwk", "rsaPemToJwk", "eddsaPemToJwk", "jwkToPem", "rsaJwkToPem", "eddsaJwkToPem",
  ];

  function leftOut(name) {
    return () => {
      throw new Errors.Error(
        `ccf.crypto.${name} is left out: ` +
          "a decision is computed again from the ledger, which has no secrets for scripts",
      );
    };
  }

  // A setting that changes nothing.
  function setting() {
    let current = false;
    return (value) => {
      if (typeof value !== "boolean") {
        throw new Errors.TypeError("Argument must be a boolean");
      }
      const previous = current;
      current = value;
      return previous;
    };
  }

  // ---- The ccf object ----

  const kv = new Proxy(Object.freeze({}), {
    get: (_, name) => (typeof name === "string" ? new KvMap(name) : undefined),
  });

  const ccf = {
    kv,
    strToBuf: (value) => buffer(host("strToBuf", text(value))),
    bufToStr: (value) => host("bufToStr", bytes(value)),
    jsonCompatibleToBuf: (value) => buffer(host("strToBuf", text(stringify(value)))),
    bufToJsonCompatible: (value) => parse(host("bufToStr", bytes(value))),
    pemToId: (pem) => host("pemToId", text(pem)),
    enableUntrustedDateTime: setting(),
    enableMetricsLogging: setting(),
    tcbHexToPolicy: (cpuid, version) => host("tcbPolicy", text(cpuid), text(version)),
    crypto: {
      digest(algorithm, value) {
        if (algorithm !== "SHA-256") {
          throw new Errors.TypeError("unsupported digest algorithm, supported: SHA-256");
        }
        return buffer(host("digest", bytes(value)));
      },
      isValidX509CertBundle: (pem) => typeof pem === "string" && host("isBundle", pem),
      isValidX509CertChain: (chain, trusted) =>
        typeof chain === "string" && typeof trusted === "string" && host("isChain", chain, trusted),
      verifySignature,
      pubPemToJwk: pemToJwk("EC"),
      pubRsaPemToJwk: pemToJwk("RSA"),
      pubEddsaPemToJwk: pemToJwk("OKP"),
      pubJwkToPem: jwkToPem("EC"),
      pubRsaJwkToPem: jwkToPem("RSA"),
      pubEddsaJwkToPem: jwkToPem("OKP"),
    },
    gov: {
      validateConstitution: (value) => host("validateConstitution", text(value)),
      isValidEncryptionKey: (pem) => typeof pem === "string" && host("isEncryptionKey", pem),
      maximumRuntimeOptions: Object.freeze({
        max_heap_bytes: 268435456,
        max_stack_bytes: 4194304,
        max_execution_time_ms: 5000,
      }),
    },
  };

  for (const name of LEFT_OUT) {
    ccf.crypto[name] = leftOut(name);
  }

  if (applies) {
    const effect = (name, one, two) => host("effect", name, one, two);
    const secrets = "public:ccf.internal.historical_encrypted_ledger_secret";
    ccf.node = {
      triggerLedgerRekey: () => effect("rekey"),
      triggerRecoverySharesRefresh: () => effect("shares"),
      triggerLedgerChunk: () => effect("chunk"),
      triggerSnapshot: () => effect("snapshot"),
      transitionServiceToOpen: (previous, next) =>
        effect("open", previous === undefined ? undefined : textOrBytes(previous), textOrBytes(next)),
    };
    const only = fromCharCode(0, 0, 0, 0, 0, 0, 0, 0);
    ccf.network = {
      getLatestLedgerSecretSeqno() {
        const record = host("get", secrets, only);
        return record === undefined
          ? 1
          : (parse(host("bufToStr", record)).next_version ?? host("version", secrets, only) + 1);
      },
      generateEndorsedCertificate: (request, validFrom, days) =>
        host("endorse", text(request), text(validFrom), number(days)),
      generateNetworkCertificate: (validFrom, days) => host("renew", text(validFrom), number(days)),
    };
    ccf.setJwtPublicSigningKeys = (issuer, metadata, jwks) =>
      effect("setTokenKeys", text(issuer), text(stringify(jwks)));
    ccf.removeJwtPublicSigningKeys = (issuer) => effect("removeTokenKeys", text(issuer));
  }

  function FixedDate(...parts) {
    if (new.target === undefined) {
      return new RealDate(now).toString();
    }
    return construct(RealDate, parts.length === 0 ? [now] : parts, new.target);
  }

  const hidden = (value) => ({ value, writable: true, enumerable: false, configurable: true });
  Object.defineProperties(FixedDate, {
    name: { value: "Date", configurable: true },
    length: { value: 7, configurable: true },
    prototype: { value: RealDate.prototype, writable: false },
    now: hidden(() => now),
    parse: hidden(RealDate.parse),
    UTC: hidden(RealDate.UTC),
  });
  Object.defineProperty(RealDate.prototype, "constructor", hidden(FixedDate));
  Object.defineProperty(Math, "random", hidden(() => host("random")));

  // The service's engine writes no name of the time zone behind a date.
  for (const name of ["toString", "toTimeString"]) {
    const real = RealDate.prototype[name];
    const replace = String.prototype.replace;
    const zone = / \(.*\)$/;
    Object.defineProperty(
      RealDate.prototype,
      name,
      hidden({ [name]() { return apply(replace, apply(real, this, []), [zone, ""]); } }[name]),
    );
  }

  const quiet = () => {};
  Object.defineProperties(globalThis, {
    Date: hidden(FixedDate),
    ccf: hidden(ccf),
    console: hidden({ log: quiet, info: quiet, warn: quiet, error: quiet, debug: quiet }),
  });
  for (const name of ["Atomics", "SharedArrayBuffer", "WeakRef", "FinalizationRegistry", "Intl", "WebAssembly"]) {
    delete globalThis[name];
  }
  // Traces are the engine's, and a way to look at the functions of others.
  delete Error.captureStackTrace;
  Object.defineProperty(Error, "stackTraceLimit", { value: 0, writable: false, configurable: false });
  Object.defineProperty(Error, "prepareStackTrace", { value: undefined, writable: false, configurable: false });

  // Calls a function and tells the bridge how it ended.
  function call(callee, argumentsText) {
    let json;
    try {
      const value = apply(callee, undefined, parse(argumentsText));
      json = host("isPromise", value) ? undefined : (stringify(value) ?? "null");
    } catch (error) {
      tell(error);
      return;
    }
    host("returned", json);
  }

  // Tells the bridge what was thrown.
  function tell(error) {
    host("threw", reasonOf(error));
  }

  function reasonOf(error) {
    try {
      return `${error}`;
    } catch {
      return "an exception without a text";
    }
  }

  return { call, tell };
});
