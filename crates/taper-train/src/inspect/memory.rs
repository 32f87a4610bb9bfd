//! One direction of one layer, from its steps to what the document says of it.

use std::cmp::Reverse;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use taper_explain::{Behaviour, Composition, Counts, Ledger, Steps, Survival};

use super::document::{CompositionRows, DirectionMemory, Heat, TokenColumns};

/// Rows of a heat map: of more units, those that show most.
const UNITS: usize = 48;

/// Columns of a heat map: longer texts share columns.
const COLUMNS: usize = 512;

/// Parts of the text that the composition tells apart.
const PARTS: usize = 8;

/// Rows of the composition: of longer texts, tokens at equal distances.
const ROWS: usize = 256;

/// What a direction is called.
pub(super) fn direction_name(direction: usize) -> &'static str {
    if direction == 0 { "forward" } else { "backward" }
}

pub(super) fn direction_memory(steps: &Steps, survival: &Survival) -> DirectionMemory {
    let ledger = Ledger::of(steps);
    DirectionMemory {
        layer: steps.layer(),
        direction: direction_name(steps.direction()),
        ledger_residual: ledger.residual(),
        behaviour: Counts::over(steps).shares().into(),
        tokens: columns(steps, &ledger, survival),
        heat: heat(steps),
        composition: composition(steps),
    }
}

fn magnitude(values: &[f64]) -> f32 {
    values.iter().map(|value| value.abs()).sum::<f64>() as f32
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn columns(steps: &Steps, ledger: &Ledger, survival: &Survival) -> TokenColumns {
    let mut columns = TokenColumns::default();
    for t in 0..steps.len() {
        let before = steps.before(t);
        let forgotten: Vec<f64> =
            before.iter().zip(steps.f(t)).map(|(c, f)| (1.0 - f) * c).collect();
        let [remember, add, erase, overwrite] = Counts::at(steps, t).shares();
        let distance = steps.last().abs_diff(t);
        for (column, value) in [
            (&mut columns.i, mean(steps.i(t)) as f32),
            (&mut columns.f, mean(steps.f(t)) as f32),
            (&mut columns.o, mean(steps.o(t)) as f32),
            (&mut columns.remember, remember as f32),
            (&mut columns.add, add as f32),
            (&mut columns.erase, erase as f32),
            (&mut columns.overwrite, overwrite as f32),
            (&mut columns.before, magnitude(before)),
            (&mut columns.forgotten, magnitude(&forgotten)),
            (&mut columns.deposit, magnitude(ledger.deposit(t))),
            (&mut columns.after, magnitude(steps.c(t))),
            (&mut columns.surviving, magnitude(ledger.surviving(t))),
            (&mut columns.released, magnitude(ledger.released(t))),
            (&mut columns.gradient_h, survival.h[distance] as f32),
            (&mut columns.gradient_c, survival.c[distance] as f32),
            (&mut columns.kept, survival.kept[distance] as f32),
        ] {
            column.push(value);
        }
    }
    columns
}

/// A unit, with what decides its place among the rows.
struct Unit {
    index: usize,
    behaviour: Behaviour,
    forget: f64,
    /// Sum over steps of what it lets out, `|o tanh(c)|`.
    shown: f64,
}

fn units(steps: &Steps) -> Vec<Unit> {
    let mut units: Vec<Unit> = (0..steps.units())
        .map(|index| {
            let (mut counts, mut forget, mut shown) = ([0_usize; 4], 0.0, 0.0);
            for t in 0..steps.len() {
                counts[Behaviour::of(steps.i(t)[index], steps.f(t)[index]) as usize] += 1;
                forget += steps.f(t)[index];
                shown += (steps.o(t)[index] * steps.c(t)[index].tanh()).abs();
            }
            // Of equal counts the first.
            let behaviour =
                Behaviour::ALL.into_iter().max_by_key(|b| (counts[*b as usize], Reverse(*b)));
            Unit { index, behaviour: behaviour.unwrap_or(Behaviour::Remember), forget, shown }
        })
        .collect();
    units.sort_by(|a, b| b.shown.total_cmp(&a.shown));
    units.truncate(UNITS);
    units.sort_by(|a, b| a.behaviour.cmp(&b.behaviour).then(b.forget.total_cmp(&a.forget)));
    units
}

fn heat(steps: &Steps) -> Heat {
    let units = units(steps);
    let count = steps.len().min(COLUMNS);
    let columns: Vec<usize> = (0..count).map(|column| column * steps.len() / count).collect();
    let cells = |value: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        let ends = columns.iter().skip(1).copied().chain([steps.len()]);
        let spans: Vec<(usize, usize)> = columns.iter().copied().zip(ends).collect();
        let cell = |unit: &Unit, (start, end): (usize, usize)| {
            (start..end).map(|t| value(t, unit.index)).sum::<f64>() / (end - start) as f64
        };
        units.iter().flat_map(|unit| spans.iter().map(move |span| cell(unit, *span))).collect()
    };
    let memory = cells(&|t, unit| steps.c(t)[unit]);
    let limit = memory.iter().fold(0.0_f64, |limit, c| limit.max(c.abs()));
    let signed = memory.iter().map(|c| if limit > 0.0 { 0.5 + 0.5 * c / limit } else { 0.5 });
    Heat {
        i: bytes(cells(&|t, unit| steps.i(t)[unit]).into_iter()),
        f: bytes(cells(&|t, unit| steps.f(t)[unit]).into_iter()),
        o: bytes(cells(&|t, unit| steps.o(t)[unit]).into_iter()),
        c: bytes(signed),
        c_limit: limit as f32,
        behaviours: units.iter().map(|unit| unit.behaviour.name()).collect(),
        units: units.iter().map(|unit| unit.index).collect(),
        columns,
    }
}

/// Numbers in [0, 1] as base64 of bytes.
fn bytes(values: impl Iterator<Item = f64>) -> String {
    STANDARD.encode(values.map(|value| (255.0 * value).round() as u8).collect::<Vec<u8>>())
}

fn composition(steps: &Steps) -> CompositionRows {
    let Composition { parts, magnitudes } = Composition::of(steps, PARTS);
    let rows = steps.len().min(ROWS);
    // From the first token to the last.
    let at: Vec<usize> = (0..rows).map(|row| row * (steps.len() - 1) / (rows - 1).max(1)).collect();
    // The part that remains is the initial memory, which is zero here.
    let row = |t: &usize| magnitudes[*t][..parts.len()].iter().map(|m| *m as f32).collect();
    CompositionRows {
        magnitudes: at.iter().map(row).collect(),
        at,
        parts: parts.iter().map(|part| [part.start, part.end]).collect(),
    }
}
