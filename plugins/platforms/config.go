// Package platforms is what the bundled task types that act on both platforms
// have in common.
package platforms

import (
	"github.com/nexuscore/scheduler/plugins/discord"
	"github.com/nexuscore/scheduler/plugins/twitch"
)

// Config is the config of a plugin that acts on Discord and Twitch.
type Config struct {
	Discord discord.Config `json:"discord,omitzero"`
	Twitch  twitch.Config  `json:"twitch,omitzero"`
}
