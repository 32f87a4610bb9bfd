//! From seconds to figures: medians over the rounds, ratios within a round, JSON and tables.

use std::collections::BTreeMap;

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::contender::{Scope, TAPER};
use crate::machine::{self, Machine};
use crate::measure::{Measurements, Outcome, Times};
use crate::memory::Memory;
use crate::shape::TUTORIAL;
use crate::workload::{SINGLE_TOKENS, Workload};

/// The JSON document.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Taper's figures, at the top level.
    #[serde(flatten)]
    taper: Figures,
    gemm_gflops: f64,
    /// Arithmetic done a second, over the machine's rate, round by round; see `convention`.
    train_fraction_of_gemm: Option<f64>,
    infer_fraction_of_gemm: Option<f64>,
    /// All texts once, at the speed of the measured batches.
    epoch_seconds: Option<f64>,
    peers: BTreeMap<String, Figures>,
    /// Peers that were asked for in vain, and why.
    absent: BTreeMap<String, String>,
    convention: Convention,
    workload: Texts,
    rounds: usize,
    gemm: String,
    machine: Machine,
    versions: BTreeMap<&'static str, &'static str>,
}

/// What was measured of one contender. Without a figure: not asked, or not able.
#[derive(Debug, Serialize)]
struct Figures {
    about: String,
    scope: &'static str,
    /// Real tokens of the measured batches over the seconds for all of them.
    train_tokens_per_s: Option<f64>,
    infer_tokens_per_s: Option<f64>,
    /// How many times as fast Taper is, on the same batches in the same round.
    taper_is_faster_training: Option<f64>,
    taper_is_faster_inferring: Option<f64>,
    longest: Longest,
    latency_ms: Option<Latency>,
    memory: Option<Memory>,
    failed: Option<String>,
}

/// The batch with the longest review.
#[derive(Debug, Serialize)]
struct Longest {
    train_tokens_per_s: Option<f64>,
    infer_tokens_per_s: Option<f64>,
    taper_is_faster_training: Option<f64>,
    taper_is_faster_inferring: Option<f64>,
}

/// A single review, in milliseconds.
#[derive(Debug, Serialize)]
struct Latency {
    tokens: usize,
    runs: usize,
    p50: f64,
    p99: f64,
}

/// Arithmetic of a token, in MFLOP.
#[derive(Debug, Serialize)]
struct Convention {
    /// Behind `train_fraction_of_gemm`: without the gradient into the embedding.
    train_mflop_per_token: f64,
    /// What is done: Taper trains the embedding.
    train_mflop_per_token_with_embedding: f64,
    /// Behind `infer_fraction_of_gemm`.
    infer_mflop_per_token: f64,
}

/// The batches that were measured.
#[derive(Debug, Serialize)]
struct Texts {
    source: String,
    /// Steps of the longest review and real tokens of every batch, the longest batch last.
    batches: Vec<[usize; 2]>,
}

impl Report {
    pub(crate) fn new(
        measurements: Measurements,
        absent: Vec<(String, String)>,
        workload: &Workload,
        machine: Machine,
        gemm: String,
    ) -> Option<Self> {
        let Measurements { gemm: rates, outcomes } = measurements;
        let (taper, peers): (Vec<Outcome>, Vec<Outcome>) =
            outcomes.into_iter().partition(|outcome| outcome.name == TAPER);
        let taper = taper.first()?;
        let fraction = |times: &Times, flops: f64| {
            let speeds = times.speeds(workload, workload.measured());
            let pairs = speeds.iter().zip(&rates);
            median(pairs.filter_map(|(speed, gemm)| Some((*speed)? * flops / gemm / 1e9)).collect())
        };
        let taper_figures = Figures::new(taper, None, workload);
        let epoch = |speed: f64| workload.all_tokens as f64 / speed;
        Some(Self {
            epoch_seconds: taper_figures.train_tokens_per_s.map(epoch),
            train_fraction_of_gemm: fraction(&taper.train, TUTORIAL.training_flops()),
            infer_fraction_of_gemm: fraction(&taper.infer, TUTORIAL.forward_flops()),
            taper: taper_figures,
            peers: peers
                .iter()
                .map(|peer| (peer.name.clone(), Figures::new(peer, Some(taper), workload)))
                .collect(),
            rounds: rates.len(),
            gemm_gflops: median(rates)?,
            absent: absent.into_iter().collect(),
            convention: Convention {
                train_mflop_per_token: TUTORIAL.training_flops() / 1e6,
                train_mflop_per_token_with_embedding: TUTORIAL.training_flops_with_embedding()
                    / 1e6,
                infer_mflop_per_token: TUTORIAL.forward_flops() / 1e6,
            },
            workload: Texts {
                source: workload.source.clone(),
                batches: workload.batches[..=workload.longest()]
                    .iter()
                    .map(|batch| [batch.steps(), batch.tokens()])
                    .collect(),
            },
            gemm,
            machine,
            versions: machine::versions(),
        })
    }

    /// For people.
    pub(crate) fn tables(&self) -> String {
        let Machine { cpu, threads, device, .. } = &self.machine;
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header([
            "",
            "train tok/s",
            "Taper is",
            "infer tok/s",
            "Taper is",
            "longest train",
            "longest infer",
            "p50 ms",
            "p99 ms",
            "peak MiB",
        ]);
        let taper = (TAPER.to_owned(), &self.taper);
        for (name, row) in [taper].into_iter().chain(self.peers.iter().map(|(n, f)| (n.clone(), f)))
        {
            let latency = row.latency_ms.as_ref();
            table.add_row([
                name,
                number(row.train_tokens_per_s, 0),
                ratio(row.taper_is_faster_training),
                number(row.infer_tokens_per_s, 0),
                ratio(row.taper_is_faster_inferring),
                number(row.longest.train_tokens_per_s, 0),
                number(row.longest.infer_tokens_per_s, 0),
                number(latency.map(|latency| latency.p50), 2),
                number(latency.map(|latency| latency.p99), 2),
                number(row.memory.map(|memory| memory.peak_mib), 0),
            ]);
        }
        let percent = |fraction: Option<f64>| number(fraction.map(|fraction| 100.0 * fraction), 1);
        let mut lines = vec![
            format!("{cpu}, {threads} threads, {device}; {} rounds", self.rounds),
            format!("{}; [steps, tokens]: {:?}", self.workload.source, self.workload.batches),
            format!("large products: {:.0} GFLOP/s ({})", self.gemm_gflops, self.gemm),
            format!(
                "Taper reaches {} % of it training, {} % inferring ({:.2} and {:.2} MFLOP a token)",
                percent(self.train_fraction_of_gemm),
                percent(self.infer_fraction_of_gemm),
                self.convention.train_mflop_per_token,
                self.convention.infer_mflop_per_token,
            ),
            format!("all texts once at that rate: {} s", number(self.epoch_seconds, 1)),
            String::new(),
            table.to_string(),
            String::new(),
        ];
        for (name, figures) in &self.peers {
            let failed = figures.failed.iter().map(|why| format!("; given up: {why}"));
            let failed: String = failed.collect();
            lines.push(format!("{name}: {} ({}){failed}", figures.about, figures.scope));
        }
        lines.extend(self.absent.iter().map(|(name, why)| format!("{name}: {why}")));
        lines.join("\n")
    }
}

impl Figures {
    /// `taper` is what to compare with.
    fn new(outcome: &Outcome, taper: Option<&Outcome>, workload: &Workload) -> Self {
        let speed = |times: &Times, batches: std::ops::Range<usize>| {
            median(times.speeds(workload, batches).into_iter().flatten().collect())
        };
        let (measured, longest) = (workload.measured(), workload.longest()..workload.longest() + 1);
        let train = |batches| taper.and_then(|taper| outcome.train.times_of(&taper.train, batches));
        let infer = |batches| taper.and_then(|taper| outcome.infer.times_of(&taper.infer, batches));
        Self {
            about: outcome.about.clone(),
            scope: match outcome.scope {
                Scope::All => "every round",
                Scope::FirstRound => "first round only",
                Scope::Shortest => "shortest batch only",
            },
            train_tokens_per_s: speed(&outcome.train, measured.clone()),
            infer_tokens_per_s: speed(&outcome.infer, measured.clone()),
            taper_is_faster_training: train(measured.clone()),
            taper_is_faster_inferring: infer(measured),
            longest: Longest {
                train_tokens_per_s: speed(&outcome.train, longest.clone()),
                infer_tokens_per_s: speed(&outcome.infer, longest.clone()),
                taper_is_faster_training: train(longest.clone()),
                taper_is_faster_inferring: infer(longest),
            },
            latency_ms: Latency::new(&outcome.latency),
            memory: outcome.memory,
            failed: outcome.failed.clone(),
        }
    }
}

impl Times {
    /// Tokens a second in every round, over those of `batches` that were run.
    fn speeds(&self, workload: &Workload, batches: std::ops::Range<usize>) -> Vec<Option<f64>> {
        let speed = |round: &Vec<Option<f64>>| {
            let run = batches.clone().filter_map(|batch| Some((batch, round[batch]?)));
            let (tokens, seconds) = run.fold((0, 0.0), |(tokens, seconds), (batch, time)| {
                (tokens + workload.batches[batch].tokens(), seconds + time)
            });
            (tokens > 0).then(|| tokens as f64 / seconds)
        };
        self.0.iter().map(speed).collect()
    }

    /// How many times the seconds of `other` this took, on what both did in the same round.
    fn times_of(&self, other: &Self, batches: std::ops::Range<usize>) -> Option<f64> {
        let ratio = |(mine, others): (&Vec<Option<f64>>, &Vec<Option<f64>>)| {
            let both = batches.clone().filter_map(|batch| mine[batch].zip(others[batch]));
            let (mine, others) =
                both.fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
            (others > 0.0).then(|| mine / others)
        };
        median(self.0.iter().zip(&other.0).filter_map(ratio).collect())
    }
}

impl Latency {
    fn new(seconds: &[f64]) -> Option<Self> {
        let mut sorted = seconds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let at = |quantile: f64| 1e3 * sorted[(quantile * last as f64).round() as usize];
        Some(Self { tokens: SINGLE_TOKENS, runs: sorted.len(), p50: at(0.5), p99: at(0.99) })
    }
}

/// The middle one, or the mean of the middle two.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[middle - 1], upper) })
}

pub(crate) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

pub(crate) fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2} x"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn ratios_are_of_the_same_batches_in_the_same_round() {
        let taper = Times(vec![vec![Some(1.0), Some(9.0)], vec![Some(2.0), Some(9.0)]]);
        let peer = Times(vec![vec![Some(3.0), None], vec![Some(10.0), None]]);
        assert_eq!(peer.times_of(&taper, 0..2), Some(4.0));
        assert_eq!(peer.times_of(&taper, 1..2), None);
        // Measured in the first round only.
        let once = Times(vec![vec![Some(3.0), Some(27.0)], vec![None, None]]);
        assert_eq!(once.times_of(&taper, 0..2), Some(3.0));
    }

    #[test]
    fn speed_is_all_tokens_over_all_seconds() {
        let workload = Workload::synthetic(Some(2)).unwrap();
        let tokens = workload.batches[0].tokens() + workload.batches[1].tokens();
        let times = Times(vec![vec![Some(1.0), Some(3.0), None], vec![None; 3]]);
        assert_eq!(times.speeds(&workload, 0..2), [Some(tokens as f64 / 4.0), None]);
    }
}
