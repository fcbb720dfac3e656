package discord

import "github.com/nexuscore/scheduler/sdk"

// MaxBulkBan is how many users can be banned together.
const MaxBulkBan = 200

// Codes of moderation.
const (
	CodeUnknownChannel = 10003
	CodeBulkBanFailed  = 500000 // not one of them was banned
	CodeSystemMessage  = 50021  // cannot be deleted
)

// BanBulk bans up to MaxBulkBan users and deletes what they wrote in the last
// seconds before. It returns those that were not banned: because they are banned
// already or cannot be, which Discord does not tell apart. It needs the
// permission to manage the server besides that to ban.
func (d *Client) BanBulk(guild string, users []string, deleteSeconds int, reason string) (failed []string, err error) {
	body := map[string]any{"user_ids": users}
	if deleteSeconds > 0 {
		body["delete_message_seconds"] = deleteSeconds
	}
	var answer struct {
		Failed []string `json:"failed_users"`
	}
	err = d.call("POST", "/guilds/"+guild+"/bulk-ban", reason, body, &answer)
	if IsCode(err, CodeBulkBanFailed) {
		return users, nil
	}
	return answer.Failed, err
}

// Self is the id of the bot's own user.
func (d *Client) Self() (string, error) {
	var me struct {
		ID string `json:"id"`
	}
	if err := d.call("GET", "/users/@me", "", nil, &me); err != nil {
		return "", err
	}
	if !ID(me.ID) {
		return "", sdk.Permanent(&Error{Status: 200, Message: "the answer names no user"})
	}
	return me.ID, nil
}
