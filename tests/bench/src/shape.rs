//! The tutorial's model in numbers, and the arithmetic a token costs in it.

/// Layers of an LSTM classifier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Width of the embedding, which the first layer reads.
    pub(crate) input_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) num_layers: usize,
    pub(crate) directions: usize,
}

/// The tutorial's.
pub(crate) const TUTORIAL: Shape =
    Shape { input_size: 100, hidden_size: 256, num_layers: 2, directions: 2 };

impl Shape {
    /// Floating-point operations of the forward pass for a token, two a multiply-add: the four gates'
    /// products with the input and with the state. (What is pointwise or once a review is left out.)
    pub(crate) fn forward_flops(&self) -> f64 {
        (0..self.num_layers).map(|layer| self.products(self.layer_input(layer))).sum::<f64>()
            + self.num_layers as f64 * self.products(self.hidden_size)
    }

    /// Forward and backward: every product has two more in the backward pass, one for the gradient of
    /// each factor. Without the gradient into the embedding's output, which a frozen embedding does
    /// not need: the convention of all published fractions.
    pub(crate) fn training_flops(&self) -> f64 {
        self.training_flops_with_embedding() - self.products(self.input_size)
    }

    /// Forward and backward, the gradient into the embedding included, which Taper and PyTorch compute.
    pub(crate) fn training_flops_with_embedding(&self) -> f64 {
        3.0 * self.forward_flops()
    }

    fn layer_input(&self, layer: usize) -> usize {
        if layer == 0 { self.input_size } else { self.directions * self.hidden_size }
    }

    /// A token's products of `[4 * hidden_size, columns]` with a vector, in every direction.
    fn products(&self, columns: usize) -> f64 {
        (2 * self.directions * 4 * self.hidden_size * columns) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tutorials_model_costs_what_the_notes_say() {
        let mega = |flops: f64| (flops / 1e4).round() / 100.0;
        assert!((mega(TUTORIAL.forward_flops()) - 4.60).abs() < 1e-9);
        assert!((mega(TUTORIAL.training_flops()) - 13.40).abs() < 1e-9);
        assert!((mega(TUTORIAL.training_flops_with_embedding()) - 13.81).abs() < 1e-9);
    }
}
