//! Gauss-Legendre quadrature over (0, 1): the points integrated gradients are computed at.

use std::f64::consts::PI;

/// `n` points in (0, 1), rising, each with its weight; the weights add up to 1.
///
/// Exact for polynomials of degree `2 n - 1`. The points are the roots of the Legendre polynomial of degree `n`,
/// found by Newton's method from Chebyshev's approximation.
pub(crate) fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = (0..n)
        .map(|k| {
            let mut x = (PI * (k as f64 + 0.75) / (n as f64 + 0.5)).cos();
            let mut slope = 1.0;
            // Quadratic convergence from a close start: a handful of rounds; the bound is for safety.
            for _ in 0..100 {
                let (value, derivative) = legendre(n, x);
                slope = derivative;
                let step = value / derivative;
                x -= step;
                if step.abs() < 1e-15 {
                    break;
                }
            }
            (0.5 * (1.0 + x), 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect();
    points.reverse();
    points
}

/// The Legendre polynomial of degree `n >= 1` and its derivative at `x` (Bonnet's recursion).
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for degree in 2..=n {
        let degree = degree as f64;
        let next = ((2.0 * degree - 1.0) * x * value - (degree - 1.0) * before) / degree;
        (before, value) = (value, next);
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::gauss_legendre;

    #[test]
    fn polynomials_are_integrated_exactly() {
        for n in [1_usize, 2, 3, 8, 50, 200] {
            let points = gauss_legendre(n);
            assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0), "{n}");
            for degree in [0, 1, n, 2 * n - 1] {
                let sum: f64 = points.iter().map(|(x, w)| w * x.powi(degree as i32)).sum();
                let expected = 1.0 / (degree as f64 + 1.0);
                assert!((sum - expected).abs() < 1e-13, "{n} points, degree {degree}: {sum}");
            }
        }
    }
}
