package process

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/nexuscore/scheduler/host"
)

// runtimeRoom is what a program has beside limits.memory: a Go program with
// gRPC maps about half of it before its first own byte.
const runtimeRoom = 64 * host.MiB

// Runtime runs programs as processes. Load is safe for concurrent use.
type Runtime struct {
	cfg         Config
	confinement confinement
	dir         *directory
	thread      *starter
	closing     context.Context // ends what is being started, and all processes
	close       context.CancelFunc
}

// New makes a Runtime. The program must call RunIfChild first thing. It fails
// when sockets cannot be made in Dir.
func New(cfg Config) (*Runtime, error) {
	if _, ok := os.LookupEnv(childVariable); ok {
		return nil, errors.New("process runtime: the program has to call process.RunIfChild first thing in main")
	}
	cfg = cfg.withDefaults()
	r := &Runtime{cfg: cfg, confinement: findConfinement(cfg.UID)}
	var err error
	if r.dir, err = openDirectory(cfg.Dir, r.confinement.uid > 0, cfg.Clock.Now(), cfg.Logger); err != nil {
		return nil, fmt.Errorf("process runtime: %w", err)
	}
	r.thread = newStarter()
	r.closing, r.close = context.WithCancel(context.Background())
	return r, nil
}

// Load implements host.Runtime: it checks the program and starts it once, to see
// that it can be called.
func (r *Runtime) Load(ctx context.Context, a host.Artifact) (host.Plugin, error) {
	if err := checkProgram(a.Bytes); err != nil {
		return nil, err
	}
	image, err := newImage(a.Bytes)
	if err != nil {
		return nil, err
	}
	p := &plugin{
		runtime: r, image: image, limits: a.Limits, perRun: a.Init == host.InitPerRun, logger: a.Logger,
		order: order{
			Memory: uint64(a.Limits.Memory + runtimeRoom), UID: r.confinement.uid, Capabilities: r.confinement.dropCaps,
			Landlock: r.confinement.landlock, Seccomp: r.confinement.seccomp,
		},
	}
	p.life, p.end = context.WithCancel(r.closing)
	if err := p.in(ctx, nobody{}, func(*run) error { return nil }); err != nil {
		_ = p.Close(context.WithoutCancel(ctx))
		return nil, loadError(err)
	}
	return p, nil
}

// Confinement says what holds plugins on this machine, as host.Confined does.
func (r *Runtime) Confinement() map[string]string { return r.confinement.words() }

// Close releases what all plugins share. Close them first, and load none after.
// A process that is left is killed.
func (r *Runtime) Close(context.Context) error {
	r.close()
	r.thread.close()
	return r.dir.close()
}

var (
	_ host.Runtime  = (*Runtime)(nil)
	_ host.Confined = (*Runtime)(nil)
)
