package twitch

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/nexuscore/scheduler/sdk"
)

// Channel is what task types change of a channel. A nil field is left as it is.
type Channel struct {
	Title    *string   `json:"title,omitempty"`
	GameID   *string   `json:"game_id,omitempty"`
	Language *string   `json:"broadcaster_language,omitempty"`
	Tags     *[]string `json:"tags,omitempty"`
	Delay    *int      `json:"delay,omitempty"` // seconds; partners only
}

// ModifyChannel changes a channel. The token must be the broadcaster's.
func (t *Client) ModifyChannel(broadcaster string, to Channel) error {
	return t.call("PATCH", "/channels", url.Values{"broadcaster_id": {broadcaster}}, to, nil)
}

// GameID looks up the id of a game or category by its name, in any case.
func (t *Client) GameID(name string) (string, error) {
	var answer struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := t.call("GET", "/games", url.Values{"name": {name}}, nil, &answer); err != nil {
		return "", err
	}
	if len(answer.Data) == 0 {
		return "", sdk.Permanent(fmt.Errorf("twitch: there is no category %q; write its name as Twitch does", name))
	}
	return answer.Data[0].ID, nil
}

// ChatSettings are the modes of a chat. A nil field is left as it is.
type ChatSettings struct {
	Emotes            *bool `json:"emote_mode,omitempty"`
	Followers         *bool `json:"follower_mode,omitempty"`
	FollowersDuration *int  `json:"follower_mode_duration,omitempty"` // minutes
	Slow              *bool `json:"slow_mode,omitempty"`
	SlowWait          *int  `json:"slow_mode_wait_time,omitempty"` // seconds
	Subscribers       *bool `json:"subscriber_mode,omitempty"`
	Unique            *bool `json:"unique_chat_mode,omitempty"`
}

// ModifyChat changes the modes of a chat.
func (t *Client) ModifyChat(broadcaster string, to ChatSettings) error {
	if err := t.Can(); err != nil {
		return err
	}
	return t.call("PATCH", "/chat/settings", t.moderated(broadcaster), to, nil)
}

// Stream is a stream that is live.
type Stream struct {
	UserID    string    `json:"user_id"`
	Login     string    `json:"user_login"`
	Name      string    `json:"user_name"`
	GameID    string    `json:"game_id"`
	GameName  string    `json:"game_name"`
	Title     string    `json:"title"`
	Viewers   int       `json:"viewer_count"`
	StartedAt time.Time `json:"started_at"`
	Language  string    `json:"language"`
}

// MaxUsers is how many users one request can name.
const MaxUsers = 100

// Streams lists those of up to MaxUsers users that are live, from a cursor on. It
// returns the cursor of the next page, "" after the last.
func (t *Client) Streams(users []string, after string, limit int) (page []Stream, next string, err error) {
	q := url.Values{"user_id": users, "first": {strconv.Itoa(limit)}}
	if after != "" {
		q.Set("after", after)
	}
	var answer struct {
		Data       []Stream `json:"data"`
		Pagination struct {
			Cursor string `json:"cursor"`
		} `json:"pagination"`
	}
	err = t.call("GET", "/streams", q, nil, &answer)
	return answer.Data, answer.Pagination.Cursor, err
}
