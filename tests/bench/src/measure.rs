//! Rounds: everybody takes turns batch by batch, so that a noisy machine hits all alike.

use std::time::Instant;

use anyhow::Result;

use crate::contender::{Contender, Scope, Task};
use crate::gemm::Yardstick;
use crate::memory::{self, Memory};
use crate::workload::Workload;

/// Turns on the single review, the runs of a turn that count, those before them, and when enough is enough: threads that
/// wait for each other at every step take forever on a machine that is busy with something else.
const LATENCY_TURNS: usize = 10;
const LATENCY_RUNS: usize = 20;
const LATENCY_WARM_UP: usize = 3;
const LATENCY_SECONDS: f64 = 3.0;

/// Seconds by round and batch; `None` where a contender was not asked or does not do it.
#[derive(Debug, Default)]
pub(crate) struct Times(pub(crate) Vec<Vec<Option<f64>>>);

/// All that was measured of a contender.
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) scope: Scope,
    pub(crate) train: Times,
    pub(crate) infer: Times,
    /// Seconds of every run on the single review.
    pub(crate) latency: Vec<f64>,
    /// While it trained on the batch with the longest review.
    pub(crate) memory: Option<Memory>,
    /// Why it was given up, if it was.
    pub(crate) failed: Option<String>,
}

/// All that was measured.
pub(crate) struct Measurements {
    /// GFLOP/s of the machine, a round each.
    pub(crate) gemm: Vec<f64>,
    pub(crate) outcomes: Vec<Outcome>,
}

/// A contender with what is known of it so far.
struct Runner {
    contender: Box<dyn Contender>,
    outcome: Outcome,
}

/// Measures all contenders; one that fails is given up, and the others go on.
pub(crate) fn measure(
    contenders: Vec<Box<dyn Contender>>,
    workload: &Workload,
    yardstick: &Yardstick,
    rounds: usize,
) -> Result<Measurements> {
    let mut runners: Vec<Runner> = contenders.into_iter().map(Runner::new).collect();
    for runner in &mut runners {
        runner.attempt("memory and warm-up", |runner| runner.prepare(workload));
    }
    let mut gemm = Vec::new();
    for round in 0..rounds {
        gemm.push(yardstick.gflops()?);
        eprintln!("round {} of {rounds}: {:.0} GFLOP/s", round + 1, gemm[round]);
        // In another order each round: nobody always follows the same neighbour.
        runners.rotate_left(usize::from(round > 0));
        for batch in workload.measured().chain([workload.longest()]) {
            for runner in &mut runners {
                runner.attempt("a round", |runner| runner.turn(workload, round, batch));
            }
        }
    }
    eprintln!("latency");
    for _ in 0..LATENCY_TURNS {
        for runner in &mut runners {
            runner.attempt("latency", |runner| runner.latency(workload));
        }
        runners.rotate_left(1);
    }
    let mut outcomes: Vec<Outcome> = runners.into_iter().map(|runner| runner.outcome).collect();
    let turned = (rounds - 1 + LATENCY_TURNS) % outcomes.len();
    outcomes.rotate_right(turned);
    Ok(Measurements { gemm, outcomes })
}

impl Runner {
    fn new(contender: Box<dyn Contender>) -> Self {
        let outcome = Outcome {
            name: contender.name().to_owned(),
            about: contender.about(),
            scope: contender.scope(),
            train: Times::default(),
            infer: Times::default(),
            latency: Vec::new(),
            memory: None,
            failed: None,
        };
        Self { contender, outcome }
    }

    fn attempt(&mut self, what: &str, work: impl FnOnce(&mut Self) -> Result<()>) {
        if self.outcome.failed.is_none()
            && let Err(error) = work(self)
        {
            eprintln!("{} is given up at {what}: {error:#}", self.outcome.name);
            self.outcome.failed = Some(format!("{error:#}"));
        }
    }

    /// Memory comes first: what others leave behind in the process would hide it.
    fn prepare(&mut self, workload: &Workload) -> Result<()> {
        eprintln!("{}: memory and warm-up", self.outcome.name);
        let contender = &mut self.contender;
        if contender.scope() == Scope::All {
            let mut trains = false;
            let process = contender.process();
            let memory = memory::peak_of(process, || {
                trains = contender.run(Task::Train, workload.longest())?.is_some();
                Ok(())
            })?;
            self.outcome.memory = memory.filter(|_| trains);
        }
        contender.warm_up()
    }

    /// One batch of one round, trained on and inferred.
    fn turn(&mut self, workload: &Workload, round: usize, batch: usize) -> Result<()> {
        let asked = match self.outcome.scope {
            Scope::All => true,
            Scope::FirstRound => round == 0,
            Scope::Shortest => batch == 0,
        };
        for (task, times) in
            [(Task::Train, &mut self.outcome.train), (Task::Infer, &mut self.outcome.infer)]
        {
            times.0.resize(round + 1, vec![None; workload.longest() + 1]);
            if asked {
                times.0[round][batch] = self.contender.run(task, batch)?;
            }
        }
        Ok(())
    }

    fn latency(&mut self, workload: &Workload) -> Result<()> {
        if self.outcome.scope != Scope::All {
            return Ok(());
        }
        let start = Instant::now();
        for run in 0..LATENCY_WARM_UP + LATENCY_RUNS {
            let seconds = self.contender.run(Task::Infer, workload.single())?;
            self.outcome.latency.extend(seconds.filter(|_| run >= LATENCY_WARM_UP));
            if start.elapsed().as_secs_f64() > LATENCY_SECONDS {
                break;
            }
        }
        Ok(())
    }
}
