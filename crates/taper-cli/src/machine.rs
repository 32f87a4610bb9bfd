//! What this machine is, and how much memory this process has.

use std::time::{SystemTime, UNIX_EPOCH};

use candle_core::Device;
use sysinfo::{
    CpuRefreshKind, MemoryRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, RefreshKind,
    System,
};
use taper_train::Session;

/// This process, for the run's records. What the system does not tell is left empty, or 0.
pub(crate) fn session(device: &Device) -> Session {
    let wanted = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let machine = System::new_with_specifics(wanted).ok();
    let cpu = machine.as_ref().and_then(|machine| machine.cpus().first());
    let cpu = cpu.map(|cpu| cpu.brand().trim().to_owned()).filter(|cpu| !cpu.is_empty());
    let name = System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned());
    let kernel = System::kernel_version().unwrap_or_default();
    Session {
        began: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        taper: env!("CARGO_PKG_VERSION").to_owned(),
        system: format!("{name}, kernel {kernel}"),
        cpu: cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: System::physical_core_count().unwrap_or_default(),
        threads: rayon::current_num_threads(),
        memory: machine.as_ref().map_or(0, System::total_memory),
        device: match device {
            Device::Cpu => "cpu".to_owned(),
            other => format!("{:?}", other.location()),
        },
    }
}

/// Memory of this process.
#[derive(Debug)]
pub(crate) struct Memory {
    system: Option<System>,
    process: Pid,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self { system: System::new().ok(), process: Pid::from_u32(std::process::id()) }
    }

    /// Bytes that are in RAM; 0 where the system does not tell.
    pub(crate) fn resident(&mut self) -> u64 {
        let Some(system) = &mut self.system else { return 0 };
        let this = ProcessesToUpdate::Some(&[self.process]);
        let wanted = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(this, false, wanted);
        system.process(self.process).map_or(0, sysinfo::Process::memory)
    }
}
