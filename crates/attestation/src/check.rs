use std::fmt;

/// Declares [`Check`] with the name of each check and what it makes sure of.
macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// One thing that is checked about evidence.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Check {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Check {
            /// All checks, in the order in which they are declared.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name of the check, such as `report.signature`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What the check makes sure of, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

checks! {
    /// The evidence is JSON of a known shape, with every part in base64 or PEM as it should be.
    DocumentFormat = "document.format",
    /// The report has exactly 1184 bytes.
    ReportSize = "report.size",
    /// The report is of a published version, from 2 to 5.
    ReportVersion = "report.version",
    /// What the report reserves is zero, and its guest policy is as AMD defines it.
    ReportReserved = "report.reserved",
    /// The report is signed with ECDSA on P-384 and SHA-384.
    ReportAlgorithm = "report.algorithm",
    /// The report is signed by a VCEK or VLEK, and that is what the chain begins with.
    ReportSigningKey = "report.signing_key",
    /// The signature of the report fits its bytes and the key of the chip.
    ReportSignature = "report.signature",
    /// The guest cannot be debugged by the host.
    PolicyDebug = "policy.debug",
    /// The guest has no migration agent, which could move its state elsewhere.
    PolicyMigration = "policy.migration_agent",
    /// The report was asked for at a privilege level of a guest, from 0 to 3.
    Vmpl = "report.vmpl",
    /// The chain is PEM of a sane size.
    ChainFormat = "chain.format",
    /// The chain has three certificates: chip, intermediate, root.
    ChainCount = "chain.count",
    /// The root is one of AMD's that are built in.
    ChainRoot = "chain.root",
    /// The root has signed itself.
    ChainRootSignature = "chain.root_signature",
    /// The root has signed the intermediate.
    ChainIntermediate = "chain.intermediate",
    /// The intermediate has signed the certificate of the chip.
    ChainChip = "chain.chip",
    /// The certificates of the chain have the names and uses that AMD gives them, and each may issue the one before it.
    ChainNames = "chain.names",
    /// The report comes from the family of processors that the root is for.
    ChainFamily = "chain.family",
    /// The certificate of the chip has the extensions that AMD defines, each once and well formed.
    ChainExtensions = "chain.extensions",
    /// The product that the certificate of the chip names is one of the root's family.
    ChainProduct = "chain.product",
    /// The certificate of the chip is for the chip that the report names.
    ChainChipId = "chain.chip_id",
    /// The certificate of the chip is for the firmware versions that the report names.
    ChainTcb = "chain.tcb",
    /// The firmware versions that came with the evidence are those of the report.
    EndorsedTcb = "report.endorsed_tcb",
    /// The firmware is at least as new as was asked for.
    MinimumTcb = "report.minimum_tcb",
    /// The endorsement of the utility VM is a COSE_Sign1 message about JSON, of a sane size, with the headers it needs.
    UvmFormat = "uvm.format",
    /// Each certificate of the endorsement is issued by the next one, which may issue it (RFC 5280).
    UvmChain = "uvm.chain",
    /// The issuer that the endorsement names, a did:x509, is that of its certificates.
    UvmIssuer = "uvm.issuer",
    /// The signature of the endorsement fits.
    UvmSignature = "uvm.signature",
    /// The endorsement says which launch measurement it is for, and its security version.
    UvmPayload = "uvm.payload",
    /// The guest was launched as the endorsement says.
    UvmMeasurement = "uvm.measurement",
    /// The evidence of the virtual machine has all its parts, each of a sane size.
    CvmFormat = "cvm.format",
    /// The HCL report is well formed, and the processor's report in it is the one that was sent beside it.
    HclReport = "hcl.report",
    /// The processor's report was asked for by the paravisor, which has level 0, and not by the guest above it.
    HclPrivilege = "hcl.privilege",
    /// The runtime claims of the HCL report are JSON with the key of the virtual TPM.
    HclClaims = "hcl.claims",
    /// The report of the processor binds the runtime claims.
    HclBinding = "hcl.binding",
    /// The certificate of the virtual TPM's attestation key is for the key in the runtime claims.
    AikCertificate = "aik.certificate",
    /// The quote is one of a TPM 2.0, with the magic of genuine ones.
    QuoteFormat = "quote.format",
    /// The virtual TPM's attestation key signed the quote.
    QuoteSignature = "quote.signature",
    /// The quote is over the nonce that was asked for.
    QuoteNonce = "quote.nonce",
    /// The quote selects exactly the registers that were sent, all of one bank of SHA-256.
    QuoteSelection = "quote.selection",
    /// The digest in the quote is that of the registers that were sent.
    QuoteDigest = "quote.digest",
    /// The verifier runs as `virtual` itself, and was told to let such evidence through, which proves nothing.
    VirtualAllowed = "virtual.allowed",
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
