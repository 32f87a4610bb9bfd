//! From seconds to figures: medians over the rounds, as JSON and as a table.

use std::collections::BTreeMap;

use comfy_table::{Table, presets};
use serde::Serialize;

use super::entry::{Entry, Task};
use super::texts::Texts;
use super::{Absent, align, encode, prepare};
use crate::machine::{self, Machine};
use crate::report::{median, number, ratio};

/// The JSON document. What is null was not measured, and `absent` says why.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Of the tutorial's tokenizer, `spacy`.
    encode_mb_per_s: Option<f64>,
    align_seconds: Option<f64>,
    prepare_seconds: Option<f64>,
    prepare_stage_seconds: BTreeMap<&'static str, Option<f64>>,
    taper: BTreeMap<&'static str, Figures>,
    peers: BTreeMap<&'static str, Figures>,
    absent: BTreeMap<String, String>,
    texts: String,
    rounds: usize,
    machine: Machine,
    versions: BTreeMap<&'static str, &'static str>,
}

/// Medians over the rounds.
#[derive(Debug, Serialize)]
struct Figures {
    about: String,
    seconds: Option<f64>,
    /// 10^6 bytes of UTF-8, for what encodes.
    megabytes: Option<f64>,
    mb_per_s: Option<f64>,
    /// Taper's entry that a peer is compared with.
    against: Option<&'static str>,
    /// How many times as fast that is, in the same round.
    taper_is_faster: Option<f64>,
    failed: Option<String>,
}

impl Report {
    pub(super) fn new(
        entries: &[Entry<'_>],
        absent: Absent,
        stages: &prepare::Stages,
        texts: &Texts,
        rounds: usize,
    ) -> Self {
        let (taper, peers): (Vec<&Entry>, Vec<&Entry>) =
            entries.iter().partition(|entry| entry.is_taper());
        let figures = |entries: Vec<&Entry>| -> BTreeMap<&'static str, Figures> {
            entries.iter().map(|entry| (entry.name, Figures::new(entry, &taper))).collect()
        };
        let (taper, peers) = (figures(taper.clone()), figures(peers));
        let seconds = |name| taper.get(name).and_then(|figures: &Figures| figures.seconds);
        let stages = stages.borrow();
        Self {
            encode_mb_per_s: taper.get(encode::ENTRIES[0]).and_then(|figures| figures.mb_per_s),
            align_seconds: seconds(align::NAME),
            prepare_seconds: seconds(prepare::NAME),
            prepare_stage_seconds: stages
                .iter()
                .map(|(stage, seconds)| (*stage, median(seconds.clone())))
                .collect(),
            taper,
            peers,
            absent: absent.into_iter().collect(),
            texts: texts.source.clone(),
            rounds,
            machine: Machine::new(crate::all_threads(), "cpu".to_owned()),
            versions: machine::versions(),
        }
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["", "MB", "MB/s", "seconds", "Taper is"]);
        for (name, row) in self.taper.iter().chain(&self.peers) {
            table.add_row([
                (*name).to_owned(),
                number(row.megabytes, 1),
                number(row.mb_per_s, 2),
                number(row.seconds, 3),
                ratio(row.taper_is_faster),
            ]);
        }
        let Machine { cpu, threads, .. } = &self.machine;
        let mut lines = vec![
            format!("{cpu}, {threads} threads; {} rounds", self.rounds),
            self.texts.clone(),
            String::new(),
            table.to_string(),
            String::new(),
        ];
        let stage =
            |(name, seconds): (&&str, &Option<f64>)| format!("{name} {} s", number(*seconds, 2));
        let stages: Vec<String> = self.prepare_stage_seconds.iter().map(stage).collect();
        if !stages.is_empty() {
            lines.push(format!("stages of {}: {}", prepare::NAME, stages.join(", ")));
        }
        for (name, figures) in self.taper.iter().chain(&self.peers) {
            let against = figures.against.map(|name| format!("; next to {name}"));
            let failed = figures.failed.as_ref().map(|why| format!("; given up: {why}"));
            let more: String = against.into_iter().chain(failed).collect();
            lines.push(format!("{name}: {}{more}", figures.about));
        }
        lines.extend(self.absent.iter().map(|(name, why)| format!("{name}: {why}")));
        lines.join("\n")
    }
}

impl Figures {
    fn new(entry: &Entry, taper: &[&Entry]) -> Self {
        let seconds = median(entry.seconds.clone());
        let megabytes = match entry.task {
            Task::Encode(megabytes) => Some(megabytes),
            Task::Whole => None,
        };
        let peer = !entry.is_taper();
        let compared = taper.iter().find(|taper| peer && taper.name == entry.against);
        Self {
            about: entry.about.clone(),
            seconds,
            megabytes,
            mb_per_s: megabytes.zip(seconds).map(|(megabytes, seconds)| megabytes / seconds),
            against: compared.map(|taper| taper.name),
            taper_is_faster: compared.and_then(|taper| median(entry.taper_is_faster(taper))),
            failed: entry.failed.clone(),
        }
    }
}
