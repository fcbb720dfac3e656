package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Engine runs all duties of a node. Start and Stop are idempotent; a stopped
// engine cannot be started again. It is safe for concurrent use.
type Engine struct {
	cfg       Config
	planner   *loop
	dispatch  *loop
	heartbeat *loop
	reporter  *loop
	reaper    *loop
	judge     *loop
	lookout   *loop
	relay     *loop
	herald    *loop // alerts
	courier   *loop // notifications
	registrar *loop
	janitor   *janitor
	worker    *worker
	keeper    *keeper
	shaper    *shaper
	completer *completer
	done      chan core.Completion

	mu      sync.Mutex
	state   state
	intake  stage              // planner, dispatcher, receivers: what brings new work
	upkeep  stage              // heartbeats, reaper, janitor, signals: needed while work runs
	written chan struct{}      // closed when the completer has written everything
	abandon context.CancelFunc // ends the completer's patience with the store
}

type state int

const (
	stateNew state = iota
	stateRunning
	stateStopped
)

// stage is a group of goroutines that end together.
type stage struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func (s *stage) begin(parts ...func(context.Context)) {
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for _, part := range parts {
		s.wg.Go(func() { part(s.ctx) })
	}
}

// New makes an engine. It starts nothing.
func New(cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, done: make(chan core.Completion, cfg.Concurrency), written: make(chan struct{})}
	e.keeper = newKeeper(cfg)
	e.shaper = newShaper()
	d := &dispatcher{cfg: cfg, shaper: e.shaper}
	e.dispatch = e.newLoop("dispatcher", cfg.Idle, d.step)
	r := newReporter(cfg, e.keeper.holds)
	e.reporter = e.newLoop("reporter", cfg.Idle, r.step)
	r.wake = e.reporter.wake
	e.worker = newWorker(cfg, e.keeper, e.shaper, r, e.done, e.dispatch.wake)
	j := &judge{cfg: cfg, changed: e.wakeAll}
	e.judge = e.newLoop("judge", cfg.Idle, j.step)
	p := &planner{cfg: cfg, cancel: e.cancelRunning, planned: e.wakePlanned}
	e.planner = e.newLoop("planner", cfg.Idle, p.step)
	e.heartbeat = e.newLoop("keeper", cfg.LeaseTTL/3, e.keeper.step)
	ends := &reaper{cfg: cfg, keeper: e.keeper, ended: e.wakeAll}
	e.reaper = e.newLoop("reaper", cfg.LeaseTTL/4, ends.step)
	e.watchOutbox()
	reg := &registrar{cfg: cfg, load: e, started: cfg.Clock.Now()}
	e.registrar = e.newLoop("registrar", cfg.LeaseTTL, reg.step)
	e.registrar.last = reg.forget
	e.janitor = &janitor{cfg: cfg, fault: e.fault}
	e.completer = &completer{cfg: cfg, keeper: e.keeper, done: e.done, ended: e.wakeAll, fault: e.fault, healed: e.healed, aside: make(chan struct{}, maxAside)}
	return e, nil
}

func (c Config) validate() error {
	switch {
	case c.Store == nil, c.Queue == nil, c.Locker == nil, c.Limiter == nil, c.Invoker == nil, c.Signals == nil:
		return errors.New("engine: store, queue, locker, limiter, invoker and signals are required")
	case c.Owner == "":
		return errors.New("engine: owner is required")
	}
	return nil
}

// Start begins to work.
func (e *Engine) Start() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch e.state {
	case stateRunning:
		return nil
	case stateStopped:
		return errors.New("engine: cannot be started again")
	}
	e.state = stateRunning
	ctx, abandon := context.WithCancel(context.Background())
	e.abandon = abandon
	go func() {
		e.completer.run(ctx)
		close(e.written)
		for range e.done { // abandoned: who ends later must not wait for ever
		}
	}()
	signals, unsubscribe := e.cfg.Signals.Subscribe()
	e.upkeep.begin(e.heartbeat.run, e.keeper.watch, e.reporter.run, e.reaper.run, e.janitor.run, e.lookout.run, e.relay.run, e.herald.run, e.courier.run, e.registrar.run, func(ctx context.Context) {
		defer unsubscribe()
		e.obey(ctx, signals)
	})
	intake := []func(context.Context){e.planner.run, e.judge.run, e.dispatch.run}
	for range e.cfg.Receivers {
		intake = append(intake, e.worker.receive)
	}
	e.intake.begin(intake...)
	return nil
}

// Stop drains the engine: no new work at once; what runs may go on until ctx
// ends, is then told to end and is handed back without spending its attempt.
// Results are written before Stop returns, unless the store does not answer.
func (e *Engine) Stop(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != stateRunning {
		e.state = stateStopped
		return
	}
	e.state = stateStopped
	e.intake.cancel()
	e.drain(ctx)
	// What was handed back is for other nodes: nobody here dispatches any more.
	e.cfg.Signals.Send(ctx, core.Signal{Kind: core.SignalDispatch})
	e.upkeep.cancel()
	bounded(ctx, e.upkeep.wg.Wait)
}

// bounded waits for something, a little longer than ctx: a store that never
// answers must not keep the process.
func bounded(ctx context.Context, wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	timer := time.NewTimer(flushTime)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// flushTime bounds how long Stop waits for the store to take the last results.
const flushTime = 5 * time.Second

// drain waits for what runs, tells it to end when ctx does, and waits until the
// results are written. A claim that the store answers late still starts work,
// so the receivers count as running.
func (e *Engine) drain(ctx context.Context) {
	idle := make(chan struct{})
	go func() {
		e.intake.wg.Wait()
		e.worker.running.Wait()
		close(e.done)
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	e.worker.stop(errShutdown)
	patience := time.AfterFunc(e.cfg.CancelGrace+flushTime, func() {
		e.cfg.Logger.Error("last results cannot be written; their executions run again")
		e.abandon()
	})
	defer patience.Stop()
	<-e.written
	e.abandon()
}

// obey turns signals into wake-ups.
func (e *Engine) obey(ctx context.Context, signals <-chan core.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-signals:
			switch s.Kind {
			case core.SignalPlan:
				e.planner.wake()
			case core.SignalDispatch:
				e.wakeAll()
				e.lookout.wake()
			case core.SignalCancel:
				e.keeper.end(s.ExecutionID, errCancelled)
			case core.SignalNotify:
				e.courier.wake()
			case core.SignalFinished: // for those who wait for one execution
			}
		}
	}
}

// watchOutbox makes the loops that tell the outside what has happened.
func (e *Engine) watchOutbox() {
	events := &relay{cfg: e.cfg, duty: duty{cfg: e.cfg, name: "relay"}}
	e.relay = e.newLoop("relay", e.cfg.Idle, events.step)
	e.relay.last = events.duty.release
	e.herald = e.newHerald("herald", core.MessageAlert)
	e.courier = e.newHerald("courier", core.MessageNotification)
	l := &lookout{cfg: e.cfg, raised: e.wakeOutbox}
	e.lookout = e.newLoop("lookout", e.cfg.Idle, l.step)
}

// newHerald makes a loop that takes one kind of messages to people. Each kind
// has its own: what plugins say must not keep alerts waiting.
func (e *Engine) newHerald(part string, kind core.MessageKind) *loop {
	h := &herald{cfg: e.cfg, kind: kind, duty: duty{cfg: e.cfg, name: part}}
	l := e.newLoop(part, e.cfg.Idle, h.step)
	l.last = h.duty.release
	return l
}

func (e *Engine) wakeOutbox() {
	e.relay.wake()
	e.herald.wake()
}

// wakePlanned is for when executions were planned: some may go, some wait for
// dependencies, some are late already, some were missed.
func (e *Engine) wakePlanned() {
	e.judge.wake()
	e.dispatch.wake()
	e.lookout.wake()
	e.wakeOutbox()
}

// wakeAll is for when executions have ended: gates may have opened, others may
// run after them, and somebody wants to know.
func (e *Engine) wakeAll() {
	e.planner.wake()
	e.judge.wake()
	e.dispatch.wake()
	e.wakeOutbox()
}

// cancelRunning ends an execution here and, by signal, on the other nodes.
func (e *Engine) cancelRunning(id string) {
	e.keeper.end(id, errCancelled)
	e.cfg.Signals.Send(context.Background(), core.Signal{Kind: core.SignalCancel, ExecutionID: id})
}

func (e *Engine) fault(part string, err error) {
	e.cfg.Observer.Observe(core.Event{Kind: core.EventFault, At: e.cfg.Clock.Now(), Part: part, Err: err})
	e.cfg.Logger.Warn("step failed and is repeated", "part", part, "error", err)
}

func (e *Engine) healed(part string) {
	e.cfg.Observer.Observe(core.Event{Kind: core.EventHealed, At: e.cfg.Clock.Now(), Part: part})
	e.cfg.Logger.Info("step works again", "part", part)
}

// RateOpensAt implements core.RateReporter.
func (e *Engine) RateOpensAt(now time.Time, key string) time.Time { return e.shaper.opensAt(now, key) }

// Load implements core.LoadReporter.
func (e *Engine) Load(ctx context.Context) (core.Load, error) {
	waiting, room, err := e.cfg.Queue.Depth(ctx)
	if err != nil {
		return core.Load{}, fmt.Errorf("look at the queue: %w", err)
	}
	return core.Load{Node: e.cfg.Owner, Running: e.Running(), Slots: e.cfg.Concurrency, Waiting: waiting, Room: room}, nil
}

// Running counts the executions that run on this node.
func (e *Engine) Running() int { return len(e.keeper.leases()) }
