//! What `--peers` chooses.

use anyhow::{Result, bail};

/// The names of a list, in the order of `names`; `all` leaves out those of `only_by_name`.
///
/// # Errors
/// If a name is unknown.
pub(crate) fn choose(
    names: &[&'static str],
    only_by_name: &[&str],
    peers: &[String],
) -> Result<Vec<&'static str>> {
    if let [one] = peers
        && one == "none"
    {
        return Ok(Vec::new());
    }
    let known = |name: &&String| names.contains(&name.as_str()) || *name == "all";
    if let Some(unknown) = peers.iter().find(|name| !known(name)) {
        bail!("`{unknown}` is no peer; there are {}, `all` and `none`", names.join(", "));
    }
    let all = peers.iter().any(|name| name == "all");
    let asked = |name: &str| peers.iter().any(|peer| peer == name);
    let chosen = |name: &&&'static str| asked(name) || all && !only_by_name.contains(*name);
    Ok(names.iter().filter(chosen).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(list: &str) -> Result<Vec<&'static str>> {
        let list: Vec<String> = list.split(',').map(str::to_owned).collect();
        choose(&["fast", "slow", "odd"], &["odd"], &list)
    }

    #[test]
    fn names_all_and_none() {
        assert_eq!(chosen("slow,fast").unwrap(), ["fast", "slow"]);
        assert_eq!(chosen("all").unwrap(), ["fast", "slow"]);
        assert_eq!(chosen("all,odd").unwrap(), ["fast", "slow", "odd"]);
        assert!(chosen("none").unwrap().is_empty());
        assert!(chosen("sloow").unwrap_err().to_string().contains("fast, slow, odd, `all`"));
    }
}
