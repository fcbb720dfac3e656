// Command ours is the guest as a plugin of the scheduler.
package main

import (
	"github.com/nexuscore/scheduler/bench/extism/order"
	"github.com/nexuscore/scheduler/sdk"
)

func init() {
	sdk.Register(sdk.Plugin{Name: "order", Version: "1.0.0", Sample: order.Sample, Handle: handle})
}

func main() { sdk.Main() }

func handle(c *sdk.Context) (any, error) {
	var o order.Order
	if err := c.Bind(&o); err != nil {
		return nil, err
	}
	if o.Attempt < 0 { // many instances at once: the host keeps them in the call
		c.Log.Info("held")
	}
	return order.Handle(o), nil
}
