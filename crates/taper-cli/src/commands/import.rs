//! `taper import`: a PyTorch classifier's weights to a model directory.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use taper_train::recipe::{Padding, Pooling};
use taper_train::{ImportOptions, Prepared, import};

use crate::args::at_least_one;
use crate::console::print;

/// The weights, and what they do not say.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// A `state_dict` saved as safetensors: an embedding, an `nn.LSTM` and one linear layer, under any names.
    weights: PathBuf,

    /// The tokenizer.json whose ids the model was trained on.
    #[arg(long, value_name = "FILE", required_unless_present = "prepared")]
    tokenizer: Option<PathBuf>,

    /// Prepared data whose tokenizer and classes the model was trained on.
    #[arg(long, value_name = "DIR", conflicts_with = "tokenizer")]
    prepared: Option<PathBuf>,

    /// Folder of the new model.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Names of the classes in the order of their numbers. [default: those of --prepared]
    #[arg(
        long,
        value_name = "NAME,NAME…",
        value_delimiter = ',',
        required_unless_present = "prepared"
    )]
    labels: Vec<String>,

    /// A text has any number of the labels, each with a logit of its own. [default: as --prepared has it]
    #[arg(long)]
    multi_label: bool,

    /// How the LSTM's outputs become one vector; needed unless the linear layer reads last, max and mean side by side.
    #[arg(long, value_name = "last|max|mean|concat", value_parser = pooling)]
    pooling: Option<Pooling>,

    /// Whether the model was trained to read padding up to its batch's longest text.
    #[arg(long, value_name = "mask|tutorial", default_value = "mask", value_parser = padding)]
    padding: Padding,

    /// Longest text in tokens that it is to read. [default: texts are read whole]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    max_length: Option<usize>,

    /// Renames a tensor, or all tensors of a module, as in `--rename sentiment.head=fc`.
    #[arg(long = "rename", value_name = "OLD=NEW", value_parser = renaming)]
    renames: Vec<(String, String)>,
}

fn pooling(word: &str) -> Result<Pooling, String> {
    match word {
        "last" => Ok(Pooling::Last),
        "max" => Ok(Pooling::Max),
        "mean" => Ok(Pooling::Mean),
        "concat" => Ok(Pooling::Concat),
        _ => Err("expected last, max, mean or concat".to_owned()),
    }
}

fn padding(word: &str) -> Result<Padding, String> {
    match word {
        "mask" => Ok(Padding::Mask),
        "tutorial" => Ok(Padding::Tutorial),
        _ => Err("expected mask or tutorial".to_owned()),
    }
}

fn renaming(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.into(), new.into())),
        _ => Err("expected OLD=NEW, as in sentiment.head=fc".to_owned()),
    }
}

pub(crate) fn run(args: &ImportArgs) -> Result<ExitCode> {
    let prepared = args.prepared.as_deref().map(Prepared::open).transpose()?;
    let tokenizer = match (&args.tokenizer, &prepared) {
        (Some(tokenizer), _) => tokenizer.clone(),
        (None, Some(prepared)) => prepared.tokenizer_path(),
        (None, None) => bail!("say which tokenizer: --tokenizer FILE or --prepared DIR"),
    };
    let class_names = match &prepared {
        Some(prepared) if args.labels.is_empty() => prepared.manifest().class_names.clone(),
        _ => args.labels.clone(),
    };
    let options = ImportOptions {
        weights: args.weights.clone(),
        tokenizer,
        renames: args.renames.clone(),
        pooling: args.pooling,
        padding: args.padding,
        class_names,
        multi_label: args.multi_label
            || prepared.as_ref().is_some_and(|prepared| prepared.manifest().is_multi_label()),
        max_length: args.max_length,
    };
    let config = import(&options, &args.out)?;
    let network = &config.model;
    print(format_args!(
        "{}: {} LSTM layer(s) of {}{}, {} words, classes {}",
        args.out.display(),
        network.num_layers,
        network.hidden_size,
        if network.bidirectional { ", both directions" } else { "" },
        config.vocabulary_size,
        config.class_names.join(", ")
    ))?;
    Ok(ExitCode::SUCCESS)
}
