//! A chart: series over two axes, a legend above.

use super::font::width;
use super::scale::{Axis, Scale};
use super::scene::{Anchor, COLOURS, Ink, LETTER, Scene, short};

/// Small enough that its letters can be read on a telephone.
const SIZE: [f64; 2] = [440.0, 280.0];
const TOP: f64 = 12.0;
const RIGHT: f64 = 20.0;
const LEGEND: f64 = 16.0;

/// How a series looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Look {
    /// A line.
    Line,
    /// A line with a dot at each point.
    Marked,
    /// A thin, pale line: what another one smooths.
    Pale,
    /// A dashed line in its colour: what belongs to another one.
    Dashed,
    /// A thin, dashed line: what would be ideal.
    Ideal,
    /// Dots.
    Dots,
    /// Bars of this width, in the x axis' units, from its low end: a histogram.
    Bars(f64),
    /// The outline of such bars.
    Outline(f64),
}

/// Values of one kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// Its name in the legend; nameless ones are not in it.
    pub(crate) name: String,
    /// How it looks.
    pub(crate) look: Look,
    /// `[x, y]`; points that are not finite are gaps.
    pub(crate) points: Vec<[f64; 2]>,
    /// Its colour's number.
    pub(crate) colour: usize,
}

/// Series over two axes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    /// What it shows, in a few words.
    pub(crate) title: String,
    /// Left to right.
    pub(crate) x: Axis,
    /// Bottom to top.
    pub(crate) y: Axis,
    /// The values, drawn in this order.
    pub(crate) series: Vec<Series>,
}

/// The rectangle of the values, and the scales in it.
struct Frame {
    x: Scale,
    y: Scale,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Frame {
    fn at(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let across = self.left + (self.right - self.left) * self.x.place(x);
        [across, self.bottom - (self.bottom - self.top) * self.y.place(y)]
    }
}

impl Chart {
    /// An empty one.
    pub(crate) fn new(title: &str, x: Axis, y: Axis) -> Self {
        Self { title: title.to_owned(), x, y, series: Vec::new() }
    }

    /// Adds a series in the colour that is next.
    pub(crate) fn with(self, name: &str, look: Look, points: Vec<[f64; 2]>) -> Self {
        let colour = self.series.len();
        self.with_colour(colour, name, look, points)
    }

    /// Adds a series in the colour of this number.
    pub(crate) fn with_colour(
        mut self,
        colour: usize,
        name: &str,
        look: Look,
        points: Vec<[f64; 2]>,
    ) -> Self {
        self.series.push(Series { name: name.to_owned(), look, points, colour });
        self
    }

    /// Whether there is anything to see.
    pub(crate) fn is_empty(&self) -> bool {
        let shown = |[x, y]: &[f64; 2]| self.x.shows(*x) && self.y.shows(*y);
        let drawn = self.series.iter().filter(|series| series.look != Look::Ideal);
        !drawn.flat_map(|series| &series.points).any(shown)
    }

    /// Draws it.
    pub(crate) fn draw(&self) -> Scene {
        let mut scene = Scene::new(&self.title, SIZE);
        let legend = self.legend(&mut scene);
        let frame = self.frame(TOP + legend);
        self.axes(&frame, &mut scene);
        for series in &self.series {
            self.series(series, &frame, &mut scene);
        }
        if self.is_empty() {
            let middle =
                [f64::midpoint(frame.left, frame.right), f64::midpoint(frame.top, frame.bottom)];
            scene.text(middle, Anchor::Middle, Ink::Soft, "nothing to show yet");
        }
        scene
    }

    fn frame(&self, top: f64) -> Frame {
        let all =
            || self.series.iter().flat_map(|series| series.points.iter().map(move |p| (series, p)));
        let ends = all().flat_map(|(series, [x, _])| match series.look {
            Look::Bars(width) | Look::Outline(width) => [*x, *x + width],
            _ => [*x, *x],
        });
        let x = self.x.fit(ends);
        let floors = self
            .series
            .iter()
            .filter(|series| matches!(series.look, Look::Bars(_) | Look::Outline(_)));
        let y = self.y.fit(all().map(|(_, [_, y])| *y).chain(floors.map(|_| 0.0)));
        let widest = y.ticks.iter().map(|(_, name)| width(name)).fold(0.0, f64::max);
        let left = (2.0 * LETTER + 12.0 + widest).min(SIZE[0] / 2.0);
        Frame { x, y, left, top, right: SIZE[0] - RIGHT, bottom: SIZE[1] - 3.2 * LETTER }
    }

    fn axes(&self, frame: &Frame, scene: &mut Scene) {
        let Frame { left, top, right, bottom, .. } = *frame;
        for (value, name) in &frame.y.ticks {
            let y = bottom - (bottom - top) * frame.y.place(*value);
            scene.path(vec![[left, y], [right, y]], Ink::Line, 1.0, 1.0);
            scene.text([left - 6.0, y + 0.35 * LETTER], Anchor::End, Ink::Soft, name);
        }
        let mut free = f64::NEG_INFINITY;
        for (value, name) in &frame.x.ticks {
            let x = left + (right - left) * frame.x.place(*value);
            scene.path(vec![[x, bottom], [x, bottom + 4.0]], Ink::Soft, 1.0, 1.0);
            let half = width(name) / 2.0;
            // A name that would run into the one before it, or out of the picture, is left out.
            if x - half > free && x + half <= SIZE[0] {
                scene.text([x, bottom + 5.0 + LETTER], Anchor::Middle, Ink::Soft, name);
                free = x + half + 4.0;
            }
        }
        scene.path(vec![[left, bottom], [right, bottom]], Ink::Soft, 1.0, 1.0);
        let middle = [f64::midpoint(left, right), SIZE[1] - 5.0];
        scene.text(middle, Anchor::Middle, Ink::Text, self.x.label());
        let middle = [LETTER, f64::midpoint(top, bottom)];
        scene.text(middle, Anchor::Upwards, Ink::Text, self.y.label());
    }

    /// Draws the names, and returns the height they take.
    fn legend(&self, scene: &mut Scene) -> f64 {
        let (mut x, mut y) = (LETTER, TOP);
        let named: Vec<&Series> =
            self.series.iter().filter(|series| !series.name.is_empty()).collect();
        for series in &named {
            let name = short(&series.name, 30);
            let wide = 18.0 + width(&name) + 14.0;
            if x + wide > SIZE[0] && x > LETTER {
                (x, y) = (LETTER, y + LEGEND);
            }
            let (ink, middle) = (ink(series), y - 0.35 * LETTER);
            match series.look {
                Look::Dots => scene.dots(vec![[x + 6.0, middle]], ink, 7.0, 1.0),
                Look::Bars(_) => {
                    scene.area([x, middle - 5.0, 12.0, 10.0], ink, 0.75, String::new());
                }
                Look::Dashed => scene.dashed(vec![[x, middle], [x + 13.0, middle]], ink, 2.0),
                Look::Ideal => scene.dashed(vec![[x, middle], [x + 13.0, middle]], ink, 1.2),
                Look::Pale => scene.path(vec![[x, middle], [x + 12.0, middle]], ink, 1.0, 0.4),
                _ => scene.path(vec![[x, middle], [x + 12.0, middle]], ink, 2.0, 1.0),
            }
            scene.text([x + 18.0, y], Anchor::Start, Ink::Text, &name);
            x += wide;
        }
        if named.is_empty() { 0.0 } else { y - TOP + LEGEND }
    }

    fn series(&self, series: &Series, frame: &Frame, scene: &mut Scene) {
        let ink = ink(series);
        let shown = |[x, y]: &[f64; 2]| self.x.shows(*x) && self.y.shows(*y);
        if let Look::Bars(width) = series.look {
            for [x, y] in series.points.iter().copied().filter(shown) {
                let ([from, top], [to, _]) = (frame.at([x, y]), frame.at([x + width, y]));
                let gap = if to - from > 4.0 { 1.0 } else { 0.0 };
                let rectangle = [from, top, (to - from - gap).max(0.5), frame.bottom - top];
                let says = format!("{}: {}", super::number(x), super::number(y));
                scene.area(rectangle, ink, 0.75, says);
            }
            return;
        }
        if series.look == Look::Dots {
            let points = series.points.iter().copied().filter(shown).map(|point| frame.at(point));
            scene.dots(points.collect(), ink, 3.2, 0.6);
            return;
        }
        for run in series.points.split(|point| !shown(point)).filter(|run| !run.is_empty()) {
            let mut points: Vec<[f64; 2]> = run.iter().map(|point| frame.at(*point)).collect();
            match series.look {
                Look::Dashed => scene.dashed(points, ink, 2.0),
                Look::Ideal => scene.dashed(points, ink, 1.2),
                Look::Pale => scene.path(points, ink, 1.0, 0.4),
                Look::Marked => {
                    scene.path(points.clone(), ink, 2.0, 1.0);
                    scene.dots(points, ink, 5.5, 1.0);
                }
                Look::Outline(width) => {
                    points = Vec::new();
                    for [x, y] in run {
                        points.extend([frame.at([*x, *y]), frame.at([x + width, *y])]);
                    }
                    if let [first, .., last] = points[..] {
                        points.insert(0, [first[0], frame.bottom]);
                        points.push([last[0], frame.bottom]);
                    }
                    scene.path(points, ink, 2.0, 1.0);
                }
                _ if points.len() == 1 => scene.dots(points, ink, 5.5, 1.0),
                _ => scene.path(points, ink, 2.0, 1.0),
            }
        }
    }
}

fn ink(series: &Series) -> Ink {
    if series.look == Look::Ideal { Ink::Soft } else { Ink::Series(series.colour % COLOURS) }
}
