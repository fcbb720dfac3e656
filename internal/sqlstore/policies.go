package sqlstore

import (
	"encoding/json"

	"github.com/nexuscore/scheduler/core"
)

// policyText is a policy as executions keep it.
type policyText string

// policies reads policies, each text once: the executions of a task mostly have
// the same, and a page of rows has few.
type policies map[policyText]core.Policy

func (p policies) read(text policyText) (core.Policy, error) {
	policy, known := p[text]
	if known {
		return policy, nil
	}
	err := json.Unmarshal([]byte(text), &policy)
	if err == nil {
		p[text] = policy
	}
	return policy, err
}
