package coretest

import (
	"bytes"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// requireSameTask compares whole tasks. JSON may have been written anew.
func requireSameTask(t testing.TB, want, got core.Task) {
	t.Helper()
	want.Data, got.Data = compact(want.Data), compact(got.Data)
	require.Equal(t, want, got)
}

// requireSameExecution compares whole executions. JSON may have been written
// anew.
func requireSameExecution(t testing.TB, want, got core.Execution) {
	t.Helper()
	want.Data, got.Data = compact(want.Data), compact(got.Data)
	want.Result, got.Result = compact(want.Result), compact(got.Result)
	require.Equal(t, want, got)
}

// requireCancelled fails unless e was ended by the store, for a reason and at a
// time.
func requireCancelled(t testing.TB, e core.Execution, reason string, at time.Time) {
	t.Helper()
	require.Equal(t, core.StatusCancelled, e.Status)
	require.NotNil(t, e.Error)
	require.Equal(t, reason, *e.Error)
	require.NotNil(t, e.ErrorCode)
	require.Equal(t, core.CodeCancelled, *e.ErrorCode)
	require.NotNil(t, e.EndTime)
	require.Equal(t, at, *e.EndTime)
}

// compact drops the space that has no meaning in JSON; nothing stays nothing.
func compact(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}

// together calls fn n times at once and waits for all.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}
