// What a script can use. It declares its plugin with
//
//     scheduler.plugin({name: "greeter", version: "1.0.0", run(data, execution) { … }});
//
// and the other members of a manifest (docs/abi.md) if it likes. sample is data that
// run is called with when the module is loaded, with no effect, so that later runs
// find everything warm. Leave it out when run changes variables.
//
// What run returns is the result. What it throws ends the run: an Error is tried
// again by the task's retry policy, scheduler.permanent(text) is not, and
// scheduler.retryAfter(ms, text) no earlier than that. Operations throw too;
// their errors have a kind, "retryable" or "permanent", and can be left alone.
//
// There is no setTimeout, no fetch, no require; run is no async function.
const scheduler = (function () {
  let plugin;

  function failure(kind, message, retryAfterMs) {
    const e = new Error(message);
    e.kind = kind;
    e.retryAfterMs = retryAfterMs || 0;
    return e;
  }

  function call(op, args) {
    const value = native.call(op, JSON.stringify(args || {}));
    return value === "" ? null : JSON.parse(value);
  }

  function logger(level) {
    return (message, fields) => void call("log", {level, message, fields});
  }

  return {
    plugin(declaration) { plugin = declaration; },
    declared() { return plugin; },

    permanent: (message) => failure("permanent", message),
    retryAfter: (ms, message) => failure("retryable", message, ms),
    panic: (message) => native.panic(message), // ends the run as PLUGIN_TRAP

    // call asks for any operation of docs/abi.md without a payload.
    call,

    log: {debug: logger("debug"), info: logger("info"), warn: logger("warn"), error: logger("error")},
    config: () => call("config"),

    // What is kept: get answers undefined for a key that is not there. Changes are
    // stored with the success of the run.
    get: (key) => call("kv.get", {key}).value,
    set: (key, value, ttlMs) => void call("kv.set", {key, value, ttlMs}),
    delete: (key) => void call("kv.delete", {key}),
    keys(prefix) {
      const keys = [];
      for (let after = "", more = true; more;) {
        const page = call("kv.list", {prefix, after});
        for (const e of page.entries) keys.push(after = e.key);
        more = page.more && page.entries.length > 0;
      }
      return keys;
    },

    // An event, a task, and a notification, which come with the success of the run.
    // The answer is its id.
    publish: (type, data) => call("publish", {type, data}).id,
    enqueue: (task) => call("enqueue", task).taskId, // {type, name, data, runAt}
    notify: (notification) => call("notify", notification).id, // {channelId, message, via}

    // How far the run is, in percent, and where the next attempt of this execution
    // goes on. A checkpoint is kept at once; loadCheckpoint answers the last one, or
    // undefined.
    progress: (percent, message) => void call("progress", {percent, message}),
    checkpoint: (value) => void call("checkpoint", {value}),
    loadCheckpoint: () => call("checkpoint.get").value,

    // http makes a request {method, url, headers, body, timeoutMs, redirects}: headers
    // are strings by name, the body is text. {{secret:name}} in the address and in
    // headers stands for a secret. The answer is {status, url, headers, retryAfterMs,
    // body}, its headers arrays of strings.
    http: ({body, ...request}) => JSON.parse(native.http(JSON.stringify(request), body || "")),
    secret: (name) => call("secret", {name}),

    now: () => new Date(call("clock").now),
    leftMs: () => call("deadline").leftMs,
    random: (count) => new Uint8Array(native.random(count)),
    sleep: (ms) => void call("sleep", {ms}), // a run that ends meanwhile ends here
  };
})();

// The interpreter calls the rest.

function declare() {
  const plugin = scheduler.declared();
  if (!plugin || typeof plugin.run !== "function") throw new Error("the script declares no plugin: call scheduler.plugin({name, version, run})");
  return JSON.stringify(plugin);
}

function handle(data, execution) {
  const result = scheduler.declared().run(JSON.parse(data), execution);
  return result === undefined ? "null" : JSON.stringify(result);
}
