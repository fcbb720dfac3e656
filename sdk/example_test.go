package sdk_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
)

// A whole plugin is a declaration and a handler. In a program of its own,
// Register belongs in init and Main in main.
func Example() {
	type input struct {
		Name string `json:"name"`
	}
	greeter := sdk.Plugin{
		Name:       "greeter",
		Version:    "1.0.0",
		DataSchema: `{"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}`,
		Handle: func(c *sdk.Context) (any, error) {
			var in input
			if err := c.Bind(&in); err != nil {
				return nil, err
			}
			c.Log.Info("greeting", "name", in.Name)
			return map[string]string{"greeting": "hello " + in.Name}, nil
		},
	}
	t := new(testing.T) // a test has its own
	result := sdktest.Run(t, greeter, sdktest.Case{Data: input{Name: "Ada"}})
	fmt.Println(string(result.Value))
	fmt.Println(result.Logs[0].Message, result.Logs[0].Fields["name"])
	// Output:
	// {"greeting":"hello Ada"}
	// greeting Ada
}

// With types of its own a plugin needs no schema by hand.
func ExampleTyped() {
	type input struct {
		Name string `json:"name" doc:"Who is greeted" schema:"minLength=1"`
	}
	type output struct {
		Greeting string `json:"greeting"`
	}
	greeter := sdk.Typed(sdk.Plugin{Name: "greeter", Version: "1.0.0"}, func(_ *sdk.Context, in input) (output, error) {
		return output{Greeting: "hello " + in.Name}, nil
	})
	fmt.Println(greeter.DataSchema)
	fmt.Println(string(sdktest.Run(new(testing.T), greeter, sdktest.Case{Data: input{Name: "Ada"}}).Value))
	// Output:
	// {"additionalProperties":false,"properties":{"name":{"description":"Who is greeted","minLength":1,"type":"string"}},"required":["name"],"type":"object"}
	// {"greeting":"hello Ada"}
}

// Another attempt would meet the same error again.
func ExamplePermanent() {
	err := sdk.Permanent(errors.New("no such channel"))
	fmt.Println(err, sdk.IsPermanent(err))
	// Output: no such channel true
}

// The other side said when to come back.
func ExampleRetryAfter() {
	p := sdk.Plugin{Name: "p", Version: "1.0.0", Handle: func(*sdk.Context) (any, error) {
		return nil, sdk.RetryAfter(30*time.Second, errors.New("too many requests"))
	}}
	failure := sdktest.Run(&testing.T{}, p, sdktest.Case{}).Failure
	fmt.Println(failure.Kind, failure.Message, failure.RetryAfterMS)
	// Output: retryable too many requests 30000
}

// A notification goes out with the success of the handler, and not at all when
// it fails.
func ExampleContext_Notify() {
	p := sdk.Plugin{
		Name: "p", Version: "1.0.0", Capabilities: []sdk.Capability{sdk.CapabilityNotify},
		Handle: func(c *sdk.Context) (any, error) {
			return c.Notify(sdk.Notification{ChannelID: "c1", Message: "We are live", Via: []string{"discord"}})
		},
	}
	result := sdktest.Run(&testing.T{}, p, sdktest.Case{})
	fmt.Println(string(result.Value), result.Notifications[0].Message)
	// Output: "notification-1" We are live
}

// Work in pieces says how far it is, and goes on where an attempt that was cut
// off has left it.
func ExampleContext_Checkpoint() {
	pages := []string{"a", "b", "c", "d"}
	p := sdk.Plugin{
		Name: "p", Version: "1.0.0",
		Handle: func(c *sdk.Context) (any, error) {
			var done int
			if _, err := c.LoadCheckpoint(&done); err != nil {
				return nil, err
			}
			for ; done < len(pages); done++ {
				if err := c.Progress(100*float64(done)/float64(len(pages)), "page "+pages[done]); err != nil {
					return nil, err
				}
				// The work on the page is done here.
				if err := c.Checkpoint(done + 1); err != nil {
					return nil, err
				}
			}
			return nil, nil
		},
	}
	result := sdktest.Run(&testing.T{}, p, sdktest.Case{Checkpoint: 2})
	for _, said := range result.Progress {
		fmt.Println(said.Percent, said.Message)
	}
	fmt.Println(string(result.Checkpoint))
	// Output:
	// 50 page c
	// 75 page d
	// 4
}

// A request goes out through the host, which fills in the secret. When the other
// side asks for patience, or is down, the error says when to come back.
func ExampleContext_HTTP() {
	p := sdk.Plugin{
		Name: "p", Version: "1.0.0", Capabilities: []sdk.Capability{sdk.CapabilityHTTP, sdk.CapabilitySecrets},
		Handle: func(c *sdk.Context) (any, error) {
			resp, err := c.HTTP(sdk.HTTPRequest{
				Method:  "PUT",
				URL:     "https://discord.com/api/v10/channels/1/pins/2",
				Headers: map[string]string{"Authorization": "Bot {{secret:discord_token}}"},
			})
			if err != nil {
				return nil, err
			}
			return nil, resp.Err()
		},
	}
	result := sdktest.Run(&testing.T{}, p, sdktest.Case{
		Secrets: []string{"discord_token"},
		HTTP:    sdktest.Answers(sdk.HTTPResponse{Status: 429, RetryAfterMS: 2250}),
	})
	fmt.Println(result.Requests[0].Method, result.Failure.Kind, result.Failure.RetryAfterMS)
	// Output: PUT retryable 2250
}

// An answer in JSON is read into a value; one that is no success is an error.
func ExampleContext_GetJSON() {
	p := sdk.Plugin{
		Name: "p", Version: "1.0.0", Capabilities: []sdk.Capability{sdk.CapabilityHTTP},
		Handle: func(c *sdk.Context) (any, error) {
			var channel struct{ Name string }
			if err := c.GetJSON("https://example.com/channels/1", nil, &channel); err != nil {
				return nil, err
			}
			return channel.Name, nil
		},
	}
	result := sdktest.Run(&testing.T{}, p, sdktest.Case{HTTP: sdktest.Answers(sdk.HTTPResponse{Body: []byte(`{"name": "general"}`)})})
	fmt.Println(string(result.Value))
	// Output: "general"
}
