package main

import (
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// column is what is known of one field of a group's rows.
type column struct {
	present  int // rows that have the field, whatever is in it
	count    int // numbers
	sum      sum
	min, max number

	keep   bool     // the values themselves, for percentiles
	values []number // sorted once they are asked for
	sorted bool
}

// add counts a value. What is no number is not part of the arithmetic.
func (c *column) add(value any, n number) {
	if value == nil {
		return
	}
	c.present++
	if !n.is() {
		return
	}
	if c.count == 0 || n.compare(c.min) < 0 {
		c.min = n
	}
	if c.count == 0 || n.compare(c.max) > 0 {
		c.max = n
	}
	c.count++
	c.sum.add(n)
	if c.keep {
		c.values = append(c.values, n)
	}
}

// figure computes a metric. Where there is no number the sum is 0, and others are
// null.
func (c *column) figure(op string) json.RawMessage {
	switch {
	case op == opCount:
		return json.RawMessage(strconv.Itoa(c.present))
	case op == opSum:
		return rendered(c.sum.total())
	case c.count == 0:
		return json.RawMessage("null")
	case op == opAvg:
		return rendered(new(big.Rat).Quo(c.sum.total(), new(big.Rat).SetInt64(int64(c.count))))
	case op == opMin:
		return rendered(c.min.exact())
	case op == opMax:
		return rendered(c.max.exact())
	}
	return rendered(c.percentile(op).exact())
}

// percentile is by nearest rank: of n values in order the one at p·n/100, rounded
// up. So it is always one of them.
func (c *column) percentile(op string) number {
	if !c.sorted {
		slices.SortFunc(c.values, number.compare)
		c.sorted = true
	}
	rank := (hundredths(op)*len(c.values) + 9999) / 10000
	return c.values[max(rank, 1)-1]
}

// The metrics that are no percentiles.
const (
	opCount = "count"
	opSum   = "sum"
	opAvg   = "avg"
	opMin   = "min"
	opMax   = "max"
)

func isPercentile(op string) bool { return strings.HasPrefix(op, "p") }

// hundredths reads the percentile p99.5 as 9950.
func hundredths(op string) int {
	whole, part, _ := strings.Cut(strings.TrimPrefix(op, "p"), ".")
	n, _ := strconv.Atoi(whole + (part + "00")[:2]) // the schema has seen to it
	return n
}
