//! The figures, as `taper doctor --json` prints them.

use serde::Serialize;
use taper_corpus::Defects;

/// All that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// The data set, as its recipe calls it.
    pub dataset: String,
    /// The container it came in.
    pub source: String,
    /// Names of the classes.
    pub class_names: Vec<String>,
    /// The least Jaccard index of near-duplicates.
    pub near_threshold: f64,
    /// Words of a shingle, the unit that the index counts.
    pub shingle_words: usize,
    /// What is worth knowing, gravest first.
    pub findings: Vec<Finding>,
    /// Rows that a split for judging has too: what `--fix` would drop.
    pub leaking_rows: u64,
    /// Every split, train first.
    pub splits: Vec<SplitDiagnosis>,
    /// Every two splits.
    pub pairs: Vec<Pair>,
    /// One text, two labels.
    pub conflicts: ClassConflicts,
    /// Texts among so many alike that not all of their pairs may have been compared: near-duplicates may be more than counted.
    pub crowded_texts: u64,
    /// Near-duplicates by Jaccard index, a twentieth of the way from the threshold to 1 each.
    pub similarities: Vec<u64>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Judging is not to be trusted.
    Leak,
    /// Worth a look before training.
    Warning,
    /// Good to know.
    Note,
}

/// Something worth knowing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name of the kind.
    pub kind: &'static str,
    /// The splits it is about.
    pub splits: Vec<String>,
    /// A sentence.
    pub message: String,
    /// Some of the rows.
    pub examples: Vec<Example>,
}

/// A row, and the one it is like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// `SPLIT:ID`, as `taper trace --row` takes it.
    pub row: String,
    /// The other row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
}

/// One split.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SplitDiagnosis {
    /// Its name.
    pub split: String,
    /// Texts.
    pub rows: u64,
    /// Different texts.
    pub distinct: u64,
    /// Texts of each class, in the order of the class names.
    pub labels: Vec<u64>,
    /// Texts without a label.
    pub unlabelled: u64,
    /// Different groups.
    pub groups: u64,
    /// Texts that repeat one of the same split.
    pub repeats: Repeats,
    /// Damage and markup.
    pub defects: SplitDefects,
    /// Texts without a single token.
    pub empty: u64,
    /// Texts of one token.
    pub one_token: u64,
    /// Tokens a text.
    pub lengths: Lengths,
    /// What is lost where texts are cut short.
    pub cuts: Vec<Cut>,
    /// What vocabulary and vectors know of it.
    pub coverage: Coverage,
    /// How its words differ from the training split's; `None` for that one.
    pub drift: Option<Drift>,
}

/// Repeats within a split, or across two.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Repeats {
    /// Different texts that occur more than once.
    pub identical_texts: u64,
    /// Rows beyond each text's first (within a split).
    pub extra_rows: u64,
    /// Pairs of different texts that are near-duplicates.
    pub near_pairs: u64,
    /// Rows with such a text.
    pub near_rows: u64,
}

/// Two splits, and what stands in both.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Pair {
    /// Their names.
    pub splits: [String; 2],
    /// Different texts in both.
    pub identical_texts: u64,
    /// Rows of each with such a text.
    pub identical_rows: [u64; 2],
    /// Pairs of different texts, one of each, that are near-duplicates.
    pub near_pairs: u64,
    /// Rows of each that have a near-duplicate in the other, and no identical text.
    pub near_rows: [u64; 2],
    /// Groups in both.
    pub groups: u64,
    /// Whether the one is judged by what the other has learned.
    pub judges: bool,
}

/// One text, two labels; in any splits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ClassConflicts {
    /// Different texts that have more than one label.
    pub identical_texts: u64,
    /// Near-duplicates with labels that differ.
    pub near_pairs: u64,
}

/// Damage and markup of a split. Counted after normalisation: a `<br />` has become a line break by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SplitDefects {
    /// Texts with a character lost or garbled.
    pub damaged_texts: u64,
    /// Texts with markup.
    pub markup_texts: u64,
    /// What there is, in all texts.
    pub characters: Defects,
}

/// Tokens a text.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Lengths {
    /// All tokens.
    pub tokens: u64,
    /// Their mean number.
    pub mean: f64,
    /// The least, percentiles (nearest rank), and the most.
    pub min: u64,
    /// 5 of 100 texts are no longer.
    pub p5: u64,
    /// A quarter is no longer.
    pub p25: u64,
    /// Half are no longer.
    pub p50: u64,
    /// Three quarters are no longer.
    pub p75: u64,
    /// 95 of 100 are no longer.
    pub p95: u64,
    /// 99 of 100 are no longer.
    pub p99: u64,
    /// The longest.
    pub max: u64,
    /// Texts by length: bin i holds lengths from 2^(i/2) up to, and without, 2^((i+1)/2); bin 0 those of no token too.
    pub histogram: Vec<u64>,
}

/// What is lost where texts are cut to `max_length` tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Cut {
    /// Tokens kept at most.
    pub max_length: usize,
    /// Texts that are longer.
    pub texts: u64,
    /// Tokens that fall away.
    pub tokens: u64,
}

/// Tokens that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Coverage {
    /// All tokens.
    pub tokens: u64,
    /// Those in the vocabulary.
    pub in_vocabulary: u64,
    /// Those whose word has a vector; `None` without vectors.
    pub with_vector: Option<u64>,
}

/// How far the words of a split are from those of the training split.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Drift {
    /// Jensen-Shannon divergence of the two unigram distributions, in bits: 0 the same, 1 nothing in common. Words
    /// outside the vocabulary count as one word.
    pub js_divergence: f64,
    /// The same between a sample of the training split, as large as this split but half of it at the most, and its other
    /// rows: what chance alone gives.
    pub floor: f64,
    /// The words that add most to it.
    pub words: Vec<DriftWord>,
}

/// A word and how often it occurs in a million tokens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriftWord {
    /// The word.
    pub word: String,
    /// In the training split.
    pub train_per_million: f64,
    /// Here.
    pub here_per_million: f64,
}
