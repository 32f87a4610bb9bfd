//! The network that a `state_dict` holds, by names and shapes; its tensors under Taper's names.
//!
//! ```text
//! RNN.weight_ih_l0 [4 * hidden, dimensions]    and its kin: nn.LSTM, in any module
//! embedding.weight [words, dimensions]         else the only matrix of that width without a bias beside it
//! fc.weight        [logits, features]          else the only matrix as wide as the LSTM's output, or three times that
//! fc.bias          [logits]                    beside it
//! ```

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use crate::recipe::Pooling;

type Tensors = BTreeMap<String, Tensor>;
type Result<T> = std::result::Result<T, String>;

/// What was found.
#[derive(Debug)]
pub(super) struct Recognised {
    pub(super) vocabulary_size: usize,
    pub(super) dimensions: usize,
    pub(super) hidden_size: usize,
    pub(super) num_layers: usize,
    pub(super) bidirectional: bool,
    pub(super) pooling: Pooling,
    /// `embedding.weight`, `rnn.…`, `fc.weight`, `fc.bias`, in f32.
    pub(super) tensors: Tensors,
}

/// Renames a tensor, or all of a module's.
pub(super) fn rename(tensors: &mut Tensors, old: &str, new: &str) -> Result<()> {
    let renamed = |name: &String| {
        let rest = name.strip_prefix(old)?;
        (rest.is_empty() || rest.starts_with('.')).then(|| format!("{new}{rest}"))
    };
    let names: Vec<_> =
        tensors.keys().filter_map(|name| Some((name.clone(), renamed(name)?))).collect();
    if names.is_empty() {
        return Err(format!("has no tensor or module `{old}` to rename; it has {}", list(tensors)));
    }
    for (old, new) in names {
        if let Some(tensor) = tensors.remove(&old)
            && tensors.insert(new.clone(), tensor).is_some()
        {
            return Err(format!("has a tensor {new} already, which {old} is to be renamed to"));
        }
    }
    Ok(())
}

/// Takes the tensors apart.
pub(super) fn recognise(
    mut tensors: Tensors,
    pooling: Option<Pooling>,
    classes: usize,
    multi_label: bool,
) -> Result<Recognised> {
    let lstm = lstm(&mut tensors)?;
    let Lstm { dimensions, hidden_size, num_layers, directions, tensors: mut taken } = lstm;
    let features = directions * hidden_size;
    let embedding =
        matrix(&tensors, "embedding", &[dimensions], |name| !tensors.contains_key(&beside(name)))?;
    let embedding = take(&mut tensors, &embedding)?;
    let fc = matrix(&tensors, "fc", &[features, 3 * features], |_| true)?;
    let weight = take(&mut tensors, &fc)?;
    let (logits, width) = weight.dims2().map_err(|error| error.to_string())?;
    let bias = match tensors.remove(&beside(&fc)) {
        Some(bias) => shaped(&beside(&fc), &bias, &[logits])?,
        None => zeros(&[logits])?,
    };
    if !tensors.is_empty() {
        return Err(format!(
            "has tensors that are no part of an embedding, an LSTM and one linear layer: {}",
            list(&tensors)
        ));
    }
    let (weight, bias) = head(weight, bias, classes, multi_label)?;
    let vocabulary_size = embedding.dims()[0];
    taken.insert("embedding.weight".into(), embedding);
    taken.insert("fc.weight".into(), weight);
    taken.insert("fc.bias".into(), bias);
    let pooling = pooling_of(pooling, width, features)?;
    let bidirectional = directions == 2;
    Ok(Recognised {
        vocabulary_size,
        dimensions,
        hidden_size,
        num_layers,
        bidirectional,
        pooling,
        tensors: taken,
    })
}

struct Lstm {
    dimensions: usize,
    hidden_size: usize,
    num_layers: usize,
    directions: usize,
    tensors: Tensors,
}

fn lstm(tensors: &mut Tensors) -> Result<Lstm> {
    const FIRST: &str = "weight_ih_l0";
    let prefixes: Vec<String> = tensors
        .keys()
        .filter_map(|name| name.strip_suffix(FIRST))
        .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        .map(str::to_owned)
        .collect();
    let prefix = match prefixes.as_slice() {
        [prefix] => prefix.clone(),
        [] => {
            return Err(format!("has no LSTM: no name ends in {FIRST}; it has {}", list(tensors)));
        }
        several => {
            let several = several.iter().map(|prefix| prefix.trim_end_matches('.'));
            let several = several.collect::<Vec<_>>().join(", ");
            return Err(format!("has several recurrent modules ({several}); Taper's has one"));
        }
    };
    let dims = |name: &str| tensors.get(&format!("{prefix}{name}")).map(|t| t.dims().to_vec());
    let Some([rows, hidden_size]) = dims("weight_hh_l0")
        .as_deref()
        .map(<[usize; 2]>::try_from)
        .and_then(std::result::Result::ok)
    else {
        let found = dims("weight_hh_l0").map_or("nothing".to_owned(), |dims| format!("{dims:?}"));
        return Err(format!("{prefix}weight_hh_l0: found {found}, expected [4 * hidden, hidden]"));
    };
    if dims("weight_hr_l0").is_some() {
        return Err(format!(
            "{prefix}weight_hr_l0: an LSTM with a projection, which Taper's models do not have"
        ));
    }
    if hidden_size == 0 || rows != 4 * hidden_size {
        let kind = match rows.checked_div(hidden_size) {
            Some(3) => "; three gates are a GRU, and Taper's models are LSTMs",
            Some(1) => "; no gates are a plain RNN, and Taper's models are LSTMs",
            _ => "",
        };
        return Err(format!(
            "{prefix}weight_hh_l0: found [{rows}, {hidden_size}], expected [{}, {hidden_size}]{kind}",
            4 * hidden_size
        ));
    }
    let dimensions = dims(FIRST).and_then(|dims| dims.last().copied()).unwrap_or(0);
    let directions = if dims("weight_ih_l0_reverse").is_some() { 2 } else { 1 };
    let num_layers =
        (0..=tensors.len()).take_while(|k| dims(&format!("weight_ih_l{k}")).is_some()).count();
    let suffixes = &["", "_reverse"][..directions];
    // As `nn.LSTM` has it: `bias=False` leaves all of them out, and nothing leaves out some.
    let is_bias = |name: &str| ["bias_ih_l", "bias_hh_l"].iter().any(|kind| name.starts_with(kind));
    let biased = tensors.keys().filter_map(|name| name.strip_prefix(&prefix)).any(is_bias);
    let mut taken = Tensors::new();
    for layer in 0..num_layers {
        let input = if layer == 0 { dimensions } else { directions * hidden_size };
        for suffix in suffixes {
            for (kind, shape) in [
                ("weight_ih", &[rows, input][..]),
                ("weight_hh", &[rows, hidden_size]),
                ("bias_ih", &[rows]),
                ("bias_hh", &[rows]),
            ] {
                let name = format!("{kind}_l{layer}{suffix}");
                let theirs = format!("{prefix}{name}");
                let tensor = match tensors.remove(&theirs) {
                    Some(tensor) => shaped(&theirs, &tensor, shape)?,
                    None if kind.starts_with("bias") && !biased => zeros(shape)?,
                    None if kind.starts_with("bias") => {
                        return Err(format!(
                            "lacks the tensor {theirs}, expected {shape:?}: an LSTM has all of its biases, or none"
                        ));
                    }
                    None => return Err(format!("lacks {theirs}, expected {shape:?}")),
                };
                taken.insert(format!("rnn.{name}"), tensor);
            }
        }
    }
    Ok(Lstm { dimensions, hidden_size, num_layers, directions, tensors: taken })
}

/// The name of a matrix of one of these widths: `NAME.weight`, or the only one that `may_be`.
fn matrix(
    tensors: &Tensors,
    name: &str,
    widths: &[usize],
    may_be: impl Fn(&str) -> bool,
) -> Result<String> {
    let widths_shown: Vec<String> = widths.iter().map(|width| format!("[any, {width}]")).collect();
    let expected = widths_shown.join(" or ");
    let fits = |tensor: &Tensor| matches!(tensor.dims(), [_, width] if widths.contains(width));
    let own = format!("{name}.weight");
    if let Some(tensor) = tensors.get(&own) {
        if fits(tensor) {
            return Ok(own);
        }
        return Err(format!("{own}: found {:?}, expected {expected}", tensor.dims()));
    }
    let candidates: Vec<&String> =
        tensors.iter().filter(|(name, t)| fits(t) && may_be(name)).map(|pair| pair.0).collect();
    match candidates.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(format!("has nothing for {own} of shape {expected}; left are {}", list(tensors))),
        several => {
            let several: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            Err(format!(
                "has several tensors that could be {own} ({}); rename the right one to it",
                several.join(", ")
            ))
        }
    }
}

/// A head of as many logits as Taper wants: two for two classes become their difference.
fn head(
    weight: Tensor,
    bias: Tensor,
    classes: usize,
    multi_label: bool,
) -> Result<(Tensor, Tensor)> {
    let logits = weight.dims()[0];
    let expected = if multi_label { logits } else { logits.max(2) };
    if classes != expected {
        let what = if multi_label { "labels" } else { "classes" };
        return Err(format!(
            "the linear layer has {logits} logits, which are {expected} {what}; {classes} names are given"
        ));
    }
    if logits != 2 || multi_label {
        return Ok((weight, bias));
    }
    let difference = |both: &Tensor| both.narrow(0, 1, 1)?.sub(&both.narrow(0, 0, 1)?);
    let fold = |both: &Tensor| difference(both).map_err(|error| error.to_string());
    Ok((fold(&weight)?, fold(&bias)?))
}

fn pooling_of(told: Option<Pooling>, width: usize, features: usize) -> Result<Pooling> {
    match told {
        None if width == 3 * features => Ok(Pooling::Concat),
        None => Err(format!(
            "the linear layer reads {width} features, as many as an output of the LSTM has: say whether they are the \
             last, the max or the mean (--pooling)"
        )),
        Some(Pooling::Concat) if width == features => Err(format!(
            "the linear layer reads {width} features; after last, max and mean side by side it would be {}",
            3 * features
        )),
        Some(pooling) if pooling != Pooling::Concat && width == 3 * features => Err(format!(
            "the linear layer reads {width} features, three times the {features} of an output: its pooling is concat"
        )),
        Some(pooling) => Ok(pooling),
    }
}

fn beside(weight: &str) -> String {
    let module = weight.strip_suffix("weight").unwrap_or(weight);
    format!("{module}bias")
}

fn take(tensors: &mut Tensors, name: &str) -> Result<Tensor> {
    let tensor = tensors.remove(name).ok_or_else(|| format!("lacks {name}"))?;
    in_f32(name, &tensor)
}

fn shaped(name: &str, tensor: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if tensor.dims() != shape {
        return Err(format!("{name}: found {:?}, expected {shape:?}", tensor.dims()));
    }
    in_f32(name, tensor)
}

/// In f32, where all of it are finite numbers: nothing is to be had of a model with others.
fn in_f32(name: &str, tensor: &Tensor) -> Result<Tensor> {
    let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
    let tensor = tensor.to_dtype(DType::F32).map_err(|error| error.to_string())?;
    let values = values(&tensor).map_err(|error| error.to_string())?;
    let mut others = (0..).zip(&values).filter(|(_, value)| !value.is_finite());
    let Some((first, value)) = others.next() else { return Ok(tensor) };
    Err(format!(
        "{name}: found {value} at {:?}, and {} of its {} elements that are infinite or no number in f32; expected finite \
         numbers",
        coordinates(first, tensor.dims()),
        1 + others.count(),
        values.len()
    ))
}

/// Where an element is, by its number in row-major order.
fn coordinates(mut element: usize, dims: &[usize]) -> Vec<usize> {
    let mut place: Vec<usize> = dims
        .iter()
        .rev()
        .map(|&size| {
            let index = element % size;
            element /= size;
            index
        })
        .collect();
    place.reverse();
    place
}

fn zeros(shape: &[usize]) -> Result<Tensor> {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).map_err(|error| error.to_string())
}

/// Names with shapes, or the first of many.
fn list(tensors: &Tensors) -> String {
    const SHOWN: usize = 12;
    let shown = tensors.iter().take(SHOWN).map(|(name, t)| format!("{name} {:?}", t.dims()));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match tensors.len() {
        0 => "nothing".to_owned(),
        n if n > SHOWN => format!("{shown} and {} more", n - SHOWN),
        _ => shown,
    }
}
