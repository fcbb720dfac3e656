package interpreter_test

import (
	"encoding/json"
	"testing"

	"github.com/nexuscore/scheduler/examples/javascript/interpreter"
)

// The manifest is what the script declares, to the last member.
func TestManifest(t *testing.T) {
	p := interpreter.Plugin(`scheduler.plugin({name: "x", version: "1.2.3", summary: "s", capabilities: ["kv"], optional: ["http"],
		limits: {memory: 1, timeoutMs: 2, cpuMs: 3, output: 4, kv: 5, hostCalls: 6, httpRequests: 7, httpRequestBytes: 8, httpResponseBytes: 9, httpBytes: 10},
		dataSchema: {type: "object"}, configSchema: {type: "array"}, sample: {a: 1}, run() {}})`)
	got, err := json.Marshal(p.Manifest())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"abi":1,"name":"x","version":"1.2.3","summary":"s","capabilities":["kv"],"optional":["http"],` +
		`"dataSchema":{"type":"object"},"configSchema":{"type":"array"},` +
		`"limits":{"memory":1,"timeoutMs":2,"cpuMs":3,"output":4,"kv":5,"hostCalls":6,"httpRequests":7,"httpRequestBytes":8,"httpResponseBytes":9,"httpBytes":10},"sample":{"a":1}}`
	if string(got) != want {
		t.Errorf("manifest %s, want %s", got, want)
	}
}
