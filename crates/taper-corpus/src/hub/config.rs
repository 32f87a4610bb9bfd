//! Where to fetch from, where to keep it, and how long to wait: what the environment says, handed in.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};

/// Where to fetch from and where to keep it: all that the environment says, handed in.
#[derive(Clone, PartialEq, Eq)]
pub struct HubConfig {
    /// The Hub or a mirror: `https://huggingface.co`.
    pub endpoint: String,
    /// The cache (what `HF_HUB_CACHE` names): `~/.cache/huggingface/hub`.
    pub cache_dir: PathBuf,
    /// Sent to the endpoint, and to no other host.
    pub token: Option<String>,
    /// Use the cache alone.
    pub offline: bool,
    /// A proxy to go through: `http://user:password@host:port`, also `socks5://`.
    pub proxy: Option<String>,
    /// Hosts to reach without the proxy, in the form of `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// How long a server is waited for.
    pub patience: Patience,
}

/// How long a server is waited for, and how often it is asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patience {
    /// For a connection, and then for the next byte. A slow server may take any time in all.
    pub silence: Duration,
    /// Attempts in a row that bring less than 64 KiB before it is given up.
    pub attempts: u32,
    /// After the first such attempt; twice as long after each further one.
    pub first_pause: Duration,
    /// No pause is longer: a server that asks for more by `Retry-After` is given up at once.
    pub longest_pause: Duration,
}

impl Default for Patience {
    /// 30 s of silence; six attempts, 15.5 s between them in all, or up to two minutes each as the server asks.
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(30),
            attempts: 6,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_mins(2),
        }
    }
}

impl HubConfig {
    /// Online, without token or proxy, with the patience that is the default.
    pub fn new(endpoint: impl Into<String>, cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            endpoint: endpoint.into(),
            cache_dir: cache_dir.into(),
            token: None,
            offline: false,
            proxy: None,
            no_proxy: None,
            patience: Patience::default(),
        }
    }

    /// The endpoint as addresses begin with it.
    pub(super) fn base(&self) -> &str {
        self.endpoint.trim_end_matches('/')
    }

    pub(super) fn check(&self) -> Result<()> {
        let rest = ["https://", "http://"].iter().find_map(|s| self.endpoint.strip_prefix(s));
        let (url, problem) = match rest {
            None => (self.endpoint.clone(), "the endpoint must begin with https:// or http://"),
            Some(rest) if rest.split('/').next().is_some_and(|host| host.contains('@')) => {
                ("the endpoint".to_owned(), "it holds a user or password; give the token apart")
            }
            Some(_) => return Ok(()),
        };
        Err(Error::Hub { url, problem: problem.to_owned() })
    }
}

impl fmt::Debug for HubConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |secret: &Option<String>| secret.as_ref().map(|_| "(hidden)");
        f.debug_struct("HubConfig")
            .field("endpoint", &self.endpoint)
            .field("cache_dir", &self.cache_dir)
            .field("token", &hidden(&self.token))
            .field("offline", &self.offline)
            .field("proxy", &hidden(&self.proxy))
            .field("no_proxy", &self.no_proxy)
            .field("patience", &self.patience)
            .finish()
    }
}
