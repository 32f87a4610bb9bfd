//! What an inspection says, as it is printed with `--json`; `docs/inspect.md` describes it for readers of the JSON.

use serde::Serialize;
use taper_explain::Behaviour;

/// Tokens of a text that are explained, at the most: traces and pages grow with them.
pub const MAX_TOKENS: usize = 4096;

/// One or more texts, seen from inside a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Version of this document's shape: [`Self::FORMAT`].
    pub format: u32,
    /// Version of the crate that wrote it.
    pub taper: String,
    /// The model.
    pub model: InspectedModel,
    /// How contributions were computed.
    pub method: Method,
    /// The texts, in the order given.
    pub texts: Vec<InspectedText>,
}

impl Inspection {
    /// The version this crate writes. Fields may be added under it; none changes its meaning or goes.
    pub const FORMAT: u32 = 1;
}

/// The model's shape, as far as it helps to read the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedModel {
    /// Names of the classes.
    pub class_names: Vec<String>,
    /// LSTM layers.
    pub num_layers: usize,
    /// Directions of every layer: 1 or 2.
    pub directions: usize,
    /// Units of one direction of one layer.
    pub hidden_size: usize,
    /// How the steps become one vector, as in the recipe.
    pub pooling: crate::recipe::Pooling,
}

/// How a token's contribution to the target is computed, always against a text of zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// [`taper_explain::adaptive_integrated_gradients()`].
    #[default]
    IntegratedGradients,
    /// [`taper_explain::gradient_x_input()`].
    GradientXInput,
    /// [`taper_explain::occlusion()`].
    Occlusion,
}

/// One text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InspectedText {
    /// Where it is in prepared data; `None` for a text of its own.
    pub row: Option<InspectedRow>,
    /// The text as it came.
    pub text: String,
    /// What the model says of the tokens below.
    pub prediction: InspectedPrediction,
    /// Tokens of the whole text; 0 for one that reads as a single unknown word.
    pub tokens_in_text: usize,
    /// Why `tokens` are fewer than that, if they are.
    pub cut: Option<Cut>,
    /// The number that contributions are contributions to.
    pub target: InspectedTarget,
    /// Whether the contributions add up to it.
    pub completeness: Completeness,
    /// The tokens read, in order.
    pub tokens: Vec<InspectedToken>,
    /// What happened in every direction of every layer: layer by layer from the input, forward first.
    pub memory: Vec<DirectionMemory>,
}

/// A row of prepared data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedRow {
    /// Its split.
    pub split: String,
    /// Its id there.
    pub id: String,
    /// Name of its class.
    pub label: Option<String>,
}

/// What the model says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InspectedPrediction {
    /// Name of the most probable class. Where a text may have several labels, of the most probable one, whether the text
    /// is given it or not.
    pub label: String,
    /// Its probability.
    pub probability: f32,
    /// Where a text may have several labels: names of those whose probability reaches the model's threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Probability of every class, in the order of the classes.
    pub probabilities: Vec<f32>,
}

/// Why only the head of a text is inspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// The model reads no more (`max_length`).
    Model,
    /// The model reads more, but [`super::MAX_TOKENS`] are explained.
    Inspection,
}

/// The number that is explained: of two classes the log-odds of the second, of more how far the most probable
/// class's logit lies above the next one's. Where a text may have several labels: the log-odds of the most probable one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedTarget {
    /// The class that positive contributions speak for.
    pub toward: String,
    /// The class that negative contributions speak for.
    pub away: String,
}

/// The account of the contributions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Completeness {
    /// The target for these tokens.
    pub value: f64,
    /// The target for as many embeddings of zeros.
    pub baseline: f64,
    /// The contributions' sum; with integrated gradients, `value - baseline` but for `error`.
    pub sum: f64,
    /// `|sum - (value - baseline)| / |value - baseline|`; `None` where there is nothing to explain.
    pub error: Option<f64>,
    /// Points integrated over; 0 with methods that do not integrate.
    pub steps: usize,
    /// Share of the difference that lies in jumps (see [`taper_explain::Integrated`]); `None` as `error`.
    pub jumps: Option<f64>,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InspectedToken {
    /// The token.
    pub token: String,
    /// Its id.
    pub id: u32,
    /// Whether the vocabulary has it.
    pub known: bool,
    /// What it adds to the target.
    pub contribution: f32,
}

/// One direction of one layer. A list with an entry a token is in the text's order, whichever way the
/// direction reads; "magnitude" is the sum of absolute values over units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DirectionMemory {
    /// From 0 at the input.
    pub layer: usize,
    /// `forward` or `backward`.
    pub direction: &'static str,
    /// How far the ledger misses the traced memory, as a share of its largest magnitude.
    pub ledger_residual: f64,
    /// Shares of the four behaviours in all units at all steps.
    pub behaviour: Shares,
    /// Token by token.
    pub tokens: TokenColumns,
    /// Unit by unit.
    pub heat: Heat,
    /// What the memory consists of, step by step.
    pub composition: CompositionRows,
}

/// Shares that add up to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs, reason = "each is the behaviour of its name")]
pub struct Shares {
    pub remember: f32,
    pub add: f32,
    pub erase: f32,
    pub overwrite: f32,
}

impl From<[f64; 4]> for Shares {
    fn from(shares: [f64; 4]) -> Self {
        let of = |behaviour: Behaviour| shares[behaviour as usize] as f32;
        Self {
            remember: of(Behaviour::Remember),
            add: of(Behaviour::Add),
            erase: of(Behaviour::Erase),
            overwrite: of(Behaviour::Overwrite),
        }
    }
}

/// What happened at every token, `[tokens]` each.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TokenColumns {
    /// Mean input gate.
    pub i: Vec<f32>,
    /// Mean forget gate.
    pub f: Vec<f32>,
    /// Mean output gate.
    pub o: Vec<f32>,
    /// Share of units that remember.
    pub remember: Vec<f32>,
    /// Share of units that add.
    pub add: Vec<f32>,
    /// Share of units that erase.
    pub erase: Vec<f32>,
    /// Share of units that overwrite.
    pub overwrite: Vec<f32>,
    /// Magnitude of the memory before the token was read.
    pub before: Vec<f32>,
    /// Magnitude of what its forget gates took away, `(1 - f) c`.
    pub forgotten: Vec<f32>,
    /// Magnitude of what it wrote, `i g`.
    pub deposit: Vec<f32>,
    /// Magnitude of the memory after it.
    pub after: Vec<f32>,
    /// Magnitude of what is left of its deposit at the end.
    pub surviving: Vec<f32>,
    /// Magnitude of its part in what the output gate lets out at the end.
    pub released: Vec<f32>,
    /// L2 norm of the target's gradient that reaches h here.
    pub gradient_h: Vec<f32>,
    /// L2 norm of the target's gradient that reaches the memory here.
    pub gradient_c: Vec<f32>,
    /// Product of all forget gates still to come, averaged over units.
    pub kept: Vec<f32>,
}

/// Gates and memory of the units that show most, as bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Heat {
    /// First token of every column; a column is the mean over its tokens.
    pub columns: Vec<usize>,
    /// Which unit every row is: ordered by behaviour, then by falling mean forget gate.
    pub units: Vec<usize>,
    /// What each of them does most.
    pub behaviours: Vec<&'static str>,
    /// Input gates: base64 of `[units, columns]` bytes, 255 is 1.
    pub i: String,
    /// Forget gates, likewise.
    pub f: String,
    /// Output gates, likewise.
    pub o: String,
    /// The memory, likewise: 0 is `-c_limit`, 255 is `c_limit`.
    pub c: String,
    /// The largest magnitude of the memory in these units.
    pub c_limit: f32,
}

/// What is left in the memory of every part of the text, as the direction has read up to a token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompositionRows {
    /// First token of every part, and the token after its last.
    pub parts: Vec<[usize; 2]>,
    /// The tokens that rows were taken at.
    pub at: Vec<usize>,
    /// Magnitudes, `[at, parts]`.
    pub magnitudes: Vec<Vec<f32>>,
}
