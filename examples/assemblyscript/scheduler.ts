// All that a plugin in AssemblyScript needs: the ABI of docs/abi.md, and JSON.
// Put it beside a file that says
//
//     import { plugin, Request, Result, ok } from "./scheduler";
//     export { task_abi_v1, task_alloc, task_describe, task_handle } from "./scheduler";
//
//     plugin(`{"abi": 1, "name": "greeter", "version": "1.0.0"}`, (request: Request): Result => { … });
//
// Build it with --runtime stub, which never frees memory: every run starts with
// the memory as it was when the module was loaded. There are no exceptions in
// AssemblyScript: operations return their error, and `throw` ends the run as
// PLUGIN_TRAP. The readers below trust the host, which sends valid JSON only.

// ---- JSON ----

export enum Kind { Null, Bool, Number, String, Array, Object }

const NO_NAMES: string[] = [];
const NO_ITEMS: Json[] = [];

// Json is a JSON value. A number is kept as it is written, so that a fencing
// token, which no f64 holds, stays exact.
export class Json {
  constructor(readonly kind: Kind, readonly text: string, readonly names: string[] = NO_NAMES, readonly items: Json[] = NO_ITEMS) {}

  static bool(b: bool): Json { return new Json(Kind.Bool, b ? "true" : "false"); }
  static integer(n: i64): Json { return new Json(Kind.Number, n.toString()); }
  static number(n: f64): Json { return isFinite(n) ? new Json(Kind.Number, n.toString()) : NULL; }
  static string(text: string): Json { return new Json(Kind.String, text); }
  static array(): Json { return new Json(Kind.Array, "", NO_NAMES, []); }
  static object(): Json { return new Json(Kind.Object, "", [], []); }

  // parse reads a text.
  static parse(text: string): Json { return new Reader(text).value(); }

  // set adds a member to an object, and push an item to an array.
  set(name: string, value: Json): Json {
    this.names.push(name);
    this.items.push(value);
    return this;
  }
  push(value: Json): Json {
    this.items.push(value);
    return this;
  }

  // get is a member of an object; null when there is none.
  get(name: string): Json {
    const i = this.kind == Kind.Object ? this.names.indexOf(name) : -1;
    return i < 0 ? NULL : this.items[i];
  }

  get isNull(): bool { return this.kind == Kind.Null; }
  get isTrue(): bool { return this.kind == Kind.Bool && this.text == "true"; }

  // The next three are empty or zero for a value of another kind.
  asString(): string { return this.kind == Kind.String ? this.text : ""; }
  asInteger(): i64 { return this.kind == Kind.Number ? I64.parseInt(this.text) : 0; }
  asNumber(): f64 { return this.kind == Kind.Number ? F64.parseFloat(this.text) : 0; }

  // toString renders the value as JSON.
  toString(): string {
    const out: string[] = [];
    this.write(out);
    return out.join("");
  }

  private write(out: string[]): void {
    switch (this.kind) {
      case Kind.String: return quote(this.text, out);
      case Kind.Array:
      case Kind.Object: {
        const object = this.kind == Kind.Object;
        out.push(object ? "{" : "[");
        for (let i = 0; i < this.items.length; i++) {
          if (i > 0) out.push(",");
          if (object) {
            quote(this.names[i], out);
            out.push(":");
          }
          this.items[i].write(out);
        }
        out.push(object ? "}" : "]");
        return;
      }
      default: out.push(this.text);
    }
  }
}

export const NULL: Json = new Json(Kind.Null, "null");

function quote(text: string, out: string[]): void {
  out.push('"');
  let plain = 0; // from here on nothing needs an escape
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c >= 0x20 && c != 0x22 && c != 0x5c) continue;
    out.push(text.substring(plain, i));
    out.push(c < 0x20 ? "\\u" + c.toString(16).padStart(4, "0") : "\\" + String.fromCharCode(c));
    plain = i + 1;
  }
  out.push(text.substring(plain));
  out.push('"');
}

class Reader {
  private at: i32 = 0;

  constructor(private readonly text: string) {}

  // peek is the next character that is no space, -1 at the end.
  private peek(): i32 {
    while (this.at < this.text.length) {
      const c = this.text.charCodeAt(this.at);
      if (c != 0x20 && c != 0x0a && c != 0x0d && c != 0x09) return c;
      this.at++;
    }
    return -1;
  }

  value(): Json {
    switch (this.peek()) {
      case 0x22: return Json.string(this.string()); // "
      case 0x7b: { // {
        const object = Json.object();
        this.at++;
        while (this.more(0x7d)) {
          this.peek();
          const name = this.string();
          this.peek();
          this.at++; // :
          object.set(name, this.value());
        }
        return object;
      }
      case 0x5b: { // [
        const array = Json.array();
        this.at++;
        while (this.more(0x5d)) array.push(this.value());
        return array;
      }
    }
    return this.word();
  }

  // more skips a comma, or the bracket after the last item.
  private more(end: i32): bool {
    const c = this.peek();
    if (c == end || c == 0x2c) this.at++;
    return c != end && c != -1;
  }

  // word reads true, false, null or a number.
  private word(): Json {
    const from = this.at;
    while (this.at < this.text.length) {
      const c = this.text.charCodeAt(this.at);
      if (c == 0x2c || c == 0x5d || c == 0x7d || c <= 0x20) break;
      this.at++;
    }
    const word = this.text.substring(from, this.at);
    if (word == "null" || word == "") return NULL;
    return word == "true" || word == "false" ? Json.bool(word == "true") : new Json(Kind.Number, word);
  }

  private string(): string {
    const pieces: string[] = [];
    let plain = ++this.at;
    for (; this.at < this.text.length; this.at++) {
      const c = this.text.charCodeAt(this.at);
      if (c == 0x22) break;
      if (c != 0x5c) continue;
      pieces.push(this.text.substring(plain, this.at));
      pieces.push(this.escape());
      plain = this.at + 1;
    }
    const last = this.text.substring(plain, this.at++);
    if (pieces.length == 0) return last;
    pieces.push(last);
    return pieces.join("");
  }

  // escape reads what follows a backslash, up to its last character. Both halves
  // of a pair are escapes of their own, as they are characters of their own.
  private escape(): string {
    const c = this.text.charCodeAt(++this.at);
    switch (c) {
      case 0x62: return "\b";
      case 0x66: return "\f";
      case 0x6e: return "\n";
      case 0x72: return "\r";
      case 0x74: return "\t";
      case 0x75: {
        this.at += 4;
        return String.fromCharCode(<i32>I32.parseInt(this.text.substring(this.at - 3, this.at + 1), 16));
      }
    }
    return String.fromCharCode(c);
  }
}

// ---- what a handler gets and gives ----

// Request is what a run is asked to do: the task's data, and the execution, an
// object with the members of docs/abi.md.
export class Request {
  constructor(readonly data: Json, readonly execution: Json) {}
}

// Failure is how a run or an operation fails: kind is "retryable", "permanent" or,
// for an operation that is not granted, "denied".
export class Failure {
  constructor(readonly kind: string, readonly message: string, readonly retryAfterMs: i64 = 0) {}
}

// Result is how a run ends: with a value, or with a failure.
export class Result {
  constructor(readonly value: Json, readonly failure: Failure | null) {}
}

export function ok(value: Json = NULL): Result { return new Result(value, null); }
export function fail(failure: Failure): Result { return new Result(NULL, failure); }

// retryable may be gone in the next attempt, permanent will not; retryAfter is
// gone after some milliseconds.
export function retryable(message: string): Result { return fail(new Failure("retryable", message)); }
export function permanent(message: string): Result { return fail(new Failure("permanent", message)); }
export function retryAfter(ms: i64, message: string): Result { return fail(new Failure("retryable", message, ms)); }

// ---- frames ----

function utf8(text: string): ArrayBuffer { return String.UTF8.encode(text, false, String.UTF8.ErrorMode.REPLACE); }

function encode(header: string, payload: ArrayBuffer): ArrayBuffer {
  const head = utf8(header);
  const frame = new ArrayBuffer(4 + head.byteLength + payload.byteLength);
  const at = changetype<usize>(frame);
  store<u32>(at, head.byteLength);
  memory.copy(at + 4, changetype<usize>(head), head.byteLength);
  memory.copy(at + 4 + head.byteLength, changetype<usize>(payload), payload.byteLength);
  return frame;
}

function headerOf(frame: usize): Json { return Json.parse(String.UTF8.decodeUnsafe(frame + 4, load<u32>(frame))); }

// ---- operations ----

@external("task", "call")
declare function taskCall(op: usize, opLength: usize, input: usize, inputLength: usize): usize;

@external("task", "take")
declare function taskTake(at: usize): void;

// Answer is what an operation came to. Without a failure, value and payload are
// the host's answer.
export class Answer {
  constructor(readonly value: Json, readonly payload: ArrayBuffer, readonly failure: Failure | null) {}

  // pass makes a result of it: a value, or the operation's failure.
  pass(value: Json = NULL): Result { return new Result(value, this.failure); }
}

// call asks the host for an operation, with an object of arguments and a payload.
export function call(op: string, args: Json = Json.object(), payload: ArrayBuffer = new ArrayBuffer(0)): Answer {
  const name = utf8(op);
  const input = encode(args.toString(), payload);
  const n = taskCall(changetype<usize>(name), name.byteLength, changetype<usize>(input), input.byteLength);
  const frame = new ArrayBuffer(<i32>n);
  taskTake(changetype<usize>(frame));
  const header = headerOf(changetype<usize>(frame));
  const e = header.get("error");
  let failure: Failure | null = null;
  if (!e.isNull) failure = new Failure(e.get("kind").asString(), e.get("message").asString(), e.get("retryAfterMs").asInteger());
  return new Answer(header.get("value"), frame.slice(4 + load<u32>(changetype<usize>(frame))), failure);
}

// log writes a line to the execution's log. level is debug, info, warn or error;
// fields is an object. A lost line fails nothing.
export function log(level: string, message: string, fields: Json = NULL): void {
  const args = Json.object().set("level", Json.string(level)).set("message", Json.string(message));
  if (!fields.isNull) args.set("fields", fields);
  call("log", args);
}

// config is the plugin's config, an object.
export function config(): Json { return call("config").value; }

// get is what is kept under a key, the answer's value; null when there is nothing.
export function get(key: string): Answer {
  const a = call("kv.get", Json.object().set("key", Json.string(key)));
  return new Answer(a.value.get("value"), a.payload, a.failure);
}

// set keeps a value under a key for some milliseconds, or until it is deleted when
// that is 0. It is stored with the success of the run.
export function set(key: string, value: Json, ttlMs: i64 = 0): Answer {
  return call("kv.set", Json.object().set("key", Json.string(key)).set("value", value).set("ttlMs", Json.integer(ttlMs)));
}

// remove deletes a key.
export function remove(key: string): Answer { return call("kv.delete", Json.object().set("key", Json.string(key))); }

// list is a page of what is kept: {"entries": [{"key", "value"}, …], "more"}. after
// is the last key of the page before.
export function list(prefix: string, after: string = ""): Answer {
  return call("kv.list", Json.object().set("prefix", Json.string(prefix)).set("after", Json.string(after)));
}

// publish publishes an event with the success of the run; the value is {"id"}.
export function publish(type: string, data: Json = NULL): Answer {
  return call("publish", Json.object().set("type", Json.string(type)).set("data", data));
}

// enqueue makes a task with the success of the run; the value is {"taskId"}. An
// empty name is left to the host; runAt is RFC 3339, empty for at once.
export function enqueue(type: string, name: string = "", data: Json = NULL, runAt: string = ""): Answer {
  const args = Json.object().set("type", Json.string(type)).set("name", Json.string(name));
  if (!data.isNull) args.set("data", data);
  if (runAt != "") args.set("runAt", Json.string(runAt));
  return call("enqueue", args);
}

// notify sends a notification with the success of the run; the value is {"id"}.
export function notify(channelId: string, message: string, via: string[] = []): Answer {
  const routes = Json.array();
  for (let i = 0; i < via.length; i++) routes.push(Json.string(via[i]));
  return call("notify", Json.object().set("channelId", Json.string(channelId)).set("message", Json.string(message)).set("via", routes));
}

// progress says how far the run is: 0 to 100 percent, and up to 200 bytes of text.
export function progress(percent: f64, message: string): Answer {
  return call("progress", Json.object().set("percent", Json.number(percent)).set("message", Json.string(message)));
}

// checkpoint keeps a value for the next attempt of this execution, at once.
// loadCheckpoint is what was kept last, the answer's value; null when there is
// nothing.
export function checkpoint(value: Json): Answer { return call("checkpoint", Json.object().set("value", value)); }
export function loadCheckpoint(): Answer {
  const a = call("checkpoint.get");
  return new Answer(a.value.get("value"), a.payload, a.failure);
}

// http makes a request; the value is {"status", "url", "headers", "retryAfterMs"},
// and the payload is the body: textOf reads it. An empty method is GET; headers is
// an object of arrays of strings. {{secret:name}} in the address and in the values of
// headers stands for a secret.
export function http(method: string, url: string, headers: Json = NULL, body: string = ""): Answer {
  const args = Json.object().set("method", Json.string(method)).set("url", Json.string(url));
  if (!headers.isNull) args.set("headers", headers);
  return call("http", args, utf8(body));
}

export function textOf(payload: ArrayBuffer): string { return String.UTF8.decode(payload); }

// secret is the placeholder of a secret, for http, a string.
export function secret(name: string): Answer { return call("secret", Json.object().set("name", Json.string(name))); }

// now is the host's time, RFC 3339, and leftMs how much of it the run has.
export function now(): string { return call("clock").value.get("now").asString(); }
export function leftMs(): i64 { return call("deadline").value.get("leftMs").asInteger(); }

// random is up to 4096 random bytes, the answer's payload.
export function random(count: i64): Answer {
  const a = call("random", Json.object().set("bytes", Json.integer(count)));
  const base64 = a.value.get("bytes").asString();
  const bytes = new Uint8Array((base64.length * 3) / 4);
  let bits: u32 = 0, have = 0, length = 0;
  for (let i = 0; i < base64.length; i++) {
    const c = base64.charCodeAt(i);
    if (c == 0x3d) break; // =
    bits = (bits << 6) | (c == 0x2b ? 62 : c == 0x2f ? 63 : c <= 0x39 ? c + 4 : c <= 0x5a ? c - 65 : c - 71);
    have += 6;
    if (have >= 8) {
      have -= 8;
      bytes[length++] = <u8>(bits >> have);
    }
  }
  return new Answer(a.value, bytes.buffer.slice(0, length), a.failure);
}

// sleep waits. A run that ends meanwhile ends here.
export function sleep(ms: i64): Answer { return call("sleep", Json.object().set("ms", Json.integer(ms))); }

// ---- the end ----

@external("wasi_snapshot_preview1", "fd_write")
declare function fdWrite(fd: i32, pieces: usize, count: i32, written: usize): i32;

// abort is what `throw` and failed assertions call: the host takes the error of the
// run from the standard error. Build with --use abort=scheduler/abort.
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const text = utf8("panic: " + (message === null ? "aborted" : message));
  const piece = new StaticArray<usize>(3); // address, length, and room for how much was written
  piece[0] = changetype<usize>(text);
  piece[1] = text.byteLength;
  fdWrite(2, changetype<usize>(piece), 1, changetype<usize>(piece) + 8);
  unreachable();
}

// ---- the exports ----

let manifest: string = "";
let handler: (request: Request) => Result = (_: Request): Result => permanent("no plugin is declared");

// plugin declares the plugin: its manifest, JSON, and its handler.
export function plugin(says: string, run: (request: Request) => Result): void {
  manifest = says;
  handler = run;
}

function give(frame: ArrayBuffer): u64 { return (<u64>changetype<usize>(frame) << 32) | frame.byteLength; }

export function task_abi_v1(): void {}

export function task_alloc(length: usize): usize { return heap.alloc(length); }

export function task_describe(): u64 { return give(encode(manifest, new ArrayBuffer(0))); }

export function task_handle(at: usize, length: usize): u64 {
  const data = at + 4 + load<u32>(at);
  const result = handler(new Request(Json.parse(String.UTF8.decodeUnsafe(data, at + length - data)), headerOf(at).get("execution")));
  const failure = result.failure;
  if (failure === null) return give(encode("{}", utf8(result.value.toString())));
  const e = Json.object().set("message", Json.string(failure.message)).set("retryAfterMs", Json.integer(failure.retryAfterMs));
  e.set("kind", Json.string(failure.kind == "retryable" ? "retryable" : "permanent"));
  return give(encode(Json.object().set("error", e).toString(), new ArrayBuffer(0)));
}
