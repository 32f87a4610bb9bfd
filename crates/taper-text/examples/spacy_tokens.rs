//! Texts cut as spaCy cuts them: a JSON string a line in, a JSON array of [start, end] in bytes a line out.
//!
//! ```text
//! echo '"Isn'\''t it great:)"' | cargo run --release -p taper-text --example spacy_tokens
//! ```

use std::io::{BufRead as _, Write as _};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let ranges: Vec<[usize; 2]> = taper_text::spacy_tokens(&text)
            .into_iter()
            .map(|range| [range.start, range.end])
            .collect();
        serde_json::to_writer(&mut out, &ranges)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}
