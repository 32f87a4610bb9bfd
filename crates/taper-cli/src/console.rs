//! Messages and bars on stderr. Bars only on a terminal; `--quiet` silences all but errors.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line of a command's result, on stdout; a reader that has gone away is an error like any other.
pub(crate) fn print(line: impl Display) -> Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// Where messages go.
#[derive(Debug)]
pub(crate) struct Console {
    quiet: bool,
}

impl Console {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// A message, above the bar if there is one. As errors do, it may repeat what stands in somebody's file.
    pub(crate) fn say(&self, bar: Option<&ProgressBar>, message: &str) {
        if self.quiet {
            return;
        }
        let message = lines(message);
        match bar {
            // A hidden bar would swallow the message.
            Some(bar) if !bar.is_hidden() => bar.println(message),
            _ => eprintln!("{message}"),
        }
    }

    /// An error with its causes, each once.
    pub(crate) fn error(error: &anyhow::Error) {
        let mut message = error.to_string();
        for cause in error.chain().skip(1).map(ToString::to_string) {
            if !message.contains(&cause) {
                message = format!("{message}: {cause}");
            }
        }
        eprintln!("error: {}", lines(&message));
    }

    /// A bar over `total` of something.
    pub(crate) fn bar(&self, total: u64, template: &str) -> ProgressBar {
        let target =
            if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| {
            debug_assert!(false, "not a template: {template}");
            ProgressStyle::default_bar()
        });
        let bar = ProgressBar::with_draw_target(Some(total), target).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// `12345678` as `12,345,678`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a text can do to a terminal, written out; its lines set in.
pub(crate) fn harmless(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\n           "),
            _ if commands(character) => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}

/// Whether a character tells a terminal to do something: control characters, and those that reorder what stands around them
/// (Unicode's `Bidi_Control`). Joiners stay (U+200C, U+200D), which Persian, Indic scripts and emoji are written with, and
/// so does what is merely invisible.
fn commands(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// The same with its lines where they are.
pub(crate) fn lines(message: &str) -> String {
    message.split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{harmless, lines, thousands};

    #[test]
    fn a_text_cannot_command_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2J\u{9b}\u{e9}\nb"), "a\\u{1b}[2J\\u{9b}\u{e9}\n           b");
        assert_eq!(lines("a\u{1b}[2J\n b"), "a\\u{1b}[2J\n b");
    }

    #[test]
    fn a_text_cannot_turn_its_surroundings_around() {
        for control in "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}".chars() {
            let expected = format!("a\\u{{{:x}}}b", u32::from(control));
            assert_eq!(harmless(&format!("a{control}b")), expected);
        }
        // Hebrew, Persian with a non-joiner, Devanagari with a joiner, a family, a byte-order mark.
        for text in
            ["שלום", "می\u{200c}خواهم", "क्\u{200d}ष", "👩\u{200d}👧", "\u{feff}a", "\u{ad}", "é"]
        {
            assert_eq!(harmless(text), text);
        }
    }

    #[test]
    fn groups_of_three() {
        let texts = [0, 12, 123, 1234, 123_456, 1_234_567].map(thousands);
        assert_eq!(texts, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
    }
}
