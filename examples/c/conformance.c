// The handler of docs/conformance.md in C.
#include "scheduler.h"

const char *task_manifest =
    "{\"abi\": 1, \"name\": \"conformance\", \"version\": \"1.0.0\","
    " \"dataSchema\": {\"type\": \"object\", \"required\": [\"case\"]}, \"configSchema\": {\"type\": \"object\"},"
    " \"sample\": {\"case\": \"nothing\"}}";

// runs counts what must never be seen by a second run.
static int64_t runs;

// outcome is a value of the answer, or its error.
static task_result outcome(task_answer a, task_text value) { return task_failed(a) ? task_pass_on(a) : task_ok(value); }

static task_text quoted(task_text text) {
  json_out o = {0};
  json_string(&o, text);
  return json_text(&o);
}

static task_text number(int64_t n) {
  json_out o = {0};
  json_integer(&o, n);
  return json_text(&o);
}

static task_result execution(task_text e) {
  json_out o = {0};
  json_open(&o, '{');
  for (size_t i = 0; json_item(e, i).at; i += 2) {
    task_text name = json_read_string(json_item(e, i)), value = json_item(e, i + 1);
    json_raw(&o, json_item(e, i));
    json_byte(&o, ':');
    if (task_equal(name, TASK_TEXT("token"))) json_string(&o, number(json_read_integer(value)));
    else json_raw(&o, value);
  }
  json_close(&o, '}');
  return task_ok(json_text(&o));
}

static task_result set(task_text key, task_text value, int64_t ttl_ms) {
  task_answer before = task_get(key);
  if (task_failed(before)) return task_pass_on(before);
  task_answer stored = task_set(key, value, ttl_ms);
  if (task_failed(stored)) return task_pass_on(stored);
  task_answer after = task_get(key);
  if (task_failed(after)) return task_pass_on(after);
  json_out o = {0};
  json_open(&o, '{');
  json_key(&o, "before"), json_raw(&o, before.value);
  json_key(&o, "after"), json_raw(&o, after.value);
  json_close(&o, '}');
  return task_ok(json_text(&o));
}

static task_result delete(task_text key) {
  task_answer deleted = task_delete(key);
  if (task_failed(deleted)) return task_pass_on(deleted);
  task_answer after = task_get(key);
  return outcome(after, after.value.at ? TASK_TEXT("true") : TASK_TEXT("false"));
}

static task_result list(task_text prefix) {
  json_out o = {0};
  json_open(&o, '[');
  for (task_text after = TASK_TEXT("");;) {
    task_answer page = task_list(prefix, after);
    if (task_failed(page)) return task_pass_on(page);
    task_text entries = json_member(page.value, "entries"), entry;
    for (size_t i = 0; (entry = json_item(entries, i)).at; i++) {
      json_raw(&o, json_member(entry, "key"));
      after = json_member_string(entry, "key");
    }
    if (!task_equal(json_member(page.value, "more"), TASK_TEXT("true"))) break;
  }
  json_close(&o, ']');
  return task_ok(json_text(&o));
}

static task_result http(task_text d) {
  task_answer a = task_http(json_member_string(d, "method"), json_member_string(d, "url"), json_member(d, "headers"), json_member_string(d, "text"));
  if (task_failed(a)) return task_pass_on(a);
  task_text type = json_read_string(json_item(json_member(json_member(a.value, "headers"), "Content-Type"), 0));
  json_out o = {0};
  json_open(&o, '{');
  json_put_integer(&o, "status", json_member_integer(a.value, "status"));
  json_put_string(&o, "type", type.at ? type : TASK_TEXT(""));
  json_put_string(&o, "body", a.payload);
  json_put_integer(&o, "retryAfterMs", json_member_integer(a.value, "retryAfterMs"));
  json_close(&o, '}');
  return task_ok(json_text(&o));
}

static task_result swallow(task_answer a) {
  return task_ok(quoted(task_failed(a) ? json_member_string(a.error, "kind") : TASK_TEXT("none")));
}

static task_result random(int64_t count) {
  task_answer a = task_random(count);
  json_out hex = {0};
  for (size_t i = 0; i < a.payload.length; i++) {
    unsigned char c = a.payload.at[i];
    json_byte(&hex, "0123456789abcdef"[c >> 4]);
    json_byte(&hex, "0123456789abcdef"[c & 15]);
  }
  return outcome(a, quoted(json_text(&hex)));
}

static task_result unknown(task_text name) {
  json_out o = {0};
  json_add(&o, TASK_TEXT("no case "));
  json_add(&o, name);
  return task_permanent(json_text(&o));
}

static const char *string_of(task_text text) {
  char *s = task_room(text.length + 1);
  __builtin_memcpy(s, text.at, text.length);
  s[text.length] = 0;
  return s;
}

static task_answer by_name(task_text d) { return task_call(string_of(json_member_string(d, "text")), json_member(d, "value"), (task_text){0}); }

task_result task_run(task_request request) {
  task_text d = request.data;
  task_text name = json_member_string(d, "case"), text = json_member_string(d, "text"), key = json_member_string(d, "key");
  task_text value = json_member(d, "value");
  int64_t n = json_member_integer(d, "n");
#define CASE(literal) if (task_equal(name, TASK_TEXT(literal)))
  CASE("nothing") return task_ok((task_text){0});
  CASE("echo") return task_ok(value);
  CASE("text") return task_ok(quoted(text));
  CASE("quarters") return task_ok(number((int64_t)(json_read_number(value) * 4)));
  CASE("execution") return execution(request.execution);
  CASE("config") return task_ok(task_config());
  CASE("log") {
    task_log(string_of(json_member_string(d, "level")), text, value);
    return task_ok((task_text){0});
  }
  CASE("kv.set") return set(key, value, n);
  CASE("kv.delete") return delete(key);
  CASE("kv.list") return list(key);
  CASE("publish") return outcome(task_publish(text, value), (task_text){0});
  CASE("enqueue") {
    task_answer a = task_enqueue(text, json_member_string(d, "name"), value, json_member_string(d, "runAt"));
    return outcome(a, json_member(a.value, "taskId"));
  }
  CASE("notify") {
    task_answer a = task_notify(key, text, TASK_TEXT("[\"discord\",\"email\"]"));
    return outcome(a, json_member(a.value, "id"));
  }
  CASE("progress") return outcome(task_progress(n, text), (task_text){0});
  CASE("checkpoint") {
    task_answer before = task_load_checkpoint();
    return task_failed(before) ? task_pass_on(before) : outcome(task_checkpoint(value), before.value);
  }
  CASE("http") return http(d);
  CASE("secret") {
    task_answer a = task_secret(text);
    return outcome(a, a.value);
  }
  CASE("call") {
    task_answer a = by_name(d);
    return outcome(a, a.value);
  }
  CASE("swallow") return swallow(by_name(d));
  CASE("clock") return task_ok(quoted(task_now()));
  CASE("deadline") return task_ok(number(task_left_ms()));
  CASE("random") return random(n);
  CASE("sleep") return outcome(task_sleep(n), (task_text){0});
  CASE("retryable") return task_retryable(text);
  CASE("permanent") return task_permanent(text);
  CASE("later") return task_retry_after(n, text);
  CASE("panic") task_panic(text);
  CASE("loop") for (volatile int64_t *counter = &runs;; ++*counter) {}
  CASE("memory") for (;;) *(volatile char *)task_room(1 << 20) = 1;
  CASE("count") return task_ok(number(++runs));
  return unknown(name);
}
