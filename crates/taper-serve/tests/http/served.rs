//! A server in this process, and clients for it: one that is well behaved, one that writes bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use candle_core::Device;
use serde_json::Value;
use taper_serve::{Handle, Limits, ModelSource, Options, Server};
use taper_train::model::{Model, ModelConfig};
use taper_train::{Predictor, Quantization, recipe};
use tempfile::TempDir;

/// A model directory of two classes with weights as they are drawn from `seed`.
pub(crate) fn model(folder: &Path, seed: u64) -> PathBuf {
    model_of(folder, seed, &["<b>bad</b>", "good"], None)
}

/// The same of these classes; with a threshold, a text has any number of them.
pub(crate) fn model_of(
    folder: &Path,
    seed: u64,
    classes: &[&str],
    threshold: Option<f64>,
) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let words = ["<unk>", "<pad>", "a", "b", "c"].map(str::to_owned);
    let vocabulary = taper_text::Vocabulary::from_tokens(words.into()).unwrap();
    let tokenizer =
        taper_text::Tokenizer::named("whitespace", taper_text::Normalization::default()).unwrap();
    tokenizer.with_vocabulary(&vocabulary).unwrap().save(&folder.join("tokenizer.json")).unwrap();
    let config = ModelConfig {
        format: ModelConfig::FORMAT,
        taper: "test".into(),
        class_names: classes.iter().map(|&name| name.to_owned()).collect(),
        vocabulary_size: 5,
        dimensions: 3,
        max_length: Some(6),
        model: recipe::Model { hidden_size: 4, ..recipe::Model::default() },
        truncate: recipe::Truncate::default(),
        temperature: threshold.is_none().then_some(0.1),
        threshold,
        specials: taper_text::Specials::default(),
        tokenizer_blake3: hash(&folder.join("tokenizer.json")),
        weights_blake3: None,
    };
    let model = Model::new(config.clone(), seed, None, &Device::Cpu).unwrap();
    model.save_weights(&folder.join("model.safetensors")).unwrap();
    let weights_blake3 = Some(hash(&folder.join("model.safetensors")));
    ModelConfig { weights_blake3, ..config }.write(folder).unwrap();
    folder.to_owned()
}

fn hash(path: &Path) -> String {
    blake3::hash(&std::fs::read(path).unwrap()).to_hex().to_string()
}

pub(crate) fn predictor(folder: &Path) -> Predictor {
    Predictor::open(folder, &Device::Cpu, Quantization::F32).unwrap()
}

/// A server of the models `m` (the default) and `other`, until it is dropped.
pub(crate) struct Served {
    pub(crate) folder: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    thread: Option<JoinHandle<taper_serve::Result<()>>>,
    agent: ureq::Agent,
}

pub(crate) fn serve() -> Served {
    serve_with(Limits::default())
}

/// Who has nothing to ask at the end is not waited for.
pub(crate) fn serve_with(mut limits: Limits) -> Served {
    limits.parting_time = limits.parting_time.min(Duration::from_millis(50));
    Served::new(limits)
}

impl Drop for Served {
    fn drop(&mut self) {
        self.end();
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The head, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// The body's type, without its parameters.
    pub(crate) fn kind(&self) -> &str {
        // As a client writes headers down, or as they came.
        let names = ["\"content-type\": \"", "\ncontent-type: "];
        let value = names.into_iter().find_map(|name| self.head.split_once(name)).map(|it| it.1);
        value.unwrap_or_default().split(['"', ';', '\r']).next().unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The status and the error's code.
    pub(crate) fn problem(&self) -> (u16, String) {
        let json = self.json();
        assert!(json["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{json}");
        (self.status, json["error"]["code"].as_str().unwrap().to_owned())
    }
}

impl Served {
    pub(crate) fn new(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let models = [("m", 1), ("other", 2)];
        Self::of(
            models.map(|(name, seed)| (name, model(&folder.path().join(name), seed))),
            folder,
            limits,
        )
    }

    /// A server of models in `folder`.
    pub(crate) fn of<const N: usize>(
        models: [(&str, PathBuf); N],
        folder: TempDir,
        limits: Limits,
    ) -> Self {
        let models = models.map(|(name, path)| ModelSource { name: name.into(), path });
        let options = Options { port: 0, limits, ..Options::new(models.into()) };
        let server = Server::open(&options).unwrap();
        let (address, handle) = (server.address(), server.handle());
        let thread = Some(std::thread::spawn(move || server.run()));
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Self { folder, address, handle, thread, agent }
    }

    /// Asks the server to end, and waits.
    pub(crate) fn end(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }

    /// The same, of one that must not take longer.
    pub(crate) fn end_within(&mut self, patience: Duration) {
        let start = Instant::now();
        self.end();
        assert!(start.elapsed() < patience, "it took {:?}", start.elapsed());
    }

    pub(crate) fn path(&self, model: &str) -> PathBuf {
        self.folder.path().join(model)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        let get = || self.agent.get(format!("http://{}{path}", self.address)).call();
        // A connection that was kept may be closed just as the next request is sent.
        reply(get().or_else(|_| get()).unwrap())
    }

    pub(crate) fn get_for(&self, path: &str, accept: &str) -> Reply {
        let request = self.agent.get(format!("http://{}{path}", self.address));
        reply(request.header("accept", accept).call().unwrap())
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_for(path, body, "application/json")
    }

    pub(crate) fn post_for(&self, path: &str, body: &Value, accept: &str) -> Reply {
        let request = self.agent.post(format!("http://{}{path}", self.address));
        let request = request.header("content-type", "application/json").header("accept", accept);
        reply(request.send(body.to_string()).unwrap())
    }

    /// Writes bytes as they are and reads until the server closes.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        read(&mut stream)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// A request with its body, to be answered and closed.
    pub(crate) fn raw_post(&self, path: &str, body: &[u8]) -> Reply {
        self.raw(&request(path, body))
    }
}

/// The bytes of a request with its body.
pub(crate) fn request(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A whole answer, up to the end of the connection.
pub(crate) fn read(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        // A server that did not want all that was sent; what it said came before.
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
    parsed(bytes)
}

/// One answer, byte by byte up to the end of its head, then as long as it says.
pub(crate) fn read_one(stream: &mut TcpStream) -> Reply {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    bytes.extend(body);
    parsed(bytes)
}

fn parsed(bytes: Vec<u8>) -> Reply {
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Reply { status, head: head.to_lowercase(), body: body.to_owned() }
}

fn reply(mut response: ureq::http::Response<ureq::Body>) -> Reply {
    let head = format!("{:?}", response.headers()).to_lowercase();
    let body = response.body_mut().read_to_string().unwrap();
    Reply { status: response.status().as_u16(), head, body }
}

/// Sends all but the last byte, and waits until the server has it in hand.
pub(crate) fn started(served: &Served, bytes: &[u8]) -> TcpStream {
    let mut stream = served.connect();
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let with_expect =
        [&bytes[..head], b"\r\nexpect: 100-continue", &bytes[head..bytes.len() - 1]].concat();
    stream.write_all(&with_expect).unwrap();
    // It says so once it reads the body.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}
