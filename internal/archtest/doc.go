// Package archtest holds the house's import rules as a test, so that they also
// hold where no linter runs.
package archtest
