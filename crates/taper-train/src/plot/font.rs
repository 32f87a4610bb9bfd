//! The letters of painted text, and how wide they are.

use ttf_parser::Face;

use super::scene::LETTER;

const DEJAVU: &[u8] = include_bytes!("font/DejaVuSans.ttf");

/// The font; `None` never, for a test reads it.
pub(super) fn face() -> Option<Face<'static>> {
    Face::parse(DEJAVU, 0).ok()
}

/// Width of a text, in a scene's units. A character the font does not have is taken to be as wide as high.
pub(super) fn width(text: &str) -> f64 {
    let Some(face) = face() else { return 0.6 * LETTER * text.chars().count() as f64 };
    let em = f64::from(face.units_per_em());
    let advance = |letter| {
        let glyph = face.glyph_index(letter)?;
        Some(f64::from(face.glyph_hor_advance(glyph)?) / em)
    };
    LETTER * text.chars().map(|letter| advance(letter).unwrap_or(1.0)).sum::<f64>()
}
