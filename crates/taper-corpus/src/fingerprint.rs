//! A fingerprint of a set of texts with labels that does not care about their order or encoding.

/// Collects (text, label) pairs; equal multisets have equal fingerprints, whatever the order.
///
/// 32 bytes are kept a record: hashes are sorted before they are hashed together, since a plain sum
/// would let a forger swap in other texts.
#[derive(Debug, Default)]
pub struct ContentFingerprint {
    hashes: Vec<[u8; 32]>,
}

impl ContentFingerprint {
    /// An empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one text with its label.
    pub fn add(&mut self, text: &str, label: Option<u32>) {
        let mut hasher = blake3::Hasher::new_derive_key("taper-corpus 2026 content of a row");
        hasher.update(&label.map_or(-1, i64::from).to_le_bytes());
        hasher.update(text.as_bytes());
        self.hashes.push(*hasher.finalize().as_bytes());
    }

    /// How many rows were added.
    pub fn rows(&self) -> usize {
        self.hashes.len()
    }

    /// The fingerprint: 64 hexadecimal digits.
    pub fn finish(mut self) -> String {
        self.hashes.sort_unstable();
        let mut hasher = blake3::Hasher::new_derive_key("taper-corpus 2026 content of a set");
        for hash in &self.hashes {
            hasher.update(hash);
        }
        hasher.finalize().to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[(&str, Option<u32>)]) -> String {
        let mut fingerprint = ContentFingerprint::new();
        for &(text, label) in rows {
            fingerprint.add(text, label);
        }
        fingerprint.finish()
    }

    #[test]
    fn order_does_not_count_but_text_label_and_number_do() {
        let rows = of(&[("a", Some(0)), ("b", Some(1))]);
        assert_eq!(rows, of(&[("b", Some(1)), ("a", Some(0))]));
        assert_ne!(rows, of(&[("b", Some(0)), ("a", Some(1))]));
        assert_ne!(rows, of(&[("a", Some(0)), ("b", None)]));
        assert_ne!(rows, of(&[("a", Some(0)), ("b", Some(1)), ("b", Some(1))]));
    }
}
