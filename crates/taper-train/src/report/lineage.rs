//! What a run is made of: recipe, data, machine, time, files.

use std::fmt::Write as _;
use std::path::Path;

use super::{Material, duration, thousands};
use crate::artifacts::TOKENIZER;
use crate::events::TrainEvent;
use crate::html::{Table, escape};
use crate::manifest::Stage;
use crate::model::WEIGHTS;
use crate::{Result, fingerprint};

/// The recipe, and how it differs from the embedded one it comes from.
pub(super) fn recipe(material: &Material, page: &mut String) -> Result<()> {
    let recipe = &material.recipe;
    page.push_str("<section id=\"recipe\"><h2>Recipe</h2>\n");
    if let Some((name, origin)) = recipe.namesake()? {
        let differences = origin.differences(recipe)?;
        if differences.is_empty() {
            let _ = writeln!(page, "<p>The embedded recipe <code>{name}</code> as it is.</p>");
        } else {
            let _ = writeln!(page, "<p>The embedded recipe <code>{name}</code>, but for:</p>");
            let mut table = Table::new(&["key", name, "this run"]);
            let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
            for change in &differences {
                table.row(&change.key, &[word(&change.was), word(&change.now)]);
            }
            page.push_str(&table.finish());
        }
    }
    for event in &material.events {
        if let TrainEvent::RecipeChanged { changes } = event {
            let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
            let changes = escape(&changes.join("; "));
            let _ = writeln!(page, "<p>Changed within the run: {changes}.</p>");
        }
    }
    let toml = escape(&recipe.to_toml()?);
    let _ = writeln!(
        page,
        "<details><summary>All of it</summary><pre>{toml}</pre></details></section>"
    );
    Ok(())
}

/// Data with its fingerprints, and the files of the model.
pub(super) fn data(material: &Material, page: &mut String) -> Result<()> {
    page.push_str("<section id=\"lineage\"><h2>Data and files</h2>\n");
    let mut table = Table::new(&["what", "is"]);
    if let Some(prepared) = material.prepared {
        let manifest = prepared.manifest();
        table.row("data set", std::slice::from_ref(&manifest.dataset));
        table.row("source", std::slice::from_ref(&manifest.source));
        let licence = manifest.licence.clone().unwrap_or_else(|| "not known".to_owned());
        table.row("terms", &[licence]);
        table.row("prepared by", &[format!("taper {}", manifest.taper)]);
        // Vectors that were prepared there since are not what the run began with.
        let other = material.reference.has_other_vectors(manifest);
        for (stage, record) in &manifest.stages {
            if other && *stage == Stage::Vectors {
                continue;
            }
            table.row(&format!("fingerprint, {stage}"), std::slice::from_ref(&record.fingerprint));
        }
    } else {
        table.row("fingerprint, encoded", std::slice::from_ref(&material.reference.fingerprint));
    }
    let vectors = material.reference.vectors.as_deref().unwrap_or("not known");
    table.row("BLAKE3, word vectors", &[vectors.to_owned()]);
    for file in [TOKENIZER, WEIGHTS] {
        let path = material.run.join(file);
        if path.is_file() {
            table.row(&format!("BLAKE3, {file}"), &[fingerprint::of_file(&path)?]);
        }
    }
    table.row("checkpoints", &[material.checkpoints.join(", ")]);
    page.push_str(&table.finish());
    if let Some(prepared) = material.prepared {
        let mut table = Table::new(&["split", "texts", "tokens", "longest", "content (BLAKE3)"]);
        for (name, split) in &prepared.manifest().splits {
            let numbers = [split.rows, split.tokens, split.longest].map(thousands);
            table.row(name, &[&numbers[..], std::slice::from_ref(&split.content)].concat());
        }
        page.push_str(&table.finish());
    } else {
        page.push_str("<p>The prepared data is not at hand: no texts are shown.</p>\n");
    }
    page.push_str("</section>\n");
    Ok(())
}

/// The processes that trained, and how long it took.
pub(super) fn machine(material: &Material, page: &mut String) {
    page.push_str("<section id=\"machine\"><h2>Machine and time</h2>\n");
    let (mut seconds, mut tokens, mut steps) = (0.0, 0_u64, 0_u64);
    let mut table =
        Table::new(&["began", "program", "device", "CPU", "cores", "threads", "memory", "system"]);
    let mut sessions = 0;
    for event in &material.events {
        match event {
            TrainEvent::Session { session } => {
                sessions += 1;
                let gibibytes = session.memory as f64 / f64::from(1 << 30);
                let cells = [
                    format!("taper {}", session.taper),
                    session.device.clone(),
                    session.cpu.clone(),
                    session.cores.to_string(),
                    session.threads.to_string(),
                    format!("{gibibytes:.1} GiB"),
                    session.system.clone(),
                ];
                table.row(&date(session.began), &cells);
            }
            TrainEvent::Step { tokens: read, seconds: took, .. } => {
                seconds += took;
                tokens += *read as u64;
                steps += 1;
            }
            _ => {}
        }
    }
    let _ = writeln!(
        page,
        "<p>{} steps and {} tokens in {}: {} tokens/s, evaluation not counted.</p>",
        thousands(steps),
        thousands(tokens),
        duration(seconds),
        thousands((tokens as f64 / f64::max(seconds, 1e-9)) as u64)
    );
    if sessions > 0 {
        page.push_str(&table.finish());
    }
    page.push_str("</section>\n");
}

/// The folder's own name.
pub(super) fn name_of(run: &Path) -> String {
    let name = run.file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| run.to_string_lossy().into_owned())
}

/// Seconds since 1970 as a date and time (UTC), by Howard Hinnant's `civil_from_days`.
fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + 400 * era + u64::from(month <= 2);
    let day = day - (153 * shifted + 2) / 5 + 1;
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3600, rest / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(4_102_444_740), "2099-12-31 23:59 UTC");
    }
}
