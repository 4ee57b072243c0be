//! What somebody may have meant by a name that is not known.

/// Names less alike than this are others.
const ALIKE: f64 = 0.7;

/// The known name that is most like this one; none where none is.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = known.into_iter().map(|known| (strsim::jaro_winkler(name, known), known));
    alike.filter(|(likeness, _)| *likeness > ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

/// The end of a sentence about a name that is not known: `; did you mean …?`, or nothing.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_is_meant_and_what_is_like_nothing_is_not() {
        assert_eq!(did_you_mean("clustres", ["cores", "clusters"]), "; did you mean `clusters`?");
        assert_eq!(did_you_mean("zzz", ["cores", "clusters"]), "");
    }
}
