//! All that a plugin in Rust needs: the ABI of docs/abi.md, and JSON. It needs no
//! crates and no Cargo. Put it beside a file that says
//!
//! ```text
//! mod scheduler;
//! use scheduler::*;
//!
//! plugin!(r#"{"abi": 1, "name": "greeter", "version": "1.0.0"}"#, run);
//!
//! fn run(request: Request) -> Result<Json, Error> { … }
//! ```
//!
//! Every run starts with the memory as it was when the module was loaded. A
//! panic ends the run as PLUGIN_TRAP, with its text as the error.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fmt::Write;

// ---- JSON ----

/// A JSON value. A number is kept as it is written, so that a fencing token,
/// which no `f64` holds, stays exact.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

const NULL: Json = Json::Null;

impl Json {
    /// Reads a text. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Json, Error> {
        let mut reader = Reader { bytes: text.as_bytes(), at: 0, depth: 0 };
        let value = reader.value()?;
        match reader.peek() {
            None => Ok(value),
            Some(_) => Err(reader.wrong("more than one value")),
        }
    }

    /// A member of an object; null when there is none.
    pub fn get(&self, name: &str) -> &Json {
        match self {
            Json::Object(members) => members.get(name).unwrap_or(&NULL),
            _ => &NULL,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Json::String(text) = self { Some(text) } else { None }
    }

    /// A whole number.
    pub fn as_i64(&self) -> Option<i64> {
        if let Json::Number(text) = self { text.parse().ok() } else { None }
    }

    /// A number.
    pub fn as_f64(&self) -> Option<f64> {
        if let Json::Number(text) = self { text.parse().ok() } else { None }
    }

    /// The items of an array; none of any other value.
    pub fn items(&self) -> &[Json] {
        if let Json::Array(items) = self { items } else { &[] }
    }

    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Json::Number(text) => out.push_str(text),
            Json::String(text) => quote(text, out),
            Json::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    out.push(if i == 0 { '[' } else { ',' });
                    item.write(out);
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Json::Object(members) => {
                for (i, (name, value)) in members.iter().enumerate() {
                    out.push(if i == 0 { '{' } else { ',' });
                    quote(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push_str(if members.is_empty() { "{}" } else { "}" });
            }
        }
    }

    /// The value as text.
    pub fn render(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32); // a String takes it
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

impl From<&str> for Json {
    fn from(text: &str) -> Json { Json::String(text.to_string()) }
}
impl From<String> for Json {
    fn from(text: String) -> Json { Json::String(text) }
}
impl From<i64> for Json {
    fn from(n: i64) -> Json { Json::Number(n.to_string()) }
}
impl From<bool> for Json {
    fn from(b: bool) -> Json { Json::Bool(b) }
}
impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(items: Vec<T>) -> Json { Json::Array(items.into_iter().map(Into::into).collect()) }
}

/// Makes an object: `object([("name", "Ada".into()), ("age", 36.into())])`.
pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn wrong(&self, what: &str) -> Error { Error::permanent(format!("JSON at byte {}: {}", self.at, what)) }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, want: u8) -> Result<(), Error> {
        if self.peek() != Some(want) {
            return Err(self.wrong(&format!("no {:?}", want as char)));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self) -> Result<Json, Error> {
        match self.peek() {
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'{') => {
                let mut members = BTreeMap::new();
                self.list(b'}', |r| {
                    r.peek();
                    let name = r.string()?;
                    r.take(b':')?;
                    members.insert(name, r.value()?);
                    Ok(())
                })?;
                Ok(Json::Object(members))
            }
            Some(b'[') => {
                let mut items = Vec::new();
                self.list(b']', |r| Ok(items.push(r.value()?)))?;
                Ok(Json::Array(items))
            }
            _ => self.word(),
        }
    }

    fn list(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > 200 {
            return Err(self.wrong("nested too deeply"));
        }
        self.at += 1;
        if self.peek() != Some(end) {
            item(self)?;
            while self.peek() == Some(b',') {
                self.at += 1;
                item(self)?;
            }
        }
        self.depth -= 1;
        self.take(end)
    }

    /// true, false, null or a number.
    fn word(&mut self) -> Result<Json, Error> {
        let from = self.at;
        while let Some(b'a'..=b'z' | b'E' | b'0'..=b'9' | b'+' | b'-' | b'.') = self.bytes.get(self.at) {
            self.at += 1;
        }
        match std::str::from_utf8(&self.bytes[from..self.at]).unwrap_or("") {
            "true" => Ok(Json::Bool(true)),
            "false" => Ok(Json::Bool(false)),
            "null" => Ok(Json::Null),
            word if word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => Ok(Json::Number(word.to_string())),
            _ => Err(self.wrong("no value")),
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        self.take(b'"')?;
        let mut text = Vec::new();
        loop {
            let plain = self.at;
            while self.bytes.get(self.at).map_or(false, |b| *b != b'"' && *b != b'\\') {
                self.at += 1;
            }
            text.extend_from_slice(&self.bytes[plain..self.at]);
            self.at += 1;
            match self.bytes.get(self.at - 1) {
                Some(b'"') => return String::from_utf8(text).map_err(|_| self.wrong("no UTF-8")),
                Some(_) => {
                    let c = self.escape()?;
                    text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                None => return Err(self.wrong("a string without an end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        self.at += 1;
        Ok(match self.bytes.get(self.at - 1) {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(c @ (b'"' | b'\\' | b'/')) => *c as char,
            Some(b'u') => {
                let mut units = vec![self.unit()?];
                if (0xd800..0xdc00).contains(&units[0]) && self.bytes[self.at..].starts_with(b"\\u") {
                    self.at += 2;
                    units.push(self.unit()?);
                }
                match char::decode_utf16(units.iter().copied()).next() {
                    Some(Ok(c)) => c,
                    _ => {
                        self.at -= 6 * (units.len() - 1); // what follows half of a pair stands for itself
                        char::REPLACEMENT_CHARACTER
                    }
                }
            }
            _ => return Err(self.wrong("no escape")),
        })
    }

    fn unit(&mut self) -> Result<u16, Error> {
        let digits = self.bytes.get(self.at..self.at + 4).and_then(|d| std::str::from_utf8(d).ok());
        self.at += 4;
        digits.and_then(|d| u16::from_str_radix(d, 16).ok()).ok_or_else(|| self.wrong("no escape"))
    }
}

// ---- what a handler gets and gives ----

/// What a run is asked to do: the task's data, and the execution, an object with
/// the members of docs/abi.md.
pub struct Request {
    pub data: Json,
    pub execution: Json,
}

/// How a run fails, and whether it is tried again.
#[derive(Clone, Debug)]
pub struct Error {
    pub kind: Kind,
    pub message: String,
    /// No earlier than after these milliseconds; 0 leaves it to the retry policy.
    pub retry_after_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Retryable,
    Permanent,
    /// What the host answers to an operation that is not granted.
    Denied,
}

impl Error {
    /// An error that may be gone in the next attempt.
    pub fn retryable(message: impl Into<String>) -> Error {
        Error { kind: Kind::Retryable, message: message.into(), retry_after_ms: 0 }
    }
    /// An error that another attempt would meet again.
    pub fn permanent(message: impl Into<String>) -> Error { Error { kind: Kind::Permanent, ..Error::retryable(message) } }
    /// An error that is gone after a while.
    pub fn retry_after(ms: i64, message: impl Into<String>) -> Error { Error { retry_after_ms: ms, ..Error::retryable(message) } }

    fn to_json(&self) -> Json {
        let kind = if self.kind == Kind::Retryable { "retryable" } else { "permanent" };
        object([("kind", kind.into()), ("message", self.message.as_str().into()), ("retryAfterMs", self.retry_after_ms.into())])
    }

    fn from_json(e: &Json) -> Error {
        Error {
            kind: match e.get("kind").as_str() {
                Some("permanent") => Kind::Permanent,
                Some("denied") => Kind::Denied,
                _ => Kind::Retryable,
            },
            message: e.get("message").as_str().unwrap_or("").to_string(),
            retry_after_ms: e.get("retryAfterMs").as_i64().unwrap_or(0),
        }
    }
}

// ---- frames ----

fn encode(header: &Json, payload: &[u8]) -> Vec<u8> {
    let header = header.render();
    let mut frame = (header.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(header.as_bytes());
    frame.extend_from_slice(payload);
    frame
}

fn decode(frame: &[u8]) -> Result<(Json, &[u8]), Error> {
    let broken = || Error::permanent("the host's frame is cut off");
    let n = u32::from_le_bytes(frame.get(..4).and_then(|b| b.try_into().ok()).ok_or_else(broken)?) as usize;
    let header = frame.get(4..4 + n).ok_or_else(broken)?;
    let header = std::str::from_utf8(header).map_err(|e| Error::permanent(e.to_string()))?;
    Ok((Json::parse(header)?, &frame[4 + n..]))
}

// ---- operations ----

#[link(wasm_import_module = "task")]
extern "C" {
    #[link_name = "call"]
    fn task_call(op: *const u8, op_length: usize, input: *const u8, input_length: usize) -> usize;
    #[link_name = "take"]
    fn task_take(at: *mut u8);
}

/// Asks the host for an operation with an object of arguments and a payload, and
/// returns the value and the payload of its answer.
pub fn exchange(op: &str, args: &Json, payload: &[u8]) -> Result<(Json, Vec<u8>), Error> {
    let input = encode(args, payload);
    // The host reads and writes only the memory that it is shown here.
    let frame = unsafe {
        let mut answer = vec![0; task_call(op.as_ptr(), op.len(), input.as_ptr(), input.len())];
        task_take(answer.as_mut_ptr());
        answer
    };
    let (header, payload) = decode(&frame)?;
    match header.get("error") {
        Json::Null => Ok((header.get("value").clone(), payload.to_vec())),
        e => Err(Error::from_json(e)),
    }
}

/// Asks the host for an operation without payloads.
pub fn call(op: &str, args: &Json) -> Result<Json, Error> { exchange(op, args, &[]).map(|(value, _)| value) }

/// Writes a line to the execution's log. Level is debug, info, warn or error;
/// fields is an object. A lost line fails nothing.
pub fn log(level: &str, message: &str, fields: Json) {
    let mut args = vec![("level", level.into()), ("message", message.into())];
    if fields != Json::Null {
        args.push(("fields", fields));
    }
    let _ = call("log", &Json::Object(args.into_iter().map(|(k, v)| (k.to_string(), v)).collect()));
}

/// The plugin's config, an object.
pub fn config() -> Result<Json, Error> { call("config", &object([])) }

/// What is kept under a key.
pub fn get(key: &str) -> Result<Option<Json>, Error> {
    let answer = call("kv.get", &object([("key", key.into())]))?;
    Ok(if *answer.get("found") == Json::Bool(true) { Some(answer.get("value").clone()) } else { None })
}

/// Keeps a value under a key for some milliseconds, or until it is deleted when
/// that is 0. It is stored with the success of the run.
pub fn set(key: &str, value: Json, ttl_ms: i64) -> Result<(), Error> {
    call("kv.set", &object([("key", key.into()), ("value", value), ("ttlMs", ttl_ms.into())])).map(|_| ())
}

/// Removes a key.
pub fn delete(key: &str) -> Result<(), Error> { call("kv.delete", &object([("key", key.into())])).map(|_| ()) }

/// The keys with a prefix, in order, with their values.
pub fn list(prefix: &str) -> Result<Vec<(String, Json)>, Error> {
    let mut all: Vec<(String, Json)> = Vec::new();
    loop {
        let after = all.last().map_or("", |(key, _)| key);
        let page = call("kv.list", &object([("prefix", prefix.into()), ("after", after.into())]))?;
        for e in page.get("entries").items() {
            all.push((e.get("key").as_str().unwrap_or("").to_string(), e.get("value").clone()));
        }
        if *page.get("more") != Json::Bool(true) || page.get("entries").items().is_empty() {
            return Ok(all);
        }
    }
}

/// Publishes an event with the success of the run, and returns its id.
pub fn publish(event: &str, data: Json) -> Result<String, Error> {
    let answer = call("publish", &object([("type", event.into()), ("data", data)]))?;
    Ok(answer.get("id").as_str().unwrap_or("").to_string())
}

/// Makes a task with the success of the run, and returns its id. An empty name
/// is left to the host; run_at is RFC 3339, empty for at once.
pub fn enqueue(task_type: &str, name: &str, data: Json, run_at: &str) -> Result<String, Error> {
    let mut args = BTreeMap::from([("type".to_string(), task_type.into()), ("name".to_string(), name.into()), ("data".to_string(), data)]);
    if !run_at.is_empty() {
        args.insert("runAt".to_string(), run_at.into());
    }
    Ok(call("enqueue", &Json::Object(args))?.get("taskId").as_str().unwrap_or("").to_string())
}

/// Sends a notification with the success of the run, by routes, or by those that
/// the service chooses when there are none. Returns its id.
pub fn notify(channel_id: &str, message: &str, via: &[&str]) -> Result<String, Error> {
    let answer = call("notify", &object([("channelId", channel_id.into()), ("message", message.into()), ("via", via.to_vec().into())]))?;
    Ok(answer.get("id").as_str().unwrap_or("").to_string())
}

/// Says how far the run is: 0 to 100 percent, and up to 200 bytes of text.
pub fn progress(percent: f64, message: &str) -> Result<(), Error> {
    call("progress", &object([("percent", Json::Number(percent.to_string())), ("message", message.into())])).map(|_| ())
}

/// Keeps a value for the next attempt of this execution, at once.
pub fn checkpoint(value: Json) -> Result<(), Error> { call("checkpoint", &object([("value", value)])).map(|_| ()) }

/// What `checkpoint` has kept last, in this attempt or an earlier one.
pub fn load_checkpoint() -> Result<Option<Json>, Error> {
    let answer = call("checkpoint.get", &object([]))?;
    Ok(if *answer.get("found") == Json::Bool(true) { Some(answer.get("value").clone()) } else { None })
}

/// The answer to an HTTP request, whatever its status.
pub struct Response {
    pub status: i64,
    pub url: String,
    headers: Json,
    pub body: Vec<u8>,
    /// After 429 and 503, how long the server wants to be left alone.
    pub retry_after_ms: i64,
}

impl Response {
    /// The first value of a header, by its name as in `Content-Type`; empty when
    /// there is none.
    pub fn header(&self, name: &str) -> &str { self.headers.get(name).items().first().and_then(Json::as_str).unwrap_or("") }
}

/// Makes an HTTP request. `{{secret:name}}` in the address and in the values of
/// headers stands for a secret.
pub fn http(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Response, Error> {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), vec![*value].into())).collect();
    let args = object([("method", method.into()), ("url", url.into()), ("headers", Json::Object(headers))]);
    let (value, body) = exchange("http", &args, body)?;
    Ok(Response {
        status: value.get("status").as_i64().unwrap_or(0),
        url: value.get("url").as_str().unwrap_or("").to_string(),
        headers: value.get("headers").clone(),
        retry_after_ms: value.get("retryAfterMs").as_i64().unwrap_or(0),
        body,
    })
}

/// The placeholder of a secret, for `http`.
pub fn secret(name: &str) -> Result<String, Error> {
    Ok(call("secret", &object([("name", name.into())]))?.as_str().unwrap_or("").to_string())
}

/// The host's time, RFC 3339.
pub fn now() -> Result<String, Error> { Ok(call("clock", &object([]))?.get("now").as_str().unwrap_or("").to_string()) }

/// How many milliseconds the run has left.
pub fn left_ms() -> Result<i64, Error> { Ok(call("deadline", &object([]))?.get("leftMs").as_i64().unwrap_or(0)) }

/// Random bytes, 4096 at most.
pub fn random(count: i64) -> Result<Vec<u8>, Error> {
    let answer = call("random", &object([("bytes", count.into())]))?;
    let (mut bits, mut have, mut bytes) = (0u32, 0, Vec::new());
    for c in answer.get("bytes").as_str().unwrap_or("").bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | six as u32;
        have += 6;
        if have >= 8 {
            have -= 8;
            bytes.push((bits >> have) as u8);
        }
    }
    Ok(bytes)
}

/// Waits. A run that ends meanwhile ends here.
pub fn sleep(ms: i64) -> Result<(), Error> { call("sleep", &object([("ms", ms.into())])).map(|_| ()) }

// ---- the exports ----

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn fd_write(fd: i32, pieces: *const [usize; 2], count: i32, written: *mut usize) -> i32;
}

/// Lets a panic's text go to the standard error, from where the host takes the
/// run's error. The target has no streams of its own.
fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        let text = match info.payload().downcast_ref::<&str>() {
            Some(text) => text,
            None => info.payload().downcast_ref::<String>().map_or("", |text| text.as_str()),
        };
        let line = format!("panic: {}", text);
        unsafe { fd_write(2, &[line.as_ptr() as usize, line.len()], 1, &mut 0) };
    }));
}

/// Declares the plugin: its manifest and its handler.
#[macro_export]
macro_rules! plugin {
    ($manifest:expr, $run:expr) => {
        #[no_mangle]
        pub extern "C" fn task_abi_v1() {}

        #[no_mangle]
        pub extern "C" fn task_alloc(length: usize) -> *mut u8 { scheduler::room(length) }

        #[no_mangle]
        pub extern "C" fn task_describe() -> u64 { scheduler::describe($manifest) }

        #[no_mangle]
        pub unsafe extern "C" fn task_handle(at: *mut u8, length: usize) -> u64 { scheduler::handle(at, length, $run) }
    };
}

/// Room that is never given back: the memory is put back after the run.
pub fn room(length: usize) -> *mut u8 { Box::leak(vec![0; length].into_boxed_slice()).as_mut_ptr() }

/// Hands a frame to the host: its address in the upper half, its length in the
/// lower one.
fn give(frame: Vec<u8>) -> u64 {
    let frame = Box::leak(frame.into_boxed_slice());
    (frame.as_ptr() as u64) << 32 | frame.len() as u64
}

pub fn describe(manifest: &str) -> u64 {
    give([&(manifest.len() as u32).to_le_bytes()[..], manifest.as_bytes()].concat())
}

/// # Safety
/// at and length are what the host has written to the memory that `room` gave.
pub unsafe fn handle(at: *mut u8, length: usize, run: fn(Request) -> Result<Json, Error>) -> u64 {
    report_panics();
    let answer = read(std::slice::from_raw_parts(at, length)).and_then(run);
    give(match answer {
        Ok(value) => encode(&object([]), value.render().as_bytes()),
        Err(e) => encode(&object([("error", e.to_json())]), &[]),
    })
}

fn read(frame: &[u8]) -> Result<Request, Error> {
    let (header, data) = decode(frame)?;
    let data = std::str::from_utf8(data).map_err(|e| Error::permanent(e.to_string()))?;
    Ok(Request { data: Json::parse(data)?, execution: header.get("execution").clone() })
}
