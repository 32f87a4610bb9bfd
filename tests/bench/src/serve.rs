//! `cargo xtask bench serve`: a bounded load on a server on loopback, next to the model alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use candle_core::Device;
use serde::Serialize;
use taper_serve::{ModelSource, Options, Server};
use taper_train::{Predictor, Quantization};

use crate::args::{ServeArgs, TextsOf};
use crate::memory::{Memory, peak_of};
use crate::predict::{reviews, sentences};

/// How long the model alone is measured each time, with as many texts at a time as its stream takes.
const ALONE: Duration = Duration::from_secs(5);
const CHUNK: usize = 4096;

#[derive(Debug, Serialize)]
struct Report {
    texts: TextsOf,
    clients: usize,
    texts_per_request: usize,
    /// `Predictor::predict`, thousands of texts at a time: before the runs and after them.
    alone_texts_per_second: [f64; 2],
    /// A tenth of the requests, then all of them (or as many as the time allows): memory must not differ. Clients and server are one process.
    runs: Vec<Run>,
    /// The second run's throughput over the mean of the model's alone.
    share: f64,
}

#[derive(Debug, Serialize)]
struct Run {
    requests: usize,
    not_200: usize,
    texts_per_second: f64,
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    memory: Option<Memory>,
}

pub(crate) fn run(args: &ServeArgs) -> Result<()> {
    let quantization = if args.int8 { Quantization::Int8 } else { Quantization::F32 };
    let texts = match args.of {
        TextsOf::Sentences => sentences()?,
        TextsOf::Reviews => reviews()?,
    };
    let alone = || alone(&Predictor::open(&args.run, &Device::Cpu, quantization)?, &texts);
    let before = alone()?;
    let source = ModelSource { name: "model".into(), path: args.run.clone() };
    let options = Options { port: 0, quantization, ..Options::new(vec![source]) };
    let server = Server::open(&options)?;
    let (address, handle) = (server.address(), server.handle());
    let serving = thread::spawn(move || server.run());
    let bodies: Vec<Vec<u8>> =
        texts.chunks_exact(args.texts.get()).map(request).collect::<Result<_>>()?;
    ensure!(!bodies.is_empty(), "the sample has {} texts", texts.len());
    let until = Instant::now() + Duration::from_secs(args.seconds.get());
    let mut runs = Vec::new();
    for requests in [args.requests.get().div_ceil(10), args.requests.get()] {
        eprintln!("{requests} requests");
        runs.push(load(address, &bodies, requests, until, args)?);
    }
    handle.stop();
    serving.join().ok().context("the server panicked")??;
    let alone = [before, alone()?];
    let share =
        runs.last().map_or(0.0, |run| run.texts_per_second) / f64::midpoint(alone[0], alone[1]);
    let report = Report {
        texts: args.of,
        clients: args.clients.get(),
        texts_per_request: args.texts.get(),
        alone_texts_per_second: alone,
        runs,
        share,
    };
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

/// Texts a second of the model, after a first chunk to warm up.
fn alone(predictor: &Predictor, texts: &[String]) -> Result<f64> {
    let mut texts = texts.iter().cycle();
    let mut chunk = || -> Vec<&String> { texts.by_ref().take(CHUNK).collect() };
    predictor.predict(&chunk())?;
    let (clock, mut read) = (Instant::now(), 0);
    while clock.elapsed() < ALONE {
        read += predictor.predict(&chunk())?.len();
    }
    Ok(read as f64 / clock.elapsed().as_secs_f64())
}

/// The bytes of a request.
fn request(texts: &[String]) -> Result<Vec<u8>> {
    let body = serde_json::to_vec(&serde_json::json!({ "texts": texts }))?;
    let length = body.len();
    let head = format!(
        "POST /v1/predict HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    Ok([head.as_bytes(), &body].concat())
}

/// Clients that ask one after the other, each on a connection of its own, until all requests are made or the time is over.
fn load(
    address: SocketAddr,
    bodies: &[Vec<u8>],
    requests: usize,
    until: Instant,
    args: &ServeArgs,
) -> Result<Run> {
    let next = AtomicUsize::new(0);
    let client = || -> Result<(Vec<Duration>, usize)> {
        let mut stream = BufReader::new(TcpStream::connect(address)?);
        stream.get_ref().set_nodelay(true)?;
        let (mut times, mut not_200) = (Vec::new(), 0);
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= requests || Instant::now() >= until {
                return Ok((times, not_200));
            }
            let clock = Instant::now();
            stream.get_mut().write_all(&bodies[at % bodies.len()])?;
            not_200 += usize::from(answer(&mut stream)? != 200);
            times.push(clock.elapsed());
        }
    };
    let (mut times, mut not_200) = (Vec::with_capacity(requests), 0);
    let clock = Instant::now();
    let memory = peak_of(std::process::id(), || {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..args.clients.get()).map(|_| scope.spawn(client)).collect();
            for client in clients {
                let (own, other) = client.join().ok().context("a client panicked")??;
                times.extend(own);
                not_200 += other;
            }
            Ok(())
        })
    })?;
    let seconds = clock.elapsed().as_secs_f64();
    ensure!(!times.is_empty(), "no request was made within {} s", args.seconds);
    times.sort_unstable();
    let requests = times.len();
    let quantile = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    Ok(Run {
        requests,
        not_200,
        texts_per_second: (requests * args.texts.get()) as f64 / seconds,
        requests_per_second: requests as f64 / seconds,
        p50_ms: quantile(50).as_secs_f64() * 1e3,
        p99_ms: quantile(99).as_secs_f64() * 1e3,
        memory,
    })
}

/// Reads an answer; its status.
fn answer(stream: &mut BufReader<TcpStream>) -> Result<u16> {
    let (mut line, mut status, mut length) = (String::new(), 0, 0);
    loop {
        line.clear();
        ensure!(stream.read_line(&mut line)? > 0, "the server closed the connection");
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        } else if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest.split(' ').next().context("no status")?.parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(status)
}
