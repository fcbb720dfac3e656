// The handler of docs/conformance.md in AssemblyScript.
import {
  Answer, call, checkpoint, config, enqueue, get, http, Json, leftMs, list, loadCheckpoint, log, notify, now, ok, permanent, plugin, progress,
  publish, random, remove, Request, Result, retryable, retryAfter, secret, set, sleep, textOf,
} from "./scheduler";
export { task_abi_v1, task_alloc, task_describe, task_handle } from "./scheduler";

// runs counts what must never be seen by a second run.
let runs: i64 = 0;

plugin(
  `{"abi": 1, "name": "conformance", "version": "1.0.0",
    "dataSchema": {"type": "object", "required": ["case"]}, "configSchema": {"type": "object"},
    "sample": {"case": "nothing"}}`,
  run,
);

function run(request: Request): Result {
  const d = request.data;
  const name = d.get("case").asString(), text = d.get("text").asString(), key = d.get("key").asString();
  const value = d.get("value"), n = d.get("n").asInteger();
  if (name == "nothing") return ok();
  if (name == "echo") return ok(value);
  if (name == "text") return ok(Json.string(text));
  if (name == "quarters") return ok(Json.integer(<i64>(value.asNumber() * 4)));
  if (name == "execution") return execution(request.execution);
  if (name == "config") return ok(config());
  if (name == "log") {
    log(d.get("level").asString(), text, value);
    return ok();
  }
  if (name == "kv.set") return change(key, value, n);
  if (name == "kv.delete") {
    const removed = remove(key);
    return removed.failure ? removed.pass() : ok(Json.bool(!get(key).value.isNull));
  }
  if (name == "kv.list") return keys(key);
  if (name == "publish") return publish(text, value).pass();
  if (name == "enqueue") {
    const a = enqueue(text, d.get("name").asString(), value, d.get("runAt").asString());
    return a.pass(a.value.get("taskId"));
  }
  if (name == "notify") {
    const a = notify(key, text, ["discord", "email"]);
    return a.pass(a.value.get("id"));
  }
  if (name == "progress") return progress(<f64>n, text).pass();
  if (name == "checkpoint") {
    const before = loadCheckpoint();
    return before.failure ? before.pass() : checkpoint(value).pass(before.value);
  }
  if (name == "http") return page(d, text);
  if (name == "secret") return whole(secret(text));
  if (name == "call") return whole(call(text, value));
  if (name == "swallow") {
    const failure = call(text, value).failure;
    return ok(Json.string(failure ? failure.kind : "none"));
  }
  if (name == "clock") return ok(Json.string(now()));
  if (name == "deadline") return ok(Json.integer(leftMs()));
  if (name == "random") return hexadecimal(random(n));
  if (name == "sleep") return sleep(n).pass();
  if (name == "retryable") return retryable(text);
  if (name == "permanent") return permanent(text);
  if (name == "later") return retryAfter(n, text);
  if (name == "panic") throw new Error(text);
  if (name == "loop") while (true) runs++;
  if (name == "memory") while (true) memory.fill(changetype<usize>(new ArrayBuffer(1 << 20)), 1, 1 << 20);
  if (name == "count") return ok(Json.integer(++runs));
  return permanent("no case " + name);
}

function whole(a: Answer): Result { return a.pass(a.value); }

function execution(e: Json): Result {
  const out = Json.object();
  for (let i = 0; i < e.names.length; i++) {
    out.set(e.names[i], e.names[i] == "token" ? Json.string(e.items[i].asInteger().toString()) : e.items[i]);
  }
  return ok(out);
}

function change(key: string, value: Json, ttlMs: i64): Result {
  const before = get(key);
  if (before.failure) return before.pass();
  const stored = set(key, value, ttlMs);
  if (stored.failure) return stored.pass();
  const after = get(key);
  return after.pass(Json.object().set("before", before.value).set("after", after.value));
}

function keys(prefix: string): Result {
  const out = Json.array();
  let after = "", more = true;
  while (more) {
    const page = list(prefix, after);
    if (page.failure) return page.pass();
    more = page.value.get("more").isTrue;
    const entries = page.value.get("entries").items;
    for (let i = 0; i < entries.length; i++) {
      after = entries[i].get("key").asString();
      out.push(Json.string(after));
    }
  }
  return ok(out);
}

function page(d: Json, body: string): Result {
  const a = http(d.get("method").asString(), d.get("url").asString(), d.get("headers"), body);
  const types = a.value.get("headers").get("Content-Type").items;
  return a.pass(Json.object()
    .set("status", Json.integer(a.value.get("status").asInteger()))
    .set("type", Json.string(types.length ? types[0].asString() : ""))
    .set("body", Json.string(textOf(a.payload)))
    .set("retryAfterMs", Json.integer(a.value.get("retryAfterMs").asInteger())));
}

function hexadecimal(a: Answer): Result {
  const bytes = Uint8Array.wrap(a.payload);
  const out: string[] = [];
  for (let i = 0; i < bytes.length; i++) out.push(bytes[i].toString(16).padStart(2, "0"));
  return a.pass(Json.string(out.join("")));
}
