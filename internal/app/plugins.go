package app

import (
	"context"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/process"
	"github.com/nexuscore/scheduler/host/wasm"
	"github.com/nexuscore/scheduler/internal/config"
)

// newHost makes the plugin host with its runtimes; closeRuntimes comes after it.
// to is what the host reaches: the rest of it is filled in here.
func newHost(cfg config.Config, log hclog.Logger, to host.Config) (_ *host.Host, closeRuntimes func(context.Context) error, err error) {
	if to.Service, err = newConfigService(cfg, log, false); err != nil {
		return nil, nil, err
	}
	r, err := newRuntimes(cfg, log, filepath.Join(cfg.DataDir, "cache", "wasm"))
	if err != nil {
		return nil, nil, err
	}
	if r.noProcesses != nil {
		log.Warn("no plugins with runtime: process", "reason", r.noProcesses)
	}
	to.Runtimes = r.byName
	return host.New(withConfig(to, cfg, log)), r.close, nil
}

// withConfig fills in what the configuration says about the host.
func withConfig(to host.Config, cfg config.Config, log hclog.Logger) host.Config {
	to.Path, to.Logger, to.Environ = cfg.PluginsConfig, log.Named("plugins"), cfg.LookupEnv
	to.DefaultTimeout = cfg.DefaultTimeout
	return to
}

// runtimes are what plugins can be made of on this system.
type runtimes struct {
	byName      map[string]host.Runtime
	noProcesses error // why there is no process; nil where there is
	close       func(context.Context) error
}

// newRuntimes makes the runtimes. A system that cannot run processes does
// without: the plugins that want them are listed as failed.
func newRuntimes(cfg config.Config, log hclog.Logger, cache string) (r runtimes, err error) {
	modules, err := wasm.New(wasm.Config{CacheDir: cache, Logger: log.Named("wasm")})
	if err != nil {
		return r, err
	}
	r.byName = map[string]host.Runtime{"wasm": modules}
	r.close = func(context.Context) error { return nil } // a compilation that was left behind may still use that of the modules
	processes, err := process.New(process.Config{UID: cfg.PluginUID, Logger: log.Named("process")})
	if err != nil {
		r.noProcesses = err
		return r, nil
	}
	r.byName["process"], r.close = processes, processes.Close
	return r, nil
}

// newConfigService makes what lists the plugins when another service does; nil
// when none does.
func newConfigService(cfg config.Config, log hclog.Logger, readOnly bool) (*host.ConfigService, error) {
	if cfg.ConfigServiceURL == nil {
		return nil, nil
	}
	dir := cfg.PluginsConfig
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		dir = filepath.Dir(dir)
	}
	return host.NewConfigService(host.ConfigServiceConfig{
		URL: cfg.ConfigServiceURL.String(), Dir: dir, Copy: filepath.Join(cfg.DataDir, listCopy), ReadOnly: readOnly, Logger: log.Named("plugins"),
	})
}

// listCopy is the name, in DATA_DIR, of the list that the config service gave
// last.
const listCopy = "plugins.list.yaml"
