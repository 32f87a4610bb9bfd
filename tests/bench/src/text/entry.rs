//! One thing that is measured: a task in Taper's hands or a peer's.

use anyhow::Result;

/// What is done, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Task {
    /// Texts to ids, in megabytes (10^6 bytes) of UTF-8.
    Encode(f64),
    /// Something whole.
    Whole,
}

/// A task in somebody's hands, with the seconds it took in every round so far.
pub(super) struct Entry<'a> {
    pub(super) name: &'static str,
    pub(super) about: String,
    pub(super) task: Task,
    /// Taper's entry that this is compared with; its own name for Taper's.
    pub(super) against: &'static str,
    pub(super) seconds: Vec<f64>,
    /// Why it was given up, if it was.
    pub(super) failed: Option<String>,
    run: Box<dyn FnMut() -> Result<f64> + 'a>,
}

impl<'a> Entry<'a> {
    /// Taper's, where `against` is the name; else a peer's. `run` returns seconds.
    pub(super) fn new(
        (name, against): (&'static str, &'static str),
        about: String,
        task: Task,
        run: impl FnMut() -> Result<f64> + 'a,
    ) -> Self {
        let run = Box::new(run);
        Self { name, about, task, against, seconds: Vec::new(), failed: None, run }
    }

    pub(super) fn is_taper(&self) -> bool {
        self.name == self.against
    }

    /// Peers directly behind what they are compared with: a noisy machine hits both alike.
    pub(super) fn turn(&self) -> (&'static str, bool) {
        (self.against, !self.is_taper())
    }

    /// Another round; who fails is given up, and the others go on.
    pub(super) fn measure(&mut self) {
        if self.failed.is_some() {
            return;
        }
        match (self.run)() {
            Ok(seconds) => {
                eprintln!("{}: {seconds:.3} s", self.name);
                self.seconds.push(seconds);
            }
            Err(error) => {
                eprintln!("{} is given up: {error:#}", self.name);
                self.failed = Some(format!("{error:#}"));
            }
        }
    }

    /// How many times as fast `taper` is, in every round that both were measured in.
    pub(super) fn taper_is_faster(&self, taper: &Self) -> Vec<f64> {
        let share = match (self.task, taper.task) {
            (Task::Encode(mine), Task::Encode(tapers)) => tapers / mine,
            _ => 1.0,
        };
        let rounds = self.seconds.iter().zip(&taper.seconds);
        rounds.map(|(mine, tapers)| mine / tapers * share).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_speeds_in_the_same_round() {
        let entry = |task, seconds: &[f64]| {
            let mut entry = Entry::new(("a", "a"), String::new(), task, || Ok(0.0));
            entry.seconds = seconds.to_vec();
            entry
        };
        // 4 MB in 2 s next to 10 MB in 1 s; the second round has only one of the two.
        let (peer, taper) =
            (entry(Task::Encode(4.0), &[2.0]), entry(Task::Encode(10.0), &[1.0, 9.0]));
        assert_eq!(peer.taper_is_faster(&taper), [5.0]);
        let (peer, taper) = (entry(Task::Whole, &[3.0, 4.0]), entry(Task::Whole, &[1.0, 2.0]));
        assert_eq!(peer.taper_is_faster(&taper), [3.0, 2.0]);
    }

    #[test]
    fn one_that_fails_is_given_up() {
        let mut asked = 0;
        let mut entry = Entry::new(("a", "b"), String::new(), Task::Whole, || {
            asked += 1;
            anyhow::bail!("no file")
        });
        entry.measure();
        entry.measure();
        assert_eq!(entry.failed.as_deref(), Some("no file"));
        drop(entry);
        assert_eq!(asked, 1);
    }
}
