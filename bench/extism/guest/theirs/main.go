//go:build wasip1

// Command theirs is the guest as a plugin of Extism.
package main

import (
	"github.com/extism/go-pdk"

	"github.com/nexuscore/scheduler/bench/extism/order"
)

func main() {}

//go:wasmexport handle
func handle() int32 {
	var o order.Order
	if err := pdk.InputJSON(&o); err != nil {
		pdk.SetError(err)
		return 1
	}
	if err := pdk.OutputJSON(order.Handle(o)); err != nil {
		pdk.SetError(err)
		return 1
	}
	return 0
}
