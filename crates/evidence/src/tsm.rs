//! Reports through the kernel: configfs-tsm (Linux 6.7 and later, `Documentation/ABI/testing/configfs-tsm`).
//!
//! **This module runs on hardware only.** In tests somebody else fills the directory of a request as the kernel does;
//! nothing here can tell the difference, but whoever verifies the evidence can.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use attestation::{Caci, Document, report_data_of, snp};

use crate::{Certificates, EvidenceError, Obtaining, Result, Source, table::Table};

/// What the kernel calls the driver of SEV-SNP.
const PROVIDER: &str = "sev_guest";
/// Most bytes of what the kernel gives.
const MAX_BLOB: u64 = 64 << 10;

/// The processor's reports, as the kernel of a guest hands them out, with the chain that the host gives beside them or
/// else one from [`Certificates`].
#[derive(Debug, Clone)]
pub struct KernelReports {
    directory: PathBuf,
    certificates: Arc<Certificates>,
}

/// What the kernel gives.
#[derive(Debug, PartialEq, Eq)]
struct Blobs {
    report: Vec<u8>,
    table: Vec<u8>,
}

impl KernelReports {
    /// Where configfs is mounted.
    pub const DEFAULT_DIRECTORY: &str = "/sys/kernel/config/tsm/report";

    /// Reports from a directory.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, certificates: Arc<Certificates>) -> Self {
        Self { directory: directory.into(), certificates }
    }

    async fn obtain(&self, report_data: [u8; 64], filled: impl FnOnce(&Path) + Send + 'static) -> Result<Document> {
        let directory = self.directory.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&directory, &report_data, filled)).await;
        let blobs = asked.map_err(|why| EvidenceError::NotFound(why.to_string()))??;
        let chain = match Table::read(&blobs.table)?.chain() {
            Some(chain) => chain,
            None => self.certificates.chain_of(&blobs.report, Table::read(&blobs.table)?.chip.as_ref()).await?,
        };
        Ok(Document::Caci(Caci { report: blobs.report, chain, uvm_endorsements: None, endorsed_tcb: None }))
    }
}

impl Source for KernelReports {
    fn evidence<'a>(&'a self, public_key_pem: &'a [u8]) -> Obtaining<'a> {
        let report_data = report_data_of(public_key_pem);
        // The kernel fills the directory of a request by itself.
        Box::pin(self.obtain(report_data, |_| ()))
    }
}

/// The directory of a request. It goes away with this.
struct Entry {
    path: PathBuf,
}

/// Makes a request and reads the answer. `filled` is called once the request exists.
fn ask(directory: &Path, report_data: &[u8; 64], filled: impl FnOnce(&Path)) -> Result<Blobs> {
    let entry = Entry::create(directory)?;
    filled(&entry.path);
    let provider = entry.read("provider")?;
    if provider.trim_ascii() != PROVIDER.as_bytes() {
        return Err(entry.odd(format!("its provider is {:?}", String::from_utf8_lossy(&provider).trim())));
    }
    let before = entry.generation()?;
    entry.write("inblob", report_data)?;
    let report = entry.read("outblob")?;
    let table = entry.read("auxblob")?;
    // Each write counts: another number means that somebody else wrote to this request.
    let written = entry.generation()?;
    if written != before + 1 {
        return Err(entry.odd(format!("its generation went from {before} to {written}")));
    }
    if report.len() != snp::SIZE {
        return Err(entry.odd(format!("its report has {} bytes", report.len())));
    }
    Ok(Blobs { report, table })
}

impl Entry {
    /// A request of a name that nobody else uses.
    fn create(directory: &Path) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("cgs-{}-{number}", std::process::id()));
        fs::create_dir(&path).map_err(EvidenceError::file(&path))?;
        Ok(Self { path })
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.path.join(name);
        let failed = EvidenceError::file(&path);
        let mut bytes = Vec::new();
        let read = fs::File::open(&path)
            .and_then(|file| io::Read::read_to_end(&mut io::Read::take(file, MAX_BLOB), &mut bytes));
        read.map_err(failed).map(|_| bytes)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        let failed = EvidenceError::file(&path);
        // The file is the kernel's: it is there, and takes all bytes in one write.
        let written =
            fs::File::options().write(true).open(&path).and_then(|mut file| io::Write::write(&mut file, bytes));
        match written.map_err(failed)? {
            length if length == bytes.len() => Ok(()),
            length => Err(self.odd(format!("{name} took {length} of {} bytes", bytes.len()))),
        }
    }

    fn generation(&self) -> Result<u64> {
        let text = self.read("generation")?;
        let number = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        number.ok_or_else(|| self.odd(format!("its generation is {:?}", String::from_utf8_lossy(&text))))
    }

    fn odd(&self, found: String) -> EvidenceError {
        EvidenceError::Kernel { path: self.path.clone(), found }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // A request that stays costs the kernel a few bytes; its answer was read already.
        let _ = fs::remove_dir(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::table::tests::genuine;

    fn report(name: &str) -> Vec<u8> {
        let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/attestation");
        fs::read(data.join(name).join("report.bin")).unwrap()
    }

    /// What the kernel puts into the directory of a request.
    #[derive(Clone)]
    struct Kernel {
        provider: &'static str,
        report: Vec<u8>,
        table: Vec<u8>,
        /// The number of writes that it has counted when it is asked for the second time.
        counts: u64,
    }

    impl Kernel {
        fn of(name: &str) -> Self {
            Self { provider: "sev_guest\n", report: report(name), table: genuine(name).0, counts: 1 }
        }

        /// Fills a request, and counts the write to it once it has happened.
        fn fill(self) -> impl FnOnce(&Path) + Send + 'static {
            move |entry| {
                let put = |name: &str, bytes: &[u8]| fs::write(entry.join(name), bytes).unwrap();
                put("provider", self.provider.as_bytes());
                put("inblob", b"");
                put("generation", b"0\n");
                put("auxblob", &self.table);
                // Whoever reads the report waits for the writer at the other end of the pipe.
                let pipe = entry.join("outblob");
                assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
                let entry = entry.to_path_buf();
                std::thread::spawn(move || {
                    let mut pipe = fs::File::options().write(true).open(&pipe).unwrap();
                    fs::write(entry.join("generation"), self.counts.to_string()).unwrap();
                    io::Write::write_all(&mut pipe, &self.report).unwrap();
                });
            }
        }
    }

    fn reports(directory: &Path) -> KernelReports {
        KernelReports::new(directory, Arc::new(Certificates::new(None, None, Duration::from_secs(1)).unwrap()))
    }

    #[tokio::test]
    async fn the_kernel_gives_a_report_and_the_host_its_chain() {
        let directory = tempfile::tempdir().unwrap();
        let obtained = reports(directory.path()).obtain(report_data_of(b"key"), Kernel::of("genoa").fill()).await;
        let Document::Caci(evidence) = obtained.unwrap() else { panic!("a report") };
        assert_eq!((&evidence.report, &evidence.chain), (&report("genoa"), &genuine("genoa").1));
        attestation::Verifier::new(0).verify(&Document::Caci(evidence), &mut attestation::Trail::new()).unwrap();
        let entries: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(entries.len(), 1, "files of a real directory keep it; the kernel's do not");
        let entry = entries[0].as_ref().unwrap().path();
        assert_eq!(fs::read(entry.join("inblob")).unwrap(), report_data_of(b"key"));
    }

    #[tokio::test]
    async fn what_is_no_report_of_this_processor_is_named() {
        for (change, expected) in [
            (
                Box::new(|kernel: &mut Kernel| kernel.provider = "tdx_guest") as Box<dyn Fn(&mut Kernel)>,
                "its provider is \"tdx_guest\"",
            ),
            (Box::new(|kernel: &mut Kernel| kernel.report.truncate(1183)), "its report has 1183 bytes"),
            (Box::new(|kernel: &mut Kernel| kernel.report.resize(1 << 20, 0)), "its report has 65536 bytes"),
            (Box::new(|kernel: &mut Kernel| kernel.counts = 2), "its generation went from 0 to 2"),
            (Box::new(|kernel: &mut Kernel| kernel.table.truncate(40)), "are not there"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let mut kernel = Kernel::of("genoa");
            change(&mut kernel);
            let obtained = reports(directory.path()).obtain([7; 64], kernel.fill()).await;
            let error = obtained.unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }

    #[tokio::test]
    async fn a_chain_that_the_host_does_not_give_is_looked_for() {
        let directory = tempfile::tempdir().unwrap();
        let kernel = Kernel { table: Vec::new(), ..Kernel::of("genoa") };
        let error = reports(directory.path()).obtain([7; 64], kernel.fill()).await.unwrap_err();
        assert!(matches!(error, EvidenceError::NotFound(_)), "{error}");
    }

    #[tokio::test]
    async fn without_the_kernel_there_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let error = reports(directory.path()).evidence(b"key").await.unwrap_err();
        assert!(matches!(error, EvidenceError::File { ref path, .. } if path.ends_with("provider")), "{error}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "the request is taken back");
        let missing = directory.path().join("missing");
        let error = reports(&missing).evidence(b"key").await.unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
    }
}
