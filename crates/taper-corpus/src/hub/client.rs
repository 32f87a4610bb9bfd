//! HTTP as the Hub speaks it. Redirects are followed by hand: the first answers carry what the Hub
//! says of a file, and the token is for the endpoint alone.

use ureq::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use ureq::{Agent, Body, Proxy};

use crate::error::{Error, Result};
use crate::hub::config::{HubConfig, Patience};
use crate::hub::patience::Failure;

const MOST_REDIRECTS: usize = 10;

pub(super) struct Client<'a> {
    agent: Agent,
    home: Option<Origin>,
    token: Option<HeaderValue>,
    pub(super) patience: &'a Patience,
}

/// Scheme, host and port: a token stays within.
type Origin = (String, String, u16);

fn origin(uri: &Uri) -> Option<Origin> {
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

impl<'a> Client<'a> {
    /// # Errors
    /// An address or a token that cannot be one.
    pub(super) fn new(config: &'a HubConfig) -> Result<Self> {
        let wrong = |problem: &str| Error::Hub {
            url: config.base().to_owned(),
            problem: problem.to_owned(),
        };
        let endpoint: Uri =
            config.base().parse().map_err(|_| wrong("the endpoint is not an address"))?;
        let bearer = |token: &String| -> Result<HeaderValue> {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
                wrong("the token holds a line break or another character that it cannot")
            })?;
            value.set_sensitive(true);
            Ok(value)
        };
        let silence = Some(config.patience.silence);
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("taper-corpus/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(silence)
            .timeout_connect(silence)
            .timeout_per_read(silence)
            .timeout_per_write(silence)
            // Named even where there is none: the default is to look into the environment.
            .proxy(
                proxy(config)
                    .map_err(|_| wrong("the proxy is not an address such as http://host:port"))?,
            )
            .build()
            .new_agent();
        Ok(Self {
            agent,
            home: origin(&endpoint),
            token: config.token.as_ref().map(bearer).transpose()?,
            patience: &config.patience,
        })
    }

    /// Asks, and follows redirects until `enough` is satisfied with an answer or one is no redirect.
    /// A `from` other than 0 asks for the bytes from there on.
    pub(super) fn ask(
        &self,
        method: &Method,
        url: &str,
        from: u64,
        enough: &mut dyn FnMut(StatusCode, &HeaderMap) -> bool,
    ) -> Result<Response<Body>, Failure> {
        let told = |problem: &str| {
            Failure::Final(Error::Hub { url: url.to_owned(), problem: problem.to_owned() })
        };
        let mut at: Uri = url.parse().map_err(|_| told("this is not an address"))?;
        for _ in 0..=MOST_REDIRECTS {
            let mut request = Request::builder().method(method).uri(&at);
            if from > 0 {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            if let Some(token) = self.token.as_ref().filter(|_| origin(&at) == self.home) {
                request = request.header(header::AUTHORIZATION, token);
            }
            let request = request.body(()).map_err(|_| told("this is not an address"))?;
            let answer = self
                .agent
                .run(request)
                .map_err(|error| Failure::of_transport(url, &error, self.patience))?;
            let status = answer.status();
            if enough(status, answer.headers()) || !status.is_redirection() {
                return Ok(answer);
            }
            at = next(&at, answer.headers()).ok_or_else(|| {
                told("the server redirects to nowhere, or from https to plain http")
            })?;
        }
        Err(told("the server redirects in circles"))
    }
}

/// Where a redirect leads: an address, or a path that may be relative (RFC 3986, section 5.2).
fn next(at: &Uri, headers: &HeaderMap) -> Option<Uri> {
    let location = headers.get(header::LOCATION)?.to_str().ok().filter(|to| !to.is_empty())?;
    let (scheme, authority) = (at.scheme_str()?, at.authority()?);
    let absolute: Option<Uri> = location.parse().ok().filter(|uri: &Uri| uri.scheme().is_some());
    let next = match absolute {
        Some(uri) => uri,
        None if location.starts_with("//") => format!("{scheme}:{location}").parse().ok()?,
        None => {
            let (to, query) = location.find('?').map_or((location, ""), |at| location.split_at(at));
            let path = join(at.path(), to);
            format!("{scheme}://{authority}{path}{query}").parse().ok()?
        }
    };
    match (scheme, next.scheme_str()?) {
        (_, "https") | ("http", "http") => Some(next),
        _ => None,
    }
}

/// A path as seen from another one; it begins with `/`.
fn join(from: &str, to: &str) -> String {
    if to.is_empty() || to.starts_with('/') {
        return if to.is_empty() { from } else { to }.to_owned();
    }
    let mut parts: Vec<&str> = from.split('/').skip(1).collect();
    parts.pop();
    for part in to.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn proxy(config: &HubConfig) -> Result<Option<Proxy>, ureq::Error> {
    let Some(address) = &config.proxy else {
        return Ok(None);
    };
    let proxy = Proxy::new(address)?;
    let Some(except) = &config.no_proxy else {
        return Ok(Some(proxy));
    };
    let mut builder = Proxy::builder(proxy.protocol()).host(proxy.host()).port(proxy.port());
    for host in except.split(',').map(str::trim).filter(|host| !host.is_empty()) {
        builder = builder.no_proxy(host);
    }
    if let Some(user) = proxy.username() {
        builder = builder.username(user);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    builder.build().map(Some)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn redirects_lead_on_but_not_to_plain_http() {
        let to = |location: &str| {
            let at: Uri = "https://hub.example/datasets/a?x".parse().unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, location.parse().unwrap());
            next(&at, &headers).map(|uri| uri.to_string())
        };
        assert_eq!(to("/api/b?c=d").unwrap(), "https://hub.example/api/b?c=d");
        assert_eq!(to("//cdn.example/b").unwrap(), "https://cdn.example/b");
        assert_eq!(to("https://cdn.example:8443/b").unwrap(), "https://cdn.example:8443/b");
        for (relative, path) in [
            ("b", "/datasets/b"),
            ("b?c=/../d", "/datasets/b?c=/../d"),
            ("./b/../c/", "/datasets/c/"),
            ("../b", "/b"),
            ("../../../b", "/b"),
            ("..", "/"),
            ("?b", "/datasets/a?b"),
            (".evil.example", "/datasets/.evil.example"),
        ] {
            assert_eq!(to(relative).unwrap(), format!("https://hub.example{path}"), "{relative}");
        }
        for nowhere in ["http://cdn.example/b", "ftp://cdn.example/b", ""] {
            assert_eq!(to(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let of = |text: &str| origin(&text.parse().unwrap()).unwrap();
        assert_eq!(of("https://Hub.example/a"), of("https://hub.example:443/b"));
        for other in ["http://hub.example/", "https://hub.example:444/", "https://a.hub.example/"] {
            assert_ne!(of(other), of("https://hub.example/"), "{other}");
        }
    }
}
