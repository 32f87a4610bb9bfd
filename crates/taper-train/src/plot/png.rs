//! A scene as PNG: the shapes that the SVG has, painted by tiny-skia.

use std::path::Path;

use tiny_skia::{
    Color, FillRule, LineJoin, Paint, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform,
};
use ttf_parser::{Face, OutlineBuilder};

use super::font;
use super::scene::{Anchor, LETTER, Scene, Shape};
use super::svg::light;
use crate::{Error, Result};

/// Pixels a unit: sharp on any screen.
const SCALE: f32 = 2.0;

impl Scene {
    /// The bytes of a PNG of twice as many pixels as the scene has units, dark on white. `path` is what errors name.
    pub(crate) fn png(&self, path: &Path) -> Result<Vec<u8>> {
        let [width, height] = self.size.map(|units| (units as f32 * SCALE).ceil() as u32);
        let broken = |message: String| Error::run(path, message);
        let mut pixels = Pixmap::new(width.max(1), height.max(1)).ok_or_else(|| {
            broken(format!("a picture of {width} times {height} pixels is too large"))
        })?;
        pixels.fill(Color::WHITE);
        let face = font::face();
        for (shape, ink, opacity) in &self.shapes {
            let mut paint = Paint { anti_alias: true, ..Paint::default() };
            let [red, green, blue] = rgb(light(*ink));
            paint.set_color_rgba8(red, green, blue, (255.0 * opacity) as u8);
            paint_shape(shape, &paint, face.as_ref(), &mut pixels);
        }
        pixels.encode_png().map_err(|error| broken(format!("cannot be written as PNG: {error}")))
    }
}

fn paint_shape(shape: &Shape, paint: &Paint, face: Option<&Face>, pixels: &mut Pixmap) {
    let scale = Transform::from_scale(SCALE, SCALE);
    let stroke = |width: f64| Stroke {
        width: width as f32,
        line_join: LineJoin::Round,
        ..Stroke::default()
    };
    match shape {
        Shape::Path { points, width, dashed } => {
            let mut path = PathBuilder::new();
            for (index, [x, y]) in points.iter().map(|point| point.map(|at| at as f32)).enumerate()
            {
                if index == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
            }
            let dash = if *dashed { StrokeDash::new(vec![5.0, 4.0], 0.0) } else { None };
            if let Some(path) = path.finish() {
                pixels.stroke_path(&path, paint, &Stroke { dash, ..stroke(*width) }, scale, None);
            }
        }
        Shape::Dots { points, width } => {
            // A line without length is nothing here: circles, one by one, so that dots on dots are darker.
            for [x, y] in points.iter().map(|point| point.map(|at| at as f32)) {
                if let Some(circle) = PathBuilder::from_circle(x, y, *width as f32 / 2.0) {
                    pixels.fill_path(&circle, paint, FillRule::Winding, scale, None);
                }
            }
        }
        Shape::Area { rectangle, .. } => {
            let [x, y, width, height] = rectangle.map(|side| side as f32);
            if let Some(rectangle) = Rect::from_xywh(x, y, width, height) {
                pixels.fill_rect(rectangle, paint, scale, None);
            }
        }
        Shape::Text { at: [x, y], anchor, text } => {
            let Some(face) = face else { return };
            let wide = font::width(text);
            let back = match anchor {
                Anchor::Start => 0.0,
                Anchor::Middle | Anchor::Upwards => wide / 2.0,
                Anchor::End => wide,
            };
            let place = scale.pre_translate(*x as f32, *y as f32);
            let place = if *anchor == Anchor::Upwards {
                place.pre_concat(Transform::from_rotate(-90.0))
            } else {
                place
            };
            let place = place.pre_translate(-back as f32, 0.0);
            if let Some(path) = letters(face, text) {
                pixels.fill_path(&path, paint, FillRule::Winding, place, None);
            }
        }
    }
}

/// A line of text from the origin to the right.
fn letters(face: &Face, text: &str) -> Option<tiny_skia::Path> {
    let size = LETTER as f32 / f32::from(face.units_per_em());
    let mut pen = Pen { path: PathBuilder::new(), x: 0.0, size };
    for letter in text.chars() {
        // What the font lacks is its own sign for that.
        let glyph = face.glyph_index(letter).unwrap_or_default();
        face.outline_glyph(glyph, &mut pen);
        pen.x += size * f32::from(face.glyph_hor_advance(glyph).unwrap_or_default());
    }
    pen.path.finish()
}

/// From the font's units, y upwards, to the scene's.
struct Pen {
    path: PathBuilder,
    x: f32,
    size: f32,
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.x + self.size * x, -self.size * y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.x + self.size * x, -self.size * y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let Self { x: left, size, .. } = *self;
        self.path.quad_to(left + size * x1, -size * y1, left + size * x, -size * y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let Self { x: left, size, .. } = *self;
        let (x1, x2, x) = (left + size * x1, left + size * x2, left + size * x);
        self.path.cubic_to(x1, -size * y1, x2, -size * y2, x, -size * y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

/// `#rrggbb`.
fn rgb(colour: &str) -> [u8; 3] {
    let part =
        |from| u8::from_str_radix(colour.get(from..from + 2).unwrap_or("00"), 16).unwrap_or(0);
    [part(1), part(3), part(5)]
}
