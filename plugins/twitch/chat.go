package twitch

import (
	"errors"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/sdk"
)

// MaxMessage is how long a message, an announcement or a reason may be, in
// characters.
const MaxMessage = 500

// MaxAge is how old a message may be that is deleted.
const MaxAge = 6 * time.Hour

// MaxTimeout is the longest time-out.
const MaxTimeout = 14 * 24 * time.Hour

// CheckMessage says why a text cannot be a message.
func CheckMessage(s string) error {
	if n := len([]rune(s)); n == 0 || n > MaxMessage {
		return sdk.Permanent(fmt.Errorf("twitch: a message of %d characters, 1 to %d are allowed", n, MaxMessage))
	}
	return nil
}

// Say sends a chat message, as an answer to another one unless replyTo is "", and
// returns its id. Twitch has nothing to recognize a repetition by. A message that
// Twitch drops is an error, a *DroppedError, and permanent.
func (t *Client) Say(broadcaster, message, replyTo string) (id string, err error) {
	if err := t.Can(); err != nil {
		return "", err
	}
	body := map[string]any{"broadcaster_id": broadcaster, "sender_id": t.user, "message": message}
	if replyTo != "" {
		body["reply_parent_message_id"] = replyTo
	}
	var answer struct {
		Data []struct {
			ID     string `json:"message_id"`
			IsSent bool   `json:"is_sent"`
			Drop   *struct {
				Code    string `json:"code"`
				Message string `json:"message"`
			} `json:"drop_reason"`
		} `json:"data"`
	}
	if err := t.call("POST", "/chat/messages", nil, body, &answer); err != nil {
		return "", err
	}
	if len(answer.Data) == 0 {
		return "", errors.New("twitch: the answer names no message")
	}
	sent := answer.Data[0]
	if !sent.IsSent {
		drop := &DroppedError{Code: "unknown", Message: "no reason was given"}
		if sent.Drop != nil {
			drop = &DroppedError{Code: sent.Drop.Code, Message: sent.Drop.Message}
		}
		return "", sdk.Permanent(drop)
	}
	return sent.ID, nil
}

// Announce sends an announcement in a colour: blue, green, orange, purple or, for
// "", the channel's own. One every two seconds is allowed.
func (t *Client) Announce(broadcaster, message, color string) error {
	if err := t.Can(); err != nil {
		return err
	}
	body := map[string]any{"message": message}
	if color != "" {
		body["color"] = color
	}
	return t.call("POST", "/chat/announcements", t.moderated(broadcaster), body, nil)
}

// DeleteMessage removes a message from chat. One that is gone is no error. One
// older than six hours cannot be removed.
func (t *Client) DeleteMessage(broadcaster, message string) error {
	if err := t.Can(); err != nil {
		return err
	}
	q := t.moderated(broadcaster)
	q.Set("message_id", message)
	err := t.call("DELETE", "/moderation/chat", q, nil, nil)
	if says(err, 404, "") && !says(err, 404, tooOld) {
		return nil
	}
	return err
}

// tooOld is in the words of the 404 that means that the message is still there:
// the status is the same as of one that is gone.
const tooOld = "6 hours"

// ClearChat removes all messages from chat.
func (t *Client) ClearChat(broadcaster string) error {
	if err := t.Can(); err != nil {
		return err
	}
	return t.call("DELETE", "/moderation/chat", t.moderated(broadcaster), nil, nil)
}

// Ban bans a user, or times him out for a duration that is not 0. A user that is
// banned already is no error. A repeated time-out begins anew: compute the
// duration from its end.
func (t *Client) Ban(broadcaster, user string, d time.Duration, reason string) error {
	if err := t.Can(); err != nil {
		return err
	}
	data := map[string]any{"user_id": user}
	if d > 0 {
		data["duration"] = max(1, int((d+time.Second/2)/time.Second))
	}
	if reason != "" {
		data["reason"] = reason
	}
	err := t.call("POST", "/moderation/bans", t.moderated(broadcaster), map[string]any{"data": data}, nil)
	if says(err, 400, "already banned") {
		return nil
	}
	return err
}

// Unban ends a ban or a time-out. A user that is not banned is no error.
func (t *Client) Unban(broadcaster, user string) error {
	if err := t.Can(); err != nil {
		return err
	}
	q := t.moderated(broadcaster)
	q.Set("user_id", user)
	err := t.call("DELETE", "/moderation/bans", q, nil, nil)
	if says(err, 400, "not banned") {
		return nil
	}
	return err
}

// Warn warns a user, who must acknowledge it before he can chat again.
func (t *Client) Warn(broadcaster, user, reason string) error {
	if err := t.Can(); err != nil {
		return err
	}
	return t.call("POST", "/moderation/warnings", t.moderated(broadcaster), map[string]any{"data": map[string]any{"user_id": user, "reason": reason}}, nil)
}
