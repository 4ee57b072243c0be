//! Lines and columns, for people.

/// A column's place for its text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// Rows below a line of names, each column as wide as its longest cell; without rows, one line that says so.
pub(super) fn table<const N: usize>(columns: [(&str, Align); N], rows: &[[String; N]], empty: &str) -> String {
    if rows.is_empty() {
        return format!("{empty}\n");
    }
    let names = columns.map(|(name, _)| name.to_owned());
    let rows: Vec<[String; N]> =
        rows.iter().map(|row| row.each_ref().map(|cell| faregate_core::printable(cell))).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| &row[column]).chain([&names[column]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in std::iter::once(&names).chain(&rows) {
        let cells = row.iter().zip(widths).zip(columns).map(|((cell, width), (_, align))| match align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_stay_lines() {
        let rows = [["é\u{1b}b".into(), "5".into(), "x\ny".into()], ["long name".into(), "1234".into(), String::new()]];
        let columns = [("NAME", Align::Left), ("N", Align::Right), ("WHY", Align::Left)];
        let text = table(columns, &rows, "none");
        assert_eq!(text, "NAME          N  WHY\né b           5  x y\nlong name  1234\n");
        assert_eq!(table(columns, &[], "none"), "none\n");
    }
}
