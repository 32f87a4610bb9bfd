//! Pictures held against their values, hostile names, and nothing at all.

#![allow(clippy::unwrap_used)]
use std::path::Path;

use super::*;

fn chart() -> Chart {
    Chart::new("a", Axis::new("x"), Axis::new("y")).with(
        "s",
        Look::Line,
        vec![[0.0, 1.0], [10.0, 3.0]],
    )
}

fn ticks(axis: &Axis, values: &[f64]) -> Vec<String> {
    axis.fit(values.iter().copied()).ticks.into_iter().map(|(_, name)| name).collect()
}

#[test]
fn ticks_stand_at_round_numbers() {
    let axis = Axis::new("");
    assert_eq!(ticks(&axis, &[0.13, 0.87]), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
    assert_eq!(ticks(&axis, &[-3.0, 1234.0])[1..3], ["0", "500"]);
    assert_eq!(ticks(&axis, &[0.0, 81_000.0]), ["0", "20k", "40k", "60k", "80k", "100k"]);
    assert_eq!(
        ticks(&Axis::new("").percent().between(0.5, 1.0), &[]),
        ["50 %", "60 %", "70 %", "80 %", "90 %", "100 %"]
    );
    assert_eq!(ticks(&Axis::new("").log(), &[0.9, 80.0]), ["1", "2", "5", "10", "20", "50"]);
    assert_eq!(
        ticks(&Axis::new("").log(), &[1e-5, 1.0]),
        ["1e-5", "0.0001", "0.001", "0.01", "0.1", "1"]
    );
    assert_eq!(ticks(&Axis::new("").whole(), &[1.0, 2.0]), ["1", "2"]);
    assert_eq!(ticks(&Axis::new("").whole(), &[1.0]), ["0", "1", "2"]);
    // One value, the same value, and none at all.
    assert!(!ticks(&axis, &[3.0]).is_empty() && !ticks(&axis, &[0.0]).is_empty());
    assert_eq!(ticks(&axis, &[f64::NAN]).len(), 6);
}

#[test]
fn numbers_are_short() {
    let texts = [0.0, 0.25, -1.5, 1500.0, 25_000.0, 1.5e6, 2e-5, 3e12].map(number);
    assert_eq!(texts, ["0", "0.25", "−1.5", "1500", "25k", "1.5M", "2e-5", "3e12"]);
}

#[test]
fn a_line_goes_through_its_points() {
    let svg = chart().draw().inline();
    // From the left end of the frame to the right one, upwards from a third of y's 1 to 3.
    assert!(svg.contains("L420.0 28.0\" fill=\"none\" stroke=\"var(--k0)\""), "{svg}");
    assert!(svg.contains("aria-label=\"a\"") && !svg.contains("#fff"), "{svg}");
}

#[test]
fn hostile_names_and_numbers_stay_text() {
    let name = "</svg><script>alert(1)</script>\"&";
    let nan = vec![[f64::NAN, 1.0], [1.0, f64::INFINITY], [2.0, 2.0]];
    let odd =
        Chart::new(name, Axis::new(name), Axis::new(name).log()).with(name, Look::Marked, nan);
    let names = vec![name.to_owned(); 2];
    let scenes = [
        odd.draw(),
        Chart::new("", Axis::new(""), Axis::new("")).draw(),
        matrix(name, &names, &[vec![0, 0], vec![3, 9]]),
        matrix("", &[], &[]),
        bars(name, &[(name.to_owned(), vec![(name.to_owned(), 0)])]),
        bars("", &[]),
    ];
    for scene in scenes {
        for svg in [scene.inline(), scene.file()] {
            assert!(
                !svg.contains("<script") && !svg.contains("NaN") && !svg.contains("inf"),
                "{svg}"
            );
            assert_eq!(svg.matches("</svg>").count(), 1, "{svg}");
        }
        assert!(scene.png(Path::new("plot.png")).unwrap().starts_with(b"\x89PNG"));
    }
}

#[test]
fn nothing_says_that_there_is_nothing() {
    let ideal = vec![[0.0, 0.0], [1.0, 1.0]];
    let chart = Chart::new("", Axis::new(""), Axis::new("")).with("", Look::Ideal, ideal);
    assert!(chart.is_empty() && chart.draw().file().contains("nothing to show yet"));
    assert!(!self::chart().is_empty());
}

#[test]
fn parts_of_a_bar_fill_it() {
    let parts = vec![("neg".to_owned(), 1), ("<pos>".to_owned(), 3)];
    let svg = bars("", &[(String::new(), parts)]).inline();
    assert!(svg.contains("x=\"179.0\" y=\"0.0\" width=\"501.0\""), "{svg}");
    assert!(svg.contains("&lt;pos&gt;: 3 (75.0 %)"), "{svg}");
}

#[test]
fn a_long_legend_pushes_the_frame_down() {
    let mut chart = chart();
    for series in 0..12 {
        chart = chart.with(&format!("a rather long name {series}"), Look::Line, Vec::new());
    }
    let svg = chart.draw().file();
    // Thirteen names on six lines.
    assert!(svg.contains("L420.0 108.0\""), "{svg}");
}

/// The picture is painted, text included, and the font has the letters.
#[test]
fn a_png_shows_what_the_svg_does() {
    let pixels = |chart: &Chart| {
        let bytes = chart.draw().png(Path::new("plot.png")).unwrap();
        tiny_skia::Pixmap::decode_png(&bytes).unwrap()
    };
    let whole = pixels(&chart());
    assert_eq!((whole.width(), whole.height()), (880, 560));
    let (blue, white) = ([0, 0x68, 0xa8], [255, 255, 255]);
    let colour = |x, y| {
        let pixel = whole.pixel(x, y).unwrap();
        [pixel.red(), pixel.green(), pixel.blue()]
    };
    assert_eq!((colour(838, 57), colour(2, 2)), (blue, white));
    let mut without = chart();
    without.x = Axis::new("");
    assert_ne!(whole, pixels(&without), "the axis' name is painted");
    assert!(font::width("iii") < font::width("mmm") && font::width("Ωж€—") > 0.0);
}
