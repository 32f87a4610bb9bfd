//! A fingerprint of a set of texts with labels that does not care about their order or encoding.

/// Collects (text, label) pairs; equal multisets have equal fingerprints, whatever the order.
///
/// `LtHash16` (Bellare and Micciancio 1997; Lewi et al. 2019): every row's BLAKE3, drawn out to 1,024 numbers of 16 bits,
/// is added lane by lane, so that memory does not grow with rows. A sum of plain hashes would let a forger find other
/// texts of the same sum; for sums of this width that is as hard as finding short vectors in a lattice.
#[derive(Debug)]
pub struct ContentFingerprint {
    lanes: Box<[u16; LANES]>,
    /// The same bytes as wider numbers: a row that is added 65,536 times comes to nothing in a narrow lane.
    wide: Box<[u64; LANES / 4]>,
    rows: usize,
}

const LANES: usize = 1024;
/// From so many rows on, the wide sums count too.
const MANY: usize = 1 << 16;

impl Default for ContentFingerprint {
    fn default() -> Self {
        Self { lanes: Box::new([0; LANES]), wide: Box::new([0; LANES / 4]), rows: 0 }
    }
}

impl ContentFingerprint {
    /// An empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one text with its label.
    pub fn add(&mut self, text: &str, label: Option<u32>) {
        self.add_numbers(text, &[label.map_or(-1, i64::from)]);
    }

    /// Adds a text that may have several labels, with those it has, ascending.
    pub fn add_labels(&mut self, text: &str, labels: &[u32]) {
        // No single label begins so.
        let mark = [-2, labels.len() as i64];
        let numbers: Vec<i64> =
            mark.into_iter().chain(labels.iter().copied().map(i64::from)).collect();
        self.add_numbers(text, &numbers);
    }

    fn add_numbers(&mut self, text: &str, labels: &[i64]) {
        let mut hasher = blake3::Hasher::new_derive_key("taper-corpus 2026 content of a row");
        for label in labels {
            hasher.update(&label.to_le_bytes());
        }
        hasher.update(text.as_bytes());
        let mut drawn = [0; 2 * LANES];
        hasher.finalize_xof().fill(&mut drawn);
        for (lane, word) in self.lanes.iter_mut().zip(drawn.chunks_exact(2)) {
            *lane = lane.wrapping_add(u16::from_le_bytes([word[0], word[1]]));
        }
        for (sum, word) in self.wide.iter_mut().zip(drawn.as_chunks::<8>().0) {
            *sum = sum.wrapping_add(u64::from_le_bytes(*word));
        }
        self.rows += 1;
    }

    /// How many rows were added.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The fingerprint: 64 hexadecimal digits.
    pub fn finish(self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("taper-corpus 2026 content of a set");
        hasher.update(&(self.rows as u64).to_le_bytes());
        for lane in self.lanes.iter() {
            hasher.update(&lane.to_le_bytes());
        }
        if self.rows >= MANY {
            for sum in self.wide.iter() {
                hasher.update(&sum.to_le_bytes());
            }
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
        let sets = |labels: &[u32]| {
            let mut fingerprint = ContentFingerprint::new();
            fingerprint.add_labels("a", labels);
            fingerprint.finish()
        };
        assert_eq!(sets(&[0, 2]), sets(&[0, 2]));
        assert_ne!(sets(&[0, 2]), sets(&[0]));
        assert_ne!(sets(&[0]), of(&[("a", Some(0))]));
        assert_ne!(sets(&[]), of(&[("a", None)]));
    }

    #[test]
    fn what_is_said_65536_times_counts() {
        assert_ne!(of(&vec![("a", None); MANY]), of(&vec![("b", None); MANY]));
    }
}
