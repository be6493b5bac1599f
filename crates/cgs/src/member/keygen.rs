use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crypto::{
    Curve, SigningKey,
    issue::{Validity, self_signed},
    wrap,
};
use serde_json::json;

use crate::{context::Context, error::CliError, output::Table};

/// Make the key and certificate of a member
///
/// Writes NAME_privk.pem (readable by you only; it never leaves this machine) and
/// NAME_cert.pem (for everybody). With --encryption-key also NAME_enc_privk.pem and
/// NAME_enc_pubk.pem, with which the member holds a recovery share.
///
///   cgs member keygen ada
///   cgs member keygen ada --encryption-key --dir keys
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The name of the member: of the files, and in the certificate
    name: String,
    /// Where the files go
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Also make the pair of keys for a recovery share
    #[arg(long)]
    encryption_key: bool,
    /// How long the certificate is valid
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

/// The files of a member.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) encryption_certificate: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), CliError> {
    let made = make(&args.name, &args.dir, args.encryption_key, args.days)?;
    let value = json!({
        "memberId": made.id,
        "certificate": made.certificate,
        "key": made.key,
        "encryptionKey": made.encryption_certificate,
    });
    Ok(context.output.show(&value, || {
        let mut table = Table::pairs();
        table.pair("member id", &made.id);
        table.pair("certificate", format!("{} (send this to the others)", made.certificate.display()));
        table.pair("private key", format!("{} (keep this)", made.key.display()));
        if let Some(file) = &made.encryption_certificate {
            table.pair("encryption key", format!("{} (send this too)", file.display()));
        }
        table.to_string()
    })?)
}

/// Makes the files of a member. Nothing is overwritten.
pub(crate) fn make(name: &str, directory: &Path, encryption_key: bool, days: u32) -> Result<Made, CliError> {
    check_name(name)?;
    let file = |suffix: &str| directory.join(format!("{name}_{suffix}.pem"));
    std::fs::create_dir_all(directory).map_err(CliError::file(directory))?;
    let key = SigningKey::generate(Curve::P384)?;
    // A clock that is a little ahead of the others' must not make the certificate "not valid yet".
    let validity = Validity { from: client::now() - 3600, days };
    let certificate = self_signed(&key, name, &[], validity)?;
    write_new(&file("privk"), key.to_pem()?.as_bytes(), 0o600)?;
    write_new(&file("cert"), certificate.to_pem().as_bytes(), 0o644)?;
    let encryption = encryption_key.then(|| make_encryption_pair(&file("enc_privk"), file("enc_pubk"))).transpose()?;
    Ok(Made { id: certificate.id(), certificate: file("cert"), key: file("privk"), encryption_certificate: encryption })
}

fn make_encryption_pair(private_file: &Path, public_file: PathBuf) -> Result<PathBuf, CliError> {
    let (public, private) = wrap::generate_rsa_pair()?;
    write_new(private_file, private.as_bytes(), 0o600)?;
    write_new(&public_file, public.as_bytes(), 0o644)?;
    Ok(public_file)
}

fn check_name(name: &str) -> Result<(), CliError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.chars().all(allowed) {
        return Err(CliError::usage(format!("{name:?} cannot be a file name: use A-Z a-z 0-9 . _ -, at most 64")));
    }
    Ok(())
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<(), CliError> {
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(mode).open(path);
    opened.and_then(|mut file| file.write_all(content)).map_err(CliError::file(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn private_keys_are_for_their_owner_and_are_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let made = make("ada", directory.path(), true, 1).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&made.key), mode(&directory.path().join("ada_enc_privk.pem"))), (0o600, 0o600));
        let identity = client::Identity::read(&made.certificate, &made.key).unwrap();
        assert_eq!(identity.id(), made.id);
        let public = std::fs::read_to_string(made.encryption_certificate.unwrap()).unwrap();
        wrap::check_encryption_key(&public).unwrap();
        let again = make("ada", directory.path(), false, 1).unwrap_err().to_string();
        assert!(again.contains("ada_privk.pem"), "{again}");
        assert!(make("../x", directory.path(), false, 1).is_err());
    }
}
