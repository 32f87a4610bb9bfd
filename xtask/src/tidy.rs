//! `cargo xtask tidy`: the rules of the house that no compiler checks.
//!
//! Rules about one file stand here, rules about the modules of a crate in [`circles`], rules about
//! crates in [`layers`].

mod circles;
mod layers;

use std::fs;
use std::path::{Path, PathBuf};

/// A room; longer, and it holds two ideas.
const MAX_LINES: usize = 400;
/// A list of cases is easier to read long than spread out.
const MAX_TEST_LINES: usize = 800;
/// What must not be committed (in two halves, so that this file may be).
const LOOSE_ENDS: [&str; 4] = [
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
    concat!("FIX", "ME"),
];
/// What must not stand in a library, and what should: randomness and the environment are handed in.
const NOT_IN_LIBRARIES: [(&str, &str); 6] = [
    ("env::var", "take an argument"),
    ("env::args", "take an argument"),
    ("rand::rng", "take a seed"),
    ("rand::random", "take a seed"),
    ("thread_rng", "take a seed"),
    ("unsafe ", "keep it in a module called `kernel`"),
];
/// The packages that are no libraries.
const PROGRAMS: [&str; 3] = ["crates/taper-cli", "xtask", "tests"];

/// A source file: its path from the root of the workspace, and its text.
struct SourceFile {
    path: PathBuf,
    text: String,
}

/// All that is not as it should be, a line each.
pub(crate) fn problems(root: &Path) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for package in packages(root)? {
        let files = sources(root, &package)?;
        problems.extend(files.iter().flat_map(file_problems));
        let source = package.join("src");
        if !PROGRAMS.iter().any(|program| package == Path::new(program)) {
            problems.extend(files.iter().flat_map(|file| library_problems(&source, file)));
        }
        let modules: Vec<_> = files.iter().filter(|file| file.path.starts_with(&source)).collect();
        problems.extend(circles::problem(&source, &modules));
    }
    problems.extend(layers::problems()?);
    Ok(problems)
}

/// The folders of the workspace's members.
fn packages(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut folders = vec![PathBuf::from("xtask"), PathBuf::from("tests")];
    folders.extend(
        entries(root, Path::new("crates"))?.into_iter().filter(|path| root.join(path).is_dir()),
    );
    Ok(folders)
}

/// Every `.rs` file under a folder, in order of path.
fn sources(root: &Path, folder: &Path) -> Result<Vec<SourceFile>, String> {
    let mut files = Vec::new();
    for path in entries(root, folder)? {
        let full = root.join(&path);
        if full.is_dir() {
            files.extend(sources(root, &path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&full)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            files.push(SourceFile { path, text });
        }
    }
    Ok(files)
}

fn entries(root: &Path, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(root.join(folder)).map_err(failed)? {
        paths.push(folder.join(entry.map_err(failed)?.file_name()));
    }
    paths.sort();
    Ok(paths)
}

fn file_problems(file: &SourceFile) -> Vec<String> {
    let path = file.path.display();
    let mut problems = Vec::new();
    if !["//!", "#![doc = include_str!("].iter().any(|lead| file.text.starts_with(lead)) {
        problems
            .push(format!("{path}:1: starts without a `//!` line that says what the file is for"));
    }
    let (lines, limit) =
        (file.text.lines().count(), if is_test(file) { MAX_TEST_LINES } else { MAX_LINES });
    if lines > limit {
        problems.push(format!("{path}: {lines} lines; split it by idea, {limit} at the most"));
    }
    for (number, line) in (1..).zip(file.text.lines()) {
        for loose in LOOSE_ENDS.iter().filter(|loose| line.contains(**loose)) {
            problems.push(format!("{path}:{number}: `{loose}` must not be committed"));
        }
    }
    problems
}

/// What a library must not contain. Its tests may.
fn library_problems(source: &Path, file: &SourceFile) -> Vec<String> {
    let mut problems = Vec::new();
    let kernel = file.path.components().any(|part| part.as_os_str() == "kernel");
    if file.path.starts_with(source) && !is_test(file) {
        for (number, line) in (1..).zip(code(&file.text).lines()) {
            for (found, instead) in NOT_IN_LIBRARIES {
                if line.contains(found) && !(kernel && found == "unsafe ") {
                    let (path, found) = (file.path.display(), found.trim_end());
                    problems.push(format!("{path}:{number}: `{found}` in a library; {instead}"));
                }
            }
        }
    }
    problems
}

/// The text without its comments and its inline tests, lines kept.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    text.lines().map(|line| line.split("//").next().unwrap_or(line).to_owned() + "\n").collect()
}

/// Tests apart from the code: `tests.rs` of a module, or a file in a crate's `tests/`.
fn is_test(file: &SourceFile) -> bool {
    file.path.ends_with("tests.rs")
        || file.path.components().any(|part| part.as_os_str() == "tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: String) -> Vec<String> {
        file_problems(&SourceFile { path: path.into(), text })
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        assert_eq!(found("a.rs", "//! A room.\n".into()), [""; 0]);
        assert_eq!(found("a.rs", "#![doc = include_str!(\"../README.md\")]\n".into()), [""; 0]);
        assert!(
            found("a.rs", "use b;\n//! Late.\n".into())[0].starts_with("a.rs:1: starts without")
        );
    }

    #[test]
    fn rooms_are_short_and_tests_may_be_longer() {
        let lines = |count| "//! Line\n".repeat(count);
        assert_eq!(found("a.rs", lines(MAX_LINES)), [""; 0]);
        assert_eq!(
            found("a.rs", lines(MAX_LINES + 1)),
            ["a.rs: 401 lines; split it by idea, 400 at the most"]
        );
        assert_eq!(found("a/tests.rs", lines(MAX_TEST_LINES)), [""; 0]);
        assert_eq!(found("crates/a/tests/it.rs", lines(MAX_LINES + 1)), [""; 0]);
        assert_eq!(found("a/tests.rs", lines(MAX_TEST_LINES + 1)).len(), 1);
    }

    #[test]
    fn loose_ends_are_named_with_their_line() {
        for loose in LOOSE_ENDS {
            let text = format!("//! A room.\n\n    {loose}\n");
            assert_eq!(found("a.rs", text), [format!("a.rs:3: `{loose}` must not be committed")]);
        }
    }

    #[test]
    fn a_library_reaches_for_nothing_but_its_tests_and_comments_may() {
        let found = |path: &str, line: &str| {
            let text = format!("// {line}\n{line}\n#[cfg(test)]\nmod tests {{\n    {line}\n}}\n");
            library_problems(Path::new("a/src"), &SourceFile { path: path.into(), text })
        };
        let environment = "let x = std::env::var(\"X\");";
        let expected = ["a/src/x.rs:2: `env::var` in a library; take an argument"];
        assert_eq!(found("a/src/x.rs", environment), expected);
        assert_eq!(found("a/src/x/tests.rs", environment), [""; 0]);
        assert_eq!(found("a/examples/x.rs", environment), [""; 0]);
        assert_eq!(found("a/src/x.rs", "unsafe { f() }").len(), 1);
        assert_eq!(found("a/src/kernel/x.rs", "unsafe { f() }"), [""; 0]);
    }

    #[test]
    fn this_workspace_is_read() {
        let files = sources(crate::root(), Path::new("xtask")).unwrap();
        assert!(files.iter().any(|file| file.path == Path::new("xtask/src/tidy/layers.rs")));
        assert!(packages(crate::root()).unwrap().contains(&"crates/taper-lstm".into()));
    }
}
