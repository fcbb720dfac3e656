// The handler of docs/conformance.md in JavaScript.

// runs counts what must never be seen by a second run.
let runs = 0;

const cases = {
  "nothing": () => undefined,
  "echo": ({value}) => value,
  "text": ({text}) => text,
  "quarters": ({value}) => value * 4,
  "execution": (_, execution) => execution,
  "config": () => scheduler.config(),
  "log": ({level, text, value}) => scheduler.log[level](text, value),
  "kv.set"({key, value, n}) {
    const before = scheduler.get(key);
    scheduler.set(key, value, n);
    return {before: before === undefined ? null : before, after: scheduler.get(key)};
  },
  "kv.delete"({key}) {
    scheduler.delete(key);
    return scheduler.get(key) !== undefined;
  },
  "kv.list": ({key}) => scheduler.keys(key),
  "publish": ({text, value}) => void scheduler.publish(text, value),
  "enqueue": ({text, name, value, runAt}) => scheduler.enqueue({type: text, name, data: value, runAt}),
  "notify": ({key, text}) => scheduler.notify({channelId: key, message: text, via: ["discord", "email"]}),
  "progress": ({n, text}) => scheduler.progress(n, text),
  "checkpoint"({value}) {
    const before = scheduler.loadCheckpoint();
    scheduler.checkpoint(value);
    return before;
  },
  "http"({method, url, headers = {}, text}) {
    const single = {};
    for (const name in headers) single[name] = headers[name][0];
    const {status, headers: answered, body, retryAfterMs} = scheduler.http({method, url, headers: single, body: text});
    return {status, type: (answered["Content-Type"] || [""])[0], body, retryAfterMs};
  },
  "secret": ({text}) => scheduler.secret(text),
  "call": ({text, value}) => scheduler.call(text, value),
  "swallow"({text, value}) {
    try {
      scheduler.call(text, value);
      return "none";
    } catch (e) {
      return e.kind;
    }
  },
  "clock": () => scheduler.now(),
  "deadline": () => scheduler.leftMs(),
  "random": ({n}) => Array.from(scheduler.random(n), (b) => (b < 16 ? "0" : "") + b.toString(16)).join(""),
  "sleep": ({n}) => scheduler.sleep(n),
  "retryable"({text}) { throw new Error(text); },
  "permanent"({text}) { throw scheduler.permanent(text); },
  "later"({text, n}) { throw scheduler.retryAfter(n, text); },
  "panic": ({text}) => scheduler.panic(text),
  "loop"() { for (;;) runs++; },
  "memory"() { for (const kept = [];;) kept.push(new Uint8Array(1 << 20).fill(1)); },
  "count": () => ++runs,
};

scheduler.plugin({
  name: "conformance",
  version: "1.0.0",
  dataSchema: {type: "object", required: ["case"]},
  configSchema: {type: "object"},
  sample: {case: "nothing"},

  run(data, execution) {
    const act = cases[data.case];
    if (!act) throw scheduler.permanent(`no case ${data.case}`);
    return act(data, execution);
  },
});
