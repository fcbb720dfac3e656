// Package process runs plugins that are programs of the operating system, each
// in a process of its own. It implements host.Runtime on Linux; docs/abi.md
// describes what a program must do. On other systems New fails, because nothing
// there keeps the promises below.
//
// A process is held more weakly than a WebAssembly module: it talks to the
// kernel. docs/plugins.md says what that means.
//
// # Life of a process
//
//  1. Load looks at the program and copies it into sealed memory (image.go). That
//     copy is executed; no path is opened again.
//  2. A start begins in a thread that lives as long as the Runtime
//     (starter.go), because the kernel ties the child's death to it. It executes
//     the server's own binary, where RunIfChild confines the process
//     (child.go, landlock.go, seccomp.go) and then executes the program.
//  3. go-plugin's handshake finds the socket (command.go). The connection is the
//     host's own (process.go): go-plugin's client would serve the plugin too.
//  4. A run is one stream of the connection (run.go). Its operations go to the
//     host.Caller, as a module's do.
//  5. A run that is over is told so, and has a moment to end. If it does not, the
//     whole process group is killed, with all runs in it.
//  6. A process that ends by itself is started again when the next run comes, after
//     a delay that grows while nothing succeeds (backoff.go).
//
// With host.InitPerRun every run has a process of its own, started for it and
// killed after it.
//
// # Who shares what
//
// Runs in one process share its fate, its memory limit, its standard output and
// what they compute: processor time is charged to the runs that are in it at the
// time, in equal parts.
package process
