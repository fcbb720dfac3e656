package discord

import "encoding/json"

// Mentions says who is pinged. Its zero value pings nobody; a message without it
// would ping everybody that the text names. Users are parsed or listed, and so are
// roles: Discord refuses both at once, which a task type's rules.json rules out.
type Mentions struct {
	Parse []string `json:"parse,omitempty" doc:"Whom the text may ping by naming them" schema:"maxItems=3; uniqueItems=true; items.enum=users|roles|everyone"`
	Users []string `json:"users,omitempty" doc:"Ids of users that the text may ping" schema:"maxItems=100; uniqueItems=true; items.pattern=^[0-9]{1,20}$"`
	Roles []string `json:"roles,omitempty" doc:"Ids of roles that the text may ping" schema:"maxItems=100; uniqueItems=true; items.pattern=^[0-9]{1,20}$"`
	Reply bool     `json:"repliedUser,omitempty" doc:"Pings the author of the message that is answered"`
}

// MarshalJSON writes what Discord takes for the same: an empty list of what is
// parsed must be there.
func (m Mentions) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Parse []string `json:"parse"`
		Users []string `json:"users,omitempty"`
		Roles []string `json:"roles,omitempty"`
		Reply bool     `json:"replied_user,omitempty"`
	}{append([]string{}, m.Parse...), m.Users, m.Roles, m.Reply})
}
