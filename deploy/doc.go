// Package deploy has no code: it is the place of compose.yaml and the
// Dockerfile, and of the tests that hold them against the configuration.
package deploy
