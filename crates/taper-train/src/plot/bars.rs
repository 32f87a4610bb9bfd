//! Stacked bars: a bar a row, its parts side by side.

use super::font::width;
use super::scene::{Anchor, COLOURS, Ink, LETTER, Scene, short};

const WIDTH: f64 = 680.0;
const BAR: f64 = 22.0;
const GAP: f64 = 8.0;

/// Parts of each row as shares of the row's own total. Values are counts.
pub(crate) fn bars(title: &str, rows: &[(String, Vec<(String, u64)>)]) -> Scene {
    let names: Vec<String> = rows.iter().map(|(name, _)| short(name, 20)).collect();
    let left = 12.0 + names.iter().map(|name| width(name)).fold(0.0, f64::max);
    let mut scene = Scene::new(title, [WIDTH, rows.len() as f64 * (BAR + GAP)]);
    for (index, (name, (_, parts))) in names.iter().zip(rows).enumerate() {
        let y = index as f64 * (BAR + GAP);
        let base = y + BAR / 2.0 + 0.35 * LETTER;
        let total = parts.iter().map(|(_, count)| *count).sum::<u64>().max(1) as f64;
        scene.text([left - 8.0, base], Anchor::End, Ink::Text, name);
        let mut x = left;
        for (colour, (part, count)) in parts.iter().enumerate() {
            let wide = (WIDTH - left) * *count as f64 / total;
            let share = 100.0 * *count as f64 / total;
            let says = format!("{part}: {count} ({share:.1} %)");
            scene.area([x, y, wide, BAR], Ink::Series(colour % COLOURS), 0.6, says);
            let label = format!("{part} {share:.1} %");
            if width(&label) + 10.0 < wide {
                scene.text([x + 6.0, base], Anchor::Start, Ink::Text, &label);
            }
            x += wide;
        }
    }
    scene
}
