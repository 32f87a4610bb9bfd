//! How wrong the logits are, and which class they choose.

use candle_core::{D, Tensor};

use crate::Result;

/// Mean cross-entropy over a batch, in nats.
///
/// One logit is a binary classifier: it is the log-odds of class 1, and class 0 gets a logit of 0;
/// this is binary cross-entropy with logits, without its overflow.
///
/// # Shapes
/// `logits`: `[batch, num_logits]`; result: a scalar
pub fn cross_entropy(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    let labels = Tensor::new(labels, logits.device())?;
    Ok(candle_nn::loss::cross_entropy(&class_logits(logits)?, &labels)?)
}

/// Probability of every class, `[batch, classes]`.
pub fn probabilities(logits: &Tensor) -> Result<Vec<Vec<f32>>> {
    Ok(candle_nn::ops::softmax(&class_logits(logits)?, D::Minus1)?.to_vec2()?)
}

/// The most probable class of every row; of equal ones the first.
pub fn predicted_classes(logits: &Tensor) -> Result<Vec<u32>> {
    let rows: Vec<Vec<f32>> = class_logits(logits)?.to_vec2()?;
    Ok(rows.iter().map(|row| largest(row)).collect())
}

/// The place of the largest number; of equal ones the first.
pub(crate) fn largest(row: &[f32]) -> u32 {
    let best = (0u32..).zip(row).reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(0, |(class, _)| class)
}

/// A logit for every class.
fn class_logits(logits: &Tensor) -> Result<Tensor> {
    if logits.dim(D::Minus1)? > 1 {
        return Ok(logits.clone());
    }
    Ok(Tensor::cat(&[&logits.zeros_like()?, logits], D::Minus1)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_lossless)]
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn one_logit_is_binary_cross_entropy() {
        let (values, labels) = ([0.0f64, 2.0, -3.0, 800.0, -800.0], [1u32, 0, 0, 1, 1]);
        let logits = Var::from_tensor(&Tensor::new(&values, &Device::Cpu).unwrap()).unwrap();
        let loss = cross_entropy(&logits.reshape((5, 1)).unwrap(), &labels).unwrap();
        // max(x, 0) - x y + log(1 + exp(-|x|)), the stable form of PyTorch's documentation.
        let expected: f64 = values
            .iter()
            .zip(labels)
            .map(|(&x, y)| x.max(0.0) - x * y as f64 + (-x.abs()).exp().ln_1p())
            .sum();
        assert!((loss.to_scalar::<f64>().unwrap() - expected / 5.0).abs() < 1e-12);
        let gradient: Vec<f64> = loss.backward().unwrap().get(&logits).unwrap().to_vec1().unwrap();
        for ((g, x), y) in gradient.iter().zip(values).zip(labels) {
            let expected = (1.0 / (1.0 + (-x).exp()) - y as f64) / 5.0;
            assert!((g - expected).abs() < 1e-12, "{g} at {x}, {y}");
        }
    }

    #[test]
    fn classes() {
        let one = Tensor::new(&[[-0.5f32], [0.5], [0.0]], &Device::Cpu).unwrap();
        assert_eq!(predicted_classes(&one).unwrap(), [0, 1, 0]);
        let three = Tensor::new(&[[0f32, 2.0, 1.0], [3.0, 2.0, 1.0]], &Device::Cpu).unwrap();
        assert_eq!(predicted_classes(&three).unwrap(), [1, 0]);
        let probabilities = probabilities(&one).unwrap();
        assert!((probabilities[1][1] - 0.622_459_3).abs() < 1e-6);
    }
}
