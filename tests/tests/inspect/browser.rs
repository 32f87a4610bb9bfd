//! A headless Chromium, driven through the `DevTools` protocol over a pipe: JSON messages, each ended by a zero byte.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the browser tells of.
const WATCHED: [&str; 4] = ["Page", "Runtime", "Network", "Log"];

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<Value>,
    session: Option<String>,
    /// Sessions of frames that are watched.
    frames: BTreeSet<String>,
    last_id: u64,
    /// What the browser told unasked.
    events: Vec<Value>,
    /// With what the addresses begin that the page may ask for.
    allowed: String,
    _profile: TempDir,
}

/// The first of Chromium's names in the path.
fn executable() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file())
}

impl Browser {
    /// `None` where there is no Chromium.
    pub(crate) fn open() -> Option<Self> {
        let executable = executable()?;
        let profile = tempfile::tempdir().unwrap();
        // The protocol's pipes are file descriptors 3 and 4, which the shell makes of its own 0 and 1.
        let script = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(executable)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-dev-shm-usage"])
            .arg("--remote-debugging-pipe")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { break };
                if sender.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let mut browser = Self {
            requests: child.stdin.take().unwrap(),
            child,
            answers,
            session: None,
            frames: BTreeSet::new(),
            last_id: 0,
            events: Vec::new(),
            allowed: String::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let arguments = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &arguments);
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in WATCHED {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        let frames =
            json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true });
        browser.call("Target.setAutoAttach", &frames);
        Some(browser)
    }

    fn receive(&self) -> Value {
        self.answers.recv_timeout(PATIENCE).expect("Chromium answers")
    }

    /// Calls a method and waits for its result.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.call_in(self.session.clone(), method, parameters)
    }

    /// The same in one session: of the page, or of a frame in it.
    fn call_in(&mut self, session: Option<String>, method: &str, parameters: &Value) -> Value {
        self.last_id += 1;
        let mut request = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let Some(session) = session {
            request["sessionId"] = json!(session);
        }
        self.requests.write_all(request.to_string().as_bytes()).unwrap();
        self.requests.write_all(&[0]).unwrap();
        loop {
            let answer = self.receive();
            if answer["id"] == self.last_id {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    /// Opens a file in a window of this width, light or dark, and waits until it has loaded.
    pub(crate) fn show(&mut self, file: &Path, width: u32, scheme: &str) {
        let url = format!("file://{}", file.display());
        self.open_page(&url, &url, width, scheme);
    }

    /// The same of any address. What the page asks for must begin with `allowed`.
    pub(crate) fn open_page(&mut self, url: &str, allowed: &str, width: u32, scheme: &str) {
        self.events.clear();
        allowed.clone_into(&mut self.allowed);
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &scheme);
        self.call("Page.navigate", &json!({ "url": url }));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.receive();
            self.events.push(event);
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        self.value_in(self.session.clone(), expression)
    }

    fn value_in(&mut self, session: Option<String>, expression: &str) -> Value {
        let arguments = json!({ "expression": expression, "returnByValue": true });
        let result = self.call_in(session, "Runtime.evaluate", &arguments);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(crate) fn until(&mut self, expression: &str) {
        let start = Instant::now();
        while self.value(expression) != true {
            assert!(start.elapsed() < PATIENCE, "it never came true: {expression}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The value of an expression in the sandboxed frame that was filled last: a page of its own for the browser.
    pub(crate) fn value_in_frame(&mut self, expression: &str) -> Value {
        let is_frame = |event: &&Value| {
            event["method"] == "Target.attachedToTarget"
                && event["params"]["targetInfo"]["type"] == "iframe"
        };
        let start = Instant::now();
        let session = loop {
            self.value("0");
            if let Some(event) = self.events.iter().rfind(is_frame) {
                break event["params"]["sessionId"].as_str().unwrap().to_owned();
            }
            assert!(start.elapsed() < PATIENCE, "there is no frame");
            std::thread::sleep(Duration::from_millis(20));
        };
        if self.frames.insert(session.clone()) {
            // What went wrong in it before is told now.
            for domain in WATCHED {
                self.call_in(Some(session.clone()), &format!("{domain}.enable"), &json!({}));
            }
        }
        self.value_in(Some(session), expression)
    }

    /// Types into the element that has the focus.
    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// Clicks into the middle of the element, with a mouse.
    pub(crate) fn click(&mut self, element: &str) {
        let middle = self.value(&format!(
            "(() => {{ const e = {element}; e.scrollIntoView({{ block: 'center' }});
               const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1
            });
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Presses a key, by its name.
    pub(crate) fn press(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", &json!({ "type": kind, "key": key, "code": key }));
        }
    }

    /// Whatever went wrong in the page since it was shown, and whatever it asked a network for.
    pub(crate) fn complaints(&mut self) -> Vec<Value> {
        // An answer comes after the events before it.
        self.value("0");
        let complaint = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown" | "Log.entryAdded" | "Runtime.consoleAPICalled") => true,
            Some("Network.requestWillBeSent") => {
                let url = event["params"]["request"]["url"].as_str();
                !url.is_some_and(|url| url.starts_with(&self.allowed))
            }
            _ => false,
        };
        self.events.iter().filter(complaint).cloned().collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
