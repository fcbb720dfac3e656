package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/api"
	"github.com/nexuscore/scheduler/core"
)

// checkTime bounds the look at one part.
const checkTime = 2 * time.Second

// Ready reports whether requests should be sent here.
func (a *App) Ready(ctx context.Context) error {
	if err := a.unready(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if err := a.store.Ping(ctx); err != nil {
		return errors.New("the database does not answer")
	}
	return a.faults.Problem()
}

// unready says what keeps the service from working at its start and its end; nil
// when nothing does.
func (a *App) unready() error {
	switch {
	case a.ready.Load():
		return nil
	case a.loading.Load():
		return errors.New("plugins are being loaded")
	}
	return errors.New("the service starts or stops")
}

// Check looks at every part. Without the database nothing works; everything
// else only degrades the service.
func (a *App) Check(ctx context.Context) api.HealthReport {
	r := api.HealthReport{Status: api.HealthOK, Version: a.version, Environment: a.cfg.Env, Node: a.cfg.NodeID, Checks: map[string]api.HealthCheck{
		"database": a.checkStore(ctx),
		"redis":    a.checkRedis(ctx),
		"queue":    a.lookAtQueue(ctx),
		"executor": a.checkExecutor(ctx),
		"services": a.checkServices(ctx),
	}}
	for name, c := range r.Checks {
		switch {
		case c.Status == api.HealthDown && (name == "database" || name == "executor"):
			r.Status = api.HealthDown
		case c.Status != api.HealthOK && r.Status == api.HealthOK:
			r.Status = api.HealthDegraded
		}
	}
	return r
}

func (a *App) checkStore(ctx context.Context) api.HealthCheck {
	c := timed(ctx, a.storeName, func(ctx context.Context) (map[string]any, error) {
		stats, err := a.store.Stats(ctx)
		if err != nil {
			return nil, errors.New("does not answer")
		}
		return map[string]any{"tasks": stats.Tasks, "executions": stats.Waiting}, nil
	})
	a.degradeByFaults(&c)
	return c
}

// degradeByFaults adds to a check that was fine what the engine's faults say.
func (a *App) degradeByFaults(c *api.HealthCheck) {
	if err := a.faults.Problem(); err != nil && c.Status == api.HealthOK {
		c.Status, c.Error = api.HealthDegraded, err.Error()
	}
}

func (a *App) checkRedis(ctx context.Context) api.HealthCheck {
	if a.checkLocks == nil {
		return api.HealthCheck{Status: api.HealthOK, Adapter: a.locksName}
	}
	return a.checkLocks(ctx)
}

func (a *App) lookAtQueue(ctx context.Context) api.HealthCheck {
	if a.checkQueue != nil {
		return a.checkQueue(ctx)
	}
	return timed(ctx, a.queueName, func(ctx context.Context) (map[string]any, error) {
		waiting, free, err := a.queue.Depth(ctx)
		return map[string]any{"waiting": waiting, "free": free}, err
	})
}

func (a *App) checkExecutor(context.Context) api.HealthCheck {
	c := api.HealthCheck{Status: api.HealthOK, Details: map[string]any{
		"running": a.engine.Running(), "slots": a.cfg.MaxConcurrentTasks,
	}}
	if err := a.unready(); err != nil {
		c.Status, c.Error = api.HealthDown, err.Error()
		return c
	}
	var failed, quarantined []string
	for _, p := range a.host.Plugins() {
		switch {
		case p.State == core.PluginFailed:
			failed = append(failed, p.Type)
		case p.Quarantine != nil:
			quarantined = append(quarantined, p.Type)
		}
	}
	if err := a.host.Problem(); err != nil {
		c.Status, c.Error = api.HealthDegraded, err.Error()
	}
	if len(quarantined) > 0 {
		c.Status, c.Error = api.HealthDegraded, "plugins keep crashing and are quarantined; GET /plugins says why"
		c.Details["quarantined"] = quarantined
	}
	if len(failed) > 0 {
		c.Status, c.Error = api.HealthDegraded, "plugins are not loaded; GET /plugins says why"
		c.Details["notLoaded"] = failed
	}
	a.degradeByFaults(&c)
	return c
}

// checkServices asks the services this one calls whether anybody is there. Any
// answer counts: what their health page is called is not known.
func (a *App) checkServices(ctx context.Context) api.HealthCheck {
	services := []struct {
		name    string
		address *url.URL
	}{{"notification", a.cfg.NotificationServiceURL}, {"config", a.cfg.ConfigServiceURL}}
	c := timed(ctx, "", func(ctx context.Context) (map[string]any, error) {
		details := map[string]any{"notification": "log"}
		problems := make([]error, len(services))
		var all sync.WaitGroup
		for i, s := range services {
			if s.address != nil {
				details[s.name] = s.address.Host
				all.Go(func() { problems[i] = a.knock(ctx, s.name, s.address) })
			}
		}
		all.Wait()
		return details, errors.Join(problems...)
	})
	if c.Status == api.HealthDown {
		c.Status = api.HealthDegraded
	}
	return c
}

// knock asks whether anybody is there.
func (a *App) knock(ctx context.Context, name string, address *url.URL) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address.String(), nil)
	if err != nil {
		return fmt.Errorf("the %s service's address is not usable", name)
	}
	resp, err := a.probe.Do(req)
	if err != nil {
		return fmt.Errorf("the %s service does not answer", name)
	}
	return resp.Body.Close()
}

// timed makes a check out of a look at a part. A look that goes on after its time
// is left behind: whoever asks wants an answer, and some drivers end late.
func timed(ctx context.Context, adapter string, look func(context.Context) (map[string]any, error)) api.HealthCheck {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	clock := core.SystemClock{}
	start := clock.Now()
	details, err := within(ctx, look)
	ms := float64(clock.Now().Sub(start).Microseconds()) / 1000
	c := api.HealthCheck{Status: api.HealthOK, Adapter: adapter, LatencyMs: &ms, Details: details}
	if err != nil {
		c.Status, c.Error = api.HealthDown, err.Error()
	}
	return c
}

// lateness is how much longer than its time a look may take to say why.
const lateness = 200 * time.Millisecond

// within waits for a look, a little longer than ctx.
func within(ctx context.Context, look func(context.Context) (map[string]any, error)) (map[string]any, error) {
	type answer struct {
		details map[string]any
		err     error
	}
	answers := make(chan answer, 1)
	go func() {
		details, err := look(ctx)
		answers <- answer{details, err}
	}()
	select {
	case a := <-answers:
		return a.details, a.err
	case <-ctx.Done():
	}
	late := time.NewTimer(lateness)
	defer late.Stop()
	select {
	case a := <-answers:
		return a.details, a.err
	case <-late.C:
		return nil, errAway
	}
}
