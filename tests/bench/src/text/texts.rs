//! The texts: IMDB's where they are given, else the committed sample, again and again.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use taper_corpus::Source;

/// The sample is repeated up to this, in bytes.
const ENOUGH: usize = 50_000_000;
/// The sample's folder, from this package's.
const SAMPLE: &str = "../../data/sample";

/// Texts in memory.
pub(super) struct Texts {
    /// Where they come from, for the report.
    pub(super) source: String,
    pub(super) all: Vec<String>,
    /// How often they are gone through for one measurement.
    pub(super) repeats: usize,
}

impl Texts {
    pub(super) fn read(dataset: Option<&Path>) -> Result<Self> {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLE);
        let path = dataset.unwrap_or(&sample);
        let mut all = Vec::new();
        Source::open(path)?
            .for_each(&mut |_, record| {
                all.push(record.text);
                Ok(())
            })
            .with_context(|| format!("cannot read {}", path.display()))?;
        let bytes = bytes(&all);
        ensure!(bytes > 0, "{} has no text", path.display());
        let repeats = if dataset.is_some() { 1 } else { ENOUGH.div_ceil(bytes) };
        let (count, megabytes) = (all.len(), bytes as f64 / 1e6);
        let source = match dataset {
            Some(_) => format!("the {count} texts of the data set, {megabytes:.1} MB"),
            None => format!("the {count} texts of the sample, {megabytes:.1} MB, {repeats} times"),
        };
        Ok(Self { source, all, repeats })
    }

    /// Of one measurement, repeats included.
    pub(super) fn megabytes(&self) -> f64 {
        (self.repeats * bytes(&self.all)) as f64 / 1e6
    }

    /// About so many megabytes of the texts, evenly spread over them, without repeats.
    pub(super) fn part(&self, megabytes: usize) -> Vec<&str> {
        let step = bytes(&self.all).div_ceil(megabytes * 1_000_000).max(1);
        self.all.iter().step_by(step).map(String::as_str).collect()
    }
}

/// Of UTF-8.
pub(super) fn bytes(texts: &[impl AsRef<str>]) -> usize {
    texts.iter().map(|text| text.as_ref().len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_enough_and_parts_are_spread_over_it() {
        let texts = Texts::read(None).unwrap();
        assert_eq!(texts.all.len(), 3_500);
        assert!(texts.megabytes() >= 50.0);
        let part = texts.part(1);
        let megabytes = bytes(&part) as f64 / 1e6;
        assert!((0.7..1.2).contains(&megabytes), "{megabytes}");
        assert!(part.last().is_some_and(|last| texts.all[3_400..].iter().any(|text| text == last)));
        assert_eq!(texts.part(1_000).len(), 3_500);
    }
}
