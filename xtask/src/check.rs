//! `cargo xtask check`: every step CI runs, cheapest first, so that a slip is found in seconds.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// How a step went, in the words of the summary; an error stops the check.
type Ending = Result<&'static str, String>;

struct Step {
    name: &'static str,
    about: &'static str,
    run: fn() -> Ending,
}

/// In the order they run. `cuda` runs when it is named or asked for by `--cuda`: it needs nvcc and
/// compiles candle's kernels, which takes longer than all the rest.
const STEPS: &[Step] = &[
    Step { name: "fmt", about: "the layout of the code", run: fmt },
    Step { name: "tidy", about: "module docs, file length, circles, layers", run: tidy },
    Step { name: "deny", about: "licences, sources and advisories of dependencies", run: deny },
    Step { name: "clippy", about: "lints, on every target", run: clippy },
    Step { name: "doc", about: "documentation, broken links denied", run: doc },
    Step { name: "cuda", about: "lints with the cuda feature; needs nvcc, not a GPU", run: cuda },
    Step { name: "test", about: "all tests", run: test },
];

/// What `check` accepts, for the help page.
pub(crate) fn help() -> String {
    let mut page = String::from("Steps of check:\n");
    for step in STEPS {
        let _ = write!(page, "\n  {:8}{}", step.name, step.about);
    }
    page
}

/// Runs the steps named (all but `cuda` when none is) up to the first failure.
pub(crate) fn run(args: &[OsString]) -> ExitCode {
    let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let known = |arg: &str| arg == "--cuda" || STEPS.iter().any(|step| step.name == arg);
    if let Some(unknown) = args.iter().find(|arg| !known(arg)) {
        eprintln!("error: `{unknown}` is no step of check\n\n{}", help());
        return ExitCode::from(2);
    }
    let all = args.iter().all(|arg| arg == "--cuda");
    let asked = |step: &Step| {
        let named = args.iter().any(|arg| arg.trim_start_matches("--") == step.name);
        named || (all && step.name != "cuda")
    };

    let mut summary = String::new();
    let mut failed = false;
    for step in STEPS.iter().filter(|step| asked(step)) {
        if failed {
            let _ = writeln!(summary, "  {:8}         not reached", step.name);
            continue;
        }
        eprintln!("\n== {}: {}", step.name, step.about);
        let start = Instant::now();
        let ending = (step.run)();
        failed = ending.is_err();
        let ending = match ending {
            Ok(how) => how.to_owned(),
            Err(why) => format!("FAILED: {why}"),
        };
        let line = format!("  {:8}{:6.1} s  {ending}", step.name, start.elapsed().as_secs_f64());
        eprintln!("{line}");
        summary = summary + &line + "\n";
    }
    eprint!("\n== summary\n{summary}");
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn fmt() -> Ending {
    cargo(&["fmt", "--all", "--check"])
}

fn tidy() -> Ending {
    let problems = crate::tidy::problems(crate::root())?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    match problems.len() {
        0 => Ok("passed"),
        count => Err(format!("{count} problem(s)")),
    }
}

/// The advisories need a database from the network; the rest is checked without it.
fn deny() -> Ending {
    if !answers(&["deny", "--version"]) {
        return Ok("SKIPPED: install it with `cargo install --locked cargo-deny`");
    }
    let check = ["deny", "check", "--hide-inclusion-graph"];
    cargo(&[&check[..], &["bans", "licenses", "sources"]].concat())?;
    if !answers(&["deny", "fetch", "db"]) {
        return Ok("passed, without advisories: their database is out of reach");
    }
    cargo(&[&check[..], &["advisories"]].concat())
}

fn clippy() -> Ending {
    lint(&[])
}

fn doc() -> Ending {
    let mut command = crate::cargo();
    command.env("RUSTDOCFLAGS", "-D warnings");
    finish(command.args(["doc", "--workspace", "--no-deps"]))
}

fn cuda() -> Ending {
    lint(&["--features", "cuda"])
}

fn lint(features: &[&str]) -> Ending {
    let all = ["clippy", "--workspace", "--all-targets"];
    cargo(&[&all, features, &["--", "-D", "warnings"]].concat())
}

fn test() -> Ending {
    cargo(&["test", "--workspace"])
}

fn cargo(args: &[&str]) -> Ending {
    finish(crate::cargo().args(args))
}

/// Runs a command at the root of the workspace; a failure says how to run it again.
fn finish(command: &mut Command) -> Ending {
    let status = command.current_dir(crate::root()).status();
    let words = command.get_args().map(|arg| arg.to_string_lossy());
    let line = words.fold("cargo".to_owned(), |line, word| line + " " + &word);
    match status {
        Ok(status) if status.success() => Ok("passed"),
        Ok(_) => Err(format!("`{line}`")),
        Err(error) => Err(format!("`{line}` did not start: {error}")),
    }
}

/// Does this command succeed? What it prints is of no interest.
fn answers(args: &[&str]) -> bool {
    let mut command = crate::cargo();
    command.args(args).current_dir(crate::root()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
