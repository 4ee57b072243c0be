//! Attributes that people wrote by hand, as JSON: attribute by attribute, so that what is wrong is named.

use crate::items::Item;
use aws_sdk_dynamodb::types::AttributeValue;
use faregate_core::ports::Attributes;
use serde_json::{Number, Value};

/// An item's attributes in the order of their names, each as JSON, or why it is none.
pub(crate) fn attributes(item: Item) -> Attributes {
    let mut attributes: Vec<_> = item.into_iter().collect();
    attributes.sort_by(|a, b| a.0.cmp(&b.0));
    let fields = attributes.into_iter().map(|(name, value)| {
        let value = json(value).map_err(|what| {
            format!("`{}` holds {what}: write text, a number, true or false, a list or a map", name.trim())
        });
        (name, value)
    });
    fields.collect()
}

fn json(value: AttributeValue) -> Result<Value, &'static str> {
    Ok(match value {
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::N(digits) => Value::Number(number(&digits).ok_or("a number that is too large")?),
        AttributeValue::Bool(yes) => Value::Bool(yes),
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::L(values) => Value::Array(values.into_iter().map(json).collect::<Result<_, _>>()?),
        AttributeValue::M(fields) => {
            let fields = fields.into_iter().map(|(name, value)| Ok((name, json(value)?)));
            Value::Object(fields.collect::<Result<_, &'static str>>()?)
        }
        AttributeValue::B(_) => return Err("binary data"),
        AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_) => return Err("a set"),
        _ => return Err("what has no type we know"),
    })
}

/// DynamoDB has one kind of number: what is whole is an integer.
fn number(digits: &str) -> Option<Number> {
    if let Ok(whole) = digits.parse::<i64>() {
        return Some(whole.into());
    }
    let number: f64 = digits.parse().ok()?;
    let whole = number.fract() == 0.0 && number.abs() < 9e15;
    if whole { Some((number as i64).into()) } else { Number::from_f64(number) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::primitives::Blob;
    use serde_json::json;

    fn one(name: &str, value: AttributeValue) -> Result<Value, String> {
        let one = attributes(Item::from([(name.to_owned(), value)])).into_iter();
        one.map(|(name, value)| Ok(json!({ name: value? }))).next().unwrap()
    }

    #[test]
    fn numbers_are_whole_where_they_can_be() {
        for (digits, expected) in
            [("2", json!(2)), ("2.5", json!(2.5)), ("2.0", json!(2)), ("-1", json!(-1)), ("1E+2", json!(100))]
        {
            assert_eq!(one("n", AttributeValue::N(digits.into())), Ok(json!({ "n": expected })), "{digits}");
        }
        let huge = one("n", AttributeValue::N("9".repeat(38))).unwrap();
        assert!(huge["n"].is_f64(), "{huge}");
    }

    #[test]
    fn what_is_no_json_is_named() {
        let says = |value| one("memory", value).unwrap_err();
        let binary = AttributeValue::B(Blob::new([1]));
        assert!(says(binary.clone()).starts_with("`memory` holds binary data: write text"));
        assert!(says(AttributeValue::Ns(vec!["1".into()])).starts_with("`memory` holds a set"));
        assert!(says(AttributeValue::L(vec![binary])).starts_with("`memory` holds binary data"));
    }
}
