//! Axes: from values to places, with ticks at round numbers.

/// A direction of a chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Axis {
    label: String,
    log: bool,
    range: Option<[f64; 2]>,
    least: f64,
    ticks: Option<Vec<(f64, String)>>,
    percent: bool,
    whole: bool,
}

impl Axis {
    /// As far as the values go.
    pub(crate) fn new(label: &str) -> Self {
        Self { label: label.to_owned(), least: f64::INFINITY, ..Self::default() }
    }

    /// By powers of ten; values of 0 and less are left out.
    pub(crate) fn log(self) -> Self {
        Self { log: true, ..self }
    }

    /// From 0 to 1, or whatever else.
    pub(crate) fn between(self, low: f64, high: f64) -> Self {
        Self { range: Some([low, high]), ..self }
    }

    /// From this value on, at least.
    pub(crate) fn at_least(self, least: f64) -> Self {
        Self { least, ..self }
    }

    /// Shares, named in percent.
    pub(crate) fn percent(self) -> Self {
        Self { percent: true, ..self }
    }

    /// Of whole numbers.
    pub(crate) fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    /// Ticks at these values, with these names.
    pub(crate) fn ticks(self, ticks: Vec<(f64, String)>) -> Self {
        Self { ticks: Some(ticks), ..self }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn shows(&self, value: f64) -> bool {
        value.is_finite() && (!self.log || value > 0.0)
    }

    /// The scale over `values`; a scale of its own where there are none.
    pub(super) fn fit(&self, values: impl Iterator<Item = f64>) -> Scale {
        let shown = values.filter(|value| self.shows(*value));
        let [mut low, mut high] = self.range.unwrap_or_else(|| {
            let none = [f64::INFINITY, f64::NEG_INFINITY];
            shown.fold(none, |[low, high], value| [low.min(value), high.max(value)])
        });
        low = low.min(self.least);
        if low > high {
            [low, high] = if self.log { [0.1, 1.0] } else { [0.0, 1.0] };
        }
        let ticks = if self.log {
            // A narrow band of values gets a decade around it.
            if high / low < 2.0 {
                (low, high) = (low / 2.0, high * 2.0);
            }
            decades(low, high)
        } else {
            if high - low <= 1e-12 * high.abs().max(1e-9) {
                let pad = if high == 0.0 || self.whole { 1.0 } else { 0.1 * high.abs() };
                (low, high) = (low - pad, high + pad);
            }
            let step = round_step((high - low) / 5.0).max(if self.whole { 1.0 } else { 0.0 });
            if self.range.is_none() && self.ticks.is_none() {
                (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
            }
            let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
            (first..=last).map(|index| index as f64 * step).collect()
        };
        let inside = |value: f64| value >= low && value <= high * (1.0 + 1e-9);
        let ticks = match &self.ticks {
            Some(own) => own.iter().filter(|(value, _)| inside(*value)).cloned().collect(),
            None => ticks.into_iter().map(|value| (value, self.name(value))).collect(),
        };
        Scale { log: self.log, low, high, ticks }
    }

    fn name(&self, value: f64) -> String {
        if self.percent { format!("{} %", number(100.0 * value)) } else { number(value) }
    }
}

/// A fitted axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    log: bool,
    low: f64,
    high: f64,
    pub(super) ticks: Vec<(f64, String)>,
}

impl Scale {
    /// Where a value lies, 0 at the low end and 1 at the high one; not beyond.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }
}

/// The 1, 2 or 5 times a power of ten that is next above.
fn round_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0];
    steps
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * power)
}

/// Powers of ten, and 2 and 5 times them where there are few.
fn decades(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let every = ((last - first) / 6).max(1);
    let times: &[f64] = if last - first > 3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let powers = (first..=last).filter(|power| power % every == 0);
    let values = powers.flat_map(|power| times.iter().map(move |t| t * 10_f64.powi(power)));
    values.filter(|value| *value >= low * 0.999 && *value <= high * 1.001).collect()
}

/// A number in as few characters as a tick needs: `0.25`, `1,500`, `25k`, `1.5M`, `2e-5`.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if !(0.000_099..1e10).contains(&size) {
        let text = format!("{value:.1e}");
        text.replace(".0e", "e")
    } else if size >= 1e6 {
        format!("{}M", plain(value / 1e6))
    } else if size >= 1e4 {
        format!("{}k", plain(value / 1e3))
    } else {
        plain(value)
    }
}

fn plain(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.').to_owned();
    match text.strip_prefix('-') {
        Some(positive) => format!("−{positive}"),
        None => text,
    }
}
