package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// number is a number of a row, exactly as it was written: sums of tenths are not
// to end in noise, nor identifiers in zeros.
type number struct {
	near float64 // the nearest one, for comparing
	text string
}

// maxDigits is how long a number may be written that is taken exactly; beyond it
// the nearest that a float64 can hold is.
const maxDigits = 64

// numberOf reads a number. The error says that it is too large.
func numberOf(n json.Number) (number, error) {
	near, err := strconv.ParseFloat(n.String(), 64)
	if err != nil {
		return number{}, fmt.Errorf("%.40s is too large a number", n)
	}
	return number{near, n.String()}, nil
}

// is tells whether there is a number: the zero value is none.
func (n number) is() bool { return n.text != "" }

// exact is the number as a fraction.
func (n number) exact() *big.Rat {
	r := new(big.Rat)
	if n.near == 0 {
		return r // also what is too small to tell
	}
	if len(n.text) <= maxDigits {
		if _, ok := r.SetString(n.text); ok {
			return r
		}
	}
	return r.SetFloat64(n.near)
}

// compare orders numbers. Rounding keeps the order, so that only those that are
// rounded to the same need a closer look.
func (n number) compare(m number) int {
	if n.near != m.near || n.text == m.text {
		return cmp.Compare(n.near, m.near)
	}
	return n.exact().Cmp(m.exact())
}

// sum adds exactly.
type sum struct {
	small [maxDecimals + 1]int64 // of units, tenths, hundredths and so on, as long as they hold
	large *big.Rat               // the rest; nil is none
}

const maxDecimals = 18

func (s *sum) add(n number) {
	units, decimals, ok := n.fixed()
	if ok {
		total := s.small[decimals] + units
		if overflows := units > 0 && total < s.small[decimals] || units < 0 && total > s.small[decimals]; !overflows {
			s.small[decimals] = total
			return
		}
	}
	if s.large == nil {
		s.large = new(big.Rat)
	}
	s.large.Add(s.large, n.exact())
}

// fixed reads a number without an exponent as so many units of the last of its
// decimals.
func (n number) fixed() (units int64, decimals int, ok bool) {
	whole, part, _ := strings.Cut(n.text, ".")
	units, err := strconv.ParseInt(whole+part, 10, 64)
	return units, len(part), err == nil && len(part) <= maxDecimals
}

// total adds up what there is. It takes a while: ask once.
func (s *sum) total() *big.Rat {
	total, unit := new(big.Rat), big.NewInt(1)
	for _, units := range s.small {
		if units != 0 { // seldom
			total.Add(total, new(big.Rat).SetFrac(big.NewInt(units), unit))
		}
		unit = new(big.Int).Mul(unit, big.NewInt(10))
	}
	if s.large != nil {
		total.Add(total, s.large)
	}
	return total
}

// rendered writes a number as JSON: integers with all their digits, others as the
// nearest number that a float64 can hold.
func rendered(r *big.Rat) json.RawMessage {
	if r.IsInt() {
		return json.RawMessage(r.Num().String())
	}
	near, _ := r.Float64()
	if math.IsInf(near, 0) {
		return json.RawMessage(new(big.Int).Quo(r.Num(), r.Denom()).String())
	}
	text, err := json.Marshal(near)
	if err != nil {
		return json.RawMessage("null") // never: it is finite
	}
	return text
}
