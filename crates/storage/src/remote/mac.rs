//! HMAC-SHA256, which both kinds of stores sign with.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// The block of SHA-256.
const BLOCK: usize = 64;

/// The code of `text` under `key`.
pub fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new(&block(key).into());
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// A key as HMAC takes it: filled up with zeros to a block, hashed first where it is longer.
fn block(key: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    match block.get_mut(..key.len()) {
        Some(front) => front.copy_from_slice(key),
        None => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    block
}

/// The hash of `text`, in hexadecimal.
pub fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    bytes.iter().flat_map(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases 2 and 6 of RFC 4231: a short key, and one longer than a block.
    #[test]
    fn the_examples_of_the_standard() {
        let short = hmac(b"Jefe", "what do ya want for nothing?");
        assert_eq!(
            hex(&short),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let long = hmac(
            &[0xaa; 131],
            "Test Using Larger Than Block-Size Key - Hash Key First",
        );
        assert_eq!(
            hex(&long),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
