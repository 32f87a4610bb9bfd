//! What a picture consists of, in its own units (those of CSS pixels at its natural size), y downwards.

/// Series colours; more series begin again.
pub(super) const COLOURS: usize = 8;

/// Height of a letter.
pub(super) const LETTER: f64 = 12.0;

/// What something is drawn with: a role, for which page and file have a colour each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Text.
    Text,
    /// Less important text, and axes.
    Soft,
    /// A grid.
    Line,
    /// The series of this number.
    Series(usize),
}

/// Where a text stands about its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
    /// Middle, turned to be read upwards.
    Upwards,
}

/// A shape.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// A line through points.
    Path { points: Vec<[f64; 2]>, width: f64, dashed: bool },
    /// Dots of a diameter.
    Dots { points: Vec<[f64; 2]>, width: f64 },
    /// A filled rectangle, `[x, y, width, height]`, and what it says to a reader who points at it.
    Area { rectangle: [f64; 4], says: String },
    /// A line of text; `y` is its base line.
    Text { at: [f64; 2], anchor: Anchor, text: String },
}

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scene {
    pub(super) size: [f64; 2],
    /// What it shows, in a few words.
    pub(super) title: String,
    pub(super) shapes: Vec<(Shape, Ink, f64)>,
}

impl Scene {
    pub(super) fn new(title: &str, size: [f64; 2]) -> Self {
        Self { size, title: title.to_owned(), shapes: Vec::new() }
    }

    /// What it shows, in a few words.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    pub(super) fn path(&mut self, points: Vec<[f64; 2]>, ink: Ink, width: f64, opacity: f64) {
        self.shapes.push((Shape::Path { points, width, dashed: false }, ink, opacity));
    }

    pub(super) fn dashed(&mut self, points: Vec<[f64; 2]>, ink: Ink, width: f64) {
        self.shapes.push((Shape::Path { points, width, dashed: true }, ink, 1.0));
    }

    pub(super) fn dots(&mut self, points: Vec<[f64; 2]>, ink: Ink, width: f64, opacity: f64) {
        self.shapes.push((Shape::Dots { points, width }, ink, opacity));
    }

    pub(super) fn area(&mut self, rectangle: [f64; 4], ink: Ink, opacity: f64, says: String) {
        self.shapes.push((Shape::Area { rectangle, says }, ink, opacity));
    }

    pub(super) fn text(&mut self, at: [f64; 2], anchor: Anchor, ink: Ink, text: &str) {
        self.shapes.push((Shape::Text { at, anchor, text: text.to_owned() }, ink, 1.0));
    }
}

/// `text`, cut to so many characters.
pub(super) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
