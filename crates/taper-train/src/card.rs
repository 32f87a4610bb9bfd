//! The model card: what a stranger needs to know before using the model.

use std::fmt::Write;

use taper_text::Tokenizer;

use crate::Result;
use crate::artifacts::Prepared;
use crate::evaluate::Evaluation;
use crate::model::Model;
use crate::recipe::{Recipe, Select, Truncate};

/// The card in Markdown, with the front matter that model hubs read.
pub(crate) fn write(
    recipe: &Recipe,
    model: &Model,
    prepared: &Prepared,
    epoch: u32,
    evaluation: &Evaluation,
) -> Result<String> {
    let manifest = prepared.manifest();
    let config = &model.config;
    let mut card = String::new();
    let classes = one_line(&config.class_names.join(", "));
    let table = &config.model;
    let of_file = Tokenizer::is_path(&recipe.text.tokenizer);
    // Writing to a string cannot fail.
    let _ = write!(
        card,
        "---\nlibrary_name: taper\npipeline_tag: text-classification\n---\n\n\
         # Text classifier: {classes}\n\n{description}\n\n{several}\
         - Network: {layers} LSTM layer(s) of {hidden}{directions}, {parameters} parameters\n\
         - Vocabulary: {vocabulary} tokens, tokenizer `{tokenizer}`, {case}\n\
         - Data: `{dataset}` ({source})\n",
        description = one_line(&recipe.headline()?),
        several = config.threshold.map_or_else(String::new, |threshold| format!(
            "- A text has any number of these labels: those whose probability is at least {threshold}\n"
        )),
        layers = table.num_layers,
        hidden = table.hidden_size,
        directions = if table.bidirectional { ", both directions" } else { "" },
        parameters = model.count(),
        vocabulary = config.vocabulary_size,
        tokenizer = if of_file { "tokenizer.json" } else { &recipe.text.tokenizer },
        case = match (of_file, recipe.text.lowercase) {
            (true, _) => "as it was given",
            (false, true) => "lower-cased",
            (false, false) => "cased",
        },
        dataset = manifest.dataset,
        source = manifest.source,
    );
    if let Some(hub) = &manifest.hub {
        let config = hub.config.as_ref().map_or_else(String::new, |name| format!(", `{name}`"));
        let _ = writeln!(
            card,
            "- From the Hugging Face Hub: `{}`{config}, at {}",
            hub.repository, hub.commit
        );
    }
    if let Some(licence) = &manifest.licence {
        let _ = writeln!(card, "- Terms of the data: {licence}");
    }
    card.push_str("\n## Results\n\n");
    results(&mut card, config.threshold.is_some(), evaluation);
    let split = &evaluation.split;
    let of_split = if split == "test" { String::new() } else { format!(" --split {split}") };
    let _ = write!(
        card,
        "\nWeights of epoch {epoch}; `taper evaluate{of_split}` on this folder repeats the figure.\n"
    );
    if split != "test" {
        card.push_str("There is no labelled test split");
        card.push_str(match recipe.train.select {
            Select::Best => ", and the epoch was chosen by these texts: expect less on others.\n",
            Select::Last => ".\n",
        });
    }
    card.push_str(
        "\n## Limits\n\n\
         Trained on the texts named above and no others: expect less on texts of another kind or \
         language.\n",
    );
    match config.max_length {
        Some(max) => {
            let read = match config.truncate {
                Truncate::Head => format!("the first {max}"),
                Truncate::Tail => format!("the last {max}"),
                Truncate::HeadTail => {
                    let head = max / 4;
                    format!("the first {head} and the last {}", max - head)
                }
            };
            let _ = writeln!(card, "Of a longer text only {read} tokens are read.");
        }
        None => card.push_str("Texts are read whole.\n"),
    }
    Ok(card)
}

/// Names of classes may hold line breaks, which would end a heading.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Where a text may have several labels, correct texts have all of them right.
fn results(card: &mut String, multi_label: bool, evaluation: &Evaluation) {
    let (head, rule) = if multi_label { (" micro F1 |", "---|") } else { ("", "") };
    let _ = write!(card, "| split | texts | correct | accuracy |{head}\n|---|---|---|---|{rule}\n");
    let Evaluation { split, rows, correct, accuracy, micro_f1, .. } = evaluation;
    let accuracy = 100.0 * accuracy;
    let f1 = micro_f1.map_or_else(String::new, |f1| format!(" {f1:.4} |"));
    let _ = writeln!(card, "| {split} | {rows} | {correct} | {accuracy:.2} % |{f1}");
}
