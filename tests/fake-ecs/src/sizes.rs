//! Task sizes: the pairs of CPU and memory that Fargate offers.

use crate::wire::ApiError;

/// The CPU units of `1024` or `1 vCPU`.
pub fn cpu_units(text: &str) -> Option<u32> {
    let lower = text.trim().to_ascii_lowercase();
    match lower.strip_suffix("vcpu") {
        None => lower.parse().ok(),
        Some(cores) => cores.trim().parse::<f64>().ok().map(|cores| (cores * 1024.0) as u32),
    }
}

/// The MiB of `2048` or `2 GB`.
pub fn memory_mib(text: &str) -> Option<u32> {
    let lower = text.trim().to_ascii_lowercase();
    match lower.strip_suffix("gb") {
        None => lower.parse().ok(),
        Some(gib) => gib.trim().parse::<f64>().ok().map(|gib| (gib * 1024.0) as u32),
    }
}

/// Does Fargate offer this pair?
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size>)
pub fn offered(cpu: u32, memory: u32) -> bool {
    let (from, to, step) = match cpu {
        256 => return [512, 1024, 2048].contains(&memory),
        512 => (1024, 4096, 1024),
        1024 => (2048, 8192, 1024),
        2048 => (4096, 16_384, 1024),
        4096 => (8192, 30_720, 1024),
        8192 => (16_384, 61_440, 4096),
        16_384 => (32_768, 122_880, 8192),
        _ => return false,
    };
    (from..=to).contains(&memory) && (memory - from).is_multiple_of(step)
}

/// Refuses a pair that Fargate does not offer.
pub fn check(cpu: &str, memory: &str) -> Result<(), ApiError> {
    match (cpu_units(cpu), memory_mib(memory)) {
        (Some(cpu), Some(memory)) if offered(cpu, memory) => Ok(()),
        _ => Err(ApiError::client("No Fargate configuration exists for given values.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_both_spellings() {
        assert_eq!((cpu_units("1024"), cpu_units(".25 vCPU"), cpu_units("x")), (Some(1024), Some(256), None));
        assert_eq!((memory_mib("512"), memory_mib("0.5 GB"), memory_mib("2GB")), (Some(512), Some(512), Some(2048)));
    }

    #[test]
    fn only_what_fargate_offers_is_offered() {
        let valid =
            [(256, 512), (256, 2048), (512, 4096), (1024, 7168), (4096, 30_720), (8192, 20_480), (16_384, 122_880)];
        let wrong = [(256, 4096), (256, 1536), (512, 512), (1024, 2049), (4096, 31_744), (8192, 17_408), (300, 512)];
        assert!(valid.iter().all(|(cpu, memory)| offered(*cpu, *memory)));
        assert!(!wrong.iter().any(|(cpu, memory)| offered(*cpu, *memory)));
        assert_eq!(check("1024", "1024").unwrap_err().message, "No Fargate configuration exists for given values.");
    }
}
