// Package discord is what the bundled task types use of the Discord REST API,
// version 10, on top of the sdk. Source: discord.com/developers/docs.
package discord

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nexuscore/scheduler/sdk"
)

// The defaults of Config.
const (
	DefaultAPI    = "https://discord.com/api/v10"
	DefaultSecret = "discord_token"
)

// userAgent has the form that Discord demands of bots.
const userAgent = "DiscordBot (https://github.com/nexuscore/scheduler, 1.0)"

// maxReason is how long a reason in the audit log may be, in characters.
const maxReason = 512

// Config is the part of a plugin's config that is about Discord.
type Config struct {
	API    string `json:"api,omitempty" doc:"Where the API is" schema:"format=uri; default=https://discord.com/api/v10"`
	Secret string `json:"secret,omitempty" doc:"Name of the secret that holds the bot's token" schema:"default=discord_token"`
}

// Client makes requests for one run. It is as safe for concurrent use as the
// context it was made with.
type Client struct {
	c     *sdk.Context
	api   string
	token string // with its placeholder
}

// New makes a client.
func New(c *sdk.Context, cfg Config) *Client {
	return &Client{
		c:   c,
		api: strings.TrimRight(cmp.Or(cfg.API, DefaultAPI), "/"), token: "Bot {{secret:" + cmp.Or(cfg.Secret, DefaultSecret) + "}}",
	}
}

// Error is Discord's refusal. A handler can return it as it is: 408, 429 and
// those from 500 on can be tried again, all others are permanent.
type Error struct {
	Status  int    // of HTTP
	Code    int    // Discord's own; 0 when it gave none
	Message string // with what is wrong with which field
}

func (e *Error) Error() string { return fmt.Sprintf("discord: %s (%d)", e.Message, e.Status) }

// IsCode tells whether err is Discord's error of one of these codes.
func IsCode(err error, codes ...int) bool {
	e, ok := asError(err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if e.Code == code {
			return true
		}
	}
	return false
}

// Codes that task types know what to do about.
const (
	CodeUnknownMessage = 10008
	CodeUnknownMember  = 10007
	CodeUnknownUser    = 10013
	CodeUnknownBan     = 10026
	CodeTooOld         = 50034 // for a deletion in bulk
)

// ID tells whether a text has the form of an id.
func ID(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

// Time is when the object of an id was made.
func Time(id string) time.Time {
	var n int64
	for _, digit := range id {
		n = n*10 + int64(digit-'0')
	}
	return time.UnixMilli(n>>22 + 1420070400000).UTC() // milliseconds since the first second of 2015
}

// Nonce makes the nonce of a message out of the execution's id, so that a later
// attempt repeats it: 22 characters of the 25 that fit. n tells the messages of
// one execution apart, from 0 to 99.
func Nonce(executionID string, n int) string {
	raw, err := hex.DecodeString(strings.ReplaceAll(executionID, "-", ""))
	text := base64.RawURLEncoding.EncodeToString(raw)
	if err != nil || len(raw) != 16 {
		text = executionID[:min(len(executionID), 22)]
	}
	if n == 0 {
		return text
	}
	return fmt.Sprintf("%s.%d", text, n%100)
}

// call asks for path with the bot's token. reason goes to the audit log. in is
// sent as JSON unless it is nil, and the answer is read into out unless that is
// nil.
func (d *Client) call(method, path, reason string, in, out any) error {
	headers := map[string]string{"Authorization": d.token}
	if reason != "" {
		headers["X-Audit-Log-Reason"] = url.PathEscape(clip(reason, maxReason))
	}
	return d.exchange(method, d.api+path, headers, in, out)
}

// exchange sends a request and reads its answer.
func (d *Client) exchange(method, address string, headers map[string]string, in, out any) error {
	req := sdk.HTTPRequest{Method: method, URL: address, Headers: map[string]string{"User-Agent": userAgent, "Accept": "application/json"}}
	for name, value := range headers {
		req.Headers[name] = value
	}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return sdk.Permanent(fmt.Errorf("discord: %w", err))
		}
		req.Body, req.Headers["Content-Type"] = body, "application/json"
	}
	resp, err := d.c.HTTP(req)
	if err != nil {
		return fmt.Errorf("discord: %w", err)
	}
	if resp.Status < 200 || resp.Status > 299 {
		return refusal(resp)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(resp.Body, out); err != nil {
		return fmt.Errorf("discord: read the answer: %w", err)
	}
	return nil
}

// refusal reads an error.
func refusal(resp sdk.HTTPResponse) error {
	var told struct {
		Message string          `json:"message"`
		Code    int             `json:"code"`
		Errors  json.RawMessage `json:"errors"`
	}
	_ = json.Unmarshal(resp.Body, &told) // a proxy in between may answer something else
	e := &Error{Status: resp.Status, Code: told.Code, Message: cmp.Or(told.Message, "the server refused")}
	if len(told.Errors) > 0 {
		e.Message += ": " + clip(string(told.Errors), 500)
	}
	switch {
	case resp.Status == 429:
		return sdk.RetryAfter(resp.RetryAfter(), e)
	case resp.Status == 408, resp.Status >= 500: // a gateway's: it may have been carried out
		return e
	}
	return sdk.Permanent(e)
}

// clip shortens a text to a number of characters.
func clip(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
