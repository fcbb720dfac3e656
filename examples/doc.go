// Package examples holds plugins in several languages, each with all that is
// needed to write more of them, and the tests that hold them to docs/abi.md.
package examples
