//! No circles: the top-level modules of a crate can be put in an order in which each one only uses
//! those before it.
//!
//! A reading of `crate::…` and `super::…` paths in the text, not a compiler: comments and tests
//! are left out, names that `lib.rs` re-exports count as the module they come from, and what a
//! macro makes is not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{SourceFile, code, is_test};

/// Module -> the modules it uses -> where it does.
type Uses = BTreeMap<String, BTreeMap<String, String>>;

/// The first circle among the modules under `source`, as `a -> b -> a` with a place for each arrow.
pub(super) fn problem(source: &Path, files: &[&SourceFile]) -> Option<String> {
    let uses = uses(source, files);
    let mut done = BTreeSet::new();
    let circle =
        uses.keys().find_map(|module| circle_from(module, &uses, &mut Vec::new(), &mut done))?;
    let places = circle.windows(2).map(|pair| uses[&pair[0]][&pair[1]].as_str());
    let places = places.collect::<Vec<_>>().join(", ");
    Some(format!("{}: modules in a circle: {} ({places})", source.display(), circle.join(" -> ")))
}

fn uses(source: &Path, files: &[&SourceFile]) -> Uses {
    let place = |file: &SourceFile| -> Vec<String> {
        let inner = file.path.strip_prefix(source).unwrap_or(&file.path).with_extension("");
        let parts = inner.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        parts.filter(|part| part != "mod").collect()
    };
    let modules: BTreeSet<_> = files.iter().map(|file| place(file)[0].clone()).collect();

    let mut exports = BTreeMap::new();
    for root in files.iter().filter(|file| place(file) == ["lib"]) {
        for (_, path) in paths_after("use ", &code(&root.text)) {
            if let [module, .., name] = path.as_slice() {
                exports.insert(name.clone(), module.clone());
            }
        }
    }

    let mut uses = Uses::new();
    for file in files.iter().filter(|file| !is_test(file)) {
        let place = place(file);
        if place == ["lib"] || place == ["main"] {
            continue;
        }
        let text = code(&file.text).replace(&"super::".repeat(place.len()), "crate::");
        for (line, path) in paths_after("crate::", &text) {
            let used = exports.get(&path[0]).unwrap_or(&path[0]);
            if *used != place[0] && modules.contains(used) {
                let at = || format!("{}:{line}", file.path.display());
                uses.entry(place[0].clone()).or_default().entry(used.clone()).or_insert_with(at);
            }
        }
    }
    uses
}

/// Depth first: the way from a module back to itself, if there is one.
fn circle_from(
    module: &str,
    uses: &Uses,
    way: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(start) = way.iter().position(|passed| passed == module) {
        let mut circle = way[start..].to_vec();
        circle.push(module.to_owned());
        return Some(circle);
    }
    if !done.contains(module) {
        way.push(module.to_owned());
        let next = uses.get(module).into_iter().flat_map(BTreeMap::keys);
        for used in next {
            if let Some(circle) = circle_from(used, uses, way, done) {
                return Some(circle);
            }
        }
        way.pop();
        done.insert(module.to_owned());
    }
    None
}

/// Every path that follows `lead`, with its line: `crate::{a::B, c}` gives `[a, B]` and `[c]`.
fn paths_after(lead: &str, text: &str) -> Vec<(usize, Vec<String>)> {
    let mut paths = Vec::new();
    for (at, _) in text.match_indices(lead) {
        if !text[..at].ends_with(is_word) {
            let line = text[..at].lines().count().max(1);
            let mut found = Vec::new();
            tree(&text[at + lead.len()..], &[], &mut found);
            paths.extend(found.into_iter().map(|path| (line, path)));
        }
    }
    paths
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '*'
}

/// Reads one tree of a `use` (or one path) into its leaves, and returns what comes after it.
fn tree<'a>(text: &'a str, stem: &[String], leaves: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = tree(rest, stem, leaves).trim_start();
            let Some(after) = rest.strip_prefix(',') else {
                return rest.strip_prefix('}').unwrap_or(rest);
            };
            rest = after;
        }
    }
    let (name, rest) = word(text);
    if name.is_empty() {
        return rest;
    }
    let mut path = [stem, &[name.to_owned()]].concat();
    if let Some(rest) = rest.strip_prefix("::") {
        let before = leaves.len();
        let rest = tree(rest, &path, leaves);
        if leaves.len() == before {
            leaves.push(path); // `a::<T>`: the path ends in something that is no name
        }
        return rest;
    }
    let Some(alias) = rest.trim_start().strip_prefix("as ") else {
        leaves.push(path);
        return rest;
    };
    let (alias, rest) = word(alias.trim_start());
    path.pop();
    path.push(alias.to_owned());
    leaves.push(path);
    rest
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter| !is_word(letter)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Option<String> {
        let file = |(path, text): &(&str, &str)| SourceFile {
            path: Path::new("src").join(path),
            text: (*text).into(),
        };
        let files: Vec<_> = files.iter().map(file).collect();
        problem(Path::new("src"), &files.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_circle_is_reported_with_every_arrow() {
        let files = [
            ("a.rs", "//! A.\nuse crate::b::B;"),
            ("b/x.rs", "use crate::{\n  c::C,\n};"),
            ("c.rs", "fn f() { crate::a::g() }"),
        ];
        let expected =
            "src: modules in a circle: a -> b -> c -> a (src/a.rs:2, src/b/x.rs:1, src/c.rs:1)";
        assert_eq!(found(&files), Some(expected.into()));
    }

    #[test]
    fn what_only_points_down_is_no_circle() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::{b, c};"),
            ("b.rs", "use crate::c::*;"),
            ("c.rs", ""),
        ];
        assert_eq!(found(&files), None);
    }

    #[test]
    fn the_root_hides_no_arrow() {
        let lib = "pub use a::{Alpha, inner::Deep as Renamed};\npub use b::Beta;";
        let files =
            [("lib.rs", lib), ("a.rs", "use crate::Beta;"), ("b.rs", "use crate::Renamed;")];
        assert!(found(&files).is_some_and(|circle| circle.contains("a -> b -> a")));
    }

    #[test]
    fn super_reaches_the_root_from_where_it_stands() {
        let up = [("a/x.rs", "use super::super::b;"), ("b.rs", "use super::a::x;")];
        assert!(found(&up).is_some());
        let inside = [("a/x.rs", "use super::b;"), ("a/b.rs", ""), ("b.rs", "use super::a::x;")];
        assert_eq!(found(&inside), None);
    }

    #[test]
    fn comments_tests_and_other_crates_do_not_count() {
        let a = "//! See [`crate::b`].\nuse other_crate::b;\n#[cfg(test)]\nmod tests {\n use crate::b;\n}\n";
        let files = [("a.rs", a), ("a/tests.rs", "use crate::b;"), ("b.rs", "use crate::a;")];
        assert_eq!(found(&files), None);
    }

    #[test]
    fn a_tree_is_read_to_its_leaves() {
        let leaves: Vec<_> =
            paths_after("crate::", "use crate::{a::{self, B as C}, d::*, e::f::<u8>, };")
                .into_iter()
                .map(|(_, path)| path.join("/"))
                .collect();
        assert_eq!(leaves, ["a/self", "a/C", "d/*", "e/f"]);
    }
}
