package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
)

// figures are what a way showed, each the median over the rounds.
type figures struct {
	way      string
	p50, p99 time.Duration
	ratios   map[string]float64 // of this way's median to another's, in the same round
}

// measure lets the ways take turns. A round's figures are compared within the
// round, so that what the machine does meanwhile meets all of them.
func measure(ctx context.Context, ways []way, rounds int) []figures {
	p50s, p99s := map[string][]time.Duration{}, map[string][]time.Duration{}
	for range rounds {
		for _, w := range ways {
			runtime.GC() // nobody pays for another's garbage
			took := turn(ctx, w)
			p50s[w.name] = append(p50s[w.name], took[len(took)/2])
			p99s[w.name] = append(p99s[w.name], took[len(took)*99/100])
		}
	}
	var all []figures
	for _, w := range ways {
		f := figures{way: w.name, p50: median(p50s[w.name]), p99: median(p99s[w.name]), ratios: map[string]float64{}}
		for _, other := range ways {
			var ratios []float64
			for i, mine := range p50s[w.name] {
				ratios = append(ratios, float64(mine)/float64(p50s[other.name][i]))
			}
			f.ratios[other.name] = median(ratios)
		}
		all = append(all, f)
	}
	return all
}

// turn calls one way as often as it is to be, after a few calls that warm up,
// and returns the times in order.
func turn(ctx context.Context, w way) []time.Duration {
	var took []time.Duration
	for i := -w.calls / 10; i < w.calls; i++ {
		start := time.Now()
		_, err := w.call(ctx)
		if d := time.Since(start); i >= 0 {
			took = append(took, d)
		}
		if err != nil {
			panic(err) // it worked before
		}
	}
	slices.Sort(took)
	return took
}

// median returns the value in the middle. It does not change all.
func median[T int | float64 | time.Duration](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// goal is what a ratio is to be.
type goal struct {
	text    string
	ratio   float64
	atLeast bool
	bound   float64
}

func (g goal) String() string {
	word, met := "at most", g.ratio <= g.bound
	if g.atLeast {
		word, met = "at least", g.ratio >= g.bound
	}
	verdict := "met"
	if !met {
		verdict = "missed"
	}
	return fmt.Sprintf("%s: %.2f (goal: %s %g, %s)", g.text, g.ratio, word, g.bound, verdict)
}

func printTimes(out io.Writer, all []figures) error {
	byName := map[string]figures{}
	text := "| | p50 µs | p99 µs | × native |\n|---|---:|---:|---:|\n"
	for _, f := range all {
		byName[f.way] = f
		text += fmt.Sprintf("| %s | %.1f | %.1f | %.1f |\n", f.way, micros(f.p50), micros(f.p99), f.ratios[native])
	}
	text += fmt.Sprintln()
	for _, g := range []goal{
		{"Extism's instance per call / a clean run in the scheduler", byName[perCall].ratios[isolated], true, 20},
		{"a clean run / the same module, never reset", byName[isolated].ratios[unsafe], false, 1.3},
	} {
		text += fmt.Sprintln(g)
	}
	_, err := io.WriteString(out, text)
	return err
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
