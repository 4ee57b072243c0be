//! Names of container images, by the grammar of the OCI distribution specification as registries and container engines read it:
//! `[host[:port]/]path[:tag][@digest]`.

/// The longest path, in characters: that of a repository in ECR, one more than engines take where there is a host.
const LONGEST_PATH: usize = 256;
/// The longest tag, in characters.
const LONGEST_TAG: usize = 128;

/// Refuses what can be no image: says what is wrong with it, as the end of a sentence that begins with the field's name.
pub fn check_image(image: &str) -> Result<(), String> {
    if is_image(image) {
        return Ok(());
    }
    let shown: String = image.escape_debug().take(64).collect();
    Err(format!("must name a container image such as `registry.example.com/team/dask:2026.3`, not `{shown}`"))
}

fn is_image(image: &str) -> bool {
    let (rest, digest) = image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
    let path_begins = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[path_begins..].split_once(':') {
        Some((last, tag)) => (&rest[..path_begins + last.len()], Some(tag)),
        None => (rest, None),
    };
    let (host, path) = match name.split_once('/') {
        Some((first, path)) if is_host(first) => (Some(first), path),
        _ => (None, name),
    };
    path.len() <= LONGEST_PATH
        && host.is_none_or(host_fits)
        && path.split('/').all(is_component)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
}

/// A first part that is a host and no directory has a dot or a port, is `localhost`, or has capitals.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn host_fits(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let ipv6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    ipv6.map_or_else(|| name.split('.').all(label), |ip| ip.parse::<std::net::Ipv6Addr>().is_ok())
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// Lower-case letters and digits, with `.`, `_`, `__` or any number of `-` between them.
fn is_component(part: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let separators = part.split(|c: char| c.is_ascii() && alphanumeric(c as u8)).filter(|between| !between.is_empty());
    let known = |between: &str| [".", "_", "__"].contains(&between) || between.bytes().all(|b| b == b'-');
    let ends = [part.bytes().next(), part.bytes().last()];
    ends.into_iter().all(|end| end.is_some_and(alphanumeric)) && separators.into_iter().all(known)
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=LONGEST_TAG).contains(&tag.len())
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
            && algorithm.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-_".contains(&b))
            && hex.len() >= 32
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_all_registries_are_images() {
        let digest = format!("dask@sha256:{}", "0a".repeat(32));
        for image in [
            "dask",
            "dask:2026.3.0",
            "daskgateway/dask-gateway",
            "ghcr.io/dask/dask-gateway:2026.3.0",
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/my_image:v1.2-rc_3",
            "localhost:5000/a/b/c",
            "localhost/a",
            "Registry.example/a",
            "[2001:db8::1]:5000/a",
            "a/b__c--d.e",
            "registry.example:5000/a:b",
            &digest,
        ] {
            assert_eq!(check_image(image), Ok(()), "{image}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        for image in [
            "",
            " ",
            "a b",
            " dask",
            "dask ",
            "dask:",
            ":tag",
            "a//b",
            "/a",
            "a/",
            "Dask",
            "a/Dask",
            "dask:a b",
            "dask:-a",
            "a@sha256:12",
            "a@",
            "https://ghcr.io/dask/dask",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "a\0",
            "dask\n",
            "ghcr.io:x/a",
            "-.io/a",
            "é",
        ] {
            assert!(check_image(image).is_err(), "{image:?}");
        }
        assert!(check_image(&"a".repeat(257)).is_err());
        assert!(check_image(&format!("a:{}", "b".repeat(129))).is_err());
        let sentence = check_image("a b\0").unwrap_err();
        assert_eq!(
            sentence,
            "must name a container image such as `registry.example.com/team/dask:2026.3`, not `a b\\0`"
        );
    }
}
