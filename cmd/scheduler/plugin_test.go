package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// newAuthor is a shell of somebody who writes plugins.
func newAuthor(t *testing.T) *shell {
	s := newShell(t)
	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	require.NoError(t, err)
	t.Setenv("GOCACHE", strings.TrimSpace(string(cache))) // what is built stays where it is
	t.Setenv("XDG_CACHE_HOME", filepath.Join(s.dir, "cache"))
	return s
}

// must runs a command that succeeds and returns what it printed.
func (s *shell) must(args ...string) string {
	s.t.Helper()
	before := len(s.out.String())
	require.Equal(s.t, exitOK, s.run(s.t.Context(), args...), "%s\n%s", s.out.String(), s.err.String())
	return s.out.String()[before:]
}

// refused runs a command that fails and returns what it complained of.
func (s *shell) refused(code int, args ...string) string {
	s.t.Helper()
	before := len(s.err.String())
	require.Equal(s.t, code, s.run(s.t.Context(), args...), "%s\n%s", s.out.String(), s.err.String())
	return s.err.String()[before:]
}

// scaffold makes a plugin and builds it as a module.
func (s *shell) scaffold(name string, edit func(source string) string) (program string) {
	s.t.Helper()
	s.must("plugin", "new", name, "--dir", s.dir, "--sdk", "../..")
	dir := filepath.Join(s.dir, name)
	main := filepath.Join(dir, "main.go")
	source, err := os.ReadFile(main)
	require.NoError(s.t, err)
	require.NoError(s.t, os.WriteFile(main, []byte(edit(string(source))), 0o600))
	return strings.TrimSpace(s.must("plugin", "build", dir))
}

func TestTheAuthorsRoad(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a plugin")
	}
	s := newAuthor(t)
	program := s.scaffold("greeter", naughty)
	require.Equal(t, filepath.Join(s.dir, "greeter", "greeter.wasm"), program)

	var seen struct {
		Runtime, SHA256 string
		Manifest        struct{ Name, Version string }
	}
	require.NoError(t, json.Unmarshal([]byte(s.must("plugin", "inspect", "--json", program)), &seen))
	require.Equal(t, "wasm", seen.Runtime)
	require.Equal(t, "greeter", seen.Manifest.Name)
	require.Contains(t, s.must("plugin", "inspect", program), "task.call (i32, i32, i32, i32) -> (i32)")

	require.Contains(t, s.must("plugin", "verify", program, "--sha256", strings.ToUpper(seen.SHA256)), "greeter@0.1.0 loads")
	require.Contains(t, s.refused(exitError, "plugin", "verify", program, "--sha256", strings.Repeat("0", 64)), "has sha256 "+seen.SHA256)
	require.Contains(t, s.refused(exitError, "plugin", "verify", program, "--config", `{"a": 1}`), "takes no config")

	report := s.must("plugin", "test", program, "--data", `{"name": "Ada"}`)
	require.NotContains(t, report, "FAIL")
	require.NotContains(t, report, "warn")
	require.Regexp(t, `(?m)^ok    same input, same result`, report)
	require.Regexp(t, `(?m)^ok    memory +limits.memory: \d+MiB is enough`, report)
	require.Regexp(t, `(?m)^skip  without kv +this data does not need it`, report)
	require.Regexp(t, `(?m)^skip  without http +this data does not need it`, report)

	data := filepath.Join(s.dir, "data.json")
	require.NoError(t, os.WriteFile(data, []byte(`{"name": "Grace"}`), 0o600))
	require.Contains(t, s.must("plugin", "run", "--data", "@"+data, program), `"greeting": "hello Grace"`)
	require.Contains(t, s.err.String(), `info  greeting {"attempt":1,"name":"Grace"}`)

	require.Contains(t, s.must("plugin", "run", program, "--data", `{"name": "default"}`), `"greeting": "2"`, "the default of the schema's tag")

	require.Contains(t, s.refused(exitError, "plugin", "run", program), "the data would be refused")
	require.Contains(t, s.must("plugin", "test", program), "accepts the data", "its own sample")
	require.Contains(t, s.refused(exitError, "plugin", "test", program, "--data", "{}"), "1 checks failed")
	require.Contains(t, s.refused(exitError, "plugin", "run", program, "--data", "{"), "--data is no JSON")
	require.Contains(t, s.refused(exitError, "plugin", "new", "greeter", "--dir", s.dir), "exists and is not empty")

	for name, want := range map[string]string{
		"panic":      `(?m)^FAIL  runs +PLUGIN_TRAP: .*it went wrong`,
		"differ":     `(?m)^warn  same input, same result +the results differ`,
		"reach":      `(?m)^FAIL  runs +PLUGIN_DENIED: .*example\.com`,
		"keep":       `(?m)^ok    without kv +PLUGIN_DENIED: .*kv`,
		"undeclared": `(?m)^FAIL  runs +PLUGIN_DENIED: .*declare "publish" in the plugin's manifest`,
		"count":      `(?m)^ok    same input, same result`,
		"insist":     `(?m)^FAIL  without kv +it crashes when it is refused`,
	} {
		before := len(s.out.String())
		s.run(t.Context(), "plugin", "test", program, "--data", `{"name": "`+name+`"}`)
		require.Regexp(t, want, s.out.String()[before:])
	}
	said := s.refused(exitError, "plugin", "run", program, "--data", `{"name": "loop"}`, "--timeout", "200ms")
	require.Contains(t, said, "TIMEOUT")
	said = s.refused(exitError, "plugin", "run", program, "--data", `{"name": "loop"}`, "--limit", "cpu=100ms")
	require.Contains(t, said, "PLUGIN_CPU_LIMIT")

	report = s.out.String()
	s.run(t.Context(), "plugin", "test", program, "--data", `{"name": "panic"}`)
	require.Regexp(t, `(?m)^skip  everything else +same input, same result; works after that; memory; capabilities: `, s.out.String()[len(report):])
	report = s.out.String()
	s.run(t.Context(), "plugin", "test", program, "--data", `{"name": 1}`)
	require.Regexp(t, `(?m)^skip  everything else +the plugin is not run`, s.out.String()[len(report):])
	require.Regexp(t, `(?m)plugin verify: limits.memory is `, s.refused(exitError, "plugin", "verify", program, "--limit", "memory=1TiB"))
}

// naughty makes the scaffold's plugin loop, panic, differ or reach out, as its
// data says.
func naughty(source string) string {
	source = strings.Replace(source, `	c.Log.Info(`, `	switch in.Name {
	case "loop":
		for {
		}
	case "panic":
		panic("it went wrong")
	case "differ":
		return output{Greeting: c.Now().String()}, nil
	case "reach":
		_, err := c.HTTP(sdk.HTTPRequest{URL: "https://example.com/"})
		return output{}, err
	case "default":
		return output{Greeting: string(rune('0' + in.Times))}, nil
	case "undeclared":
		return output{}, c.Publish("some.thing", nil)
	case "count":
		var n int
		if _, err := c.Get("n", &n); err != nil {
			return output{}, err
		}
		return output{Greeting: string(rune('0' + n))}, c.Set("n", n+1, 0)
	case "keep":
		return output{}, c.Set("key", "value", 0)
	case "insist":
		if err := c.Set("key", "value", 0); err != nil {
			panic(err)
		}
	}
	c.Log.Info(`, 1)
	source = strings.Replace(source, `type input struct {`, `type input struct {
	Times int `+"`"+`json:"times,omitempty" schema:"default=2"`+"`"+``, 1)
	return strings.Replace(source, `		Summary:`, `		Capabilities: []sdk.Capability{sdk.CapabilityHTTP, sdk.CapabilityState},
		Summary:`, 1)
}

func TestNewWithoutAnSDKMakesNothing(t *testing.T) {
	s := newAuthor(t)
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOMODCACHE", filepath.Join(s.dir, "none"))
	t.Setenv("GOFLAGS", "-modcacherw")
	require.Contains(t, s.refused(exitError, "plugin", "new", "greeter", "--dir", s.dir), "take the sdk from a clone of the scheduler with --sdk: go mod tidy")
	require.NoDirExists(t, filepath.Join(s.dir, "greeter"))
}

func TestNewInOtherLanguages(t *testing.T) {
	s := newAuthor(t)
	for language, sources := range map[string][]string{
		"c": {"scheduler.h", "waver.c"}, "rust": {"scheduler.rs", "waver.rs"}, "assemblyscript": {"scheduler.ts", "waver.ts", "package.json"},
	} {
		s.must("plugin", "new", "waver", "--lang", language, "--dir", filepath.Join(s.dir, language))
		for _, name := range append(sources, "README.md") {
			raw, err := os.ReadFile(filepath.Join(s.dir, language, "waver", name))
			require.NoError(t, err)
			if strings.HasPrefix(name, "waver") {
				require.NotContains(t, string(raw), "greeter", language)
				require.Contains(t, string(raw), "waver")
			}
		}
	}
}

func TestPluginCommandsSayWhatIsWrong(t *testing.T) {
	s := newAuthor(t)
	text := filepath.Join(s.dir, "text.wasm")
	require.NoError(t, os.WriteFile(text, []byte("hello"), 0o600))
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "usage: scheduler plugin", nil},
		{exitUsage, `unknown command "nwe"`, []string{"nwe"}},
		{exitUsage, "name the plugin", []string{"new"}},
		{exitUsage, `unknown argument "b"`, []string{"new", "a", "b"}},
		{exitError, `"Greeter" is no name`, []string{"new", "Greeter", "--dir", s.dir}},
		{exitError, `no scaffold for "cobol"`, []string{"new", "x", "--lang", "cobol", "--dir", s.dir}},
		{exitError, "has no sdk in it", []string{"new", "x", "--sdk", s.dir, "--dir", s.dir}},
		{exitError, "does not exist", []string{"run", filepath.Join(s.dir, "nothing.wasm")}},
		{exitError, "neither a WebAssembly module nor", []string{"inspect", text}},
		{exitError, "is a directory", []string{"inspect", s.dir}},
		{exitError, "has no go.mod", []string{"build", s.dir}},
		{exitError, "none of wasm, process, both", []string{"build", "--target", "arm"}},
		{exitUsage, "write NAME=VALUE", []string{"run", text, "--secret", "token"}},
	} {
		require.Contains(t, s.refused(c.code, append([]string{"plugin"}, c.args...)...), c.want, "%v", c.args)
	}
	require.Contains(t, s.must("plugin", "help"), "inspect FILE")
	s.must("plugin", "test", "--help")
	require.Contains(t, s.err.String(), "really happens, each time")
}
