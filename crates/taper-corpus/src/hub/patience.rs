//! Which failures pass, and how long to wait until they have.

use std::io;
use std::thread;
use std::time::{Duration, SystemTime};

use ureq::http::{HeaderMap, StatusCode, header};

use crate::error::{Error, Result};
use crate::hub::config::Patience;

/// Why an attempt failed, and whether another one may do better.
#[derive(Debug)]
pub(super) enum Failure {
    Passing {
        error: Box<Error>,
        /// What the server asked to wait.
        wait: Option<Duration>,
    },
    Final(Error),
}

impl Failure {
    pub(super) fn passing(error: Error) -> Self {
        Self::Passing { error: Box::new(error), wait: None }
    }

    /// A status that is not the wanted one.
    pub(super) fn of_status(url: &str, status: StatusCode, headers: &HeaderMap) -> Self {
        let passing = matches!(status.as_u16(), 408 | 416 | 429 | 500..=599);
        let problem = match status.as_u16() {
            401 | 403 => format!("the server refused ({status}): a token with access is needed"),
            404 => {
                format!(
                    "not found ({status}): the repository, revision or path does not exist there"
                )
            }
            429 => format!("the server takes no more requests for now ({status}); try again later"),
            500..=599 => format!("the server is out of order ({status}); try again later"),
            _ => format!("the server answered {status}"),
        };
        let error = Error::Hub { url: url.to_owned(), problem };
        if passing {
            Self::Passing { error: Box::new(error), wait: retry_after(headers, SystemTime::now()) }
        } else {
            Self::Final(error)
        }
    }

    /// No answer at all, or one that broke off.
    pub(super) fn of_transport(url: &str, error: &ureq::Error, patience: &Patience) -> Self {
        let problem = match error {
            ureq::Error::Timeout(_) => {
                format!("the server was silent for {:?}; try again later", patience.silence)
            }
            ureq::Error::Io(source) if source.kind() == io::ErrorKind::ConnectionRefused => {
                format!("{source}; is the endpoint right, and the network up?")
            }
            ureq::Error::Io(source) => format!(
                "no answer, or one that broke off ({source}); what arrived is kept, and another try goes on from there"
            ),
            ureq::Error::HostNotFound => {
                "there is no such host; is the endpoint right, and the network up?".to_owned()
            }
            // Its text may repeat a whole address, signature and all.
            ureq::Error::BadUri(_) => "this is not an address".to_owned(),
            other => other.to_string(),
        };
        let passing = match error {
            ureq::Error::Io(source) => passes(source),
            ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed | ureq::Error::Protocol(_) => {
                true
            }
            _ => false,
        };
        let error = Error::Hub { url: url.to_owned(), problem };
        if passing { Self::passing(error) } else { Self::Final(error) }
    }
}

/// A port where nobody listens does not get better by waiting.
fn passes(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    !matches!(error.kind(), Kind::ConnectionRefused | Kind::PermissionDenied | Kind::NotFound)
}

/// `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The pauses between attempts.
pub(super) struct Pauses<'a> {
    patience: &'a Patience,
    failed: u32,
}

impl<'a> Pauses<'a> {
    pub(super) fn new(patience: &'a Patience) -> Self {
        Self { patience, failed: 0 }
    }

    /// Waits before another attempt, or gives the error back where there shall be none. An attempt
    /// that got somewhere has the count begin anew.
    pub(super) fn rest(&mut self, failure: Failure, got_somewhere: bool) -> Result<()> {
        let (error, wait) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing { error, wait } => (*error, wait),
        };
        self.failed = if got_somewhere { 1 } else { self.failed + 1 };
        if self.failed >= self.patience.attempts {
            return Err(error);
        }
        let longest = self.patience.longest_pause;
        let doubled = 2_u32.saturating_pow(self.failed - 1);
        let least = self.patience.first_pause.saturating_mul(doubled).min(longest);
        let asked = wait.unwrap_or_default();
        if asked > longest {
            return Err(asks_too_much(error, asked, longest));
        }
        thread::sleep(asked.max(least));
        Ok(())
    }
}

fn asks_too_much(error: Error, asked: Duration, longest: Duration) -> Error {
    match error {
        Error::Hub { url, problem } => Error::Hub {
            url,
            problem: format!("{problem}: it asks to wait {asked:?}, and {longest:?} is the most"),
        },
        other => other,
    }
}

/// Tries until it is done, or given up.
pub(super) fn patiently<T>(
    patience: &Patience,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<T> {
    let mut pauses = Pauses::new(patience);
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(failure) => pauses.rest(failure, false)?,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            // Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(asked("7"), Some(7));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:00 GMT"), Some(23));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "a date gone by");
        assert_eq!(asked("soon"), None);
        assert_eq!(asked(""), None);
        assert_eq!(asked("99999999999999999999"), Some(u64::MAX));
        assert_eq!(asked("-3"), None);
    }
}
