//! The page that `taper serve` has at `/`, in a real browser: a text typed and sent, its tokens shown, no complaint, no request but
//! to the server itself.

use std::path::Path;
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use candle_core::Device;
use serde_json::{Value, json};
use taper_serve::{Handle, Limits, ModelSource, Options, Server};
use taper_train::inspect::{Inspector, Method, Subject};
use taper_train::model::{Model, ModelConfig};

use crate::page::{TEXTS, browser, untrained};

fn hash(path: &Path) -> String {
    blake3::hash(&std::fs::read(path).unwrap()).to_hex().to_string()
}

/// A model directory with weights as they are drawn.
fn model(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let (config, tokenizer) = untrained(&["neg", "pos"]);
    tokenizer.save(&folder.join("tokenizer.json")).unwrap();
    let model = Model::new(config.clone(), 3, None, &Device::Cpu).unwrap();
    model.save_weights(&folder.join("model.safetensors")).unwrap();
    let tokenizer_blake3 = hash(&folder.join("tokenizer.json"));
    ModelConfig { taper: "test".into(), tokenizer_blake3, ..config }.write(folder).unwrap();
}

/// A server, ended when it is dropped.
struct Served {
    address: String,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    fn start(folder: &Path) -> Self {
        let models = ["film", "other"].map(|name| {
            let path = folder.join(name);
            model(&path);
            ModelSource { name: name.into(), path }
        });
        let limits = Limits { text_bytes: 1000, parting_time: Duration::ZERO, ..Limits::default() };
        let options = Options { port: 0, limits, ..Options::new(models.into()) };
        let server = Server::open(&options).unwrap();
        let (address, handle) = (format!("http://{}/", server.address()), server.handle());
        Self { address, handle, thread: Some(spawn(move || server.run().unwrap())) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.handle.stop();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}

/// What the frame's page has of each text: its tokens.
const WORDS: &str = "[...document.querySelectorAll('section')].map(
    section => [...section.querySelectorAll('.tokens button')].map(button => button.textContent))";

#[test]
fn a_text_typed_and_sent_is_seen_from_inside() {
    let Some(mut browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let inspector = Inspector::open(&folder.path().join("film"), &Device::Cpu).unwrap();
    for (width, scheme) in [(1600, "light"), (400, "dark")] {
        browser.open_page(&served.address, &served.address, width, scheme);
        browser.until("document.querySelectorAll('#model option').length === 2");
        assert_eq!(browser.value("document.getElementById('model').value"), "film");
        // Nothing was typed yet: nothing is asked.
        browser.click("document.querySelector('button')");
        assert_eq!(browser.value("document.getElementById('found').hidden"), true);
        for (field, text) in ["first", "second"].iter().zip(TEXTS) {
            browser.click(&format!("document.getElementById('{field}')"));
            browser.write(text);
            let typed = browser.value(&format!("document.getElementById('{field}').value"));
            assert_eq!(typed.as_str().unwrap().len(), text.len());
        }
        browser.click("document.querySelector('button')");
        browser.until("!document.getElementById('found').hidden");
        let start = Instant::now();
        let mut words = browser.value_in_frame(WORDS);
        while words.as_array().is_none_or(|texts| texts.len() != 2) {
            assert!(start.elapsed() < Duration::from_mins(1), "{words}");
            sleep(Duration::from_millis(20));
            words = browser.value_in_frame(WORDS);
        }
        let subjects = TEXTS.map(|text| Subject::from(text.to_owned()));
        let expected = inspector.inspect(&subjects, Method::default()).unwrap();
        for (words, expected) in words.as_array().unwrap().iter().zip(&expected.texts) {
            assert_eq!(words.as_array().unwrap().len(), expected.tokens.len());
        }
        assert_eq!(words[0][1], "lovely");
        // A click in the frame shows a token's thirteen numbers.
        let shown =
            "(() => { document.querySelectorAll('section:first-of-type .tokens button')[1].click();
            return document.querySelectorAll('section:first-of-type .panel dd').length; })()";
        assert_eq!(browser.value_in_frame(shown), 13);
        let root = "document.documentElement";
        let overflow = browser.value(&format!("{root}.scrollWidth - {root}.clientWidth"));
        assert_eq!(overflow, 0, "{width}");
        let state = browser.value("document.getElementById('state').textContent");
        assert_eq!(state, "The answer is below.");
        // What is in a text is text, in the frame as well.
        assert_eq!(
            browser.value_in_frame("document.querySelectorAll('main script, main b').length"),
            0
        );
        assert_eq!(browser.complaints(), Vec::<Value>::new());
    }
    // What the server refuses is told.
    let long = json!("long ".repeat(300));
    browser.value(&format!("document.getElementById('first').value = {long}; 0"));
    browser.click("document.querySelector('button')");
    browser.until("document.getElementById('state').className === 'wrong'");
    let told = browser.value("document.getElementById('state').textContent");
    assert!(told.as_str().unwrap().contains("1500 bytes"), "{told}");
    drop(served);
    browser.click("document.querySelector('button')");
    browser.until("document.getElementById('state').textContent === 'The server does not answer.'");
}
