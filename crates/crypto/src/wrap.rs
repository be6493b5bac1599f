//! RSA-OAEP with SHA-256, MGF1-SHA-256 and no label: how recovery shares reach members.

use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use zeroize::Zeroizing;

use crate::{CryptoError, Result, pem_text};

/// Checks that a PEM text is an RSA public key that shares can be encrypted to (2048 to 8192 bits).
///
/// # Errors
/// [`CryptoError::Key`]
pub fn check_encryption_key(public_key_pem: &str) -> Result<()> {
    public_key(public_key_pem).map(|_| ())
}

/// Encrypts to the holder of an RSA key (PEM, `PUBLIC KEY`).
///
/// # Errors
/// [`CryptoError::Key`] for a text that is no such key, [`CryptoError::Encryption`] for data that is too long for it.
pub fn rsa_oaep_encrypt(public_key_pem: &str, data: &[u8]) -> Result<Vec<u8>> {
    let key = public_key(public_key_pem)?;
    let mut out = vec![0; key.ciphertext_size()];
    let length = key
        .encrypt(&OAEP_SHA256_MGF1SHA256, data, &mut out, None)
        .map(|written| written.len())
        .map_err(|_| CryptoError::Encryption)?;
    out.truncate(length);
    Ok(out)
}

/// Decrypts with an RSA private key (PEM: PKCS#8, or PKCS#1 as older OpenSSL writes it).
///
/// # Errors
/// [`CryptoError::Key`] or [`CryptoError::Decryption`].
pub fn rsa_oaep_decrypt(private_key_pem: &str, data: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let block = pem_text::first(private_key_pem).map_err(|why| CryptoError::key("RSA private key", why))?;
    let der = match block.tag() {
        "RSA PRIVATE KEY" => wrap_pkcs1(block.contents())?,
        _ => Zeroizing::new(block.contents().to_vec()),
    };
    let key = PrivateDecryptingKey::from_pkcs8(&der).map_err(|why| CryptoError::key("RSA private key", why)).and_then(
        |key| OaepPrivateDecryptingKey::new(key).map_err(|_| CryptoError::key("RSA private key", "unusable")),
    )?;
    let mut out = Zeroizing::new(vec![0; key.min_output_size()]);
    let length = key
        .decrypt(&OAEP_SHA256_MGF1SHA256, data, &mut out, None)
        .map(|plain| plain.len())
        .map_err(|_| CryptoError::Decryption)?;
    out.truncate(length);
    Ok(out)
}

/// PKCS#8 (RFC 5208) around a PKCS#1 key: version 0, rsaEncryption, the key as octets.
fn wrap_pkcs1(key: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    const VERSION_AND_ALGORITHM: &[u8] = b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    let too_long = |_| CryptoError::key("RSA private key", "it is too long");
    let two_bytes = |len: usize| u16::try_from(len).map(u16::to_be_bytes).map_err(too_long);
    let octets = two_bytes(key.len())?;
    let all = two_bytes(VERSION_AND_ALGORITHM.len() + 4 + key.len())?;
    Ok(Zeroizing::new([b"\x30\x82", &all[..], VERSION_AND_ALGORITHM, b"\x04\x82", &octets[..], key].concat()))
}

/// A fresh RSA-2048 pair as PEM: (public, private).
///
/// # Errors
/// If the provider cannot make one.
pub fn generate_rsa_pair() -> Result<(String, Zeroizing<String>)> {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
    let failed = |_| CryptoError::key("RSA key", "could not be made");
    let key = PrivateDecryptingKey::generate(aws_lc_rs::rsa::KeySize::Rsa2048).map_err(failed)?;
    let public: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(failed)?;
    let private: Pkcs8V1Der<'_> = key.as_der().map_err(failed)?;
    let encode = |tag, der: &[u8]| crate::certificate::encode_pem(&pem::Pem::new(tag, der.to_vec()));
    Ok((encode("PUBLIC KEY", public.as_ref()), Zeroizing::new(encode("PRIVATE KEY", private.as_ref()))))
}

fn public_key(text: &str) -> Result<OaepPublicEncryptingKey> {
    let block = pem_text::first(text).map_err(|why| CryptoError::key("RSA public key", why))?;
    let key = PublicEncryptingKey::from_der(block.contents()).map_err(|why| CryptoError::key("RSA public key", why))?;
    OaepPublicEncryptingKey::new(key).map_err(|_| CryptoError::key("RSA public key", "unusable"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrapped_for_a_key_opens_with_it_only() {
        let (public, private) = generate_rsa_pair().unwrap();
        let (_, other) = generate_rsa_pair().unwrap();
        let wrapped = rsa_oaep_encrypt(&public, b"share").unwrap();
        assert_eq!(wrapped.len(), 256);
        assert_eq!(&**rsa_oaep_decrypt(&private, &wrapped).unwrap(), b"share");
        assert_eq!(rsa_oaep_decrypt(&other, &wrapped), Err(CryptoError::Decryption));
        assert!(rsa_oaep_encrypt("nonsense", b"share").is_err());
    }
}
