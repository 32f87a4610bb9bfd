//! Labels as words to labels as numbers: the class names, in the order of first use or as given.

use std::collections::HashMap;

use crate::error::{Error, Place, Result};

/// More different labels than this are no classes: some other column was taken for the label.
const MOST: usize = 1 << 16;

/// The classes of a data set. Learned from its first split, then only asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Labels {
    names: Vec<String>,
    /// Label as it is written -> its number.
    numbers: HashMap<String, u32>,
    /// Label without case and surrounding blanks -> as it was written first.
    folded: HashMap<String, String>,
    /// Whether the names were given.
    given: bool,
    /// Given names that stand for numbers: the smallest number there can be, once it is known.
    base: Option<u64>,
    /// The largest number seen where names stand for numbers.
    highest: u64,
}

impl Labels {
    pub(crate) fn new(given: &[String]) -> Self {
        let mut labels = Self { given: !given.is_empty(), ..Self::default() };
        for name in given {
            labels.add(name);
        }
        labels
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Sees a label of the split that says which classes there are.
    ///
    /// # Errors
    /// One that differs from another only by case or surrounding blanks, or that is not among the given
    /// names; more labels than there can be classes.
    pub(crate) fn learn(&mut self, label: &str, place: impl Fn() -> Place) -> Result<()> {
        if self.numbers.contains_key(label) {
            return Ok(());
        }
        if let Some(number) = whole_number(label).filter(|_| self.names_stand_for_numbers()) {
            if number > self.names.len() as u64 {
                return Err(self.unknown(label, place()));
            }
            // From 0 as soon as a 0 is seen, else from 1.
            self.base = Some(self.base.unwrap_or(1).min(number));
            self.highest = self.highest.max(number);
            return Ok(());
        }
        self.ambiguous(label, &place)?;
        if self.given {
            return Err(self.unknown(label, place()));
        }
        if self.names.len() == MOST {
            return Err(Error::Malformed {
                place: place(),
                problem: format!(
                    "the label {label:?} is one of more than {MOST} different ones; is another column \
                     the label?"
                ),
            });
        }
        self.add(label);
        Ok(())
    }

    /// Sees the labels of a text that may have several.
    ///
    /// # Errors
    /// As [`Self::learn`]; a label twice.
    pub(crate) fn learn_all(&mut self, labels: &[String], place: impl Fn() -> Place) -> Result<()> {
        if let Some(at) = (1..labels.len()).find(|&at| labels[..at].contains(&labels[at])) {
            return Err(twice(&labels[at], place()));
        }
        labels.iter().try_for_each(|label| self.learn(label, &place))
    }

    /// All labels are seen: classes that are whole numbers are put in the order of their size, and false comes before true.
    ///
    /// # Errors
    /// Numbers of which nobody knows whether the first name is that of 0 or of 1.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if self.base == Some(1) && self.highest < self.names.len() as u64 {
            return Err(Error::Settings {
                key: "label_names",
                problem: format!(
                    "{} names are given for labels that are whole numbers from 1 to {}: with a row of class 0 the first \
                     name is that of 0, with one of class {} that of 1; give such a row, or names as labels",
                    self.names.len(),
                    self.highest,
                    self.names.len()
                ),
            });
        }
        let sizes = |size: fn(&str) -> Option<i128>| -> Option<Vec<i128>> {
            self.names.iter().map(|name| size(name)).collect()
        };
        let sizes = sizes(signed).or_else(|| sizes(truth));
        if let Some(sizes) = sizes.filter(|_| !self.given) {
            let mut order: Vec<(i128, String)> =
                sizes.into_iter().zip(self.names.clone()).collect();
            order.sort();
            self.names = order.into_iter().map(|(_, name)| name).collect();
            let numbers = self.names.iter().zip(0..).map(|(name, number)| (name.clone(), number));
            self.numbers = numbers.collect();
        }
        // A name is called as it is, without the blanks that every row writes around it.
        for name in &mut self.names {
            *name = name.trim().to_owned();
        }
        Ok(())
    }

    /// # Errors
    /// A label that is none of the classes.
    pub(crate) fn number(&self, label: &str, place: impl Fn() -> Place) -> Result<u32> {
        if let Some(&number) = self.numbers.get(label) {
            return Ok(number);
        }
        if let (Some(base), Some(found)) = (self.base, whole_number(label)) {
            let number = found.checked_sub(base).filter(|&number| number < self.names.len() as u64);
            return number.map(|number| number as u32).ok_or_else(|| self.unknown(label, place()));
        }
        self.ambiguous(label, &place)?;
        Err(self.unknown(label, place()))
    }

    /// The numbers of a text's labels, ascending.
    ///
    /// # Errors
    /// As [`Self::number`]; a label twice, as the same word or another of the same class.
    pub(crate) fn numbers(&self, labels: &[String], place: impl Fn() -> Place) -> Result<Vec<u32>> {
        let mut numbers: Vec<u32> =
            labels.iter().map(|label| self.number(label, &place)).collect::<Result<_>>()?;
        numbers.sort_unstable();
        let again = numbers.windows(2).find(|pair| pair[0] == pair[1]);
        match again.and_then(|pair| self.names.get(pair[0] as usize)) {
            Some(name) => Err(twice(name, place())),
            None => Ok(numbers),
        }
    }

    fn add(&mut self, label: &str) {
        self.numbers.insert(label.to_owned(), self.names.len() as u32);
        self.folded.insert(fold(label), label.to_owned());
        self.names.push(label.to_owned());
    }

    fn names_stand_for_numbers(&self) -> bool {
        self.given && !self.names.iter().any(|name| whole_number(name).is_some())
    }

    fn ambiguous(&self, label: &str, place: &impl Fn() -> Place) -> Result<()> {
        self.folded.get(&fold(label)).map_or(Ok(()), |like| {
            Err(Error::AmbiguousLabel {
                place: place(),
                found: label.to_owned(),
                like: like.clone(),
            })
        })
    }

    fn unknown(&self, label: &str, place: Place) -> Error {
        let is_place = |number: u64| number < self.names.len() as u64 && self.base.is_none();
        let names = !self.names.iter().any(|name| signed(name).is_some());
        let found = if names && whole_number(label).is_some_and(is_place) {
            format!("{label} (a number, where the labels before are names)")
        } else {
            label.to_owned()
        };
        Error::UnknownLabel { place, found, classes: self.names.clone() }
    }
}

fn twice(label: &str, place: Place) -> Error {
    Error::Malformed { place, problem: format!("has the label `{label}` twice; name it once") }
}

fn fold(label: &str) -> String {
    label.trim().to_lowercase()
}

fn whole_number(label: &str) -> Option<u64> {
    let digits = label.trim();
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// With its sign: `-1` is below `1`.
fn signed(label: &str) -> Option<i128> {
    match label.trim().strip_prefix('-') {
        Some(digits) if !digits.starts_with(' ') => whole_number(digits).map(|n| -i128::from(n)),
        _ => whole_number(label).map(i128::from),
    }
}

fn truth(label: &str) -> Option<i128> {
    ["false", "true"].iter().zip(0..).find_map(|(name, n)| (fold(label) == *name).then_some(n))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;

    fn place() -> Place {
        Place::file(Path::new("x.csv")).at_line(7)
    }

    fn learned(given: &[&str], labels: &[&str]) -> Result<Labels> {
        let given: Vec<String> = given.iter().map(|&name| name.to_owned()).collect();
        let mut learned = Labels::new(&given);
        for label in labels {
            learned.learn(label, place)?;
        }
        learned.settle()?;
        Ok(learned)
    }

    #[test]
    fn names_keep_the_order_of_first_use_and_numbers_that_of_size() {
        let labels = learned(&[], &["sport", "art", "sport", " law "]).unwrap();
        assert_eq!(labels.names(), ["sport", "art", "law"]);
        assert_eq!(labels.number(" law ", place).unwrap(), 2);
        let labels = learned(&[], &["10", "9", "2"]).unwrap();
        assert_eq!(labels.names(), ["2", "9", "10"]);
        assert_eq!(labels.number("10", place).unwrap(), 2);
        let labels = learned(&[], &["1", "-1", "0", "-20"]).unwrap();
        assert_eq!(labels.names(), ["-20", "-1", "0", "1"]);
        let labels = learned(&[], &["True", "False"]).unwrap();
        assert_eq!(labels.names(), ["False", "True"]);
        let message = learned(&[], &["neg", "pos"]).unwrap().number("0", place).unwrap_err();
        assert!(message.to_string().contains("0 (a number, where the labels before are names)"));
        let message = learned(&[], &["1", "2"]).unwrap().number("0", place).unwrap_err();
        assert!(message.to_string().contains("unknown label 0; known"), "{message}");
        let labels = learned(&["art", "sport"], &["sport"]).unwrap();
        assert_eq!(labels.names(), ["art", "sport"]);
        assert_eq!(labels.number("sport", place).unwrap(), 1);
    }

    #[test]
    fn given_names_stand_for_numbers_from_0_or_1() {
        let labels = learned(&["world", "sports"], &["2", "1"]).unwrap();
        assert_eq!(["1", "2"].map(|label| labels.number(label, place).unwrap()), [0, 1]);
        let labels = learned(&["neg", "pos"], &["1", "0"]).unwrap();
        assert_eq!(["0", "1"].map(|label| labels.number(label, place).unwrap()), [0, 1]);
        let message = labels.number("2", place).unwrap_err().to_string();
        assert!(message.contains("line 7 has the unknown label 2"), "{message}");
    }

    #[test]
    fn numbers_that_may_count_from_0_or_from_1_are_refused() {
        let names = ["a", "b", "c", "d"];
        let message = learned(&names, &["1", "3", "2"]).unwrap_err().to_string();
        assert!(message.contains("4 names") && message.contains("from 1 to 3"), "{message}");
        assert_eq!(learned(&names, &["4"]).unwrap().number("1", place).unwrap(), 0);
        assert_eq!(learned(&names, &["3", "0"]).unwrap().number("1", place).unwrap(), 1);
    }

    #[test]
    fn several_labels_are_numbered_in_order_and_each_once() {
        let words =
            |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect::<Vec<_>>();
        let mut labels = Labels::new(&words(&["world", "sports"]));
        labels.learn_all(&words(&["sports", "world"]), place).unwrap();
        labels.learn_all(&words(&["1"]), place).unwrap();
        assert_eq!(labels.numbers(&words(&["sports", "world"]), place).unwrap(), [0, 1]);
        assert_eq!(labels.numbers(&[], place).unwrap(), [] as [u32; 0]);
        for twice in [["sports", "sports"], ["sports", "2"]] {
            let message = labels.numbers(&words(&twice), place).unwrap_err().to_string();
            assert!(message.contains("line 7: has the label `sports` twice"), "{message}");
        }
        assert!(labels.learn_all(&words(&["world", "world"]), place).is_err());
    }

    #[test]
    fn labels_that_differ_by_case_or_blanks_are_refused() {
        for pair in [["Pos", "pos"], ["pos ", "pos"], ["\u{c9}t\u{e9}", "\u{e9}t\u{e9}"]] {
            let message = learned(&[], &pair).unwrap_err().to_string();
            assert!(message.contains("only by case or surrounding blanks"), "{message}");
            assert!(message.contains("x.csv, line 7"), "{message}");
        }
        // Both given are both meant.
        learned(&["pos", "Pos"], &["pos", "Pos"]).unwrap();
        assert!(learned(&["pos"], &["Pos"]).unwrap_err().to_string().contains("only by case"));
    }

    #[test]
    fn unbounded_labels_are_no_classes() {
        let mut labels = Labels::new(&[]);
        let refused = (0..=MOST).find_map(|n| labels.learn(&format!("t{n}"), place).err());
        assert!(refused.unwrap().to_string().contains("is another column the label?"));
    }
}
