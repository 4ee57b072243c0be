//! Sizes of memory as people write them. In this field `2G` means 2 GiB.

/// The text is no size.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no size: write a number of bytes, or a number and K, M, G or T (2 G = 2 GiB)")]
pub struct InvalidSize(pub String);

/// Bytes in `"2 G"`, `"512 MiB"`, `"1.5g"`, `"1024"`. Suffixes are binary, as in the official server.
pub fn parse_size(text: &str) -> Result<u64, InvalidSize> {
    let invalid = || InvalidSize(text.to_owned());
    let compact = text.trim().to_ascii_lowercase();
    let split = compact.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(compact.len());
    let (number, suffix) = compact.split_at(split);
    let shift = match suffix.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(invalid()),
    };
    let number = number.trim();
    if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(invalid());
    }
    let value: f64 = number.parse().map_err(|_| invalid())?;
    let bytes = value * (1u64 << shift) as f64;
    if bytes.is_finite() && bytes < (1u64 << 60) as f64 { Ok(bytes.round() as u64) } else { Err(invalid()) }
}

/// `2 GiB`, `512 MiB`, `1.5 GiB`: for sentences.
pub fn format_size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in units {
        if bytes >= 1 << shift {
            let value = bytes as f64 / (1u64 << shift) as f64;
            let text = format!("{value:.2}");
            return format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'));
        }
    }
    format!("{bytes} B")
}

/// Less memory than this can only be a number of something else than bytes: 1 MiB.
pub const LEAST_MEMORY: u64 = 1 << 20;

/// `1 MiB, not 4 B; write "4 G" for 4 GiB`: the end of a sentence about bytes that are too few.
pub fn too_little_memory(bytes: u64) -> String {
    let not = format!("{}, not {}", format_size(LEAST_MEMORY), format_size(bytes));
    match bytes {
        1..1024 => format!("{not}; write \"{bytes} G\" for {bytes} GiB"),
        _ => not,
    }
}

/// For serde: a size as a number of bytes or a text such as `"2 G"`; written as bytes.
pub mod required {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Bytes(u64),
        Text(String),
    }

    /// Reads a size.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
        match Either::deserialize(d).map_err(|_| D::Error::custom("expected a size such as \"2 G\""))? {
            Either::Bytes(bytes) => Ok(bytes),
            Either::Text(text) => super::parse_size(&text).map_err(D::Error::custom),
        }
    }

    /// Writes bytes.
    pub fn serialize<S: Serializer>(bytes: &u64, s: S) -> Result<S::Ok, S::Error> {
        bytes.serialize(s)
    }
}

/// The same, where a size may be absent.
pub mod option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    struct Wrap(#[serde(with = "super::required")] u64);

    /// Reads a size, if there is one.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
        Ok(Option::<Wrap>::deserialize(d)?.map(|w| w.0))
    }

    /// Writes bytes, if there are any.
    pub fn serialize<S: Serializer>(bytes: &Option<u64>, s: S) -> Result<S::Ok, S::Error> {
        bytes.serialize(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_binary() {
        for (text, bytes) in [
            ("2 G", 2u64 << 30),
            ("2G", 2 << 30),
            ("2GiB", 2 << 30),
            ("2 gb", 2 << 30),
            ("1.5 K", 1536),
            ("512 MiB", 512 << 20),
            ("1 t", 1 << 40),
            ("1024", 1024),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "G", "-1 G", "1 X", "1e3", "inf", "nan", "1..2", "9999999 T"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(format_size(2 << 30), "2 GiB");
        assert_eq!(format_size(1536 << 20), "1.5 GiB");
        assert_eq!(format_size(7), "7 B");
        assert_eq!(too_little_memory(4), "1 MiB, not 4 B; write \"4 G\" for 4 GiB");
        assert_eq!(too_little_memory(2048), "1 MiB, not 2 KiB");
    }
}
