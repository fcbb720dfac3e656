package app

import (
	"encoding/json"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// clusterTypes is what the API knows of task types: this node's, and those that
// only other nodes run. It does not matter which node a request comes to.
type clusterTypes struct {
	host   *host.Host
	roster *roster
}

// ValidateData implements core.TypeCatalogue: against the schema that the nodes
// which run the type have reported, where this one does not.
func (c clusterTypes) ValidateData(taskType string, data json.RawMessage) error {
	schema, elsewhere := c.roster.schemaElsewhere(taskType)
	if !elsewhere {
		return c.host.ValidateData(taskType, data)
	}
	return host.CheckData(schema, data)
}

// Plugins implements core.TypeCatalogue: those of this node.
func (c clusterTypes) Plugins() []core.PluginStatus { return c.host.Plugins() }

var _ core.TypeCatalogue = clusterTypes{}
