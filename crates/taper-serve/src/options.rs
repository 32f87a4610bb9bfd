//! What is served, where, and within which bounds.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use taper_train::{DeviceChoice, Quantization};

/// A model directory under the name that requests know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSource {
    /// The name: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// The model directory, or a run's folder.
    pub path: PathBuf,
}

impl FromStr for ModelSource {
    type Err = String;

    /// `NAME=PATH`, or a path alone, whose last part is then the name. A path that has a `=` in its first part begins
    /// with `./`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((name, path)) = text.split_once('=')
            && is_name(name)
        {
            if path.is_empty() {
                return Err(format!("`{text}` has no path; expected NAME=RUN"));
            }
            return Ok(Self { name: name.to_owned(), path: path.into() });
        }
        if text.starts_with('=') {
            return Err(format!("`{text}` has an empty name; expected NAME=RUN"));
        }
        let path = PathBuf::from(text);
        let name = path.file_name().and_then(|name| name.to_str()).filter(|name| is_name(name));
        match name.map(str::to_owned) {
            Some(name) => Ok(Self { name, path }),
            None => Err(format!(
                "`{text}` does not end in a name of letters, digits, `.`, `_` and `-`; give one: NAME={text}"
            )),
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && !name.bytes().all(|byte| byte == b'.') && name.bytes().all(is_allowed)
}

/// What to serve.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address or host name to listen on; an IPv6 address with brackets or without. Nothing asks who is there: beyond loopback, something else has to.
    pub host: String,
    /// Port; 0 is any that is free.
    pub port: u16,
    /// The models; requests that name none mean the first.
    pub models: Vec<ModelSource>,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Numbers to predict with; inspections are always in f32.
    pub quantization: Quantization,
    /// The bounds.
    pub limits: Limits,
}

impl Options {
    /// Loopback, port 8080, on the CPU, in f32, with the limits of [`Limits::default`].
    pub fn new(models: Vec<ModelSource>) -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8080,
            models,
            device: DeviceChoice::Cpu,
            quantization: Quantization::F32,
            limits: Limits::default(),
        }
    }
}

/// Bounds of what a client can make the server do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Texts of a prediction's request.
    pub texts: usize,
    /// Bytes of a text.
    pub text_bytes: usize,
    /// Texts of an inspection's request: the page has them side by side.
    pub inspected_texts: usize,
    /// Connections held at a time; more wait in the system's queue.
    pub connections: usize,
    /// Requests in hand at a time; more are refused with 503.
    pub requests: usize,
    /// Texts a model may be asked about at a time, waiting or being read; more are refused with 503.
    pub queue_texts: usize,
    /// Bytes of those texts; a request of more is taken while there is no other.
    pub queue_bytes: usize,
    /// Inspections in hand at a time, of which one runs; more are refused with 503.
    pub inspections: usize,
    /// Texts of a batch, more or less: the last request taken in comes whole.
    pub batch_texts: usize,
    /// How long a batch that is not full waits for more, from when its first request came.
    pub linger: Duration,
    /// How long a connection may take to send a request's head, and how long it may stay idle.
    pub head_time: Duration,
    /// How long a request's body may take; then 408.
    pub body_time: Duration,
    /// How long an answer may take; then 503.
    pub answer_time: Duration,
    /// How long a connection may refuse to take any byte of an answer.
    pub write_time: Duration,
    /// How long, once the server is asked to end, a connection without a request is kept for one that may be on its way.
    pub parting_time: Duration,
    /// How long requests in hand may take to end once the server is asked to.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 2 << 20,
            texts: 256,
            text_bytes: 1 << 20,
            inspected_texts: 2,
            connections: 1024,
            requests: 512,
            queue_texts: 4096,
            queue_bytes: 64 << 20,
            inspections: 8,
            batch_texts: 256,
            linger: Duration::from_millis(2),
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(20),
            answer_time: Duration::from_secs(30),
            write_time: Duration::from_secs(20),
            parting_time: Duration::from_secs(1),
            drain_time: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(String, String), String> {
        let source: ModelSource = text.parse()?;
        Ok((source.name, source.path.to_str().unwrap().to_owned()))
    }

    #[test]
    fn names_are_given_or_the_folders_own() {
        let pair = |name: &str, path: &str| Ok((name.to_owned(), path.to_owned()));
        assert_eq!(parsed("runs/quickstart"), pair("quickstart", "runs/quickstart"));
        assert_eq!(parsed("runs/quickstart/"), pair("quickstart", "runs/quickstart/"));
        assert_eq!(parsed("a=runs/b=c"), pair("a", "runs/b=c"));
        assert_eq!(parsed("x=./my run"), pair("x", "./my run"));
        assert!(parsed("./a=b").unwrap_err().contains("NAME=./a=b"));
        assert!(parsed("..").unwrap_err().contains("NAME=.."));
        assert!(parsed("a=").unwrap_err().contains("no path"));
        assert!(parsed("my run").is_err());
        for nameless in ["=RUN", "=runs/quickstart", "="] {
            assert!(parsed(nameless).unwrap_err().contains("empty name"), "{nameless}");
        }
    }
}
