//! `taper serve`: trained models over HTTP.

use std::io;
use std::net::TcpListener;
use std::panic::set_hook;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::value_parser;
use listenfd::ListenFd;
use taper_serve::{Limits, ModelSource, Options, Server};
use taper_train::DeviceChoice;
use tracing_subscriber::filter::LevelFilter;

use crate::args::{Numbers, at_least_one};
use crate::console::Console;

/// Serves trained models over HTTP: predictions, inspections, a page at `/`, metrics; `/openapi.json` describes it all.
/// Prints its address once it listens. SIGHUP loads the models again without dropping a request; SIGINT or SIGTERM ends it
/// when all requests in hand are answered, and a second one at once.
///
/// A listening socket passed as systemd passes it (`LISTEN_FDS`) is used in place of --host and --port. It outlives the
/// process, so that a restart loses no request: who comes meanwhile waits in its queue. A unit `taper.socket` of
/// `[Socket]` and `ListenStream=127.0.0.1:8080`, started in place of `taper.service`, does it.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Runs' folders or model directories, each called by its folder's name or by the name given. Requests that name no
    /// model mean the first.
    #[arg(required = true, value_name = "[NAME=]RUN")]
    models: Vec<ModelSource>,

    /// Address to listen on, IPv6 with brackets or without. Nobody is asked who they are: beyond this machine, put something before it that does.
    #[arg(long, default_value = "127.0.0.1", value_name = "HOST")]
    host: String,

    /// Port to listen on; 0 is any that is free.
    #[arg(long, default_value = "8080", value_name = "PORT")]
    port: u16,

    /// Where to compute: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,

    #[command(flatten)]
    numbers: Numbers,

    #[command(flatten)]
    bounds: Bounds,

    /// Writes the log as lines of JSON. It never has texts.
    #[arg(long)]
    log_json: bool,
}

/// What clients can make it do.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
struct Bounds {
    /// Bytes of a request's body.
    #[arg(long, value_name = "N", default_value_t = Limits::default().body_bytes, value_parser = at_least_one)]
    max_body_bytes: usize,

    /// Texts of a request.
    #[arg(long, value_name = "N", default_value_t = Limits::default().texts, value_parser = at_least_one)]
    max_texts: usize,

    /// Bytes of a text.
    #[arg(long, value_name = "N", default_value_t = Limits::default().text_bytes, value_parser = at_least_one)]
    max_text_bytes: usize,

    /// Connections held at a time.
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections, value_parser = at_least_one)]
    max_connections: usize,

    /// Requests in hand at a time; more are refused with 503.
    #[arg(long, value_name = "N", default_value_t = Limits::default().requests, value_parser = at_least_one)]
    max_requests: usize,

    /// Texts a model has in hand at a time; more are refused with 503.
    #[arg(long, value_name = "N", default_value_t = Limits::default().queue_texts, value_parser = at_least_one)]
    max_queue: usize,

    /// Texts that are read together.
    #[arg(long, value_name = "N", default_value_t = Limits::default().batch_texts, value_parser = at_least_one)]
    batch: usize,

    /// Milliseconds that a batch waits for more texts.
    #[arg(long, value_name = "MS", default_value_t = 2, value_parser = value_parser!(u64).range(..=1000))]
    linger: u64,

    /// Seconds that a request's head may take, and that a connection may be idle; then it is closed.
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = value_parser!(u64).range(1..=3600))]
    head_timeout: u64,

    /// Seconds that a request's body may take; then 408.
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = value_parser!(u64).range(1..=3600))]
    body_timeout: u64,

    /// Seconds that an answer may take once its request is there, then 503; and that the end waits for.
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

impl Bounds {
    fn limits(&self) -> Limits {
        Limits {
            body_bytes: self.max_body_bytes,
            texts: self.max_texts,
            text_bytes: self.max_text_bytes,
            connections: self.max_connections,
            requests: self.max_requests,
            queue_texts: self.max_queue,
            batch_texts: self.batch,
            linger: Duration::from_millis(self.linger),
            head_time: Duration::from_secs(self.head_timeout),
            body_time: Duration::from_secs(self.body_timeout),
            answer_time: Duration::from_secs(self.timeout),
            drain_time: Duration::from_secs(self.timeout),
            ..Limits::default()
        }
    }
}

pub(crate) fn run(args: &ServeArgs, console: &Console, quiet: bool) -> Result<ExitCode> {
    let socket = passed()?;
    log(args.log_json, quiet);
    let options = Options {
        host: args.host.clone(),
        port: args.port,
        models: args.models.clone(),
        device: args.device,
        quantization: args.numbers.quantization(),
        limits: args.bounds.limits(),
    };
    let server = match socket {
        Some(socket) => Server::open_on(socket, &options)?,
        None => Server::open(&options)?,
    };
    let address = server.address();
    if !address.ip().is_loopback() {
        let warning = "warning: whoever reaches this address may ask; nobody is asked who they are";
        console.say(None, warning);
    }
    server.run_until_signalled(|| println!("http://{address}"))?;
    Ok(ExitCode::SUCCESS)
}

/// The socket that whoever started this process has opened for it.
fn passed() -> Result<Option<TcpListener>> {
    let mut sockets = ListenFd::from_env();
    let count = sockets.len();
    ensure!(count <= 1, "LISTEN_FDS passes {count} sockets; it listens on one");
    sockets.take_tcp_listener(0).context("LISTEN_FDS passes something other than a TCP socket")
}

/// Sends the log to stderr. A panic is a line of it, too: where it was, not its message, which may quote a text.
fn log(json: bool, quiet: bool) {
    let level = if quiet { LevelFilter::ERROR } else { LevelFilter::INFO };
    let log = tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(level);
    if json {
        log.json().flatten_event(true).init();
    } else {
        log.with_target(false).init();
    }
    set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panicked");
    }));
}
