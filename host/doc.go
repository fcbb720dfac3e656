// Package host owns the plugins: it reads plugins.yaml, loads what is listed
// there, decides what each plugin may do, and runs it. It implements
// core.Invoker and core.TypeCatalogue.
//
// # Life of a plugin
//
//  1. Load reads plugins.yaml. Every entry stands for itself: what is wrong with
//     one is reported on that type and disturbs no other.
//  2. The artifact is read once. Its digest is taken from, and checked against,
//     the very bytes that are handed to the Runtime.
//  3. The Runtime (host/wasm, host/process) checks and prepares it.
//  4. Describe asks for the manifest, in a run that can call nothing.
//  5. The manifest is held against the grants and limits, its schemas are compiled,
//     and the config is held against the config schema. A plugin with a sample
//     has to answer it; see rehearsal.
//  6. What is in force together is a generation. One pointer makes it current.
//  7. Invoke runs attempts on the current generation, each within the plugin's
//     limits. Operations that the plugin calls come back through a call, which
//     is where grants, budgets and logs are kept, for every runtime.
//  8. Reload loads what has changed and makes a new generation beside the old one,
//     or changes nothing. A plugin that was replaced finishes its attempts; the
//     last one is kept for Rollback, and others are closed.
//  9. A plugin that keeps crashing is started no more for a while; see breaker.
//
// # What a plugin can reach
//
// Nothing by default. An operation belongs to a capability, and the operator
// grants capabilities in plugins.yaml. Only what reaches nothing beyond the run's
// own execution needs no grant: log, config, clock, progress, checkpoint and the
// like. HTTP
// requests are made by the host, to the addresses and with the secrets that are
// granted; see web, exchange and dialler. A plugin that asks for more than it
// was granted is not loaded, or held back when another version works; one that
// uses what it was not granted ends with PLUGIN_DENIED.
package host
