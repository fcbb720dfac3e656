//go:build wasip1

package sdk

import (
	"errors"
	"sync"
	"unsafe"
)

// startsFromImage says that runs begin from the memory after the start.
const startsFromImage = true

// Main hands the program over to the scheduler. In a WebAssembly build it
// returns at once, because the host calls the plugin's exports instead.
func Main() {}

// moduleHost reaches the host through the module's two imports.
type moduleHost struct {
	// mu keeps a call and the fetching of its answer together: making room for
	// the answer may let another goroutine run.
	mu sync.Mutex
}

// errTooLarge is an operation whose frame does not fit an i32.
var errTooLarge = errors.New("operation: more than 2 GiB of arguments")

// Call makes one host call and fetches its answer.
func (h *moduleHost) Call(op string, in []byte) ([]byte, error) {
	if uint64(len(in)) > 1<<31-1 {
		return nil, errTooLarge
	}
	h.mu.Lock()
	defer h.mu.Unlock()

	n := importCall(unsafe.Pointer(unsafe.StringData(op)), uint32(len(op)), unsafe.Pointer(unsafe.SliceData(in)), uint32(len(in)))
	out := make([]byte, n, n+1) // one more, so that an empty answer has an address too
	importTake(unsafe.Pointer(unsafe.SliceData(out)))
	return out, nil
}

//go:wasmimport task call
func importCall(op unsafe.Pointer, opLen uint32, in unsafe.Pointer, inLen uint32) uint32

//go:wasmimport task take
func importTake(into unsafe.Pointer)

// inbox and outbox keep alive what the host holds an address of: the request
// between task_alloc and task_handle, and the answer until the host read it.
var inbox, outbox []byte

//go:wasmexport task_abi_v1
func exportABI() {}

//go:wasmexport task_alloc
func exportAlloc(n uint32) uint32 {
	inbox = make([]byte, n, uint64(n)+1)
	return address(inbox)
}

//go:wasmexport task_handle
func exportHandle(_, n uint32) uint64 {
	return give(Serve(mustRegistered(), inbox[:n], &moduleHost{}))
}

//go:wasmexport task_describe
func exportDescribe() uint64 { return give(Describe(mustRegistered())) }

// give packs the address and length of an answer: address in the upper half.
func give(frame []byte) uint64 {
	outbox = frame
	return uint64(address(frame))<<32 | uint64(len(frame))
}

func address(b []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }
