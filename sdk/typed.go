package sdk

// Typed makes a Plugin whose handler has typed input and output: p with a Handle
// that reads the task's data into an In, as Context.Bind does, and renders the
// Out as the result. Unless p has a DataSchema, it gets the one of SchemaOf[In].
//
//	sdk.Register(sdk.Typed(sdk.Plugin{Name: "greeter", Version: "1.0.0"},
//		func(c *sdk.Context, in input) (output, error) { … }))
//
// It panics when no schema can be made of In, as SchemaOf does.
func Typed[In, Out any](p Plugin, work func(c *Context, in In) (Out, error)) Plugin {
	if p.DataSchema == "" {
		p.DataSchema = SchemaOf[In]()
	}
	p.Handle = func(c *Context) (any, error) {
		var in In
		if err := c.Bind(&in); err != nil {
			return nil, err
		}
		return work(c, in)
	}
	return p
}
