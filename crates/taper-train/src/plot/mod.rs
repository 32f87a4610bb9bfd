//! Plots: a [`Chart`] over two axes, a [`matrix`] of shares, stacked [`bars`]. Each becomes a [`Scene`] of simple shapes,
//! which is written as SVG (colours of the page it stands in, or of its own) or painted as PNG: the same picture.

mod bars;
mod chart;
mod font;
mod matrix;
mod png;
mod scale;
mod scene;
mod svg;
#[cfg(test)]
mod tests;

pub(crate) use bars::bars;
pub(crate) use chart::{Chart, Look};
pub(crate) use matrix::matrix;
pub(crate) use scale::{Axis, number};
pub(crate) use scene::Scene;
pub(crate) use svg::VARIABLES;
