package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/plugins/discord"
	"github.com/nexuscore/scheduler/plugins/twitch"
	"github.com/nexuscore/scheduler/sdk"
)

const (
	// maxWait is how long a platform's wish for patience is waited out; a longer
	// one is left to the next attempt.
	maxWait = time.Minute
	// maxRefusals ends a run whose targets are refused one after the other:
	// platforms ban those who go on.
	maxRefusals = 10
)

// worklist does an action to all targets, and notes after each step where another
// attempt goes on.
type worklist struct {
	c       *sdk.Context
	actor   actor
	end     time.Time // nothing is done after it; zero: at any time
	targets []string

	done  progress
	ended bool // the end has passed
}

// progress is the checkpoint.
type progress struct {
	Next    int       `json:"next"`              // the first target that nothing was done to
	Singly  []string  `json:"singly,omitempty"`  // those before it that are to be done one by one
	Refused []refusal `json:"refused,omitempty"` // those that the platform will not have
}

// refusal is a target that another attempt makes no difference to.
type refusal struct {
	Target string `json:"target"`
	Error  string `json:"error"`
}

// count tells how many targets are as asked.
func (p progress) count(targets []string) int {
	return min(p.Next, len(targets)) - len(p.Singly) - len(p.Refused)
}

func (w *worklist) run() error {
	if _, err := w.c.LoadCheckpoint(&w.done); err != nil {
		return err
	}
	for len(w.done.Singly) > 0 || w.done.Next < len(w.targets) {
		if w.ended = !w.end.IsZero() && !w.end.After(w.c.Now()); w.ended {
			break
		}
		if err := w.step(); err != nil {
			return err
		}
		if err := w.c.Checkpoint(w.done); err != nil { // failing would make sure that it is done again
			w.c.Log.Warn("another attempt would do this again", "next", w.done.Next, "error", err)
		}
	}
	return w.refused()
}

// note says what has not been done, because the end has passed.
func (w *worklist) note() string {
	switch {
	case !w.ended:
		return ""
	case w.done.count(w.targets) == 0:
		return noteEnded
	}
	return noteEndedLast
}

// step does it to the next target, or to several at once.
func (w *worklist) step() error {
	if left := w.done.Singly; len(left) > 0 {
		return w.one(left[0], func() { w.done.Singly = left[1:] })
	}
	left := w.targets[w.done.Next:]
	n := w.actor.together(left)
	if n < 2 {
		return w.one(left[0], func() { w.done.Next++ })
	}
	var rest []string
	err := w.patiently(func() (err error) {
		rest, err = w.actor.many(left[:n])
		return err
	})
	if err != nil {
		return err
	}
	w.done.Next, w.done.Singly = w.done.Next+n, rest
	return nil
}

// one does it to one target, and goes past it with pass. A refusal of one among many
// does not keep it from the others.
func (w *worklist) one(target string, pass func()) error {
	err := w.patiently(func() error { return w.actor.one(target) })
	if err != nil && (len(w.targets) == 1 || !concernsTarget(err)) {
		return err
	}
	pass()
	if err == nil {
		return nil
	}
	w.c.Log.Warn("refused", "target", target, "error", err)
	w.done.Refused = append(w.done.Refused, refusal{target, err.Error()})
	if len(w.done.Refused) >= maxRefusals {
		return w.refused()
	}
	return nil
}

// patiently repeats what a rate limit has kept from happening.
func (w *worklist) patiently(do func() error) error {
	for {
		if err := do(); !w.c.WaitOut(err, maxWait) {
			return err
		}
	}
}

// concernsTarget tells whether a refusal says nothing of other targets. A token
// that is not accepted does.
func concernsTarget(err error) bool {
	return discord.IsStatus(err, 400, 403, 404) || twitch.IsStatus(err, 400, 403, 404)
}

// refused is the error of a run some of whose targets were refused.
func (w *worklist) refused() error {
	if len(w.done.Refused) == 0 {
		return nil
	}
	var told []string
	for _, r := range w.done.Refused[:min(3, len(w.done.Refused))] {
		told = append(told, r.Target+": "+r.Error)
	}
	text := fmt.Sprintf("%d of %d were refused, %d are done: %s", len(w.done.Refused), len(w.targets), w.done.count(w.targets), strings.Join(told, "; "))
	return sdk.Permanent(errors.New(text))
}
