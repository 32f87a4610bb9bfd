//! Rows with their texts: what the model is surely wrong about, and which labels are likely wrong.

use std::fmt::Write as _;

use super::cartography::suspects;
use super::judged::mistakes;
use super::{Material, percent, thousands};
use crate::Result;
use crate::artifacts::{EncodedSplit, Prepared};
use crate::html::escape;

/// Mistakes that are shown.
const MISTAKES: usize = 20;

/// Characters of a text that are shown.
const SHOWN: usize = 700;

pub(super) fn mistakes_section(material: &Material, page: &mut String) -> Result<()> {
    let Some(judgement) = material.judgement else { return Ok(()) };
    let mistakes = mistakes(judgement);
    page.push_str("<section id=\"mistakes\"><h2>Surest mistakes</h2>\n");
    let rows = thousands(judgement.scored.rows.len() as u64);
    let split = &judgement.scored.split;
    let _ = writeln!(
        page,
        "<p>{} of {rows} texts of {} are wrong. Those whose wrong answer got the highest probability:</p>",
        thousands(mistakes.len() as u64),
        escape(split)
    );
    let shown = &mistakes[..mistakes.len().min(MISTAKES)];
    let rows: Vec<usize> = shown.iter().map(|mistake| mistake.row).collect();
    let heads = shown.iter().map(|mistake| {
        let (label, said) = (material.class(mistake.label), material.class(mistake.predicted));
        let sure = percent(mistake.probability);
        format!("is <b>{}</b>, taken for <b>{}</b> ({sure})", escape(label), escape(said))
    });
    texts(material.prepared, split, &rows, &heads.collect::<Vec<_>>(), page)?;
    page.push_str("</section>\n");
    Ok(())
}

pub(super) fn suspects_part(material: &Material, page: &mut String) -> Result<()> {
    let suspects = suspects(&material.dynamics);
    if suspects.is_empty() {
        return Ok(());
    }
    page.push_str(
        "<h3>Labels that are likely wrong</h3>\n<p>Training texts whose label the model never came to believe, the least \
         believed first. Some are mislabelled, others only hard: worth reading.</p>\n",
    );
    let rows: Vec<usize> = suspects.iter().map(|row| row.row).collect();
    let encoded = material.prepared.map(|prepared| prepared.encoded("train")).transpose()?;
    let heads = suspects.iter().map(|row| {
        let label =
            encoded.as_ref().and_then(|split| split.labels().get(row.row).copied().flatten());
        let sets = encoded.as_ref().and_then(EncodedSplit::label_sets);
        let label = match (label, sets) {
            (None, _) => "?".to_owned(),
            (Some(label), None) => material.class(label).to_owned(),
            (Some(number), Some(sets)) => match sets.get(number) {
                [] => "none of the labels".to_owned(),
                set => {
                    set.iter().map(|&label| material.class(label)).collect::<Vec<_>>().join(", ")
                }
            },
        };
        format!(
            "labelled <b>{}</b>: probability {} on average, right in {:.0} of {} epochs",
            escape(&label),
            percent(row.confidence),
            row.correctness * f64::from(row.epochs),
            row.epochs
        )
    });
    texts(material.prepared, "train", &rows, &heads.collect::<Vec<_>>(), page)
}

/// A list of rows: what is said of each (HTML), its id and its text.
fn texts(
    prepared: Option<&Prepared>,
    split: &str,
    rows: &[usize],
    heads: &[String],
    page: &mut String,
) -> Result<()> {
    let records = match prepared {
        Some(prepared) => prepared.records(split, rows)?,
        None => Vec::new(),
    };
    page.push_str("<ol class=\"texts\">\n");
    for (place, (row, head)) in rows.iter().zip(heads).enumerate() {
        let record = records.get(place);
        let id = record.map_or_else(|| row.to_string(), |record| record.id.clone());
        let id = escape(&format!("{split}:{id}"));
        let _ = write!(page, "<li><p class=\"head\">{head} <code>{id}</code></p>");
        if let Some(record) = record {
            let _ = write!(
                page,
                "<blockquote dir=\"auto\">{}</blockquote>",
                escape(&trimmed(&record.text))
            );
        }
        page.push_str("</li>\n");
    }
    page.push_str("</ol>\n");
    Ok(())
}

/// The beginning and the end of a long text: reviews have their verdict at the end.
fn trimmed(text: &str) -> String {
    let characters = text.chars().count();
    if characters <= SHOWN {
        return text.to_owned();
    }
    let head: String = text.chars().take(SHOWN * 2 / 3).collect();
    let tail: String = text.chars().skip(characters - SHOWN / 3).collect();
    format!("{head} […] {tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_keep_both_ends() {
        let text = format!("begin {}end", "ü ".repeat(SHOWN));
        let short = trimmed(&text);
        assert!(short.starts_with("begin ") && short.ends_with("end") && short.contains(" […] "));
        assert!(short.chars().count() < SHOWN + 10);
        assert_eq!(trimmed("short"), "short");
    }
}
