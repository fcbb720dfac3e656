package sdk

import "reflect"

// Typed makes a Plugin whose handler has typed input and output: p with a Handle
// that reads the task's data into an In, as Context.Bind does, and renders the
// Out as the result. Unless p has a DataSchema, it gets the one of SchemaOf[In].
// Where the data leaves a member out, the In has the default of its schema tag,
// if it is a text, a boolean or a number, of In or of a struct in it.
// Behind pointers, and in slices and maps, there are no defaults.
//
//	sdk.Register(sdk.Typed(sdk.Plugin{Name: "greeter", Version: "1.0.0"},
//		func(c *sdk.Context, in input) (output, error) { … }))
//
// It panics when no schema can be made of In, as SchemaOf does, and when a default
// is no value of its field.
func Typed[In, Out any](p Plugin, work func(c *Context, in In) (Out, error)) Plugin {
	if p.DataSchema == "" {
		p.DataSchema = SchemaOf[In]()
	}
	var defaults In
	if v := reflect.ValueOf(&defaults).Elem(); v.Kind() == reflect.Struct {
		setDefaults(v)
	}
	p.Handle = func(c *Context) (any, error) {
		in := defaults // it has no pointers that two runs could share
		if err := c.Bind(&in); err != nil {
			return nil, err
		}
		return work(c, in)
	}
	return p
}
