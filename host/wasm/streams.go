package wasm

import (
	"context"

	"github.com/tetratelabs/wazero/api"

	"github.com/nexuscore/scheduler/host"
)

// The streams that a module has: an input that is at its end, and two outputs.
const (
	stdin = iota
	stdout
	stderr
)

const (
	// maxWrite is how much one write takes. Programs write the rest again.
	maxWrite = 64 << 10

	// maxPieces is how many pieces of memory one write looks at, and pieceCost the
	// fuel for one. Programs write the rest again.
	maxPieces = 1024
	pieceCost = 8

	characterDevice = 2
	rightRead       = 1 << 1
	rightWrite      = 1 << 6
)

// onStream answers for the three streams, and refuses all other files.
func onStream(with errno) systemFunction {
	return func(_ context.Context, _ api.Memory, args []uint64) errno {
		if uint32(args[0]) > stderr {
			return badf
		}
		return with
	}
}

// nothingThere is args_sizes_get and environ_sizes_get: no strings, of no bytes.
func nothingThere(_ context.Context, m api.Memory, args []uint64) errno {
	if !m.WriteUint32Le(uint32(args[0]), 0) || !m.WriteUint32Le(uint32(args[1]), 0) {
		return fault
	}
	return success
}

// streamStatus is fd_fdstat_get(fd, *fdstat).
func streamStatus(_ context.Context, m api.Memory, args []uint64) errno {
	fd := uint32(args[0])
	if fd > stderr {
		return badf
	}
	status := [24]byte{0: characterDevice, 8: rightWrite}
	if fd == stdin {
		status[8] = rightRead
	}
	if !m.Write(uint32(args[1]), status[:]) {
		return fault
	}
	return success
}

// streamFile is fd_filestat_get(fd, *filestat).
func streamFile(_ context.Context, m api.Memory, args []uint64) errno {
	if uint32(args[0]) > stderr {
		return badf
	}
	status := [64]byte{16: characterDevice, 24: 1}
	if !m.Write(uint32(args[1]), status[:]) {
		return fault
	}
	return success
}

// streamRead is fd_read(fd, iovs, iovsLen, *n): there is nothing to read.
func streamRead(_ context.Context, m api.Memory, args []uint64) errno {
	if uint32(args[0]) != stdin {
		return badf
	}
	if !m.WriteUint32Le(uint32(args[3]), 0) {
		return fault
	}
	return success
}

// streamWrite is fd_write(fd, iovs, iovsLen, *n). It takes one piece of memory
// at a time, the first that is not empty.
func streamWrite(ctx context.Context, m api.Memory, args []uint64) errno {
	fd, at, count, into := uint32(args[0]), uint32(args[1]), uint32(args[2]), uint32(args[3])
	if fd != stdout && fd != stderr {
		return badf
	}
	for range min(count, maxPieces) {
		runOf(ctx).charge(pieceCost)
		pointer, ok := m.ReadUint64Le(at)
		if !ok {
			return fault
		}
		at += 8
		n := uint32(pointer >> 32)
		if n == 0 {
			continue
		}
		n = min(n, maxWrite)
		text, ok := m.Read(uint32(pointer), n)
		if !ok || !m.WriteUint32Le(into, n) {
			return fault
		}
		runOf(ctx).output(fd, text)
		return success
	}
	if !m.WriteUint32Le(into, 0) {
		return fault
	}
	return success
}

// output passes on what the module writes.
func (r *run) output(fd uint32, text []byte) {
	stream := host.Stdout
	if fd == stderr {
		stream = host.Stderr
		r.crash.Add(text)
	}
	r.charge(int64(len(text)))
	r.caller.Output(stream, text)
}
