package sdk_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
)

type where struct {
	Timezone string `json:"timezone,omitempty" schema:"default=UTC"`
}

type withDefaults struct {
	where
	Times  int      `json:"times,omitempty" schema:"minimum=0; maximum=5; default=1"`
	ID     uint8    `json:"id,omitempty,string" schema:"default=7"`
	Loud   bool     `json:"loud,omitempty" schema:"default=true"`
	Ratio  float64  `json:"ratio,omitempty" schema:"default=0.5"`
	Limit  *int     `json:"limit,omitempty" schema:"default=3"`
	Words  []string `json:"words,omitempty"`
	Inner  where    `json:"inner,omitzero"`
	Others []where  `json:"others,omitempty"`
}

func TestTypedHandlersHaveDefaults(t *testing.T) {
	var got withDefaults
	plugin := sdk.Typed(sdk.Plugin{Name: "echo", Version: "1.0.0"}, func(_ *sdk.Context, in withDefaults) (any, error) {
		got = in
		return nil, nil
	})
	three := 3
	all := withDefaults{where: where{"UTC"}, Times: 1, ID: 7, Loud: true, Ratio: 0.5, Inner: where{"UTC"}}
	for name, test := range map[string]struct {
		data string
		want withDefaults
	}{
		"nothing": {`{}`, all},
		"all": {
			`{"timezone": "a", "times": 0, "id": "1", "loud": false, "ratio": 0, "limit": 3, "words": ["x"], "inner": {"timezone": "b"}, "others": [{}]}`,
			withDefaults{where: where{"a"}, ID: 1, Limit: &three, Words: []string{"x"}, Inner: where{"b"}, Others: []where{{}}},
		},
		"nothing again": {`{}`, all},
	} {
		t.Run(name, func(t *testing.T) {
			sdktest.Run(t, plugin, sdktest.Case{Data: json.RawMessage(test.data)}).RequireOK(t)
			require.Equal(t, test.want, got)
		})
	}
}

func TestADefaultIsAValueOfItsField(t *testing.T) {
	type wrong struct {
		Times int `json:"times,omitempty" schema:"default=often"`
	}
	require.PanicsWithValue(t, "sdk: schema: sdk_test.wrong.Times: default=often is no int", func() {
		sdk.Typed(sdk.Plugin{}, func(*sdk.Context, wrong) (any, error) { return nil, nil })
	})
}
