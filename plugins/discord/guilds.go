package discord

import "time"

// MaxTimeout is how long a member can be timed out.
const MaxTimeout = 28 * 24 * time.Hour

// Channel is what task types change of a channel. A nil field is left as it is.
type Channel struct {
	Name     *string `json:"name,omitempty"`
	Topic    *string `json:"topic,omitempty"`
	SlowMode *int    `json:"rate_limit_per_user,omitempty"` // seconds
	NSFW     *bool   `json:"nsfw,omitempty"`
}

// ModifyChannel changes a channel. Discord counts changes of name and topic far
// more strictly than other requests: about two in ten minutes.
func (d *Client) ModifyChannel(channel string, to Channel, reason string) error {
	return d.call("PATCH", "/channels/"+channel, reason, to, nil)
}

// Ban bans a user and deletes what he wrote in the last seconds before. A user
// that is banned already is no error.
func (d *Client) Ban(guild, user string, deleteSeconds int, reason string) error {
	body := map[string]any{}
	if deleteSeconds > 0 {
		body["delete_message_seconds"] = deleteSeconds
	}
	return d.call("PUT", "/guilds/"+guild+"/bans/"+user, reason, body, nil)
}

// Unban ends a ban. A user that is not banned is no error.
func (d *Client) Unban(guild, user, reason string) error {
	err := d.call("DELETE", "/guilds/"+guild+"/bans/"+user, reason, nil, nil)
	if IsCode(err, CodeUnknownBan) {
		return nil
	}
	return err
}

// Kick removes a member. One that is not there is no error.
func (d *Client) Kick(guild, user, reason string) error {
	err := d.call("DELETE", "/guilds/"+guild+"/members/"+user, reason, nil, nil)
	if IsCode(err, CodeUnknownMember) {
		return nil
	}
	return err
}

// Timeout silences a member until a time, at most MaxTimeout from now, or ends
// that with the zero time.
func (d *Client) Timeout(guild, user string, until time.Time, reason string) error {
	body := map[string]any{"communication_disabled_until": nil}
	if !until.IsZero() {
		body["communication_disabled_until"] = until.UTC().Format(time.RFC3339)
	}
	return d.call("PATCH", "/guilds/"+guild+"/members/"+user, reason, body, nil)
}

// Guild is a server's counts.
type Guild struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Members int    `json:"approximate_member_count"`
	Online  int    `json:"approximate_presence_count"`
}

// Guild reads a server's counts.
func (d *Client) Guild(id string) (Guild, error) {
	var g Guild
	err := d.call("GET", "/guilds/"+id+"?with_counts=true", "", nil, &g)
	return g, err
}
