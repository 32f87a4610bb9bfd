//! A matrix of counts, each row shaded by its shares: what was taken for what.

use super::font::width;
use super::scene::{Anchor, Ink, LETTER, Scene, short};

/// Classes that are drawn; a larger matrix has its first ones.
const MOST: usize = 24;

/// Rows are what is, columns what was said; `counts[is][said]`.
pub(crate) fn matrix(title: &str, names: &[String], counts: &[Vec<u64>]) -> Scene {
    let classes = names.len().min(counts.len()).min(MOST);
    let names: Vec<String> = names.iter().take(classes).map(|name| short(name, 14)).collect();
    let longest = names.iter().map(|name| width(name)).fold(0.0, f64::max);
    let left = 2.0 * LETTER + 14.0 + longest;
    let side = 440.0 - left - 14.0;
    let (across, down) = (side / classes.max(1) as f64, (side / classes.max(1) as f64).min(72.0));
    // Names of columns that do not fit are turned.
    let turned = longest + 6.0 > across;
    let top = 12.0 + if turned { longest + 8.0 } else { 1.8 * LETTER };
    let height = top + down * classes as f64 + 2.0 * LETTER;
    let mut scene = Scene::new(title, [440.0, height]);
    for (is, name) in names.iter().enumerate() {
        let y = top + down * is as f64;
        let middle = y + down / 2.0 + 0.35 * LETTER;
        scene.text([left - 8.0, middle], Anchor::End, Ink::Text, name);
        let x = left + across * (is as f64 + 0.5);
        if turned {
            scene.text(
                [x + 0.35 * LETTER, top - 6.0 - longest / 2.0],
                Anchor::Upwards,
                Ink::Text,
                name,
            );
        } else {
            scene.text([x, top - 7.0], Anchor::Middle, Ink::Text, name);
        }
        let total: u64 = counts[is].iter().sum();
        for (said, count) in counts[is].iter().take(classes).enumerate() {
            let share = *count as f64 / (total as f64).max(1.0);
            let x = left + across * said as f64;
            let says =
                format!("{name} taken for {}: {count} ({:.1} %)", names[said], 100.0 * share);
            let ink = Ink::Series(usize::from(is != said));
            scene.area([x, y, across - 2.0, down - 2.0], ink, 0.08 + 0.72 * share, says);
            let label = count.to_string();
            if width(&label) < across - 4.0 && down > LETTER + 2.0 {
                let at = [x + across / 2.0 - 1.0, middle];
                scene.text(at, Anchor::Middle, Ink::Text, &label);
            }
        }
    }
    let middle = top + down * classes as f64 / 2.0;
    scene.text([LETTER, middle], Anchor::Upwards, Ink::Soft, "label");
    scene.text([left + side / 2.0, height - 6.0], Anchor::Middle, Ink::Soft, "taken for");
    scene
}
