package deploy_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/config"
)

// compose is the part of compose.yaml that can be checked without Docker.
type compose struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Build       map[string]string `yaml:"build"`
		Environment map[string]string `yaml:"environment"`
		Ports       []string          `yaml:"ports"`
		Volumes     []string          `yaml:"volumes"`
		DependsOn   map[string]any    `yaml:"depends_on"`
		Healthcheck map[string]any    `yaml:"healthcheck"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
}

func readCompose(t *testing.T) compose {
	t.Helper()
	raw, err := os.ReadFile("compose.yaml")
	require.NoError(t, err)
	var c compose
	require.NoError(t, yaml.Unmarshal(raw, &c))
	return c
}

// expanded replaces ${NAME:-default} by the default.
func expanded(s string) string {
	return regexp.MustCompile(`\$\{\w+:-([^}]*)\}`).ReplaceAllString(s, "$1")
}

func TestTheNodesAreConfigured(t *testing.T) {
	c := readCompose(t)
	ids := map[string]bool{}
	for name, s := range c.Services {
		if s.Build == nil {
			continue
		}
		cfg, err := config.Load(func(variable string) string { return expanded(s.Environment[variable]) })
		require.NoError(t, err, name)
		require.NotEmpty(t, cfg.DatabaseURL)
		require.NotEmpty(t, cfg.RedisURL)
		require.NotEmpty(t, cfg.RabbitMQURL)
		require.False(t, ids[cfg.NodeID], "two nodes are called %s", cfg.NodeID)
		ids[cfg.NodeID] = true
		for variable := range s.Environment {
			require.True(t, known(t)[variable], "%s: nobody reads %s", name, variable)
		}
		for _, address := range []string{cfg.DatabaseURL.Reveal(), cfg.RedisURL.Reveal(), cfg.RabbitMQURL.Reveal()} {
			service := regexp.MustCompile(`@([a-z]+):`).FindStringSubmatch(address)[1]
			require.Contains(t, c.Services, service)
			require.Contains(t, s.DependsOn, service)
		}
		for _, port := range s.Ports {
			require.True(t, strings.HasPrefix(port, "127.0.0.1:"), "without authentication it must not be reachable: %s", port)
			require.True(t, strings.HasSuffix(port, fmt.Sprint(":", cfg.Port)), port)
		}
	}
	require.GreaterOrEqual(t, len(ids), 2)
}

// known are the variables that the documentation names.
func known(t *testing.T) map[string]bool {
	t.Helper()
	raw, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, m := range regexp.MustCompile("`([A-Z_]{3,})[`=]").FindAllStringSubmatch(string(raw), -1) {
		names[m[1]] = true
	}
	return names
}

func TestEverythingElseIsPinnedAndWatched(t *testing.T) {
	c := readCompose(t)
	for name, s := range c.Services {
		require.NotNil(t, s.Healthcheck, name)
		if s.Build == nil {
			require.Regexp(t, `^[a-z]+:\d`, s.Image, "%s: an image of no version changes under our feet", name)
		}
		for _, v := range s.Volumes {
			volume, _, _ := strings.Cut(v, ":")
			require.Contains(t, c.Volumes, volume, name)
		}
	}
}

func TestTheImageHasWhatItCopies(t *testing.T) {
	raw, err := os.ReadFile("Dockerfile")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`COPY --from=build /src/(\S+)`).FindAllStringSubmatch(string(raw), -1) {
		if !strings.HasPrefix(m[1], "bin/") { // built there
			_, err := os.Stat("../" + m[1])
			require.NoError(t, err)
		}
	}
	mod, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(mod))[1]
	require.Contains(t, string(raw), "FROM golang:"+goVersion+" ")
}
