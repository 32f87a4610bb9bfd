//! A small SVG: time against tokens, with the fitted line.

use std::fmt::Write as _;

use crate::sweep::Line;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const MARGIN: f64 = 60.0;
const TICKS: u32 = 4;

/// The points of a line as an SVG document; axes start at zero.
pub(crate) fn svg(line: &Line) -> String {
    let (right, top) = line
        .points
        .iter()
        .fold((0.0_f64, 0.0_f64), |most, point| (most.0.max(point.0), most.1.max(point.1)));
    let x = |tokens: f64| MARGIN + tokens / right * (WIDTH - 2.0 * MARGIN);
    let y = |seconds: f64| HEIGHT - MARGIN - seconds / top * (HEIGHT - 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut text = |x: f64, y: f64, anchor: &str, text: &str| {
        let _ =
            writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
    };
    text(WIDTH / 2.0, HEIGHT - 20.0, "middle", "tokens in the batch");
    text(MARGIN, MARGIN - 30.0, "start", "seconds, forward and backward");
    let fit = format!("R² of the straight line: {:.5}", line.r2);
    text(WIDTH - MARGIN, MARGIN - 30.0, "end", &fit);
    for tick in 0..=TICKS {
        let share = f64::from(tick) / f64::from(TICKS);
        text(x(share * right), HEIGHT - MARGIN + 18.0, "middle", &format!("{:.0}", share * right));
        text(MARGIN - 8.0, y(share * top) + 4.0, "end", &format!("{:.2}", share * top));
    }
    let mut stroke = |from: (f64, f64), to: (f64, f64), colour: &str| {
        let _ = writeln!(
            svg,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\"/>",
            x(from.0),
            y(from.1),
            x(to.0),
            y(to.1)
        );
    };
    stroke((0.0, 0.0), (right, 0.0), "black");
    stroke((0.0, 0.0), (0.0, top), "black");
    let fitted = |tokens: f64| (tokens, line.intercept + line.slope * tokens);
    stroke(fitted(0.0), fitted(right), "#c44");
    for point in &line.points {
        let _ = writeln!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"#247\"/>",
            x(point.0),
            y(point.1)
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_lies_within_the_axes() {
        let points = vec![(100.0, 1.0), (200.0, 2.0), (400.0, 4.0)];
        let svg = svg(&Line { points, slope: 0.01, intercept: 0.0, r2: 1.0 });
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("cx=\"580.0\" cy=\"60.0\""), "{svg}");
        assert!(svg.ends_with("</svg>\n"));
    }
}
