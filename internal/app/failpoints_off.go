//go:build !failpoints

package app

import "github.com/nexuscore/scheduler/core"

// withFailpoints changes nothing: only a build with the tag failpoints can be
// told where to fail.
func withFailpoints(b *backends, i core.Invoker) core.Invoker { return i }
