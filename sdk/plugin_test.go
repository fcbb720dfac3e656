package sdk

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk/wire"
)

func nothing(*Context) (any, error) { return nil, nil }

func TestRegisterRefusesWhatCannotLoad(t *testing.T) {
	tests := map[string]struct {
		plugin Plugin
		want   string
	}{
		"name":          {Plugin{Version: "1.0.0", Handle: nothing}, "Name"},
		"version":       {Plugin{Name: "x", Handle: nothing}, "Version"},
		"handler":       {Plugin{Name: "x", Version: "1.0.0"}, "Handle"},
		"data schema":   {Plugin{Name: "x", Version: "1.0.0", Handle: nothing, DataSchema: "{"}, "DataSchema"},
		"sample":        {Plugin{Name: "x", Version: "1.0.0", Handle: nothing, Sample: "{"}, "Sample"},
		"config schema": {Plugin{Name: "x", Version: "1.0.0", Handle: nothing, ConfigSchema: "{"}, "ConfigSchema"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, panicOf(func() { Register(test.plugin) }), test.want)
			require.Nil(t, registered)
		})
	}
}

// panicOf returns what f panicked with.
func panicOf(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

func TestRegisterTakesOnePlugin(t *testing.T) {
	t.Cleanup(func() { registered = nil })
	Register(Plugin{Name: "one", Version: "1.0.0", Handle: nothing})
	require.PanicsWithValue(t, `sdk: plugin "one" is registered already; a program has one plugin`, func() {
		Register(Plugin{Name: "two", Version: "1.0.0", Handle: nothing})
	})
}

func TestDescribe(t *testing.T) {
	p := Plugin{
		Name: "x", Version: "1.0.0", Summary: "s", Handle: nothing,
		Capabilities: []Capability{CapabilityNotify}, DataSchema: `{"type":"object"}`, Sample: `{"a":1}`,
		Limits: Limits{Memory: 1, Timeout: 2 * time.Millisecond, CPU: 3 * time.Millisecond, Output: 4, State: 5, HostCalls: 6, HTTPRequests: 7, HTTPRequestBytes: 8, HTTPResponseBytes: 9, HTTPBytes: 10},
	}
	var got wire.Manifest
	rest, err := wire.Decode(Describe(&p), &got)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, wire.Manifest{
		ABI: 1, Name: "x", Version: "1.0.0", Summary: "s", Capabilities: []string{"notify"},
		DataSchema: json.RawMessage(`{"type":"object"}`), Sample: json.RawMessage(`{"a":1}`),
		Limits: &wire.Limits{Memory: 1, TimeoutMS: 2, CPUMS: 3, Output: 4, State: 5, HostCalls: 6, HTTPRequests: 7, HTTPRequestBytes: 8, HTTPResponseBytes: 9, HTTPBytes: 10},
	}, got)
}
