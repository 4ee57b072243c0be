//! Text of others that people read in a terminal.

/// In place of control characters and of those that turn the direction of writing (Unicode's Bidi_Control) there are blanks: what others
/// wrote moves no cursor, and reads as it stands.
pub fn printable(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor_or_turns_the_line() {
        assert_eq!(printable("a\u{1b}[2Jb\u{9b}c\u{202e}d\te\u{2067}é"), "a [2Jb c d e é");
    }
}
