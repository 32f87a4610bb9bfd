//! PyTorch, in processes of its own (`pytorch_lstm.py`) that are asked batch by batch.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

use super::{Contender, Field, Scope, Task};
use crate::script::Script;
use crate::workload::Workload;

/// A way to run PyTorch.
struct Setting {
    name: &'static str,
    /// The script's name for it.
    mode: &'static str,
    about: &'static str,
    /// A setting of the whole process: worker threads inherit it when they start.
    keep_denormals: bool,
    scope: Scope,
}

const CPU: [Setting; 6] = [
    Setting::new("torch-padded", "padded", "padded, oneDNN, denormals flushed: its best"),
    Setting::new("torch-no-onednn", "no-onednn", "padded, without oneDNN, denormals flushed"),
    Setting {
        scope: Scope::FirstRound,
        ..Setting::new("torch-packed", "packed", "packed as in the tutorial, denormals flushed")
    },
    Setting {
        scope: Scope::FirstRound,
        keep_denormals: true,
        ..Setting::new("torch-default", "padded", "padded, as it comes: denormals kept")
    },
    Setting::new("torch-int8", "int8", "padded, quantize_dynamic, denormals flushed"),
    Setting::new("torch-compile", "compile", "padded, torch.compile, denormals flushed"),
];

const CUDA: [Setting; 4] = [
    Setting::new("torch-cudnn", "cudnn", "padded, cuDNN, f32 without TF32"),
    Setting::new("torch-cudnn-packed", "cudnn-packed", "packed, cuDNN, f32 without TF32"),
    Setting::new("torch-cudnn-amp", "cudnn-amp", "padded, cuDNN, autocast to bfloat16"),
    Setting::new("torch-cudnn-bf16", "cudnn-bf16", "padded, cuDNN, all in bfloat16"),
];

impl Setting {
    const fn new(name: &'static str, mode: &'static str, about: &'static str) -> Self {
        Self { name, mode, about, keep_denormals: false, scope: Scope::All }
    }
}

/// The names to choose from, on the CPU or on a GPU.
pub(super) fn names(cuda: bool) -> Vec<&'static str> {
    let settings = if cuda { CUDA.as_slice() } else { &CPU };
    settings.iter().map(|setting| setting.name).collect()
}

/// The processes, one for each way denormals are treated; started when first needed.
pub(super) struct Python<'a> {
    field: &'a Field<'a>,
    flushed: RefCell<Option<Rc<RefCell<Process>>>>,
    kept: RefCell<Option<Rc<RefCell<Process>>>>,
}

impl<'a> Python<'a> {
    pub(super) fn new(field: &'a Field<'a>) -> Self {
        Self { field, flushed: RefCell::default(), kept: RefCell::default() }
    }

    /// A setting by name.
    pub(super) fn open(&self, name: &str) -> Result<Torch> {
        let settings = CPU.iter().chain(&CUDA);
        let setting = settings.into_iter().find(|setting| setting.name == name);
        let setting = setting.with_context(|| format!("there is no setting {name}"))?;
        let slot = if setting.keep_denormals { &self.kept } else { &self.flushed };
        let mut slot = slot.borrow_mut();
        let process = match &*slot {
            Some(process) => process.clone(),
            None => Rc::new(RefCell::new(Process::start(self.field, setting.keep_denormals)?)),
        };
        *slot = Some(process.clone());
        Ok(Torch { setting, process, workload: self.field.workload.clone() })
    }
}

/// A running script.
struct Process {
    script: Script,
    version: String,
    /// What the script has read.
    _batches: NamedTempFile,
}

impl Process {
    fn start(field: &Field, keep_denormals: bool) -> Result<Self> {
        let batches = field.batches()?;
        let mut arguments = vec!["--batches".into(), batches.path().as_os_str().to_owned()];
        arguments.extend(["--threads".into(), field.threads.to_string().into()]);
        if let candle_core::DeviceLocation::Cuda { gpu_id } = field.device.location() {
            arguments.extend(["--device".into(), format!("cuda:{gpu_id}").into()]);
        }
        if keep_denormals {
            arguments.push("--keep-denormals".into());
        }
        let script = Script::python(field.python, field.scripts, "pytorch_lstm.py", arguments)?;
        let version = script.about("torch").unwrap_or("?").to_owned();
        Ok(Self { script, version, _batches: batches })
    }
}

/// One setting of a process.
pub(super) struct Torch {
    setting: &'static Setting,
    process: Rc<RefCell<Process>>,
    workload: Rc<Workload>,
}

impl Contender for Torch {
    fn name(&self) -> &str {
        self.setting.name
    }

    fn about(&self) -> String {
        format!("PyTorch {}, {}", self.process.borrow().version, self.setting.about)
    }

    fn scope(&self) -> Scope {
        self.setting.scope
    }

    fn run(&mut self, task: Task, batch: usize) -> Result<Option<f64>> {
        let verb = match task {
            Task::Train if self.setting.mode == "int8" => return Ok(None),
            Task::Train => "train",
            Task::Infer => "infer",
        };
        let line = format!("{} {verb} {batch}", self.setting.mode);
        let seconds = self.process.borrow_mut().script.seconds(&line);
        Ok(Some(seconds.context(self.setting.name)?))
    }

    fn process(&self) -> u32 {
        self.process.borrow().script.process()
    }

    fn warm_up(&mut self) -> Result<()> {
        // What is compiled is compiled again for shapes it has not seen.
        let compiled = self.setting.mode == "compile";
        let batches = if compiled { self.workload.batches.len() } else { 1 };
        for task in [Task::Train, Task::Infer] {
            for batch in 0..batches {
                self.run(task, batch)?;
            }
        }
        Ok(())
    }
}
