//! Which of the persistent kernels runs a layer: the number format and rows of a slice, how many blocks
//! share a slice's hidden units, and how these exchange. Arithmetic only, no device.

/// What decides, of a device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    /// The major number of its compute capability.
    pub(super) compute_major: i32,
    /// Shared memory that one block can have, in bytes.
    pub(super) shared_bytes: usize,
    pub(super) multiprocessors: usize,
}

/// A layer on a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) hidden_size: usize,
    pub(super) batch: usize,
    pub(super) directions: usize,
    pub(super) bf16: bool,
}

/// How the recurrent weights are held, and how many sequences make a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    F32x4,
    F32x8,
    Bf16x8,
}

/// How the blocks of a slice exchange what the next step needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    /// There is one block.
    Local,
    /// A thread-block cluster, through each other's shared memory.
    Cluster,
    /// Through global memory, all blocks of a launch resident.
    Global,
}

/// The kernel to launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) format: Format,
    pub(super) exchange: Exchange,
    /// Blocks that share a slice.
    pub(super) cluster: usize,
    /// Hidden units of a block, a multiple of 16.
    pub(super) units: usize,
    /// Slices times directions.
    pub(super) groups: usize,
    /// Groups of one launch.
    pub(super) groups_per_launch: usize,
}

/// Units a block takes before the layer is split further: at 32, its 128 gate rows give every warp of a
/// block one tile. A choice by reasoning, to be revised by measurements.
const UNITS: usize = 32;

impl Format {
    pub(super) fn rows(self) -> usize {
        match self {
            Self::F32x4 => 4,
            Self::F32x8 | Self::Bf16x8 => 8,
        }
    }

    /// Bytes of an element, elements of a row are a multiple of, elements a row is longer.
    fn layout(self) -> (usize, usize, usize) {
        match self {
            Self::F32x4 | Self::F32x8 => (4, 32, 0),
            Self::Bf16x8 => (2, 16, 8),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::F32x4 => "f32x4",
            Self::F32x8 => "f32x8",
            Self::Bf16x8 => "bf16x8",
        }
    }
}

impl Plan {
    /// `None` if no kernel can hold the layer on this machine.
    pub(super) fn new(machine: Machine, task: Task) -> Option<Self> {
        if machine.compute_major < 8 {
            return None;
        }
        let clusters: &[usize] = if machine.compute_major >= 9 { &[1, 2, 4, 8] } else { &[1] };
        let big_enough = |cluster: usize| {
            machine.compute_major < 9
                || task.hidden_size.div_ceil(cluster) <= UNITS
                || Some(&cluster) == clusters.last()
        };
        let in_clusters = clusters.iter().copied().filter(|&cluster| big_enough(cluster));
        let local_or_cluster = in_clusters
            .map(|cluster| match cluster {
                1 => (cluster, Exchange::Local),
                _ => (cluster, Exchange::Cluster),
            })
            .find_map(|(cluster, exchange)| Self::with(machine, task, cluster, exchange));
        let spread = || {
            [UNITS, UNITS / 2]
                .map(|units| task.hidden_size.div_ceil(units))
                .into_iter()
                .filter(|&cluster| cluster <= machine.multiprocessors)
        };
        local_or_cluster
            .or_else(|| {
                spread().find_map(|cluster| Self::with(machine, task, cluster, Exchange::Global))
            })
            // Slices of 4 take more launches, and less memory.
            .or_else(|| {
                let of =
                    |cluster| Self::of(machine, task, Format::F32x4, cluster, Exchange::Global);
                spread().find_map(of).filter(|_| !task.bf16)
            })
    }

    /// The plan with so many blocks a slice, if it fits.
    fn with(machine: Machine, task: Task, cluster: usize, exchange: Exchange) -> Option<Self> {
        let small = task.batch.div_ceil(Format::F32x4.rows()) * task.directions;
        let format = match task.bf16 {
            true => Format::Bf16x8,
            // Slices of 4 are done sooner, if all of them find room at once.
            false if small * cluster <= machine.multiprocessors => Format::F32x4,
            false => Format::F32x8,
        };
        Self::of(machine, task, format, cluster, exchange)
    }

    fn of(
        machine: Machine,
        task: Task,
        format: Format,
        cluster: usize,
        exchange: Exchange,
    ) -> Option<Self> {
        let groups = task.batch.div_ceil(format.rows()) * task.directions;
        let plan = Self {
            format,
            exchange,
            cluster,
            units: task.hidden_size.div_ceil(cluster).next_multiple_of(16),
            groups,
            groups_per_launch: match exchange {
                Exchange::Local | Exchange::Cluster => groups,
                Exchange::Global => groups.min(machine.multiprocessors / cluster),
            },
        };
        plan.fits(machine).then_some(plan)
    }

    /// The same in slices of 8, if it fits: fewer groups, each slower, for a machine that has no room for
    /// as many clusters at once as it has multiprocessors for.
    pub(super) fn in_slices_of_8(self, machine: Machine, task: Task) -> Option<Self> {
        let groups = task.batch.div_ceil(Format::F32x8.rows()) * task.directions;
        let plan = Self { format: Format::F32x8, groups, groups_per_launch: groups, ..self };
        plan.fits(machine).then_some(plan)
    }

    fn fits(self, machine: Machine) -> bool {
        self.forward_bytes().max(self.backward_bytes()) <= machine.shared_bytes
    }

    /// The kernel's name in `lstm.cu`, without `lstm_forward_` or `lstm_backward_`.
    pub(super) fn name(self) -> String {
        let format = self.format.name();
        match self.exchange {
            Exchange::Local => format!("{format}_local"),
            Exchange::Cluster => format!("{format}_cluster{}", self.cluster),
            Exchange::Global => format!("{format}_global"),
        }
    }

    /// Bytes of shared memory of a block, as `forward.cuh` carves it.
    pub(super) fn forward_bytes(self) -> usize {
        let (rows, items) = (self.format.rows(), self.format.rows() * self.units);
        let (element, chunk, _) = self.format.layout();
        let weights =
            4 * self.units * (self.cluster * self.units).next_multiple_of(chunk) * element;
        let sums = 4 * rows * (4 * self.units + 4);
        weights + self.posted_bytes() + sums + 4 * 12 * items + 4 * 4 * self.units
    }

    /// Bytes of shared memory of a block, as `backward.cuh` carves it.
    pub(super) fn backward_bytes(self) -> usize {
        let (rows, items) = (self.format.rows(), self.format.rows() * self.units);
        let (element, _, pad) = self.format.layout();
        let depth = 4 * self.units;
        let weights = self.cluster * self.units * depth * element;
        let inbox = match self.exchange {
            Exchange::Local | Exchange::Cluster => 4 * 2 * self.cluster * items,
            Exchange::Global => 0,
        };
        weights + rows * (depth + pad) * element + 4 * 14 * items + inbox
    }

    /// Bytes of both halves of a slice's h: in shared memory, or in global memory for the exchange.
    pub(super) fn posted_bytes(self) -> usize {
        let (element, chunk, pad) = self.format.layout();
        let depth = (self.cluster * self.units).next_multiple_of(chunk);
        2 * self.format.rows() * (depth + pad) * element
    }

    /// Numbers that a group's blocks exchange in global memory going backward.
    pub(super) fn inbox_len(self) -> usize {
        2 * self.cluster * self.cluster * self.format.rows() * self.units
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// H100 and H200.
    const HOPPER: Machine =
        Machine { compute_major: 9, shared_bytes: 232_448, multiprocessors: 132 };
    const A100: Machine = Machine { compute_major: 8, shared_bytes: 166_912, multiprocessors: 108 };
    const TUTORIAL: Task = Task { hidden_size: 256, batch: 30, directions: 2, bf16: false };

    fn chosen(machine: Machine, task: Task) -> (String, usize, usize) {
        let plan = Plan::new(machine, task).unwrap();
        (plan.name(), plan.cluster, plan.units)
    }

    /// tests/gpu/emulate/lstm.cpp runs the kernels in exactly as much.
    #[test]
    fn shared_memory_of_the_tutorial_s_layers() {
        let plan = |format, exchange, cluster, units| Plan {
            format,
            exchange,
            cluster,
            units,
            groups: 1,
            groups_per_launch: 1,
        };
        let f32x8 = plan(Format::F32x8, Exchange::Cluster, 8, 32);
        assert_eq!((f32x8.forward_bytes(), f32x8.backward_bytes()), (164_480, 165_888));
        let bf16 = plan(Format::Bf16x8, Exchange::Cluster, 8, 32);
        assert_eq!((bf16.forward_bytes(), bf16.backward_bytes()), (91_008, 98_432));
        let f32x4 = plan(Format::F32x4, Exchange::Cluster, 8, 32);
        assert_eq!((f32x4.forward_bytes(), f32x4.backward_bytes()), (148_032, 148_480));
        assert_eq!(plan(Format::F32x8, Exchange::Global, 8, 32).backward_bytes(), 149_504);
        assert_eq!(plan(Format::F32x8, Exchange::Local, 1, 48).forward_bytes(), 78_720);
    }

    #[test]
    fn kernels_for_the_tutorial_s_layers() {
        assert_eq!(chosen(HOPPER, TUTORIAL), ("f32x4_cluster8".into(), 8, 32));
        let wider = Task { batch: 64, ..TUTORIAL };
        assert_eq!(chosen(HOPPER, wider), ("f32x8_cluster8".into(), 8, 32));
        let bf16 = Task { bf16: true, ..TUTORIAL };
        assert_eq!(chosen(HOPPER, bf16), ("bf16x8_cluster8".into(), 8, 32));
        let crowded =
            Plan::new(HOPPER, TUTORIAL).unwrap().in_slices_of_8(HOPPER, TUTORIAL).unwrap();
        assert_eq!((crowded.name(), crowded.groups), ("f32x8_cluster8".into(), 8));
        assert_eq!(chosen(A100, TUTORIAL), ("f32x8_global".into(), 8, 32));
        assert_eq!(Plan::new(A100, TUTORIAL).unwrap().groups_per_launch, 8);
    }

    #[test]
    fn small_layers_stay_in_one_block_and_large_ones_spread() {
        let of = |hidden_size| Task { hidden_size, ..TUTORIAL };
        assert_eq!(chosen(HOPPER, of(5)), ("f32x4_local".into(), 1, 16));
        assert_eq!(chosen(HOPPER, of(33)), ("f32x4_cluster2".into(), 2, 32));
        assert_eq!(chosen(A100, of(64)), ("f32x4_local".into(), 1, 64));
        assert_eq!(chosen(HOPPER, of(512)), ("f32x8_global".into(), 32, 16));
        // The widest layers that docs/engine.md names.
        assert_eq!(chosen(HOPPER, of(672)), ("f32x8_global".into(), 42, 16));
        assert_eq!(chosen(HOPPER, of(768)), ("f32x4_global".into(), 48, 16));
        assert!(Plan::new(HOPPER, of(769)).is_none());
        let bf16 = |hidden_size| Task { bf16: true, ..of(hidden_size) };
        assert_eq!(chosen(HOPPER, bf16(1392)), ("bf16x8_global".into(), 87, 16));
        assert!(Plan::new(HOPPER, bf16(1393)).is_none());
        let old = Machine { compute_major: 7, ..A100 };
        assert!(Plan::new(old, of(64)).is_none());
    }

    #[test]
    fn no_plan_asks_for_more_than_there_is() {
        for machine in [HOPPER, A100] {
            for hidden_size in 1..900 {
                for bf16 in [false, true] {
                    let task = Task { hidden_size, bf16, ..TUTORIAL };
                    let Some(plan) = Plan::new(machine, task) else { continue };
                    assert!(plan.fits(machine));
                    assert!(plan.cluster * plan.units >= hidden_size);
                    assert!(plan.groups_per_launch >= 1);
                }
            }
        }
    }
}
