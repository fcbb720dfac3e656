package workbench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// Settings are what an operator would write about a plugin in plugins.yaml.
type Settings struct {
	// Config is handed to the plugin, JSON; empty is none.
	Config json.RawMessage
	// HTTP are the patterns of addresses that it may reach. A plugin that asks for
	// http and has none here is loaded, and refused when it uses it.
	HTTP []string
	// Private lets HTTP reach this machine and private networks.
	Private bool
	// Secrets are the values of secrets by name.
	Secrets map[string]string
	// Limits of plugins.yaml, such as "memory": "32MiB".
	Limits map[string]any
	// Withdrawn is a capability that the plugin asks for and does not get.
	Withdrawn string
	// Init is image or per-run; empty is image.
	Init string
	// Logger hears what the host has to say. nil is nothing.
	Logger hclog.Logger
}

// Session is a program loaded as the service would load it, with every
// capability granted that it asks for. It keeps the plugin's state from run to
// run. It is safe for concurrent use; Close it at the end.
type Session struct {
	Program Program
	host    *host.Host
	state   *state
	dir     string
}

// nowhere stands where a capability is asked for and nothing is granted that it
// could be used for.
const nowhere = "none.invalid"

// Load makes a session. The error says why the service would not load the
// program.
func (b *Bench) Load(ctx context.Context, p Program, with Settings) (_ *Session, err error) {
	if !pluginName.MatchString(p.Manifest.Name) {
		return nil, fmt.Errorf("the manifest's name %.80q: use lower-case letters, digits, - and _, 64 at most, beginning with a letter", p.Manifest.Name)
	}
	dir, err := os.MkdirTemp("", "scheduler-plugin-")
	if err != nil {
		return nil, err
	}
	s := &Session{Program: p, state: newState(), dir: dir}
	defer func() {
		if err != nil {
			s.Close(context.WithoutCancel(ctx))
		}
	}()
	list := filepath.Join(dir, "plugins.yaml")
	entry, err := with.entry(p)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(list, entry, 0o600); err != nil {
		return nil, err
	}
	s.host = host.New(host.Config{
		Path: list, Runtimes: b.without(with.Withdrawn), State: s.state, Checkpoints: s.state, Pruner: s.state, Drafter: drafter{}, DefaultTimeout: time.Minute, Logger: with.Logger,
		Environ: func(name string) (string, bool) { return with.secret(name) },
	})
	if err := s.host.Load(ctx); err != nil {
		return nil, err
	}
	if err := s.host.Problem(); err != nil {
		return nil, placeless(err.Error())
	}
	if status := s.Status(); status.Error != "" {
		return nil, placeless(status.Error)
	}
	return s, nil
}

// inList is where in the list something is wrong.
var inList = regexp.MustCompile(`^line \d+: `)

// placeless is an error of the list without the line: nobody has written it.
func placeless(text string) error { return errors.New(inList.ReplaceAllString(text, "")) }

// entry writes the plugins.yaml, as JSON.
func (w Settings) entry(p Program) ([]byte, error) {
	grants := map[string]any{}
	for _, capability := range slices.Concat(p.Manifest.Capabilities, p.Manifest.Optional) {
		switch capability {
		case w.Withdrawn:
		case "http":
			grants["http"] = w.HTTP
			if len(w.HTTP) == 0 {
				grants["http"] = []string{"https://" + nowhere + "/**"}
			}
			if w.Private {
				grants["privateNetworks"] = []string{"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"}
			}
		case "secrets":
			names := []string{}
			for name := range w.Secrets {
				names = append(names, name)
			}
			if len(names) == 0 {
				names = []string{"none"}
			}
			grants["secrets"] = names
		case "publish", "enqueue":
			grants[capability] = []string{"*"}
		default:
			grants[capability] = true
		}
	}
	entry := map[string]any{"type": p.Manifest.Name, "runtime": p.Runtime, "source": p.Path, "sha256": p.Digest, "grants": grants}
	if len(w.Config) > 0 {
		var config map[string]any
		if json.Unmarshal(w.Config, &config) != nil {
			return nil, errors.New("the config is no JSON object")
		}
		entry["config"] = escaped(config)
	}
	if len(w.Limits) > 0 {
		entry["limits"] = w.Limits
	}
	if w.Init != "" {
		entry["init"] = w.Init
	}
	return json.MarshalIndent(map[string]any{"plugins": []any{entry}}, "", "  ")
}

// escaped keeps ${…} in texts from being taken for variables.
func escaped(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "${", "$${")
	case []any:
		for i := range v {
			v[i] = escaped(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = escaped(v[key])
		}
	}
	return v
}

// secret looks up the environment variable of a secret.
func (w Settings) secret(variable string) (string, bool) {
	for name, value := range w.Secrets {
		if "SECRET_"+strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name)) == variable {
			return value, true
		}
	}
	return "", false
}

// Status is what GET /plugins would say.
func (s *Session) Status() core.PluginStatus {
	for _, p := range s.host.Plugins() {
		return p
	}
	return core.PluginStatus{Error: "the plugin is not listed"}
}

// Attempt is one attempt to run.
type Attempt struct {
	Data    json.RawMessage // task data; empty is {}
	Number  int             // from 1; 0 is 1
	ID      string          // of the execution; "" makes one
	Nominal time.Time       // zero is now
	Timeout time.Duration   // 0 is a minute
}

// Run runs the plugin once, as the service runs an attempt. What the plugin has
// set in its state with a success is there in the next run.
func (s *Session) Run(ctx context.Context, a Attempt) (core.Outcome, error) {
	now := core.SystemClock{}.Now()
	nominal := a.Nominal
	if nominal.IsZero() {
		nominal = now
	}
	out, err := s.host.Invoke(ctx, core.Invocation{
		ExecutionID: cmp.Or(a.ID, core.NewID()), TaskID: core.NewID(), TaskName: s.Program.Manifest.Name, Type: s.Program.Manifest.Name,
		Trigger: core.TriggerManual, Attempt: max(a.Number, 1), MaxAttempts: max(a.Number, 1), Token: 1,
		NominalTime: nominal, Deadline: now.Add(cmp.Or(a.Timeout, time.Minute)), Data: a.Data,
	})
	if err == nil {
		s.state.apply(out.Effects.State)
	}
	return out, err
}

// CheckData says what is wrong with task data, as POST /tasks would.
func (s *Session) CheckData(data json.RawMessage) error {
	return s.host.ValidateData(s.Program.Manifest.Name, data)
}

// Close ends what runs.
func (s *Session) Close(ctx context.Context) {
	if s.host != nil {
		_ = s.host.Close(ctx) // nothing is lost
	}
	_ = os.RemoveAll(s.dir) // it is in the temporary directory
}

// Describe renders a failure for people: its code, message and what it means for
// another attempt.
func Describe(err error) string {
	f, ok := errors.AsType[*core.Failure](err)
	if !ok {
		return err.Error()
	}
	text := fmt.Sprintf("%s: %s", f.Code, f.Message)
	switch {
	case f.RetryAfter > 0:
		text += fmt.Sprintf(" (another attempt no earlier than in %s)", f.RetryAfter)
	case f.Class == core.ClassPermanent || f.Class == core.ClassDenied:
		text += " (permanent: no other attempt)"
	}
	return text
}

// drafter takes every task that a plugin enqueues.
type drafter struct{}

// NewSpec implements host.Drafter.
func (drafter) NewSpec() core.TaskSpec { return core.TaskSpec{} }

// Draft implements host.Drafter.
func (drafter) Draft(_ context.Context, spec core.TaskSpec) (core.Task, error) {
	return core.Task{ID: core.NewID(), TaskSpec: spec}, nil
}
