package api_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// TestNullMeansTheDefault: for every field of a task that may be left out, null
// does the same as leaving it out, and so it does inside.
func TestNullMeansTheDefault(t *testing.T) {
	f := newFixture(t)
	plain := f.want(201, "POST", "/tasks", `{"name": "x", "type": "test"}`).body
	changes := func(o object) object {
		o = maps.Clone(o)
		maps.DeleteFunc(o, func(field string, _ any) bool {
			return slices.Contains([]string{"id", "createdAt", "updatedAt"}, field)
		})
		return o
	}
	for field, value := range plain {
		if field == "name" || field == "type" {
			continue
		}
		t.Run(field, func(t *testing.T) {
			r := f.want(201, "POST", "/tasks", object{"name": "x", "type": "test", field: nil})
			require.Equal(t, changes(plain), changes(r.body))
			inner, _ := value.(object)
			for name := range inner {
				r := f.want(201, "POST", "/tasks", object{"name": "x", "type": "test", field: object{name: nil}})
				require.Equal(t, changes(plain), changes(r.body), name)
			}
		})
	}
}

func TestNullIsStillLookedAt(t *testing.T) {
	f := newFixture(t)
	f.fails(400, core.CodeInvalidRequest, []string{"/foo"}, f.do("POST", "/tasks", `{"name": "x", "type": "test", "foo": null}`))
	f.fails(400, core.CodeInvalidRequest, []string{"/enabled"}, f.do("POST", "/tasks", `{"name": "x", "type": "test", "enabled": null, "enabled": true}`))
	f.fails(422, core.CodeValidationFailed, []string{"/name"}, f.do("POST", "/tasks", `{"name": null, "type": "test"}`))
	r := f.want(201, "POST", "/tasks", `{"name": "x", "type": "test", "data": {"a": null}}`)
	require.Equal(t, object{"a": nil}, r.body["data"], "data is the plugin's")
	id := r.body["id"].(string)
	r = f.want(200, "PUT", "/tasks/"+id, `{"name": "x", "type": "test", "rateLimit": {"limit": 1, "perMs": 1, "key": null}}`)
	require.Equal(t, object{"limit": 1.0, "perMs": 1.0, "key": "task:" + id}, r.body["rateLimit"])
}
