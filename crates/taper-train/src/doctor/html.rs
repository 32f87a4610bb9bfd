//! The diagnosis as one HTML file: nothing is fetched, light and dark as the reader has it.

use std::fmt::Write as _;
use std::path::Path;

use super::diagnosis::{Diagnosis, Severity, SplitDiagnosis};
use crate::html::{Table, escape};
use crate::plot::{Axis, Chart, Look, VARIABLES, bars};
use crate::{Result, atomic};

const STYLE: &str = "
:root{--leak:#b3261e;--warning:#8a5a00;--note:#39618f}
@media (prefers-color-scheme:dark){:root{--leak:#ff8a80;--warning:#f2c16b;--note:#8fb8ea}}
body{background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}p{color:var(--soft)}
.scroll{overflow-x:auto}table{border-collapse:collapse}td,th{padding:.2rem .7rem;border-bottom:1px solid var(--line);text-align:right}
th:first-child{text-align:left}tbody th{font-weight:inherit}ul{padding-left:1.2rem}li span{font-weight:600}
.leak span{color:var(--leak)}.warning span{color:var(--warning)}.note span{color:var(--note)}code{font-size:.85em}
svg{width:100%;height:auto;max-width:680px;margin:.8rem 0}.chart svg{max-width:34rem}
";

/// Writes [`page`] to a file: whole, or as it was before.
///
/// # Errors
///
/// A folder that cannot be written to.
pub fn write_page(path: &Path, diagnosis: &Diagnosis) -> Result<()> {
    atomic::write(path, page(diagnosis).as_bytes())
}

/// The diagnosis as one HTML document.
pub fn page(diagnosis: &Diagnosis) -> String {
    let title = format!("{} ({})", escape(&diagnosis.dataset), escape(&diagnosis.source));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Data doctor: {title}</title>\
         <style>{VARIABLES}{STYLE}</style></head><body>\n<h1>Data doctor: {title}</h1>\n"
    );
    findings(&mut page, diagnosis);
    sizes(&mut page, diagnosis);
    shared(&mut page, diagnosis);
    lengths(&mut page, diagnosis);
    coverage(&mut page, diagnosis);
    drift(&mut page, diagnosis);
    page + "</body></html>\n"
}

fn findings(page: &mut String, diagnosis: &Diagnosis) {
    page.push_str("<h2>Findings</h2>\n<ul>\n");
    for finding in &diagnosis.findings {
        let name = match finding.severity {
            Severity::Leak => "leak",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let message = escape(&finding.message);
        let _ = write!(page, "<li class=\"{name}\"><span>{name}</span> {message}");
        for example in &finding.examples {
            let _ = write!(page, "<br><code>{}</code>", escape(&example.row));
            if let Some(like) = &example.like {
                let _ = write!(page, " like <code>{}</code>", escape(like));
            }
        }
        page.push_str("</li>\n");
    }
    if diagnosis.findings.is_empty() {
        page.push_str("<li>Nothing to tell.</li>\n");
    }
    page.push_str("</ul>\n");
}

fn sizes(page: &mut String, diagnosis: &Diagnosis) {
    page.push_str("<h2>Splits and classes</h2>\n");
    let mut rows = Vec::new();
    let mut table = Table::new(&[
        "split",
        "texts",
        "different",
        "near-duplicate",
        "groups",
        "no token",
        "one token",
        "damaged",
        "with markup",
    ]);
    for split in &diagnosis.splits {
        let numbers = [
            split.rows,
            split.distinct,
            split.repeats.near_rows,
            split.groups,
            split.empty,
            split.one_token,
            split.defects.damaged_texts,
            split.defects.markup_texts,
        ];
        table.row(&split.split, &numbers.map(|number| number.to_string()));
        let mut parts: Vec<(String, u64)> =
            diagnosis.class_names.iter().cloned().zip(split.labels.iter().copied()).collect();
        if split.unlabelled > 0 {
            parts.push(("no label".to_owned(), split.unlabelled));
        }
        rows.push((split.split.clone(), parts));
    }
    page.push_str(&table.finish());
    page.push_str(&bars("Classes of every split", &rows).inline());
}

fn shared(page: &mut String, diagnosis: &Diagnosis) {
    let _ = write!(
        page,
        "<h2>Shared by two splits</h2>\n<p>Near-duplicates share at least {} of their runs of {} words.</p>\n",
        diagnosis.near_threshold, diagnosis.shingle_words
    );
    let mut table =
        Table::new(&["splits", "identical texts", "rows", "near pairs", "rows", "groups"]);
    for pair in &diagnosis.pairs {
        let rows = |rows: [u64; 2]| format!("{} and {}", rows[0], rows[1]);
        let cells = [
            pair.identical_texts.to_string(),
            rows(pair.identical_rows),
            pair.near_pairs.to_string(),
            rows(pair.near_rows),
            pair.groups.to_string(),
        ];
        table.row(&pair.splits.join(", "), &cells);
    }
    page.push_str(&table.finish());
    if diagnosis.similarities.iter().any(|count| *count > 0) {
        let bins = diagnosis.similarities.len();
        let least = diagnosis.near_threshold;
        let tick = |part: usize| {
            let at = (bins * part / 5) as f64;
            (at, format!("{:.2}", least + (1.0 - least) * part as f64 / 5.0))
        };
        page.push_str("<p>All near-duplicates by Jaccard index.</p>\n");
        let series = [("near-duplicates".to_owned(), diagnosis.similarities.clone())];
        let axis = Axis::new("Jaccard index").ticks([0, 1, 2, 3, 4, 5].map(tick).to_vec());
        shares(page, "Near-duplicates", axis, &series);
    }
}

fn lengths(page: &mut String, diagnosis: &Diagnosis) {
    page.push_str("<h2>Lengths in tokens</h2>\n");
    let mut table = Table::new(&[
        "split", "tokens", "mean", "least", "5 %", "25 %", "50 %", "75 %", "95 %", "99 %", "most",
    ]);
    for SplitDiagnosis { split, lengths, .. } in &diagnosis.splits {
        let mut cells = vec![lengths.tokens.to_string(), format!("{:.1}", lengths.mean)];
        let marks = [
            lengths.min,
            lengths.p5,
            lengths.p25,
            lengths.p50,
            lengths.p75,
            lengths.p95,
            lengths.p99,
            lengths.max,
        ];
        cells.extend(marks.map(|length| length.to_string()));
        table.row(split, &cells);
    }
    page.push_str(&table.finish());
    let series: Vec<(String, Vec<u64>)> = diagnosis
        .splits
        .iter()
        .map(|split| (split.split.clone(), split.lengths.histogram.clone()))
        .collect();
    let ticks = (0..16).map(|bits| (f64::from(2 * bits), (1_u64 << bits).to_string())).collect();
    shares(page, "Texts by length", Axis::new("tokens").ticks(ticks), &series);
    page.push_str(
        "<p>Lost where texts are cut short: share of tokens (texts that are longer).</p>\n",
    );
    let mut table = Table::new(&["at most"]);
    for split in &diagnosis.splits {
        table.head(&split.split);
    }
    for (index, at) in
        diagnosis.splits.first().map_or(&[][..], |split| &split.cuts).iter().enumerate()
    {
        let cell = |split: &SplitDiagnosis| {
            let cut = split.cuts.get(index).copied().unwrap_or_default();
            let share = percent(cut.tokens, split.lengths.tokens);
            format!("{share} ({})", cut.texts)
        };
        let cells: Vec<String> = diagnosis.splits.iter().map(cell).collect();
        table.row(&at.max_length.to_string(), &cells);
    }
    page.push_str(&table.finish());
}

fn coverage(page: &mut String, diagnosis: &Diagnosis) {
    page.push_str("<h2>Vocabulary and vectors</h2>\n");
    let rows = diagnosis.splits.iter().map(|split| {
        let known = split.coverage;
        let vector = known.with_vector.unwrap_or(known.in_vocabulary);
        let name = if known.with_vector.is_some() { "with a vector" } else { "in the vocabulary" };
        let parts = vec![
            (name.to_owned(), vector),
            ("in the vocabulary, no vector".to_owned(), known.in_vocabulary.saturating_sub(vector)),
            ("unknown".to_owned(), known.tokens.saturating_sub(known.in_vocabulary)),
        ];
        (split.split.clone(), parts)
    });
    page.push_str(&bars("Tokens that are known", &rows.collect::<Vec<_>>()).inline());
}

fn drift(page: &mut String, diagnosis: &Diagnosis) {
    page.push_str(
        "<h2>Drift</h2>\n<p>Jensen-Shannon divergence, in bits, of the words of a split from those of train: 0 is the same, 1 \
         nothing in common. Beside it, the divergence of train's even rows from its odd ones. Words that add most \
         follow, with their number in a million tokens of train and of the split.</p>\n",
    );
    let mut table = Table::new(&["split", "divergence", "halves of train", "words"]);
    for split in &diagnosis.splits {
        let Some(drift) = &split.drift else { continue };
        let words = drift.words.iter().map(|word| {
            format!("{} {:.0}/{:.0}", word.word, word.train_per_million, word.here_per_million)
        });
        let words: Vec<String> = words.collect();
        let numbers = [drift.js_divergence, drift.floor].map(|bits| format!("{bits:.4}"));
        table.row(&split.split, &[&numbers[..], &[words.join(", ")]].concat());
    }
    page.push_str(&table.finish());
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / (whole as f64).max(1.0))
}

/// Series over bins, each as a share of its own total.
fn shares(page: &mut String, title: &str, bins: Axis, series: &[(String, Vec<u64>)]) {
    let mut chart = Chart::new(title, bins, Axis::new("share").percent());
    for (name, counts) in series {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        let points = counts.iter().enumerate();
        let points = points.map(|(bin, count)| [bin as f64, *count as f64 / total]).collect();
        chart = chart.with(name, Look::Outline(1.0), points);
    }
    let _ = writeln!(page, "<div class=\"chart\">{}</div>", chart.draw().inline());
}
