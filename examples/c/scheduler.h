// scheduler.h is all that a plugin in C needs: the ABI of docs/abi.md, and as
// much JSON as a handler takes. It needs no C library. Include it in one file,
// and define there
//
//     const char *task_manifest = "{\"abi\":1,\"name\":\"greeter\",\"version\":\"1.0.0\"}";
//     task_result task_run(task_request request) { … }
//
// Memory is taken by task_room and never given back: every run starts with the
// memory as it was when the module was loaded. Text is not terminated by a zero.
// What the host sends is valid JSON, so the readers below do not check it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- text ----

// A task_text is a piece of UTF-8, or of JSON. at is NULL where nothing is.
typedef struct {
  const char *at;
  size_t length;
} task_text;

#define TASK_TEXT(literal) ((task_text){(literal), sizeof(literal) - 1})

// task_string is the text of a string that ends with a zero.
static inline task_text task_string(const char *s) { return (task_text){s, __builtin_strlen(s)}; }

static inline bool task_equal(task_text a, task_text b) {
  if (a.length != b.length) return false;
  for (size_t i = 0; i < a.length; i++)
    if (a.at[i] != b.at[i]) return false;
  return true;
}

size_t strlen(const char *s) {
  size_t n = 0;
  while (s[n]) n++;
  return n;
}

// ---- memory and the end ----

typedef struct {
  const char *at;
  uint32_t length;
} task_wasi_piece;

__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_write"))) int32_t
task_wasi_write(int32_t fd, const task_wasi_piece *pieces, int32_t count, uint32_t *written);

extern char __heap_base; // set by the linker: where the data ends
static uintptr_t task_used;

// task_room takes memory, aligned for anything. Where the host gives no more,
// the run ends as PLUGIN_MEMORY_LIMIT.
static void *task_room(size_t length) {
  if (!task_used) task_used = ((uintptr_t)&__heap_base + 15) & ~(uintptr_t)15;
  uintptr_t at = task_used;
  uint64_t end = ((uint64_t)at + length + 15) & ~(uint64_t)15;
  uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) << 16;
  if (end > have && (end > UINT32_MAX || __builtin_wasm_memory_grow(0, (end - have + 0xffff) >> 16) == (size_t)-1))
    __builtin_trap();
  task_used = end;
  return (void *)at;
}

// task_panic ends the run as PLUGIN_TRAP, with this text as its error: the host
// takes the reason from the standard error. One write takes one piece.
_Noreturn static inline void task_panic(task_text why) {
  static const char prefix[] = "panic: ";
  char *line = task_room(sizeof prefix + why.length);
  __builtin_memcpy(line, prefix, sizeof prefix - 1);
  __builtin_memcpy(line + sizeof prefix - 1, why.at, why.length);
  uint32_t written;
  task_wasi_write(2, &(task_wasi_piece){line, sizeof prefix - 1 + why.length}, 1, &written);
  __builtin_trap();
}

// ---- writing JSON ----

// A json_out is text that grows. Start with json_out out = {0}.
typedef struct {
  char *at;
  size_t length, room;
} json_out;

static inline task_text json_text(const json_out *o) { return (task_text){o->at, o->length}; }

// json_add adds text as it is.
static void json_add(json_out *o, task_text text) {
  if (o->length + text.length > o->room) {
    o->room = 2 * (o->length + text.length) + 64;
    char *larger = task_room(o->room);
    __builtin_memcpy(larger, o->at, o->length);
    o->at = larger;
  }
  __builtin_memcpy(o->at + o->length, text.at, text.length);
  o->length += text.length;
}

static void json_byte(json_out *o, char c) { json_add(o, (task_text){&c, 1}); }

// json_next separates a value from the one before it.
static void json_next(json_out *o) {
  char last = o->length ? o->at[o->length - 1] : '[';
  if (last != '{' && last != '[' && last != ':') json_byte(o, ',');
}

static void json_open(json_out *o, char bracket) { json_next(o), json_byte(o, bracket); }
static void json_close(json_out *o, char bracket) { json_byte(o, bracket); }

// json_raw adds a value that is JSON already, or null when there is none.
static void json_raw(json_out *o, task_text value) {
  json_next(o);
  json_add(o, value.at ? value : TASK_TEXT("null"));
}

// json_string adds text as a string.
static void json_string(json_out *o, task_text text) {
  json_next(o);
  json_byte(o, '"');
  size_t plain = 0; // from here on nothing needs an escape
  for (size_t i = 0; i <= text.length; i++) {
    unsigned char c = i < text.length ? (unsigned char)text.at[i] : 0;
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    json_add(o, (task_text){text.at + plain, i - plain});
    plain = i + 1;
    if (i == text.length) break;
    char escape[] = {'\\', 'u', '0', '0', '0' + (c >> 4), "0123456789abcdef"[c & 15]};
    if (c >= 0x20) escape[1] = c;
    json_add(o, (task_text){escape, c >= 0x20 ? 2 : 6});
  }
  json_byte(o, '"');
}

// json_integer adds a number.
static void json_integer(json_out *o, int64_t n) {
  char digits[20];
  size_t at = sizeof digits;
  uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
  do digits[--at] = '0' + rest % 10;
  while (rest /= 10);
  if (n < 0) digits[--at] = '-';
  json_raw(o, (task_text){digits + at, sizeof digits - at});
}

static void json_bool(json_out *o, bool b) { json_raw(o, b ? TASK_TEXT("true") : TASK_TEXT("false")); }

// json_key begins a member of an object; a value follows.
static void json_key(json_out *o, const char *name) {
  json_string(o, task_string(name));
  json_byte(o, ':');
}

// The next three add a member with its value; text that is not there, no member.
static void json_put(json_out *o, const char *name, task_text raw) {
  if (raw.at) json_key(o, name), json_raw(o, raw);
}
static void json_put_string(json_out *o, const char *name, task_text text) {
  if (text.at) json_key(o, name), json_string(o, text);
}
static void json_put_integer(json_out *o, const char *name, int64_t n) { json_key(o, name), json_integer(o, n); }

// ---- reading JSON ----

static const char *json_space(const char *p, const char *end) {
  while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
  return p;
}

// json_value is the value at p.
static task_text json_value(const char *p, const char *end) {
  const char *begin = p = json_space(p, end);
  int depth = 0;
  for (bool quoted = false; p < end; p++) {
    if (quoted) {
      if (*p == '\\') p++;
      else if (*p == '"') quoted = false;
    } else if (*p == '"') {
      quoted = true;
    } else if (*p == '{' || *p == '[') {
      depth++;
    } else if (*p == '}' || *p == ']') {
      if (depth-- == 0) break;
    } else if (depth == 0 && (*p == ',' || *p == ':')) {
      break;
    }
  }
  while (p > begin && (p[-1] == ' ' || p[-1] == '\n' || p[-1] == '\r' || p[-1] == '\t')) p--;
  return (task_text){begin, p - begin};
}

// json_hex reads the four digits of an escape.
static uint32_t json_hex(const char *p) {
  uint32_t n = 0;
  for (int i = 0; i < 4; i++) n = n << 4 | (p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
  return n;
}

static size_t json_utf8(char *to, uint32_t c) {
  if (c < 0x80) return to[0] = c, 1;
  if (c < 0x800) return to[0] = 0xc0 | c >> 6, to[1] = 0x80 | (c & 63), 2;
  if (c < 0x10000) return to[0] = 0xe0 | c >> 12, to[1] = 0x80 | (c >> 6 & 63), to[2] = 0x80 | (c & 63), 3;
  return to[0] = 0xf0 | c >> 18, to[1] = 0x80 | (c >> 12 & 63), to[2] = 0x80 | (c >> 6 & 63), to[3] = 0x80 | (c & 63), 4;
}

// json_is_string tells whether a value is a string.
static bool json_is_string(task_text v) { return v.length >= 2 && v.at[0] == '"'; }

// json_read_string is the text of a string; no text for any other value.
static task_text json_read_string(task_text v) {
  if (!json_is_string(v)) return (task_text){0};
  char *text = task_room(v.length);
  size_t n = 0;
  for (const char *p = v.at + 1, *end = v.at + v.length - 1; p < end; p++) {
    if (*p != '\\') {
      text[n++] = *p;
      continue;
    }
    switch (*++p) {
    case 'b': text[n++] = '\b'; break;
    case 'f': text[n++] = '\f'; break;
    case 'n': text[n++] = '\n'; break;
    case 'r': text[n++] = '\r'; break;
    case 't': text[n++] = '\t'; break;
    case 'u': {
      uint32_t c = json_hex(p + 1);
      p += 4;
      bool high = c >= 0xd800 && c < 0xdc00;
      if (high && p + 6 < end + 1 && p[1] == '\\' && p[2] == 'u') {
        uint32_t low = json_hex(p + 3);
        if (low >= 0xdc00 && low < 0xe000) c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00), p += 6;
      }
      if (c >= 0xd800 && c < 0xe000) c = 0xfffd; // half of a pair
      n += json_utf8(text + n, c);
      break;
    }
    default: text[n++] = *p;
    }
  }
  return (task_text){text, n};
}

// json_item is the value at an index of an array, or the name (even) or value
// (odd) of an object's member, nothing beyond the end.
static task_text json_item(task_text v, size_t index) {
  if (v.length < 2 || (v.at[0] != '{' && v.at[0] != '[')) return (task_text){0};
  const char *p = v.at + 1, *end = v.at + v.length - 1;
  for (size_t i = 0; (p = json_space(p, end)) < end; i++) {
    task_text item = json_value(p, end);
    if (i == index) return item;
    p = json_space(item.at + item.length, end) + 1;
  }
  return (task_text){0};
}

// json_member is the value of an object's member, nothing when there is none.
static task_text json_member(task_text v, const char *name) {
  if (v.length < 2 || v.at[0] != '{') return (task_text){0};
  const char *p = v.at + 1, *end = v.at + v.length - 1;
  while ((p = json_space(p, end)) < end) {
    task_text key = json_value(p, end);
    task_text value = json_value(json_space(key.at + key.length, end) + 1, end);
    if (task_equal(json_read_string(key), task_string(name))) return value;
    p = json_space(value.at + value.length, end) + 1;
  }
  return (task_text){0};
}

// json_read_integer is the whole part of a number without an exponent; 0 for any
// other value. It is exact: fencing tokens do not fit into a double.
static int64_t json_read_integer(task_text v) {
  int64_t n = 0;
  size_t i = v.length && v.at[0] == '-';
  for (; i < v.length && v.at[i] >= '0' && v.at[i] <= '9'; i++) n = 10 * n + (v.at[i] - '0');
  return v.length && v.at[0] == '-' ? -n : n;
}

// json_read_number is a number, right to some fifteen digits.
static inline double json_read_number(task_text v) {
  double n = 0;
  int scale = 0, exponent = 0;
  size_t i = v.length && v.at[0] == '-';
  for (bool fraction = false; i < v.length && v.at[i] != 'e' && v.at[i] != 'E'; i++) {
    if (v.at[i] == '.') fraction = true;
    else n = 10 * n + (v.at[i] - '0'), scale -= fraction;
  }
  if (i < v.length) {
    if (v.at[++i] == '+') i++;
    exponent = (int)json_read_integer((task_text){v.at + i, v.length - i});
  }
  for (scale += exponent; scale > 0 && scale < 400; scale--) n *= 10;
  for (; scale < 0 && scale > -400; scale++) n /= 10;
  return v.length && v.at[0] == '-' ? -n : n;
}

static inline task_text json_member_string(task_text v, const char *name) { return json_read_string(json_member(v, name)); }
static inline int64_t json_member_integer(task_text v, const char *name) { return json_read_integer(json_member(v, name)); }

// ---- frames ----

// A task_frame is a header and a payload.
typedef struct {
  task_text header, payload;
} task_frame;

static task_text task_encode(task_frame f) {
  char *at = task_room(4 + f.header.length + f.payload.length);
  uint32_t n = f.header.length;
  __builtin_memcpy(at, &n, 4); // WebAssembly is little-endian, and so are frames
  __builtin_memcpy(at + 4, f.header.at, f.header.length);
  __builtin_memcpy(at + 4 + n, f.payload.at, f.payload.length);
  return (task_text){at, 4 + f.header.length + f.payload.length};
}

static task_frame task_decode(task_text bytes) {
  uint32_t n;
  __builtin_memcpy(&n, bytes.at, 4);
  return (task_frame){{bytes.at + 4, n}, {bytes.at + 4 + n, bytes.length - 4 - n}};
}

// ---- what a handler gets and gives ----

// A task_request is the task's data, JSON, and the execution: an object with the
// members of docs/abi.md.
typedef struct {
  task_text data, execution;
} task_request;

// A task_result is how a run ends. Make it with one of the functions below.
typedef struct {
  task_text value;   // JSON; none for null
  const char *kind;  // of the error; NULL after a success
  task_text message;
  int64_t retry_after_ms;
} task_result;

static inline task_result task_ok(task_text json) { return (task_result){.value = json}; }
static inline task_result task_retryable(task_text message) { return (task_result){.kind = "retryable", .message = message}; }
static inline task_result task_permanent(task_text message) { return (task_result){.kind = "permanent", .message = message}; }
static inline task_result task_retry_after(int64_t ms, task_text message) {
  return (task_result){.kind = "retryable", .message = message, .retry_after_ms = ms};
}

extern const char *task_manifest;
task_result task_run(task_request request);

// ---- operations ----

__attribute__((import_module("task"), import_name("call"))) uint32_t
task_import_call(const char *op, uint32_t op_length, const char *in, uint32_t in_length);
__attribute__((import_module("task"), import_name("take"))) void task_import_take(char *at);

// A task_answer is what an operation came to: error is the error, JSON, if there
// is one; value and payload are the answer otherwise.
typedef struct {
  task_text value, payload, error;
} task_answer;

// task_call asks the host for an operation. args is a JSON object; nothing stands
// for an empty one.
static task_answer task_call(const char *op, task_text args, task_text payload) {
  if (!args.at) args = TASK_TEXT("{}");
  task_text in = task_encode((task_frame){args, payload});
  uint32_t n = task_import_call(op, task_string(op).length, in.at, in.length);
  char *at = task_room(n);
  task_import_take(at);
  task_frame f = task_decode((task_text){at, n});
  return (task_answer){json_member(f.header, "value"), f.payload, json_member(f.header, "error")};
}

static inline bool task_failed(task_answer a) { return a.error.at != NULL; }

// task_pass_on makes an operation's error the error of the run, of its kind.
static inline task_result task_pass_on(task_answer a) {
  bool permanent = !task_equal(json_member_string(a.error, "kind"), TASK_TEXT("retryable"));
  task_text message = json_member_string(a.error, "message");
  return permanent ? task_permanent(message) : task_retry_after(json_member_integer(a.error, "retryAfterMs"), message);
}

// task_log writes a line to the execution's log: level is debug, info, warn or
// error, fields a JSON object or nothing.
static inline void task_log(const char *level, task_text message, task_text fields) {
  json_out args = {0};
  json_open(&args, '{');
  json_put_string(&args, "level", task_string(level));
  json_put_string(&args, "message", message);
  json_put(&args, "fields", fields);
  json_close(&args, '}');
  task_call("log", json_text(&args), (task_text){0});
}

// task_config is the plugin's config, a JSON object.
static inline task_text task_config(void) { return task_call("config", (task_text){0}, (task_text){0}).value; }

// task_call_with is task_call with one or two members as arguments. text is
// written as a string; raw is JSON.
static task_answer task_call_with(const char *op, const char *name, task_text text, const char *second, task_text raw) {
  json_out args = {0};
  json_open(&args, '{');
  json_put_string(&args, name, text);
  json_put(&args, second, raw);
  json_close(&args, '}');
  return task_call(op, json_text(&args), (task_text){0});
}

// task_get is what is kept under a key: a value of no length when there is none.
static inline task_answer task_get(task_text key) {
  task_answer a = task_call_with("kv.get", "key", key, "", (task_text){0});
  a.value = json_member(a.value, "value");
  return a;
}

// task_set keeps JSON under a key, for ttl_ms or, when that is 0, until it is
// deleted. It is stored with the success of the run.
static inline task_answer task_set(task_text key, task_text json, int64_t ttl_ms) {
  json_out args = {0};
  json_open(&args, '{');
  json_put_string(&args, "key", key);
  json_put(&args, "value", json);
  json_put_integer(&args, "ttlMs", ttl_ms);
  json_close(&args, '}');
  return task_call("kv.set", json_text(&args), (task_text){0});
}

static inline task_answer task_delete(task_text key) { return task_call_with("kv.delete", "key", key, "", (task_text){0}); }

// task_list is a page of what is kept: {"entries": [{"key", "value"}, …], "more"}.
// after is the last key of the page before, empty for the first.
static inline task_answer task_list(task_text prefix, task_text after) {
  json_out quoted = {0};
  json_string(&quoted, after);
  return task_call_with("kv.list", "prefix", prefix, "after", json_text(&quoted));
}

// task_publish publishes an event with the success of the run. data is JSON or
// nothing.
static inline task_answer task_publish(task_text type, task_text data) { return task_call_with("publish", "type", type, "data", data); }

// task_enqueue makes a task with the success of the run; the value is
// {"taskId"}. name, data and run_at (RFC 3339) may be nothing.
static inline task_answer task_enqueue(task_text type, task_text name, task_text data, task_text run_at) {
  json_out args = {0};
  json_open(&args, '{');
  json_put_string(&args, "type", type);
  json_put_string(&args, "name", name);
  json_put(&args, "data", data);
  json_put_string(&args, "runAt", run_at);
  json_close(&args, '}');
  return task_call("enqueue", json_text(&args), (task_text){0});
}

// task_notify sends a notification with the success of the run; the value is
// {"id"}. via is a JSON array of routes or nothing.
static inline task_answer task_notify(task_text channel_id, task_text message, task_text via) {
  json_out args = {0};
  json_open(&args, '{');
  json_put_string(&args, "channelId", channel_id);
  json_put_string(&args, "message", message);
  json_put(&args, "via", via);
  json_close(&args, '}');
  return task_call("notify", json_text(&args), (task_text){0});
}

// task_progress says how far the run is: 0 to 100 percent, and up to 200 bytes of
// text.
static inline task_answer task_progress(int64_t percent, task_text message) {
  json_out n = {0};
  json_integer(&n, percent);
  return task_call_with("progress", "message", message, "percent", json_text(&n));
}

// task_checkpoint keeps JSON for the next attempt of this execution, at once.
// task_load_checkpoint is what was kept last: a value of no length when there is
// nothing.
static inline task_answer task_checkpoint(task_text json) { return task_call_with("checkpoint", "", (task_text){0}, "value", json); }
static inline task_answer task_load_checkpoint(void) {
  task_answer a = task_call("checkpoint.get", (task_text){0}, (task_text){0});
  a.value = json_member(a.value, "value");
  return a;
}

// task_http makes a request; the value is {"status", "url", "headers",
// "retryAfterMs"} and the payload is the body. method may be nothing (GET);
// headers is a JSON object of arrays of strings, or nothing.
static inline task_answer task_http(task_text method, task_text url, task_text headers, task_text body) {
  json_out args = {0};
  json_open(&args, '{');
  json_put_string(&args, "method", method);
  json_put_string(&args, "url", url);
  json_put(&args, "headers", headers);
  json_close(&args, '}');
  return task_call("http", json_text(&args), body);
}

// task_secret is the placeholder of a secret for task_http, a JSON string.
static inline task_answer task_secret(task_text name) { return task_call_with("secret", "name", name, "", (task_text){0}); }

// task_now is the host's time, RFC 3339.
static inline task_text task_now(void) {
  return json_member_string(task_call("clock", (task_text){0}, (task_text){0}).value, "now");
}

// task_left_ms is how much time the run has left.
static inline int64_t task_left_ms(void) {
  return json_member_integer(task_call("deadline", (task_text){0}, (task_text){0}).value, "leftMs");
}

// task_random is up to 4096 random bytes, as the payload of the answer.
static inline task_answer task_random(int64_t count) {
  json_out n = {0};
  json_integer(&n, count);
  task_answer a = task_call_with("random", "", (task_text){0}, "bytes", json_text(&n));
  task_text base64 = json_member_string(a.value, "bytes");
  char *bytes = task_room(base64.length);
  size_t length = 0;
  uint32_t bits = 0;
  for (size_t i = 0, have = 0; i < base64.length && base64.at[i] != '='; i++) {
    char c = base64.at[i];
    bits = bits << 6 | (c == '+' ? 62 : c == '/' ? 63 : c <= '9' ? c - '0' + 52 : c <= 'Z' ? c - 'A' : c - 'a' + 26);
    if ((have += 6) >= 8) have -= 8, bytes[length++] = bits >> have;
  }
  a.payload = (task_text){bytes, length};
  return a;
}

// task_sleep waits. A run that ends meanwhile ends here.
static inline task_answer task_sleep(int64_t ms) {
  json_out n = {0};
  json_integer(&n, ms);
  return task_call_with("sleep", "", (task_text){0}, "ms", json_text(&n));
}

// ---- the exports ----

static inline uint64_t task_give(task_text frame) { return (uint64_t)(uintptr_t)frame.at << 32 | frame.length; }

__attribute__((export_name("task_abi_v1"))) void task_export_abi(void) {}

__attribute__((export_name("task_alloc"))) void *task_export_alloc(uint32_t length) { return task_room(length); }

__attribute__((export_name("task_describe"))) uint64_t task_export_describe(void) {
  return task_give(task_encode((task_frame){task_string(task_manifest), {0}}));
}

__attribute__((export_name("task_handle"))) uint64_t task_export_handle(const char *at, uint32_t length) {
  task_frame in = task_decode((task_text){at, length});
  task_result r = task_run((task_request){json_value(in.payload.at, in.payload.at + in.payload.length), json_member(in.header, "execution")});
  json_out header = {0};
  json_open(&header, '{');
  if (r.kind) {
    json_key(&header, "error");
    json_open(&header, '{');
    json_put_string(&header, "kind", task_string(r.kind));
    json_put_string(&header, "message", r.message);
    if (r.retry_after_ms) json_put_integer(&header, "retryAfterMs", r.retry_after_ms);
    json_close(&header, '}');
  }
  json_close(&header, '}');
  return task_give(task_encode((task_frame){json_text(&header), r.kind ? (task_text){0} : r.value}));
}
