// `ccf.tcbHexToPolicy`: the versions of the trusted computing base of SEV-SNP, taken apart (AMD, TCB_VERSION).

const [MILAN_AND_GENOA, TURIN] = [0x19, 0x1a];

// The object for the script, its members in the order in which the service has them.
export function tcbPolicy(cpuidText, version) {
  const bytes = digits("TCB version", version, 16);
  const cpuid = digits("CPUID", cpuidText, 8).readUInt32BE();
  const family = ((cpuid >> 8) & 0xf) + ((cpuid >> 20) & 0xff);
  const hexstring = version.toLowerCase();
  if (family === MILAN_AND_GENOA) {
    return { boot_loader: bytes[7], hexstring, microcode: bytes[0], snp: bytes[1], tee: bytes[6] };
  }
  if (family === TURIN) {
    return { boot_loader: bytes[6], fmc: bytes[7], hexstring, microcode: bytes[0], snp: bytes[4], tee: bytes[5] };
  }
  throw new Error(`CPUID ${cpuidText} is of family ${family.toString(16)}; known are 19 (Milan, Genoa) and 1a (Turin)`);
}

function digits(what, text, count) {
  if (text.length !== count || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new Error(`${what} ${JSON.stringify(text)} must be ${count} hexadecimal digits`);
  }
  return Buffer.from(text, "hex");
}
