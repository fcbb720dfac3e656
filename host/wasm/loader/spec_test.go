package loader_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/nexuscore/scheduler/host/wasm/loader"
)

// documented are the reasons for which the loader refuses modules that the
// suite calls valid. What it refuses for another reason is a bug.
var documented = map[string]*regexp.Regexp{
	"imports a memory, table or global": regexp.MustCompile(`which is no function; memories, tables and globals must be its own`),
	"the table is too large":            regexp.MustCompile(`declares a table of \d+ elements`),
}

// TestSpecification runs the WebAssembly core test suite, version 2.0, through
// the loader: every module runs as it is and as it is rewritten, and both have
// to give the same results and traps, those the suite demands. What the suite
// calls invalid has to be refused, by the loader or by the engine after it.
//
// Most modules of the suite have no memory, and the loader demands one, so they
// get one that is empty.
func TestSpecification(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(specDirectory(t, "v2"), "*.json"))
	require.NoError(t, err)
	require.Greater(t, len(files), 100, "the suite is not where it was")
	total := counts{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			total.add(playScript(t, readScript(t, file)))
		})
	}
	for _, what := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%6d %s", total[what], what)
	}
	for what, least := range map[string]int{
		"module run": 1400, "assert_return held": 45_000, "assert_trap held": 2300, "assert_exhaustion held": 15,
		"assert_invalid held": 2100, "assert_malformed held": 500, "assert_uninstantiable held": 20,
	} {
		require.GreaterOrEqual(t, total[what], least, what)
	}
}

// counts says how often something happened.
type counts map[string]int

func (c counts) add(o counts) {
	for what, n := range o {
		c[what] += n
	}
}

// twin is a module in both forms. refused is why there is none.
type twin struct {
	was, is api.Module
	refused string
}

// player runs a script. The two forms live in engines of their own, since
// modules of a script may import from each other.
type player struct {
	t        *testing.T
	script   script
	was, is  *engine
	current  twin
	named    map[string]twin
	happened counts

	// partial tells that a module was refused. Others may miss what it would have
	// done to them, so that only the comparison of the two forms is left.
	partial bool
}

func playScript(t *testing.T, s script) counts {
	p := &player{t: t, script: s, was: newEngineWith(t, wazero.NewRuntimeConfig()), is: newEngineWith(t, wazero.NewRuntimeConfig()), named: map[string]twin{}, happened: counts{}}
	for _, e := range []*engine{p.was, p.is} {
		_, err := e.runtime.InstantiateWithConfig(t.Context(), p.shared(), wazero.NewModuleConfig())
		require.NoError(t, err)
	}
	for i, c := range s.Commands {
		as := ""
		if next := i + 1; next < len(s.Commands) && s.Commands[next].Type == "register" {
			as = s.Commands[next].As
		}
		p.play(c, as)
	}
	return p.happened
}

// shared is the module that scripts import their functions from.
func (p *player) shared() []byte {
	return script{dir: specDirectory(p.t, "")}.read(p.t, "spectest.wasm")
}

func (p *player) play(c command, as string) {
	where := fmt.Sprintf("line %d: %s %s", c.Line, c.Type, c.Action.Field)
	switch c.Type {
	case "register": // the module before it was told
	case "module":
		p.current = p.instantiate(p.script.read(p.t, c.Filename), as, where)
		if c.Name != "" {
			p.named[c.Name] = p.current
		}
	case "action", "assert_return", "assert_trap", "assert_exhaustion":
		p.act(c, where)
	case "assert_invalid", "assert_malformed":
		if c.ModuleType == "text" {
			return
		}
		p.refuse(c, where)
	case "assert_unlinkable", "assert_uninstantiable":
		p.fail(c, where)
	default:
		require.Fail(p.t, "unknown command", where)
	}
}

// instantiate runs a valid module in both forms.
func (p *player) instantiate(b []byte, as, where string) twin {
	m, err := loader.Load(b)
	if err != nil && strings.Contains(err.Error(), "has no memory") {
		b = withMemory(b)
		m, err = loader.Load(b)
	}
	if err != nil {
		for reason, text := range documented {
			if text.MatchString(err.Error()) {
				p.happened["module refused: "+reason]++
				p.partial = true
				return twin{refused: reason}
			}
		}
		require.NoError(p.t, err, where)
	}
	cfg := wazero.NewModuleConfig().WithName(as)
	ctx := experimental.WithMemoryAllocator(p.t.Context(), bounded{m.MemoryMax})
	was, err := p.was.runtime.InstantiateWithConfig(ctx, b, cfg)
	if err != nil && strings.Contains(err.Error(), "not instantiated") { // it imports from one that was refused
		p.happened["module refused: imports from one of these"]++
		return twin{refused: "import"}
	}
	require.NoError(p.t, err, where)
	is, err := p.is.start(ctx, m, cfg)
	require.NoError(p.t, err, where)
	p.happened["module run"]++
	return twin{was: was, is: is}
}

// act calls a function in both forms, or looks at a global.
func (p *player) act(c command, where string) {
	m := p.current
	if c.Action.Module != "" {
		m = p.named[c.Action.Module]
	}
	if m.refused != "" {
		p.happened[c.Type+" of a refused module"]++
		return
	}
	if c.Action.Type == "get" {
		require.Equal(p.t, m.was.ExportedGlobal(c.Action.Field).Get(), m.is.ExportedGlobal(c.Action.Field).Get(), where)
		expected(p.t, c.Expected, []uint64{m.is.ExportedGlobal(c.Action.Field).Get()}, where)
		p.happened[c.Type+" held"]++
		return
	}
	args := bits(p.t, c.Action.Args)
	want, wantErr := m.was.ExportedFunction(c.Action.Field).Call(p.t.Context(), args...)
	got, gotErr := m.is.ExportedFunction(c.Action.Field).Call(p.t.Context(), args...)
	require.Equal(p.t, reason(wantErr), reason(gotErr), where)
	if !hasReference(m.is.ExportedFunction(c.Action.Field)) {
		require.Equal(p.t, want, got, where)
	}
	if !p.partial {
		p.demand(c, got, gotErr, where)
	}
	p.happened[c.Type+" held"]++
}

// demand holds a result against the suite.
func (p *player) demand(c command, got []uint64, err error, where string) {
	switch c.Type {
	case "assert_trap", "assert_exhaustion":
		require.Error(p.t, err, where)
	case "assert_return":
		require.NoError(p.t, err, where)
		expected(p.t, c.Expected, got, where)
	default:
		require.NoError(p.t, err, where)
	}
}

// hasReference tells whether a function returns references to functions, which
// are addresses.
func hasReference(f api.Function) bool {
	const funcref = 0x70
	return slices.Contains(f.Definition().ResultTypes(), funcref)
}

// refuse demands that a module that is invalid or malformed is not run: not as
// it is, and with a memory no more than the engine would.
func (p *player) refuse(c command, where string) {
	b := p.script.read(p.t, c.Filename)
	require.False(p.t, p.is.accepts(p.t, b) && !droppedUnread(p.was.compile(p.t, b)), where)
	if _, err := loader.Load(b); err != nil && strings.Contains(err.Error(), "has no memory") {
		b = withMemory(b)
		err := p.was.compile(p.t, b)
		require.True(p.t, err == nil || !p.is.accepts(p.t, b) || droppedUnread(err), "%s: %v", where, err)
	}
	p.happened[c.Type+" held"]++
}

// compile returns what the engine has against a module.
func (e *engine) compile(t testing.TB, b []byte) error {
	m, err := e.runtime.CompileModule(t.Context(), b)
	if err == nil {
		require.NoError(t, m.Close(t.Context()))
	}
	return err
}

// accepts tells whether a module is taken by the loader and then by the engine.
func (e *engine) accepts(t testing.TB, b []byte) bool {
	m, err := loader.Load(b)
	return err == nil && e.compile(t, m.Bytes) == nil
}

// droppedUnread tells whether a module is invalid for a reason that is not left
// in its rewritten form: something in a custom section, or a reference to the
// start function, which the host has to export.
func droppedUnread(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "section custom") || strings.Contains(err.Error(), "custom section") || strings.Contains(err.Error(), "undeclared function index"))
}

// fail demands that a module that cannot be linked or started ends so in both
// forms. The engine itself starts some that it should not.
func (p *player) fail(c command, where string) {
	b := p.script.read(p.t, c.Filename)
	m, err := loader.Load(b)
	if err != nil && strings.Contains(err.Error(), "has no memory") {
		b = withMemory(b)
		m, err = loader.Load(b)
	}
	if err != nil {
		p.happened[c.Type+" held"]++
		return
	}
	cfg := wazero.NewModuleConfig().WithName("")
	ctx := experimental.WithMemoryAllocator(p.t.Context(), bounded{m.MemoryMax})
	_, wasErr := p.was.runtime.InstantiateWithConfig(ctx, b, cfg)
	_, isErr := p.is.start(ctx, m, cfg)
	require.Equal(p.t, wasErr == nil, isErr == nil, "%s: %v, rewritten %v", where, wasErr, isErr)
	if wasErr == nil {
		p.happened[c.Type+" missed by the engine"]++
		return
	}
	p.happened[c.Type+" held"]++
}

// Modules with what later proposals brought are refused, or are what the engine
// takes: nothing that the loader does not know slips through it.
func TestProposalsDoNotSlipThrough(t *testing.T) {
	e := newEngineWith(t, wazero.NewRuntimeConfig())
	happened := counts{}
	for _, part := range []string{"threads", "tail-call", "exception-handling", "extended-const", "typed-function-references", "v1"} {
		files, err := filepath.Glob(filepath.Join(specDirectory(t, part), "*.wasm"))
		require.NoError(t, err)
		require.NotEmpty(t, files, part)
		for _, file := range files {
			b := script{dir: filepath.Dir(file)}.read(t, filepath.Base(file))
			if _, err := loader.Load(b); err != nil {
				happened[part+" refused"]++
				continue
			}
			err := e.compile(t, b)
			require.True(t, e.accepts(t, b) == (err == nil) || droppedUnread(err), "%s: %v", file, err)
			happened[part+" as the engine"]++
		}
	}
	t.Log(happened)
}
