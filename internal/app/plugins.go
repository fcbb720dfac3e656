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
// to is what the host reaches: the rest of it is filled in here. A system that
// cannot run processes does without: the plugins that want them are listed as
// failed.
func newHost(cfg config.Config, log hclog.Logger, to host.Config) (_ *host.Host, closeRuntimes func(context.Context) error, err error) {
	if to.Service, err = newConfigService(cfg, log); err != nil {
		return nil, nil, err
	}
	modules, err := wasm.New(wasm.Config{CacheDir: filepath.Join(cfg.DataDir, "cache", "wasm"), Logger: log.Named("wasm")})
	if err != nil {
		return nil, nil, err
	}
	runtimes := map[string]host.Runtime{"wasm": modules}
	closeRuntimes = func(context.Context) error { return nil } // a compilation that was left behind may still use that of the modules
	processes, err := process.New(process.Config{UID: cfg.PluginUID, Logger: log.Named("process")})
	if err == nil {
		runtimes["process"], closeRuntimes = processes, processes.Close
	} else {
		log.Warn("no plugins with runtime: process", "reason", err)
	}
	to.Path, to.Logger, to.Environ = cfg.PluginsConfig, log.Named("plugins"), cfg.LookupEnv
	to.DefaultTimeout, to.Runtimes = cfg.DefaultTimeout, runtimes
	return host.New(to), closeRuntimes, nil
}

// newConfigService makes what lists the plugins when another service does; nil
// when none does.
func newConfigService(cfg config.Config, log hclog.Logger) (*host.ConfigService, error) {
	if cfg.ConfigServiceURL == nil {
		return nil, nil
	}
	dir := cfg.PluginsConfig
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		dir = filepath.Dir(dir)
	}
	return host.NewConfigService(host.ConfigServiceConfig{
		URL: cfg.ConfigServiceURL.String(), Dir: dir, Copy: filepath.Join(cfg.DataDir, listCopy), Logger: log.Named("plugins"),
	})
}

// listCopy is the name, in DATA_DIR, of the list that the config service gave
// last.
const listCopy = "plugins.list.yaml"
