//! The model card: what a stranger needs to know before using the model.

use std::fmt::Write;

use taper_text::Tokenizer;

use crate::artifacts::Prepared;
use crate::evaluate::Evaluation;
use crate::model::Model;
use crate::recipe::{Recipe, Truncate};

/// The card in Markdown, with the front matter that model hubs read.
pub(crate) fn write(
    recipe: &Recipe,
    model: &Model,
    prepared: &Prepared,
    epoch: u32,
    test: Option<&Evaluation>,
) -> String {
    let manifest = prepared.manifest();
    let config = &model.config;
    let mut card = String::new();
    let classes = config.class_names.join(", ");
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
        description = recipe.description,
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
    results(&mut card, config.threshold.is_some(), test);
    let _ = write!(
        card,
        "\nWeights of epoch {epoch}; `taper evaluate` on this folder repeats the figure.\n\n\
         ## Limits\n\n\
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
    card
}

/// Where a text may have several labels, correct texts have all of them right.
fn results(card: &mut String, multi_label: bool, test: Option<&Evaluation>) {
    let (head, rule, cell) = if multi_label { (" micro F1 |", "---|", " |") } else { ("", "", "") };
    let _ = write!(card, "| split | texts | correct | accuracy |{head}\n|---|---|---|---|{rule}\n");
    let Some(test) = test else {
        let _ = writeln!(card, "| (the data set has no labelled test split) | | | |{cell}");
        return;
    };
    let accuracy = 100.0 * test.accuracy;
    let f1 = test.micro_f1.map_or_else(String::new, |f1| format!(" {f1:.4} |"));
    let _ = writeln!(card, "| test | {} | {} | {accuracy:.2} % |{f1}", test.rows, test.correct);
}
