package app

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// plugins loads them as the service would, without its cache of compiled code,
// its copy of the list and its keys.
func (d *doctor) plugins(ctx context.Context) {
	quiet := hclog.NewNullLogger()
	r, err := newRuntimes(d.cfg, quiet, "")
	if err != nil {
		d.fail("plugins", "", "%v", err)
		return
	}
	defer func() { _ = r.close(context.WithoutCancel(ctx)) }() // nothing ran
	d.confinement(r, d.catalogue(ctx, r, quiet))
}

// catalogue says what becomes of the plugins. It returns whether there are
// processes.
func (d *doctor) catalogue(ctx context.Context, r runtimes, quiet hclog.Logger) (usesProcesses bool) {
	service, err := newConfigService(d.cfg, quiet, true)
	if err != nil {
		d.fail("plugins", "see to CONFIG_SERVICE_URL", "%v", err)
		return false
	}
	h := host.New(withConfig(host.Config{Service: service, Runtimes: r.byName, LoadTimeout: doctorLoad}, d.cfg, quiet))
	defer func() { _ = h.Close(context.WithoutCancel(ctx)) }() // nothing ran
	if err := h.Load(ctx); err != nil {
		d.fail("plugins", "see to PLUGINS_CONFIG", "%v", err)
		return false
	}
	if err := h.Problem(); err != nil {
		d.warn("plugins", "see to PLUGINS_CONFIG", "%v", err)
	}
	for _, p := range h.Plugins() {
		usesProcesses = usesProcesses || p.Runtime == "process"
		if p.State == core.PluginLoaded {
			d.ok("plugins", "%s is %s %s (%s)", p.Type, p.Name, p.Version, p.Runtime)
		} else {
			d.fail("plugins", "", "%s: %s (each plugin is given %v)", p.Type, p.Error, doctorLoad)
		}
	}
	return usesProcesses
}

// confinement is the table of what holds plugins on this machine, in the words of
// GET /plugins. It warns of what is off that keeps a listed plugin in.
func (d *doctor) confinement(r runtimes, usesProcesses bool) {
	const about = "confinement"
	walls := []string{"landlock", "seccomp", "capabilities"}
	for _, name := range slices.Sorted(maps.Keys(r.byName)) {
		confined, ok := r.byName[name].(host.Confined)
		if !ok {
			continue
		}
		words := confined.Confinement()
		for _, mechanism := range slices.Sorted(maps.Keys(words)) {
			word, advice, _ := strings.Cut(words[mechanism], "; ")
			f := Finding{GradeOK, about, name + ": " + mechanism + ": " + word, advice}
			if usesProcesses && strings.HasPrefix(word, "off: ") && slices.Contains(walls, mechanism) {
				f.Grade, f.Advice = GradeWarn, advice+"; until then list only programs you trust"
			}
			d.findings = append(d.findings, f)
		}
	}
	if r.noProcesses != nil {
		d.ok(about, "process: off: %v", r.noProcesses)
	}
}
