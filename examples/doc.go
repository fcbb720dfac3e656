// Package examples holds plugins in several languages, each with all that is
// needed to write more of them, and the tests that hold them to docs/abi.md.
package examples

import "embed"

// Sources are the single-file SDKs of the languages other than Go, each in a
// directory of its language with a plugin that uses it, greeter. Not to be
// changed.
//
//go:embed c/scheduler.h c/greeter.c
//go:embed rust/scheduler.rs rust/greeter.rs
//go:embed assemblyscript/scheduler.ts assemblyscript/greeter.ts assemblyscript/package.json assemblyscript/package-lock.json
var Sources embed.FS
