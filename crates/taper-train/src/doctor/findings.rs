//! Figures to sentences: what of it is worth knowing, gravest first.

use super::diagnosis::{Diagnosis, Finding, Pair, Severity, SplitDiagnosis};

/// A class so many times as large as another is worth a word.
const IMBALANCE: u64 = 2;

/// Points of coverage that a split may have less than train.
const LESS_COVERAGE: f64 = 0.05;

/// Divergence in bits, and times what chance alone gives, from which words are said to drift.
const DRIFT: f64 = 0.05;
const DRIFT_TIMES: f64 = 3.0;

pub(super) fn of(diagnosis: &Diagnosis) -> Vec<Finding> {
    let mut findings = Vec::new();
    for pair in &diagnosis.pairs {
        across(pair, &mut findings);
    }
    let conflicts = &diagnosis.conflicts;
    if conflicts.identical_texts + conflicts.near_pairs > 0 {
        let message = format!(
            "labels disagree on {} and on {}",
            count(conflicts.identical_texts, "text"),
            count(conflicts.near_pairs, "pair of near-duplicates")
        );
        findings.push(finding(Severity::Warning, "label_conflict", &[], message));
    }
    if diagnosis.crowded_texts > 0 {
        let texts = count(diagnosis.crowded_texts, "text");
        let message = format!(
            "{texts} of many alike: not all were compared, and more pairs may be near than counted"
        );
        findings.push(finding(Severity::Note, "near_crowded", &[], message));
    }
    for split in &diagnosis.splits {
        within(split, &mut findings);
        classes(split, &diagnosis.class_names, &mut findings);
        against_train(split, &diagnosis.splits, &mut findings);
    }
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn across(pair: &Pair, findings: &mut Vec<Finding>) {
    let [left, right] = &pair.splits;
    let splits = [left.as_str(), right.as_str()];
    let severity = if pair.judges { Severity::Leak } else { Severity::Note };
    if pair.identical_texts > 0 {
        let [rows, other_rows] = pair.identical_rows;
        let message = format!(
            "{} in both {left} and {right} ({rows} and {other_rows} rows)",
            count(pair.identical_texts, "text")
        );
        findings.push(finding(severity, "identical_across", &splits, message));
    }
    if pair.near_pairs > 0 {
        let message = format!(
            "{} between {left} and {right}",
            count(pair.near_pairs, "pair of near-duplicates")
        );
        findings.push(finding(severity, "near_across", &splits, message));
    }
    if pair.groups > 0 {
        let severity = if pair.judges { Severity::Warning } else { Severity::Note };
        let message = format!("{} in both {left} and {right}", count(pair.groups, "group"));
        findings.push(finding(severity, "group_across", &splits, message));
    }
}

fn within(split: &SplitDiagnosis, findings: &mut Vec<Finding>) {
    let name = split.split.as_str();
    let mut add = |severity, kind, message| {
        findings.push(finding(severity, kind, &[name], message));
    };
    let repeats = &split.repeats;
    if repeats.extra_rows > 0 {
        let rows = count(repeats.extra_rows, "row");
        let message = format!("{name}: {rows} of {} repeat an earlier text", split.rows);
        add(Severity::Warning, "identical_within", message);
    }
    if repeats.near_pairs > 0 {
        let pairs = count(repeats.near_pairs, "pair of near-duplicates");
        add(Severity::Note, "near_within", format!("{name}: {pairs}"));
    }
    if split.empty + split.one_token > 0 {
        let empty = count(split.empty, "text");
        let message = format!("{name}: {empty} without a token, {} of one token", split.one_token);
        add(Severity::Warning, "empty", message);
    }
    let defects = &split.defects;
    if defects.damaged_texts > 0 {
        let found = &defects.characters;
        let message = format!(
            "{name}: {} with damaged characters ({} U+FFFD, {} mojibake, {} control)",
            count(defects.damaged_texts, "text"),
            found.replacements,
            found.mojibake,
            found.controls
        );
        add(Severity::Warning, "encoding", message);
    }
    if defects.markup_texts > 0 {
        let message = format!(
            "{name}: {} with markup left over ({}, {})",
            count(defects.markup_texts, "text"),
            count(defects.characters.tags, "tag"),
            count(defects.characters.entities, "character reference")
        );
        add(Severity::Note, "markup", message);
    }
}

fn classes(split: &SplitDiagnosis, names: &[String], findings: &mut Vec<Finding>) {
    let absent = names.iter().zip(&split.labels).filter(|(_, rows)| **rows == 0);
    let absent: Vec<&str> = absent.map(|(name, _)| name.as_str()).collect();
    if split.split == "train" && !absent.is_empty() {
        let message = format!("train: no text of the class {}", absent.join(", "));
        findings.push(finding(Severity::Warning, "absent_class", &["train"], message));
    }
    let sizes = split.labels.iter().copied();
    let (Some(most), Some(least)) = (sizes.clone().max(), sizes.min()) else { return };
    if most > 0 && most >= IMBALANCE * least {
        let sizes = names.iter().zip(&split.labels).map(|(name, rows)| format!("{rows} {name}"));
        let sizes: Vec<String> = sizes.collect();
        let message = format!("{}: classes of uneven size ({})", split.split, sizes.join(", "));
        findings.push(finding(Severity::Note, "class_balance", &[&split.split], message));
    }
}

fn against_train(split: &SplitDiagnosis, all: &[SplitDiagnosis], findings: &mut Vec<Finding>) {
    let (name, Some(drift)) = (split.split.as_str(), &split.drift) else { return };
    if drift.js_divergence > DRIFT.max(DRIFT_TIMES * drift.floor) {
        let message = format!(
            "{name}: words differ from train's (Jensen-Shannon divergence {:.3} bits; halves of train: {:.3})",
            drift.js_divergence, drift.floor
        );
        findings.push(finding(Severity::Warning, "drift", &[name], message));
    }
    let share = |split: &SplitDiagnosis| {
        split.coverage.in_vocabulary as f64 / (split.coverage.tokens as f64).max(1.0)
    };
    let Some(train) = all.iter().find(|split| split.split == "train").map(share) else { return };
    let here = share(split);
    if split.coverage.tokens > 0 && here < train - LESS_COVERAGE {
        let message = format!(
            "{name}: {:.1} % of tokens in the vocabulary, of train's {:.1} %",
            100.0 * here,
            100.0 * train
        );
        findings.push(finding(Severity::Warning, "coverage", &[name], message));
    }
}

fn finding(severity: Severity, kind: &'static str, splits: &[&str], message: String) -> Finding {
    let splits = splits.iter().map(|&split| split.to_owned()).collect();
    Finding { severity, kind, splits, message, examples: Vec::new() }
}

/// `1 text`, `2 texts`, `2 pairs of near-duplicates`.
fn count(number: u64, what: &str) -> String {
    if number == 1 {
        return format!("1 {what}");
    }
    match what.split_once(' ') {
        Some(("pair", of)) => format!("{number} pairs {of}"),
        _ => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::diagnosis::Drift;
    use super::*;

    fn split(js_divergence: f64, floor: f64, labels: [u64; 2]) -> SplitDiagnosis {
        let drift = Some(Drift { js_divergence, floor, words: Vec::new() });
        SplitDiagnosis {
            split: "test".to_owned(),
            labels: labels.to_vec(),
            drift,
            ..SplitDiagnosis::default()
        }
    }

    #[test]
    fn drift_is_told_where_chance_does_not_explain_it() {
        let kinds = |split: &SplitDiagnosis| {
            let mut findings = Vec::new();
            against_train(split, &[], &mut findings);
            findings.iter().map(|finding| finding.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&split(0.2, 0.01, [1, 1])), ["drift"]);
        assert_eq!(kinds(&split(0.2, 0.1, [1, 1])), [""; 0], "halves of train differ as much");
        assert_eq!(kinds(&split(0.04, 0.001, [1, 1])), [""; 0]);
    }

    #[test]
    fn classes_of_uneven_size_are_told() {
        let message = |labels| {
            let mut findings = Vec::new();
            classes(&split(0.0, 0.0, labels), &["neg".to_owned(), "pos".to_owned()], &mut findings);
            findings.pop().map(|finding| finding.message)
        };
        assert_eq!(
            message([10, 30]).as_deref(),
            Some("test: classes of uneven size (10 neg, 30 pos)")
        );
        assert!(message([0, 5]).is_some());
        assert!(message([10, 19]).is_none() && message([0, 0]).is_none());
    }

    #[test]
    fn a_class_that_training_lacks_is_told() {
        let names = ["neg", "pos"].map(str::to_owned);
        for (name, kinds) in
            [("train", &["absent_class", "class_balance"][..]), ("test", &["class_balance"])]
        {
            let mut findings = Vec::new();
            let split = SplitDiagnosis { split: name.to_owned(), ..split(0.0, 0.0, [7, 0]) };
            classes(&split, &names, &mut findings);
            assert_eq!(findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), kinds);
        }
    }

    #[test]
    fn one_is_told_in_the_singular() {
        assert_eq!(count(1, "text"), "1 text");
        assert_eq!(count(2, "pair of near-duplicates"), "2 pairs of near-duplicates");
    }
}
