//! What the environment says about the Hugging Face Hub, in the Hub's own conventions, and about colours.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};
use taper_corpus::HubConfig;

/// Resolves `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HOME`, `HF_TOKEN`, `HF_TOKEN_PATH` and `HF_HUB_OFFLINE`; and `ALL_PROXY`,
/// `HTTPS_PROXY`, `HTTP_PROXY`, the first that is set, with `NO_PROXY`.
pub(crate) fn hub() -> Result<HubConfig> {
    let home = match set("HF_HOME") {
        Some(home) => PathBuf::from(home),
        None => cache_home()?.join("huggingface"),
    };
    let token_path = set("HF_TOKEN_PATH").map_or_else(|| home.join("token"), PathBuf::from);
    let token = set("HF_TOKEN").or_else(|| std::fs::read_to_string(token_path).ok());
    let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
    let cache = set("HF_HUB_CACHE").map_or_else(|| home.join("hub"), PathBuf::from);
    Ok(HubConfig {
        token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()),
        offline: set("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value)),
        proxy: ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"].into_iter().find_map(in_either_case),
        no_proxy: in_either_case("NO_PROXY"),
        ..HubConfig::new(endpoint, cache)
    })
}

/// Whether `NO_COLOR` asks for none (<https://no-color.org>).
pub(crate) fn no_color() -> bool {
    set("NO_COLOR").is_some()
}

fn in_either_case(name: &str) -> Option<String> {
    set(name).or_else(|| set(&name.to_ascii_lowercase()))
}

/// A variable that is set to something.
fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn cache_home() -> Result<PathBuf> {
    if let Some(cache) = set("XDG_CACHE_HOME") {
        return Ok(cache.into());
    }
    let home = env::home_dir().context("there is no home folder for the cache; set HF_HOME")?;
    Ok(home.join(".cache"))
}

/// As the Hub's own client reads switches.
fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_uppercase().as_str(), "1" | "TRUE" | "YES" | "ON")
}

#[cfg(test)]
mod tests {
    use super::is_true;

    #[test]
    fn switches() {
        assert!(["1", "true", "YES", "on"].into_iter().all(is_true));
        assert!(!["0", "false", "no", "2"].into_iter().any(is_true));
    }
}
