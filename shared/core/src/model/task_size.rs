//! What sizes a task can have.

/// The sizes there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskSizes {
    /// Any: processes of a machine.
    #[default]
    Any,
    /// Those of Fargate: a task is moved up to the nearest pair of CPU and memory.
    Fargate,
}

const GIB: u64 = 1 << 30;

/// vCPU, least and most memory and the step between, in GiB: the table "Task CPU and memory" of the Amazon ECS developer guide.
const FARGATE: [(f64, u64, u64, u64); 7] = [
    (0.25, 1, 2, 1), // 0.5 GiB is allowed too, and too little for Python with dask
    (0.5, 1, 4, 1),
    (1.0, 2, 8, 1),
    (2.0, 4, 16, 1),
    (4.0, 8, 30, 1),
    (8.0, 16, 60, 4),
    (16.0, 32, 120, 8),
];

impl TaskSizes {
    /// The smallest size (cores, bytes) that has at least this much of both; none when there is none so large.
    pub fn fit(self, cores: f64, memory_bytes: u64) -> Option<(f64, u64)> {
        match self {
            TaskSizes::Any => Some((cores, memory_bytes)),
            TaskSizes::Fargate => {
                let gib = memory_bytes.div_ceil(GIB);
                let fits = |(cpu, least, most, step): &(f64, u64, u64, u64)| {
                    let memory = least + gib.saturating_sub(*least).div_ceil(*step) * step;
                    (*cpu >= cores && memory <= *most).then_some((*cpu, memory * GIB))
                };
                FARGATE.iter().find_map(fits)
            }
        }
    }

    /// The largest size, in words; none where there is no largest.
    pub fn largest(self) -> Option<&'static str> {
        match self {
            TaskSizes::Any => None,
            TaskSizes::Fargate => Some("16 cores with 120 GiB"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_task_is_moved_up_to_what_fargate_has() {
        let fit = |cores, gib: f64| {
            TaskSizes::Fargate.fit(cores, (gib * GIB as f64) as u64).map(|(cores, bytes)| (cores, bytes / GIB))
        };
        assert_eq!(fit(1.0, 2.0), Some((1.0, 2)));
        assert_eq!(fit(1.0, 1.0), Some((1.0, 2)), "a core has at least 2 GiB");
        assert_eq!(fit(1.0, 9.0), Some((2.0, 9)), "and at most 8");
        assert_eq!(fit(3.0, 2.0), Some((4.0, 8)));
        assert_eq!(fit(8.0, 17.0), Some((8.0, 20)), "steps of 4 GiB");
        assert_eq!(fit(0.1, 0.1), Some((0.25, 1)));
        assert_eq!(fit(16.0, 121.0), None);
        assert_eq!(fit(17.0, 1.0), None);
    }

    proptest! {
        #[test]
        fn what_fits_stays_as_it_is(cores in 0.0..16.0f64, gib in 0u64..=120) {
            let (cores, bytes) = TaskSizes::Fargate.fit(cores, gib * GIB).unwrap();
            prop_assert!(bytes >= gib * GIB);
            prop_assert_eq!(TaskSizes::Fargate.fit(cores, bytes), Some((cores, bytes)));
        }
    }
}
