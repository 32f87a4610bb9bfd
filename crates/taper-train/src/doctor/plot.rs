//! The page's plots as inline SVG: stacked bars and lines over bins. Colours are the page's variables.

use std::fmt::Write as _;

const WIDTH: f64 = 680.0;
const LEFT: f64 = 110.0;
const BAR: f64 = 22.0;
const GAP: f64 = 8.0;
const HEIGHT: f64 = 220.0;
const BOTTOM: f64 = 28.0;
const COLOURS: usize = 5;

/// Names on a line of a legend, and a line's height.
const NAMES: usize = 4;
const LINE: f64 = 22.0;

/// A bar a row, its parts side by side, of the row's own total. Values are counts.
pub(super) fn bars(rows: &[(String, Vec<(String, u64)>)]) -> String {
    let height = rows.len() as f64 * (BAR + GAP);
    let mut svg = open(height);
    for (index, (name, parts)) in rows.iter().enumerate() {
        let y = index as f64 * (BAR + GAP);
        let total = parts.iter().map(|(_, count)| *count).sum::<u64>().max(1) as f64;
        text(&mut svg, LEFT - 8.0, y + 15.0, "end", name);
        let mut x = LEFT;
        for (colour, (part, count)) in parts.iter().enumerate() {
            let width = (WIDTH - LEFT) * *count as f64 / total;
            let share = 100.0 * *count as f64 / total;
            let _ = write!(
                svg,
                "<rect class=\"c{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\">\
                 <title>{}: {count} ({share:.1} %)</title></rect>",
                colour % COLOURS,
                escape(part)
            );
            if width > 90.0 {
                let label = format!("{part} {share:.1} %");
                text(&mut svg, x + 6.0, y + 15.0, "start", &label);
            }
            x += width;
        }
    }
    svg + "</svg>\n"
}

/// A line a series over bins of equal width, each as a share of its own total; `ticks` name bins.
pub(super) fn lines(series: &[(String, Vec<u64>)], ticks: &[(usize, String)]) -> String {
    let bins = series.iter().map(|(_, counts)| counts.len()).max().unwrap_or(0).max(1);
    let share = |counts: &[u64], bin: usize| {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        counts.get(bin).copied().unwrap_or(0) as f64 / total
    };
    let shares = series.iter().flat_map(|(_, counts)| (0..bins).map(|bin| share(counts, bin)));
    let top = shares.fold(0.0, f64::max).max(1e-9);
    let x = |bin: usize| LEFT + (WIDTH - LEFT - 16.0) * bin as f64 / bins as f64;
    let y = |share: f64| 10.0 + (HEIGHT - 10.0 - BOTTOM) * (1.0 - share / top);
    let mut svg = open(HEIGHT + LINE * series.len().div_ceil(NAMES).max(1) as f64);
    let base = y(0.0);
    let _ = write!(svg, "<path class=\"axis\" d=\"M{LEFT} 10V{base:.1}H{WIDTH}\"/>");
    text(&mut svg, LEFT - 8.0, 18.0, "end", &format!("{:.1} %", 100.0 * top));
    text(&mut svg, LEFT - 8.0, base, "end", "0 %");
    for (bin, name) in ticks.iter().filter(|(bin, _)| *bin <= bins) {
        text(&mut svg, x(*bin), base + 16.0, "middle", name);
    }
    for (colour, (name, counts)) in series.iter().enumerate() {
        let mut path = format!("M{:.1} {base:.1}", x(0));
        for bin in 0..bins {
            let _ = write!(path, "V{:.1}H{:.1}", y(share(counts, bin)), x(bin + 1));
        }
        let at = LEFT + 130.0 * (colour % NAMES) as f64;
        let below = HEIGHT + LINE * (colour / NAMES) as f64;
        let colour = colour % COLOURS;
        let _ = write!(svg, "<path class=\"line l{colour}\" d=\"{path}V{base:.1}\"/>");
        let _ = write!(
            svg,
            "<rect class=\"c{colour}\" x=\"{at:.1}\" y=\"{below:.1}\" width=\"12\" height=\"12\"/>"
        );
        text(&mut svg, at + 18.0, below + 11.0, "start", name);
    }
    svg + "</svg>\n"
}

/// For text and for attribute values.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn open(height: f64) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\">")
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = escape(text);
    let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_bar_fill_it() {
        let parts = vec![("neg".to_owned(), 1), ("<pos>".to_owned(), 3)];
        let svg = bars(&[("train".to_owned(), parts)]);
        assert!(svg.contains("x=\"252.5\" y=\"0.0\" width=\"427.5\""), "{svg}");
        assert!(svg.contains("&lt;pos&gt;: 3 (75.0 %)"), "{svg}");
    }

    #[test]
    fn a_long_legend_stays_in_the_picture() {
        let series: Vec<_> = (0..6).map(|n| (format!("split{n}"), vec![1])).collect();
        let svg = lines(&series, &[]);
        assert!(svg.contains("viewBox=\"0 0 680 264\""), "{svg}");
        assert!(svg.contains("x=\"128.0\" y=\"253.0\" text-anchor=\"start\">split4<"), "{svg}");
    }

    #[test]
    fn no_numbers_no_nan() {
        for svg in [
            bars(&[("train".to_owned(), vec![("neg".to_owned(), 0)])]),
            lines(&[("train".to_owned(), Vec::new())], &[(0, "1".to_owned())]),
            lines(&[], &[]),
        ] {
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        }
    }
}
