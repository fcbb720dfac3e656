package sdk

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWarmRunsTheHandlerOnItsSample(t *testing.T) {
	var seen []string
	p := Plugin{Name: "x", Version: "1.0.0", Sample: `{"name":"Ada"}`, Handle: func(c *Context) (any, error) {
		var in struct{ Name string }
		require.NoError(t, c.Bind(&in))
		seen = append(seen, in.Name)
		c.Log.Info("hello")
		id, err := c.Notify(Notification{ChannelID: "c", Message: "m"})
		require.NoError(t, err)
		require.NotEmpty(t, id)
		require.NoError(t, c.Progress(50, "half"))
		require.NoError(t, c.Checkpoint(1))
		found, err := c.LoadCheckpoint(new(int))
		require.NoError(t, err)
		require.False(t, found)
		var page struct{}
		require.NoError(t, c.GetJSON("https://example.com/", nil, &page))
		secret, err := c.Secret("token")
		require.NoError(t, err)
		require.NotEmpty(t, secret)
		var config struct{}
		require.NoError(t, c.Config(&config))
		return nil, nil
	}}
	p.warm()
	require.Equal(t, []string{"Ada", "Ada"}, seen)
}

func TestWarmHarmsNobody(t *testing.T) {
	called := false
	for _, handle := range []Handler{
		func(*Context) (any, error) { panic("at the sample") },
		func(*Context) (any, error) { return nil, errors.New("at the sample") },
	} {
		p := Plugin{Name: "x", Version: "1.0.0", Sample: `{}`, Handle: handle}
		require.NotPanics(t, p.warm)
	}
	p := Plugin{Name: "x", Version: "1.0.0", Handle: func(*Context) (any, error) { called = true; return nil, nil }}
	p.warm()
	require.False(t, called, "without a sample the handler is left alone")
}
