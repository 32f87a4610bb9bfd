//! One labelled text: what every source yields and every corpus holds.

/// One labelled text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Names the record within its data set: `train/pos/0`.
    pub id: String,
    /// The text as its source has it, markup included.
    pub text: String,
    /// The index of its class among the class names; `None` where the text is unlabelled.
    pub label: Option<u32>,
    /// In a data set whose texts have any number of labels: the indices of this one's, ascending, maybe none. There
    /// `label` is `None`; elsewhere this is.
    pub labels: Option<Vec<u32>>,
    /// What it shares with its like and must not straddle a split: for IMDB the movie, `tt0064354`.
    pub group: Option<String>,
}
