// Package twitch is what the bundled task types use of the Twitch Helix API, on
// top of the sdk. Source: dev.twitch.tv/docs/api/reference.
package twitch

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/nexuscore/scheduler/sdk"
)

// The defaults of Config.
const (
	DefaultAPI    = "https://api.twitch.tv/helix"
	DefaultSecret = "twitch_token"
	// DefaultClientSecret names the secret that holds the application's client id.
	DefaultClientSecret = "twitch_client_id"
)

// Config is the part of a plugin's config that is about Twitch.
type Config struct {
	API          string `json:"api,omitempty" doc:"Where the API is" schema:"format=uri; default=https://api.twitch.tv/helix"`
	Secret       string `json:"secret,omitempty" doc:"Name of the secret that holds the user's access token" schema:"default=twitch_token"`
	ClientSecret string `json:"clientSecret,omitempty" doc:"Name of the secret that holds the application's client id" schema:"default=twitch_client_id"`
	UserID       string `json:"userId,omitempty" doc:"Id of the user that the token belongs to: who sends and moderates" schema:"pattern=^[0-9]+$"`
}

// Client makes requests for one run. It is as safe for concurrent use as the
// context it was made with.
type Client struct {
	c       *sdk.Context
	api     string
	headers map[string]string
	user    string
}

// New makes a client.
func New(c *sdk.Context, cfg Config) *Client {
	return &Client{
		c: c, api: strings.TrimRight(cmp.Or(cfg.API, DefaultAPI), "/"), user: cfg.UserID,
		headers: map[string]string{
			"Authorization": "Bearer {{secret:" + cmp.Or(cfg.Secret, DefaultSecret) + "}}",
			"Client-Id":     "{{secret:" + cmp.Or(cfg.ClientSecret, DefaultClientSecret) + "}}",
		},
	}
}

// Error is Twitch's refusal. A handler can return it as it is: 408, 409, 429 and
// those from 500 on can be tried again, all others are permanent.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("twitch: %s (%d)", e.Message, e.Status) }

// DroppedError says that Twitch answered well and did not send the message, for
// example because AutoMod holds it. Another attempt meets the same.
type DroppedError struct {
	Code, Message string
}

func (e *DroppedError) Error() string {
	return fmt.Sprintf("twitch: the message was not sent: %s (%s)", e.Message, e.Code)
}

// says tells whether err is Twitch's refusal of a status whose message has these
// words in it.
func says(err error, status int, words string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == status && strings.Contains(strings.ToLower(e.Message), words)
}

// Can fails, permanently, when the config does not name the user that sends and
// moderates.
func (t *Client) Can() error {
	if t.user == "" {
		return sdk.Permanent(errors.New("twitch: the plugin's config names no userId; write the id of the user that the token belongs to"))
	}
	return nil
}

// User is the id of the user that sends and moderates.
func (t *Client) User() string { return t.user }

// ID tells whether a text has the form of an id.
func ID(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

// moderated is the query of a request about a broadcaster by the config's user.
func (t *Client) moderated(broadcaster string) url.Values {
	return url.Values{"broadcaster_id": {broadcaster}, "moderator_id": {t.user}}
}

// call asks for path. in is sent as JSON unless it is nil, and the answer is read
// into out unless that is nil.
func (t *Client) call(method, path string, q url.Values, in, out any) error {
	req := sdk.HTTPRequest{Method: method, URL: t.api + path, Headers: map[string]string{"Accept": "application/json"}}
	if len(q) > 0 {
		req.URL += "?" + q.Encode()
	}
	for name, value := range t.headers {
		req.Headers[name] = value
	}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return sdk.Permanent(fmt.Errorf("twitch: %w", err))
		}
		req.Body, req.Headers["Content-Type"] = body, "application/json"
	}
	resp, err := t.c.HTTP(req)
	if err != nil {
		return fmt.Errorf("twitch: %w", err)
	}
	if resp.Status < 200 || resp.Status > 299 {
		return refusal(resp)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(resp.Body, out); err != nil {
		return fmt.Errorf("twitch: read the answer: %w", err)
	}
	return nil
}

// refusal reads an error.
func refusal(resp sdk.HTTPResponse) error {
	var told struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(resp.Body, &told) // a proxy in between may answer something else
	e := &Error{Status: resp.Status, Message: cmp.Or(told.Message, http.StatusText(resp.Status))}
	switch {
	case resp.Status == 429:
		return sdk.RetryAfter(resp.RetryAfter(), e)
	case resp.Status == 408, resp.Status == 409, resp.Status >= 500: // a gateway's: it may have been carried out
		return e
	}
	return sdk.Permanent(e)
}
