//! Lines over two axes as an SVG that stands alone.

use std::fmt::Write as _;

/// Okabe and Ito's (2008), somewhat darker: colour-blind readers can tell them apart.
const COLOURS: [&str; 4] = ["#c25400", "#007f5f", "#0068a8", "#a8508a"];
const INK: &str = "#586174";

const SIZE: [f64; 2] = [640.0, 400.0];
const LEFT: f64 = 70.0;
const RIGHT: f64 = 620.0;
const TOP: f64 = 84.0;
const BOTTOM: f64 = 350.0;

/// A curve.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<[f64; 2]>,
    pub(super) colour: usize,
    pub(super) dashed: bool,
}

/// Numbers the y axis goes down to, with `log`: below it nothing is learnt, and the rest would be squeezed.
const LEAST: f64 = 1e-30;

/// Draws it: y from 0 to 1, or by powers of ten down to the least value or [`LEAST`].
pub(super) fn plot(title: &str, [x, y]: [&str; 2], lines: &[Line], log: bool) -> String {
    let all = || lines.iter().flat_map(|line| &line.points);
    let last = all().fold(1.0_f64, |last, point| last.max(point[0]));
    let decades = if log {
        let range = all()
            .filter(|point| point[1] >= LEAST)
            .fold([0.0, -1.0], |[high, low]: [f64; 2], point| {
                [high.max(point[1].log10()), low.min(point[1].log10())]
            });
        // Five whole steps, so that ticks are powers of ten.
        let high = range[0].ceil();
        [high - 5.0 * ((high - range[1]) / 5.0).ceil().max(1.0), high]
    } else {
        [0.0, 1.0]
    };
    let place = |point: &[f64; 2]| {
        let value = if log { point[1].log10() } else { point[1] };
        let share = (value - decades[0]) / (decades[1] - decades[0]);
        [LEFT + (RIGHT - LEFT) * point[0] / last, BOTTOM - (BOTTOM - TOP) * share]
    };
    let [width, height] = SIZE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"{title}\" font-family=\"sans-serif\" font-size=\"13\">\n<title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let text = |svg: &mut String, [x, y]: [f64; 2], anchor: &str, text: &str, turn: bool| {
        let turn =
            if turn { format!(" transform=\"rotate(-90 {x:.1} {y:.1})\"") } else { String::new() };
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#1d2330\"{turn}>{text}</text>"
        );
    };
    for tick in 0..=5 {
        let share = f64::from(tick) / 5.0;
        let value = decades[0] + share * (decades[1] - decades[0]);
        let (across, up) = (LEFT + (RIGHT - LEFT) * share, BOTTOM - (BOTTOM - TOP) * share);
        let _ =
            writeln!(svg, "<path d=\"M{LEFT} {up:.1}H{RIGHT}\" stroke=\"#dfe2e9\" fill=\"none\"/>");
        let name = if log { format!("1e{value:.0}") } else { format!("{:.0} %", 100.0 * value) };
        text(&mut svg, [LEFT - 8.0, up + 4.0], "end", &name, false);
        text(&mut svg, [across, BOTTOM + 18.0], "middle", &format!("{:.0}", last * share), false);
    }
    let _ = writeln!(svg, "<path d=\"M{LEFT} {BOTTOM}H{RIGHT}\" stroke=\"{INK}\" fill=\"none\"/>");
    text(&mut svg, [f64::midpoint(LEFT, RIGHT), BOTTOM + 38.0], "middle", x, false);
    text(&mut svg, [16.0, f64::midpoint(TOP, BOTTOM)], "middle", y, true);
    for (number, line) in lines.iter().enumerate() {
        let colour = COLOURS[line.colour % COLOURS.len()];
        let dash = if line.dashed { " stroke-dasharray=\"6 4\"" } else { "" };
        let (column, row) = ((number % 3) as f64, (number / 3) as f64);
        let [left, up] = [LEFT + 185.0 * column, 20.0 + 22.0 * row];
        let pen = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dash}");
        let _ = writeln!(svg, "<path d=\"M{left} {:.1}h22\" {pen}/>", up - 4.0);
        text(&mut svg, [left + 28.0, up], "start", &line.name, false);
        let mut path = String::new();
        // A curve ends where it leaves the picture.
        for point in line.points.iter().take_while(|point| !log || point[1] >= LEAST) {
            let [x, y] = place(point);
            let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
        }
        let _ = writeln!(svg, "<path d=\"{path}\" stroke-linejoin=\"round\" {pen}/>");
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::{Line, plot};

    #[test]
    fn a_curve_ends_where_it_leaves_the_picture() {
        let points = vec![[0.0, 1.0], [1.0, 1e-20], [2.0, 1e-40], [3.0, 0.0]];
        let line = Line { name: "RNN".into(), points, colour: 0, dashed: true };
        let svg = plot("Gradients", ["steps", "norm"], &[line], true);
        assert!(svg.contains("M70.0 84.0L253.3 350.0\"") && svg.contains("1e-20"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
