//! Which crate may see which: what must not stand in a crate's dependency tree, as cargo sees it.

/// A crate, how far down its tree the rule reaches, and the families it must not meet there.
struct Rule {
    package: &'static str,
    reach: Reach,
    unseen: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum Reach {
    /// Its own dependencies (what candle itself brings along is not the crate's choice).
    Direct,
    /// Its dependencies and theirs.
    Whole,
}

/// The binary's tools; a library has a typed error and takes arguments.
const BINARY_ONLY: &[&str] = &["anyhow", "clap", "indicatif", "tracing-subscriber"];

const RULES: &[Rule] = &[
    Rule {
        package: "taper-corpus",
        reach: Reach::Whole,
        unseen: &[
            "taper-text",
            "taper-lstm",
            "taper-explain",
            "taper-train",
            "candle",
            "tokenizers",
            "tokio",
        ],
    },
    Rule {
        package: "taper-text",
        reach: Reach::Whole,
        unseen: &[
            "taper-corpus",
            "taper-lstm",
            "taper-explain",
            "taper-train",
            "candle",
            "arrow",
            "parquet",
            "tokio",
        ],
    },
    // candle-core brings `tokenizers`: that the engine has no text of ours is all that can be asked
    Rule {
        package: "taper-lstm",
        reach: Reach::Whole,
        unseen: &[
            "taper-corpus",
            "taper-text",
            "taper-explain",
            "taper-train",
            "arrow",
            "parquet",
            "tokio",
        ],
    },
    Rule { package: "taper-lstm", reach: Reach::Direct, unseen: &["tokenizers"] },
    // explanations see the engine alone
    Rule {
        package: "taper-explain",
        reach: Reach::Whole,
        unseen: &["taper-corpus", "taper-text", "taper-train", "arrow", "parquet", "tokio"],
    },
    Rule { package: "taper-explain", reach: Reach::Direct, unseen: &["tokenizers", "serde"] },
    Rule {
        package: "taper-train",
        reach: Reach::Whole,
        unseen: &["taper-cli", "taper-serve", "tokio"],
    },
    // the server sees what the command sees: whatever it needs of the rest, taper-train gives it
    Rule {
        package: "taper-serve",
        reach: Reach::Direct,
        unseen: &[
            "taper-corpus",
            "taper-text",
            "taper-lstm",
            "taper-explain",
            "taper-cli",
            "candle",
        ],
    },
    Rule { package: "taper-corpus", reach: Reach::Direct, unseen: BINARY_ONLY },
    Rule { package: "taper-text", reach: Reach::Direct, unseen: BINARY_ONLY },
    Rule { package: "taper-lstm", reach: Reach::Direct, unseen: BINARY_ONLY },
    Rule { package: "taper-explain", reach: Reach::Direct, unseen: BINARY_ONLY },
    Rule { package: "taper-train", reach: Reach::Direct, unseen: BINARY_ONLY },
    Rule { package: "taper-serve", reach: Reach::Direct, unseen: BINARY_ONLY },
];

/// Every dependency that points the wrong way.
pub(super) fn problems() -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for rule in RULES {
        let tree = tree(rule)?;
        for name in seen(&tree, rule.unseen) {
            let package = rule.package;
            problems.push(format!(
                "{package}: must not depend on {name}; see `cargo tree -p {package} -e normal --all-features -i {name}`"
            ));
        }
    }
    Ok(problems)
}

/// `cargo tree` with every feature on, one `name vX.Y.Z` a line.
fn tree(rule: &Rule) -> Result<String, String> {
    let mut command = crate::cargo();
    command.args(["tree", "-p", rule.package, "-e", "normal", "--all-features"]);
    command.args(["--prefix", "none", "--format", "{p}"]);
    if let Reach::Direct = rule.reach {
        command.args(["--depth", "1"]);
    }
    let output = command
        .current_dir(crate::root())
        .output()
        .map_err(|error| format!("cargo tree: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// The packages of a tree that belong to one of the families: `arrow` is `arrow` and `arrow-array`.
fn seen<'a>(tree: &'a str, families: &[&str]) -> Vec<&'a str> {
    let of_a_family = |name: &&str| {
        let rest = |family: &&str| name.strip_prefix(*family);
        families.iter().filter_map(rest).any(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let mut names: Vec<_> =
        tree.lines().filter_map(|line| line.split(' ').next()).filter(of_a_family).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_matched_by_whole_words() {
        let tree = "taper-text v0.1.0 (/x)\narrow-array v59.3.2\narrowhead v1.0.0\nclap_lex v1.0.0\narrow-array v59.3.2 (*)\n";
        assert_eq!(seen(tree, &["arrow", "clap"]), ["arrow-array"]);
        assert_eq!(seen(tree, &["candle"]), [""; 0]);
    }

    #[test]
    fn what_a_crate_does_see_would_be_found() {
        let rule = |package, reach| Rule { package, reach, unseen: &[] };
        let families = ["candle", "tokenizers"];
        let whole = tree(&rule("taper-lstm", Reach::Whole)).unwrap();
        assert!(seen(&whole, &families).contains(&"tokenizers"));
        let direct = tree(&rule("taper-lstm", Reach::Direct)).unwrap();
        assert_eq!(seen(&direct, &families), ["candle-core", "candle-nn"]);
    }
}
