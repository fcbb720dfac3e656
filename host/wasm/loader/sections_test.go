package loader_test

import (
	"encoding/binary"
	"slices"
)

// withMemory adds an empty memory to a module that has none, behind the
// sections that come before it.
func withMemory(b []byte) []byte {
	const memory = 5
	from := 8
	for from < len(b) && b[from] < memory {
		from = behind(b, from)
	}
	to := from
	if to < len(b) && b[to] == memory { // a section without a memory in it
		to = behind(b, to)
	}
	return slices.Concat(b[:from], []byte{memory, 4, 1, 1, 0, 0}, b[to:])
}

// behind is where the section ends that begins at an index.
func behind(b []byte, at int) int {
	length, n := binary.Uvarint(b[at+1:])
	return at + 1 + n + int(length)
}

// withoutCustom drops the custom sections of a module that is in order.
func withoutCustom(b []byte) []byte {
	out := slices.Clone(b[:8])
	for at := 8; at < len(b); {
		end := behind(b, at)
		if b[at] != 0 {
			out = append(out, b[at:end]...)
		}
		at = end
	}
	return out
}
