//! The handler of docs/conformance.md in Rust.
mod scheduler;
use scheduler::*;
use std::sync::atomic::{AtomicI64, Ordering};

plugin!(
    r#"{"abi": 1, "name": "conformance", "version": "1.0.0",
        "dataSchema": {"type": "object", "required": ["case"]}, "configSchema": {"type": "object"},
        "sample": {"case": "nothing"}}"#,
    run
);

/// Counts what must never be seen by a second run.
static RUNS: AtomicI64 = AtomicI64::new(0);

fn run(request: Request) -> Result<Json, Error> {
    let data = request.data;
    let member = |name: &str| data.get(name).as_str().unwrap_or("").to_string();
    let (text, key, value) = (member("text"), member("key"), data.get("value").clone());
    let n = data.get("n").as_i64().unwrap_or(0);
    match member("case").as_str() {
        "nothing" => Ok(Json::Null),
        "echo" => Ok(value),
        "text" => Ok(text.into()),
        "quarters" => Ok(((value.as_f64().unwrap_or(0.0) * 4.0) as i64).into()),
        "execution" => execution(request.execution),
        "config" => config(),
        "log" => {
            log(&member("level"), &text, value);
            Ok(Json::Null)
        }
        "kv.set" => {
            let before = get(&key)?.unwrap_or(Json::Null);
            set(&key, value, n)?;
            Ok(object([("before", before), ("after", get(&key)?.unwrap_or(Json::Null))]))
        }
        "kv.delete" => {
            delete(&key)?;
            Ok(get(&key)?.is_some().into())
        }
        "kv.list" => Ok(list(&key)?.into_iter().map(|(key, _)| key).collect::<Vec<_>>().into()),
        "publish" => publish(&text, value).map(|_| Json::Null),
        "enqueue" => enqueue(&text, &member("name"), value, &member("runAt")).map(Json::from),
        "notify" => notify(&key, &text, &["discord", "email"]).map(Json::from),
        "progress" => progress(n as f64, &text).map(|_| Json::Null),
        "checkpoint" => {
            let before = load_checkpoint()?.unwrap_or(Json::Null);
            checkpoint(value).map(|_| before)
        }
        "http" => request_page(&data, &member("method"), &member("url"), &text),
        "secret" => secret(&text).map(Json::from),
        "call" => call(&text, &value),
        "swallow" => Ok(match call(&text, &value) {
            Ok(_) => "none".into(),
            Err(Error { kind: Kind::Permanent, .. }) => "permanent".into(),
            Err(_) => "retryable".into(),
        }),
        "clock" => now().map(Json::from),
        "deadline" => left_ms().map(Json::from),
        "random" => Ok(random(n)?.iter().map(|b| format!("{:02x}", b)).collect::<String>().into()),
        "sleep" => sleep(n).map(|_| Json::Null),
        "retryable" => Err(Error::retryable(text)),
        "permanent" => Err(Error::permanent(text)),
        "later" => Err(Error::retry_after(n, text)),
        "panic" => panic!("{}", text),
        "loop" => loop {
            RUNS.fetch_add(1, Ordering::SeqCst);
        },
        "memory" => hoard(),
        "count" => Ok((RUNS.fetch_add(1, Ordering::SeqCst) + 1).into()),
        other => Err(Error::permanent(format!("no case {}", other))),
    }
}

fn execution(mut e: Json) -> Result<Json, Error> {
    if let Json::Object(members) = &mut e {
        if let Some(Json::Number(token)) = members.get("token").cloned() {
            members.insert("token".to_string(), token.into());
        }
    }
    Ok(e)
}

fn request_page(data: &Json, method: &str, url: &str, body: &str) -> Result<Json, Error> {
    let mut headers = Vec::new();
    if let Json::Object(members) = data.get("headers") {
        headers.extend(members.iter().map(|(name, values)| (name.as_str(), values.items()[0].as_str().unwrap_or(""))));
    }
    let answer = http(method, url, &headers, body.as_bytes())?;
    Ok(object([
        ("status", answer.status.into()),
        ("type", answer.header("Content-Type").into()),
        ("body", String::from_utf8_lossy(&answer.body).into_owned().into()),
        ("retryAfterMs", answer.retry_after_ms.into()),
    ]))
}

fn hoard() -> ! {
    let mut kept = Vec::new();
    loop {
        let piece = vec![1u8; 1 << 20];
        unsafe { std::ptr::read_volatile(&piece[0]) }; // or the compiler would leave it all out
        kept.push(piece);
    }
}
