// Command greeter is the smallest useful plugin: it greets whom the task's data
// names, in the words of its config.
package main

import "github.com/nexuscore/scheduler/sdk"

type input struct {
	Name string `json:"name"`
}

type output struct {
	Greeting string `json:"greeting"`
}

func init() {
	sdk.Register(sdk.Typed(sdk.Plugin{
		Name:         "greeter",
		Version:      "1.0.0",
		ConfigSchema: `{"type": "object", "properties": {"salutation": {"type": "string"}}}`,
		Sample:       `{"name": "Ada"}`,
	}, greet))
}

func main() { sdk.Main() }

func greet(c *sdk.Context, in input) (output, error) {
	config := struct {
		Salutation string `json:"salutation"`
	}{"hello"}
	if err := c.Config(&config); err != nil {
		return output{}, err
	}
	c.Log.Info("greeting", "name", in.Name)
	return output{Greeting: config.Salutation + " " + in.Name}, nil
}
