//! Whoever is measured: one file each, and the list of names here.
//!
//! To add one: a file with a [`Contender`], its name in `Field::chosen`, an arm in [`Field::open`].

mod burn;
mod candle_nn;
mod taper;
mod torch;

use std::io::Write as _;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use candle_core::Device;
use tempfile::NamedTempFile;

use crate::args::Precision;
use crate::peers;
use crate::workload::Workload;
use taper::{Taper, TaperInt8};
use torch::Python;

/// What is asked of a contender for a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Forward, backward, Adam.
    Train,
    /// Logits.
    Infer,
}

/// How much of the work a contender is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything.
    All,
    /// All batches, in the first round only: it is slow.
    FirstRound,
    /// The shortest batch in every round: it cannot do the others.
    Shortest,
}

/// The tutorial's model in somebody's hands.
pub(crate) trait Contender {
    /// The name it is chosen by.
    fn name(&self) -> &str;

    /// What is measured, in a line.
    fn about(&self) -> String;

    /// How much of the work it is given.
    fn scope(&self) -> Scope {
        Scope::All
    }

    /// Seconds for a batch of the workload, by its number; `None` for what it does not do.
    fn run(&mut self, task: Task, batch: usize) -> Result<Option<f64>>;

    /// The process that does the work.
    fn process(&self) -> u32 {
        std::process::id()
    }

    /// Runs before anything counts.
    fn warm_up(&mut self) -> Result<()> {
        for task in [Task::Train, Task::Infer] {
            self.run(task, 0)?;
        }
        Ok(())
    }
}

/// Taper itself, which everybody else is compared with.
pub(crate) const TAPER: &str = "taper";

/// Of the peers, those that are not measured with `all`.
const ONLY_BY_NAME: [&str; 2] = ["torch-compile", burn::NAME];

/// Everything a contender is made from.
pub(crate) struct Field<'a> {
    pub(crate) workload: &'a Rc<Workload>,
    pub(crate) device: &'a Device,
    /// Whether Taper keeps no gates from forward to backward.
    pub(crate) recompute: bool,
    pub(crate) precision: Precision,
    pub(crate) python: &'a Path,
    /// Where its scripts are.
    pub(crate) scripts: &'a Path,
    pub(crate) threads: usize,
}

/// The contenders, Taper first, and those that were asked for in vain, with the reason.
pub(crate) type Opened = (Vec<Box<dyn Contender>>, Vec<(String, String)>);

impl Field<'_> {
    /// Taper and the peers of a list.
    ///
    /// # Errors
    /// If a name is unknown.
    pub(crate) fn open(&self, peers: &[String]) -> Result<Opened> {
        let python = Python::new(self);
        let mut contenders: Vec<Box<dyn Contender>> =
            vec![Box::new(Taper::new(self.workload, self.device, self.recompute, self.precision)?)];
        let mut absent = Vec::new();
        for name in self.chosen(peers)? {
            let opened: Result<Box<dyn Contender>> = match name {
                taper::INT8 => {
                    TaperInt8::new(self.workload).map(|contender| Box::new(contender) as _)
                }
                candle_nn::NAME => candle_nn::CandleNn::new(self.workload)
                    .map(|contender| Box::new(contender) as _),
                burn::NAME => burn::Burn::new(self).map(|contender| Box::new(contender) as _),
                name => python.open(name).map(|contender| Box::new(contender) as _),
            };
            match opened {
                Ok(contender) => contenders.push(contender),
                Err(error) => absent.push((name.to_owned(), format!("{error:#}"))),
            }
        }
        Ok((contenders, absent))
    }

    /// The workload in a file, for those in processes of their own.
    fn batches(&self) -> Result<NamedTempFile> {
        let mut file = NamedTempFile::new().context("cannot make a temporary file")?;
        let contents = serde_json::to_vec(&**self.workload)?;
        file.write_all(&contents)
            .with_context(|| format!("cannot write {}", file.path().display()))?;
        Ok(file)
    }

    /// The names of a list, in the order of all names.
    fn chosen(&self, peers: &[String]) -> Result<Vec<&'static str>> {
        let mut names: Vec<&'static str> = torch::names(self.device.is_cuda());
        if !self.device.is_cuda() {
            names.extend([taper::INT8, candle_nn::NAME, burn::NAME]);
        }
        peers::choose(&names, &ONLY_BY_NAME, peers)
    }
}
