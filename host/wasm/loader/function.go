package loader

import (
	"fmt"
	"time"
)

// rewrite walks through all functions and writes them anew.
func (d *decoder) rewrite() error {
	s := &scanner{d: d}
	var body code
	for i, b := range d.bodies {
		var err error
		if body, err = d.function(s, i, b, body[:0]); err != nil {
			return fmt.Errorf("function %d: %w", len(d.imported)+i, err)
		}
		d.code = d.code.block(body)
	}
	if s.total > maxModuleTime {
		return fmt.Errorf("the module would take about %v to compile, at most %v are allowed; make it smaller", s.total.Round(time.Second), maxModuleTime)
	}
	d.usesHelpers, d.usesSegments, d.stateful = s.usesHelpers, s.usesSegments, s.stateful
	return nil
}

// function writes one function (5.5.13) behind out: one more local, a charge at
// the entry, and the edits.
func (d *decoder) function(s *scanner, index int, b []byte, out code) (code, error) {
	s.reader = reader{b: b}
	params := uint64(len(d.signatures[d.functions[len(d.imported)+index]].Params))
	groups, declared, locals := s.locals()
	s.localCount = params + locals
	s.scan()
	if s.err != nil {
		return nil, s.err
	}
	took, err := s.shape.check(len(b), s.localCount, s.localCount+uint64(d.mutable))
	if err != nil {
		return nil, err
	}
	s.total += took
	temporary := uint32(s.localCount)
	out = append(out.u32(groups+1), declared...)
	out = out.u32(1).op(i64Type)
	out = d.charge(out, s.regions[0].cost+frameCost(s.localCount), temporary)
	return d.apply(s, out, temporary), nil
}

// frameCost makes deep recursion use up its fuel before its stack has become
// large.
func frameCost(locals uint64) int64 { return callCost + int64(locals/4) }

// locals reads the declarations of locals: how many groups there are, their
// bytes, and how many locals they declare.
func (s *scanner) locals() (groups uint32, declared []byte, n uint64) {
	groups = s.u32()
	from := s.at
	for range groups {
		n += uint64(s.u32())
		s.valueType()
		if s.err != nil {
			return 0, nil, 0
		}
	}
	return groups, s.b[from:s.at], n
}

// apply copies the body with its edits.
func (d *decoder) apply(s *scanner, out code, temporary uint32) code {
	at := s.start
	for _, e := range s.edits {
		out = append(out, s.b[at:e.at]...)
		switch e.kind {
		case editCallee:
			out = out.u32(d.moved(e.n))
		case editHelper:
			out = out.call(d.helper(e.n))
		case editCharge:
			if r := s.regions[e.n]; r.cost > 0 || r.header == int(e.n) {
				if r.header == int(e.n) || r.cost > dear {
					out = d.charge(out, r.cost, temporary)
				} else {
					out = out.globalGet(d.fuel()).i64(r.cost).op(opI64Sub).globalSet(d.fuel())
				}
			}
		}
		at = e.end
	}
	return append(out, s.b[at:]...)
}
