package host

import (
	"slices"
	"strings"
)

// The capabilities an operator can grant.
const (
	capabilityNotify  = "notify"
	capabilityHTTP    = "http"
	capabilitySecrets = "secrets"
	capabilityKV      = "kv"
	capabilityPublish = "publish"
	capabilityEnqueue = "enqueue"

	capabilityMaintenance = "maintenance"

	grantPrivateNetworks = "privateNetworks" // widens http and allows nothing by itself
)

// Grants is what an operator allows a plugin. The zero value allows nothing.
type Grants struct {
	Notify  bool     `yaml:"notify"`
	KV      bool     `yaml:"kv"`
	HTTP    []string `yaml:"http"`
	Secrets []string `yaml:"secrets"`
	Publish []string `yaml:"publish"`
	Enqueue []string `yaml:"enqueue"`

	Maintenance     bool     `yaml:"maintenance"`
	PrivateNetworks []string `yaml:"privateNetworks"`
}

// status lists what is granted, in the words of plugins.yaml.
func (g Grants) status() map[string]any {
	out := map[string]any{}
	for name, on := range map[string]bool{capabilityNotify: g.Notify, capabilityKV: g.KV, capabilityMaintenance: g.Maintenance} {
		if on {
			out[name] = true
		}
	}
	for name, list := range g.lists() {
		if len(list) > 0 {
			out[name] = slices.Clone(list)
		}
	}
	return out
}

func (g Grants) lists() map[string][]string {
	return map[string][]string{
		capabilityHTTP: g.HTTP, capabilitySecrets: g.Secrets, capabilityPublish: g.Publish, capabilityEnqueue: g.Enqueue,
		grantPrivateNetworks: g.PrivateNetworks,
	}
}

// allows tells whether anything of a capability is granted.
func (g Grants) allows(capability string) bool {
	_, ok := g.status()[capability]
	return ok
}

// capabilityOf returns the capability that an operation belongs to, and false
// when no grant can be given for it: an operation that needs none, or one that
// nobody knows.
func capabilityOf(op string) (string, bool) {
	name, _, _ := strings.Cut(op, ".")
	switch name {
	case "secret":
		return capabilitySecrets, true
	case capabilityNotify, capabilityHTTP, capabilitySecrets, capabilityKV, capabilityPublish, capabilityEnqueue, capabilityMaintenance:
		return name, true
	}
	return "", false
}

// offered lists the capabilities that this version has operations for.
func offered() []string {
	return []string{capabilityNotify, capabilityKV, capabilityPublish, capabilityEnqueue, capabilityHTTP, capabilitySecrets, capabilityMaintenance}
}

// exampleGrant shows how a capability is granted.
func exampleGrant(capability string) string {
	switch capability {
	case capabilityHTTP:
		return `http: ["https://example.com/api/**"]`
	case capabilitySecrets:
		return "secrets: [example_token]"
	}
	return capability + ": true"
}
