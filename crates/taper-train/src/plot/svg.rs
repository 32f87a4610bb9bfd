//! A scene as SVG.

use std::fmt::Write as _;

use super::scene::{Anchor, Ink, LETTER, Scene, Shape};
use crate::html::escape;

/// The colours of a page, as CSS variables: light, and dark where the reader has it so. Series colours are those of Okabe and
/// Ito (2008), which colour-blind readers can tell apart, somewhat darker or lighter for contrast.
pub(crate) const VARIABLES: &str = "
:root{color-scheme:light dark;--bg:#fff;--panel:#f5f6f9;--ink:#1d2330;--soft:#586174;--line:#dfe2e9;
--k0:#0068a8;--k1:#c25400;--k2:#007f5f;--k3:#a8508a;--k4:#937000;--k5:#2f8fc4;--k6:#7a4a28;--k7:#6b6b6b}
@media (prefers-color-scheme:dark){:root{--bg:#14171d;--panel:#1c2129;--ink:#e4e7ee;--soft:#a3acbb;--line:#313845;
--k0:#5ab0ee;--k1:#f0893e;--k2:#3fc49b;--k3:#d78fc0;--k4:#d9b93c;--k5:#8fd0f5;--k6:#c79a78;--k7:#a8a8a8}}
";

/// The same, light, for pictures that stand alone.
pub(super) const LIGHT: [&str; 8] =
    ["#0068a8", "#c25400", "#007f5f", "#a8508a", "#937000", "#2f8fc4", "#7a4a28", "#6b6b6b"];

/// What an ink is in a picture that stands alone.
pub(super) fn light(ink: Ink) -> &'static str {
    match ink {
        Ink::Text => "#1d2330",
        Ink::Soft => "#586174",
        Ink::Line => "#dfe2e9",
        Ink::Series(number) => LIGHT[number % LIGHT.len()],
    }
}

/// What it is within a page: one of [`VARIABLES`].
fn variable(ink: Ink) -> String {
    match ink {
        Ink::Text => "var(--ink)".to_owned(),
        Ink::Soft => "var(--soft)".to_owned(),
        Ink::Line => "var(--line)".to_owned(),
        Ink::Series(number) => format!("var(--k{})", number % LIGHT.len()),
    }
}

impl Scene {
    /// For a page that has [`VARIABLES`].
    pub(crate) fn inline(&self) -> String {
        self.write("", &variable)
    }

    /// For a file of its own: dark on white.
    pub(crate) fn file(&self) -> String {
        let [width, height] = self.size;
        let namespace = format!(
            " xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height:.0}\""
        );
        self.write(&namespace, &|ink| light(ink).to_owned())
    }

    fn write(&self, attributes: &str, colour: &dyn Fn(Ink) -> String) -> String {
        let [width, height] = self.size;
        let title = escape(&self.title);
        let mut svg = format!(
            "<svg{attributes} viewBox=\"0 0 {width} {height:.0}\" role=\"img\" aria-label=\"{title}\" \
             font-family=\"system-ui,sans-serif\" font-size=\"{LETTER}\">"
        );
        if !attributes.is_empty() {
            let _ = write!(
                svg,
                "<title>{title}</title><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
            );
        }
        for (shape, ink, opacity) in &self.shapes {
            let colour = colour(*ink);
            let opacity =
                if *opacity < 1.0 { format!(" opacity=\"{opacity:.2}\"") } else { String::new() };
            let _ = match shape {
                Shape::Path { points, width, dashed } => {
                    let dash = if *dashed { " stroke-dasharray=\"5 4\"" } else { "" };
                    let path = path(points);
                    write!(
                        svg,
                        "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" \
                         stroke-linejoin=\"round\"{dash}{opacity}/>"
                    )
                }
                Shape::Dots { points, width } => {
                    // Round caps of lines without length: a few bytes a dot.
                    let mut path = String::new();
                    for [x, y] in points {
                        let _ = write!(path, "M{x:.1} {y:.1}h0");
                    }
                    write!(
                        svg,
                        "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" \
                         stroke-linecap=\"round\"{opacity}/>"
                    )
                }
                Shape::Area { rectangle: [x, y, width, height], says } => {
                    let title = if says.is_empty() {
                        String::new()
                    } else {
                        format!("<title>{}</title>", escape(says))
                    };
                    write!(
                        svg,
                        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
                         fill=\"{colour}\"{opacity}>{title}</rect>"
                    )
                }
                Shape::Text { at: [x, y], anchor, text } => {
                    let (anchor, turn) = match anchor {
                        Anchor::Start => ("start", String::new()),
                        Anchor::Middle => ("middle", String::new()),
                        Anchor::End => ("end", String::new()),
                        Anchor::Upwards => {
                            ("middle", format!(" transform=\"rotate(-90 {x:.1} {y:.1})\""))
                        }
                    };
                    let text = escape(text);
                    write!(
                        svg,
                        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\"{turn}>{text}</text>"
                    )
                }
            };
        }
        svg + "</svg>\n"
    }
}

fn path(points: &[[f64; 2]]) -> String {
    let mut path = String::new();
    for (index, [x, y]) in points.iter().enumerate() {
        let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
    }
    path
}
