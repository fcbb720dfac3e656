package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/nexuscore/scheduler/core"
)

var (
	errConnecting = errors.New("not connected yet")
	errClosed     = errors.New("closed")
)

// link is a connection that is made again whenever it is lost.
type link struct {
	cfg     Config
	name    string
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	session *session // nil while down
	reason  error    // of being down
	block   string   // why the server takes no messages, "" when it does
	since   time.Time
	changed chan struct{} // closed and replaced when session changes
}

func startLink(cfg Config, name string) *link {
	ctx, stop := context.WithCancel(context.Background())
	l := &link{cfg: cfg, name: name, stop: stop, reason: errConnecting, since: cfg.Clock.Now(), changed: make(chan struct{})}
	l.running.Go(func() { l.run(ctx) })
	return l
}

func (l *link) close() {
	l.stop()
	l.running.Wait()
}

// run connects again and again until ctx ends.
func (l *link) run(ctx context.Context) {
	backoff, level := l.cfg.MinBackoff, hclog.Warn
	for {
		s, err := connect(ctx, l.cfg, l.name)
		if err == nil {
			backoff, level = l.cfg.MinBackoff, hclog.Warn
			err = l.hold(ctx, s)
		}
		if ctx.Err() != nil {
			l.set(nil, errClosed)
			return
		}
		l.set(nil, err)
		l.cfg.Logger.Log(level, "rabbitmq is not connected", "connection", l.name, "error", err)
		level = hclog.Debug // said once
		pause(ctx, backoff/2+rand.N(backoff))
		backoff = min(2*backoff, l.cfg.MaxBackoff)
	}
}

// hold makes a session available until it or ctx ends.
func (l *link) hold(ctx context.Context, s *session) error {
	closes := s.conn.NotifyClose(make(chan *amqp.Error, 1))
	blocks := s.conn.NotifyBlocked(make(chan amqp.Blocking, 8))
	l.set(s, nil)
	l.cfg.Logger.Info("rabbitmq is connected", "connection", l.name, "version", s.version())
	for {
		select {
		case <-ctx.Done():
			s.close()
			return ctx.Err()
		case err, ok := <-closes:
			if !ok {
				return errors.New("connection lost")
			}
			return err
		case b, ok := <-blocks:
			if !ok {
				blocks = nil // closes says why
				continue
			}
			l.setBlock(b)
		}
	}
}

func (l *link) setBlock(b amqp.Blocking) {
	reason := ""
	if b.Active {
		reason = "blocked: " + b.Reason
	}
	l.mu.Lock()
	l.block, l.since = reason, l.cfg.Clock.Now()
	l.mu.Unlock()
	l.cfg.Logger.Warn("rabbitmq takes messages", "yes", !b.Active, "reason", b.Reason)
}

func (l *link) set(s *session, reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if (s == nil) != (l.session == nil) {
		l.since = l.cfg.Clock.Now()
	}
	l.session, l.reason, l.block = s, reason, ""
	close(l.changed)
	l.changed = make(chan struct{})
}

// look returns the session, or why there is none, and since when.
func (l *link) look() (*session, time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session, l.since, l.reason
}

// blocked fails with UNAVAILABLE when the server takes no messages.
func (l *link) blocked() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.block == "" {
		return nil
	}
	return unavailable("publish", fmt.Errorf("the server takes no messages, %s", l.block))
}

func (l *link) changedAt() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since
}

// check makes a round trip.
func (l *link) check(clock core.Clock) (Health, error) {
	s, since, err := l.look()
	asked := clock.Now()
	if err == nil {
		err = s.ping()
	}
	if err != nil {
		return Health{State: StateDown, Since: since}, unavailable("check", err)
	}
	return Health{State: StateConnected, Since: since, Version: s.version(), Latency: clock.Now().Sub(asked)}, nil
}

// wait returns the session as soon as there is one, or ctx's error.
func (l *link) wait(ctx context.Context) (*session, error) {
	for {
		l.mu.Lock()
		s, changed := l.session, l.changed
		l.mu.Unlock()
		if s != nil {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// keep serves with a channel of its own, again and again, until ctx ends.
// serve returns when its channel is lost or it cannot go on.
func (l *link) keep(ctx context.Context, name string, serve func(ctx context.Context, s *session, ch *amqp.Channel) error) {
	backoff := l.cfg.MinBackoff
	for ctx.Err() == nil {
		s, err := l.wait(ctx)
		if err != nil {
			return
		}
		ch, err := s.channel()
		if err == nil {
			backoff = l.cfg.MinBackoff
			err = serve(ctx, s, ch)
			s.closeChannel(ch)
		}
		if ctx.Err() != nil {
			return
		}
		l.cfg.Logger.Warn("rabbitmq consumer stopped", "consumer", name, "error", err)
		pause(ctx, backoff/2+rand.N(backoff))
		backoff = min(2*backoff, l.cfg.MaxBackoff)
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
