package sdk_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// online runs a handler that may use the network.
func online(t *testing.T, c sdktest.Case, handle sdk.Handler) sdktest.Result {
	t.Helper()
	return sdktest.Run(t, with(handle, sdk.CapabilityHTTP, sdk.CapabilitySecrets), c)
}

func TestHTTPCarriesEverything(t *testing.T) {
	want := sdk.HTTPResponse{Status: 207, URL: "https://b.example/", Headers: map[string][]string{"X-A": {"1", "2"}}, Body: []byte{0, 255}, RetryAfterMS: 7}
	request := sdk.HTTPRequest{
		Method: "PUT", URL: "https://a.example/", Headers: map[string]string{"X-B": "3"}, Body: []byte{255, 0}, Timeout: 5 * time.Second, NoRedirects: true,
	}
	var got sdk.HTTPResponse
	result := online(t, sdktest.Case{HTTP: sdktest.Answers(want)}, func(c *sdk.Context) (any, error) {
		var err error
		got, err = c.HTTP(request)
		return nil, err
	})
	result.RequireOK(t)
	require.Equal(t, want, got)
	require.Equal(t, []sdk.HTTPRequest{request}, result.Requests)
	require.Equal(t, []string{"1", ""}, []string{got.Header("x-a"), got.Header("x-c")})
	require.Equal(t, 7*time.Millisecond, got.RetryAfter())
}

func TestHTTPResponseErr(t *testing.T) {
	for status, want := range map[int]wire.ErrorKind{
		200: "", 299: "", 199: wire.Permanent, 302: wire.Permanent, 400: wire.Permanent, 404: wire.Permanent, 408: wire.Retryable, 429: wire.Retryable, 500: wire.Retryable, 503: wire.Retryable,
	} {
		resp := sdk.HTTPResponse{Status: status, Body: []byte(strings.Repeat("é", 150)), RetryAfterMS: 1500}
		result := sdktest.Run(t, with(func(*sdk.Context) (any, error) { return nil, resp.Err() }), sdktest.Case{})
		if want == "" {
			result.RequireOK(t)
			continue
		}
		failure := result.RequireFailure(t, want)
		require.LessOrEqual(t, len(failure.Message), 250)
		require.True(t, strings.HasSuffix(failure.Message, "é"))
		require.Equal(t, status == 429, failure.RetryAfterMS == 1500, "after a gateway's error nobody knows whether it was carried out")
	}
}

func TestJSONHelpers(t *testing.T) {
	result := online(t, sdktest.Case{HTTP: sdktest.Answers(
		sdk.HTTPResponse{Body: []byte(`{"n": 1, "other": 2}`)}, sdk.HTTPResponse{Body: []byte(`{"n": 2}`)}, sdk.HTTPResponse{Status: 204},
	)}, func(c *sdk.Context) (any, error) {
		var one, two struct{ N int }
		headers := map[string]string{"accept": "x/y"}
		err := errors.Join(
			c.GetJSON("https://a.example/1", headers, &one),
			c.PostJSON("https://a.example/2", nil, map[string]int{"in": 5}, &two),
			c.PostJSON("https://a.example/3", nil, nil, nil),
		)
		return []int{one.N, two.N, len(headers)}, err
	})
	require.JSONEq(t, `[1, 2, 1]`, string(result.Value), "%v", result.Failure)
	require.Equal(t, sdk.HTTPRequest{Method: "GET", URL: "https://a.example/1", Headers: map[string]string{"accept": "x/y"}, Body: []byte{}}, result.Requests[0])
	require.Equal(t, map[string]string{"Accept": "application/json", "Content-Type": "application/json"}, result.Requests[1].Headers)
	require.JSONEq(t, `{"in": 5}`, string(result.Requests[1].Body))
}

func TestJSONHelpersFail(t *testing.T) {
	answer := sdktest.Answers(sdk.HTTPResponse{Status: 404}, sdk.HTTPResponse{Body: []byte("{")})
	for _, want := range []string{"answered 404", "read the server's answer", "no answer is left"} {
		result := online(t, sdktest.Case{HTTP: answer}, func(c *sdk.Context) (any, error) { return nil, c.GetJSON("https://a.example/", nil, new(any)) })
		require.NotNil(t, result.Failure)
		require.Contains(t, result.Failure.Message, want)
	}
	result := online(t, sdktest.Case{}, func(c *sdk.Context) (any, error) {
		return nil, c.PostJSON("https://a.example/", nil, math.Inf(1), nil)
	})
	require.Contains(t, result.RequireFailure(t, wire.Permanent).Message, "render the body")
	require.Empty(t, result.Requests)
}

func TestHTTPNeedsItsCapability(t *testing.T) {
	ask := func(c *sdk.Context) (any, error) { return c.HTTP(sdk.HTTPRequest{URL: "https://a.example/"}) }
	sdktest.Run(t, with(ask), sdktest.Case{}).RequireFailure(t, wire.Denied)
	require.Contains(t, sdktest.Run(t, with(ask, sdk.CapabilityHTTP), sdktest.Case{}).RequireFailure(t, wire.Permanent).Message, "Case.HTTP")
}

func TestSecrets(t *testing.T) {
	secret := func(name string) sdk.Handler {
		return func(c *sdk.Context) (any, error) { return c.Secret(name) }
	}
	require.JSONEq(t, `"{{secret:token}}"`, string(online(t, sdktest.Case{Secrets: []string{"token"}}, secret("token")).Value))
	online(t, sdktest.Case{Secrets: []string{"token"}}, secret("other")).RequireFailure(t, wire.Denied)
	sdktest.Run(t, with(secret("token")), sdktest.Case{Secrets: []string{"token"}}).RequireFailure(t, wire.Denied)

	for _, req := range []sdk.HTTPRequest{{URL: "https://a.example/{{secret:other}}"}, {Headers: map[string]string{"A": "x {{secret:other}}"}}} {
		result := online(t, sdktest.Case{HTTP: sdktest.Answers(sdk.HTTPResponse{}), Secrets: []string{"token"}}, func(c *sdk.Context) (any, error) { return c.HTTP(req) })
		require.Contains(t, result.RequireFailure(t, wire.Denied).Message, "Case.Secrets")
		require.Len(t, result.Requests, 1)
	}
}
