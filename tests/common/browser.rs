//! A browser that tests drive through Chromium's debugging pipe: commands and events as JSON, each ended by a zero byte.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// What the browser may be called.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// With WebGPU on SwiftShader.
const WEBGPU: [&str; 4] = [
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
];
/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(300);

/// The browser of this machine.
pub fn find() -> Result<&'static str, String> {
    let works =
        |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
    let found = NAMES.iter().find(works);
    found.copied().ok_or_else(|| format!("there is no {}", NAMES.join(", ")))
}

/// What a browser with its profile in `folder` is told: a self-contained page needs no network, and neither does the browser.
pub fn flags(folder: &Path) -> Vec<String> {
    let flags = [
        "--headless",
        "--no-sandbox",
        "--no-first-run",
        "--disable-sync",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-quic",
    ];
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    flags.iter().map(|flag| (*flag).to_owned()).chain([profile]).collect()
}

/// One page of a browser of its own.
pub struct Browser {
    child: Child,
    inner: RefCell<Inner>,
}

struct Inner {
    to: ChildStdin,
    from: Receiver<Value>,
    session: Option<String>,
    next: u64,
    /// What the page said, and what went wrong in it.
    said: Vec<String>,
}

impl Browser {
    /// Opens a browser with its profile in `folder`.
    pub fn open(name: &str, folder: &Path, webgpu: bool) -> Browser {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null", name]);
        command.args(flags(folder)).arg("--remote-debugging-pipe");
        command.args(if webgpu { &WEBGPU[..] } else { &["--disable-features=WebGPU", "--disable-gpu"] });
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (sender, from) = channel();
        let answers = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    break;
                }
            }
        });
        let to = child.stdin.take().unwrap();
        let inner = Inner { to, from, session: None, next: 0, said: Vec::new() };
        let browser = Browser { child, inner: RefCell::new(inner) };
        let target = browser.command("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let session =
            browser.command("Target.attachToTarget", target)["sessionId"].as_str().unwrap().to_owned();
        browser.inner.borrow_mut().session = Some(session);
        for domain in ["Page", "Runtime", "Log"] {
            browser.command(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Shows a file, and waits until it is loaded.
    pub fn show(&self, file: &Path, fragment: &str) {
        let url = format!("file://{}{fragment}", file.display());
        self.command("Page.navigate", json!({ "url": url }));
        self.evaluate("new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', () => done()))");
    }

    /// The value of an expression in the page, or what it is the promise of.
    #[track_caller]
    pub fn evaluate(&self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.command("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// The numbers of an expression that is an array of them.
    #[track_caller]
    pub fn numbers(&self, expression: &str) -> Vec<f64> {
        let value = self.evaluate(&format!("(async () => Array.from(await ({expression})))()"));
        value
            .as_array()
            .unwrap_or_else(|| panic!("{expression}: {value}"))
            .iter()
            .map(|v| v.as_f64().unwrap())
            .collect()
    }

    /// A click, or a movement, of a real pointer at these pixels of the window.
    pub fn pointer(&self, kind: &str, [x, y]: [f64; 2]) {
        let buttons = u32::from(kind != "mouseReleased");
        let event =
            json!({ "type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1 });
        self.command("Input.dispatchMouseEvent", event);
    }

    /// A movement of the pointer without a button.
    pub fn hover(&self, [x, y]: [f64; 2]) {
        self.command("Input.dispatchMouseEvent", json!({ "type": "mouseMoved", "x": x, "y": y }));
    }

    /// A press of a key.
    pub fn key(&self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.command("Input.dispatchKeyEvent", json!({ "type": kind, "key": key, "code": key }));
        }
    }

    /// Gives the window another size.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", size);
    }

    /// What the page said so far, errors of scripts and of its policy included.
    pub fn said(&self) -> Vec<String> {
        self.inner.borrow().said.clone()
    }

    #[track_caller]
    fn command(&self, method: &str, params: Value) -> Value {
        let mut inner = self.inner.borrow_mut();
        inner.next += 1;
        let id = inner.next;
        let mut asked = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &inner.session {
            asked["sessionId"] = json!(session);
        }
        let mut bytes = asked.to_string().into_bytes();
        bytes.push(0);
        inner.to.write_all(&bytes).unwrap();
        loop {
            let mut answer = inner.from.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("{method}: {e}"));
            if answer["id"] == json!(id) {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
            let event = answer["method"].as_str().unwrap_or_default();
            // Of the browser's own remarks only errors: others are advice.
            let is_remark = event == "Log.entryAdded" && answer["params"]["entry"]["level"] == "error";
            if is_remark || ["Runtime.consoleAPICalled", "Runtime.exceptionThrown"].contains(&event) {
                inner.said.push(answer["params"].to_string());
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
