package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxData  = 4 << 20 // bytes of task data
	maxDepth = 64      // nesting of data and results
)

// checkJSON tells whether data is one JSON value that is safe to hand on: well
// formed, valid UTF-8, no member twice in one object, nested no deeper than
// maxDepth.
func checkJSON(data json.RawMessage) error {
	dec := jsontext.NewDecoder(bytes.NewReader(data))
	values := 0
	for {
		_, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if dec.StackDepth() > maxDepth {
			return fmt.Errorf("nested deeper than %d levels", maxDepth)
		}
		if dec.StackDepth() == 0 {
			values++
		}
	}
	if values != 1 {
		return fmt.Errorf("%d JSON values instead of one", values)
	}
	return nil
}

// deeper tells whether a value that was read is nested deeper than levels.
func deeper(v any, levels int) bool {
	inner := func(x any) bool { return deeper(x, levels-1) }
	switch v := v.(type) {
	case map[string]any:
		return levels == 0 || slices.ContainsFunc(slices.Collect(maps.Values(v)), inner)
	case []any:
		return levels == 0 || slices.ContainsFunc(v, inner)
	}
	return false
}
