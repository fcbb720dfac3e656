package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/nexuscore/scheduler/core"
)

// Bounds of what a node tells the others. NOTIFY takes a lock on the whole
// database when it commits, so it comes seldom and not within the transactions
// of the work.
const (
	notifyGap     = 10 * time.Millisecond // between two notifications of a node, at least
	notifyPayload = 7000                  // bytes; Postgres takes less than 8000
	notifyBacklog = 4096                  // signals that wait to be told; more push out the oldest
	notifyTimeout = 5 * time.Second
	listenPing    = time.Minute // finds a connection that is dead and does not say so
)

// Signals is a core.Signals among all nodes that use a database, by LISTEN and
// NOTIFY. Subscribers in this process get a signal at once, those of other nodes
// some milliseconds later, and while the connection is down not at all: after
// it they are told to look for everything. It does not work through a proxy that
// shares connections between transactions. It is safe for concurrent use; Close
// ends it.
type Signals struct {
	db       *sqlx.DB
	logger   hclog.Logger
	hub      core.SignalHub
	listener *pq.Listener
	channel  string
	node     string // who we are: our own notifications come back to us

	mu      sync.Mutex
	backlog []core.Signal
	wake    chan struct{} // the backlog is not empty
	done    chan struct{}
	running sync.WaitGroup
}

// Signals connects the node with the others. It waits until it can hear them, or
// ctx ends.
func (p *Postgres) Signals(ctx context.Context) (*Signals, error) {
	var schema string
	if err := p.reader.GetContext(ctx, &schema, `SELECT current_schema()`); err != nil {
		return nil, fmt.Errorf("open signals: %w", err)
	}
	s := &Signals{
		db: p.reader, logger: p.logger, node: core.NewID(),
		channel: fmt.Sprintf("nexuscore_%08x", hash(schema)), // a channel is of the database, its names of a schema
		wake:    make(chan struct{}, 1), done: make(chan struct{}),
	}
	s.listener = pq.NewListener(p.url, 100*time.Millisecond, 10*time.Second, s.connection)
	listening := make(chan error, 1)
	go func() { listening <- s.listener.Listen(s.channel) }() // waits for the connection, and knows no context
	select {
	case err := <-listening:
		if err != nil {
			return nil, fmt.Errorf("open signals: %w", err)
		}
	case <-ctx.Done():
		_ = s.listener.Close()
		return nil, fmt.Errorf("open signals: %w", ctx.Err())
	}
	s.running.Go(s.listen)
	s.running.Go(s.tell)
	return s, nil
}

// Close ends the connection, after telling what was sent. Subscribers get
// nothing more.
func (s *Signals) Close() error {
	close(s.done)
	s.running.Wait()
	s.flush()
	return s.listener.Close()
}

// connection logs what becomes of the listener's connection.
func (s *Signals) connection(event pq.ListenerEventType, err error) {
	switch event {
	case pq.ListenerEventDisconnected:
		s.logger.Warn("lost the connection for signals; nodes hear of each other by polling until it is back", "error", err)
	case pq.ListenerEventReconnected:
		s.logger.Info("the connection for signals is back")
	case pq.ListenerEventConnected, pq.ListenerEventConnectionAttemptFailed:
	}
}

// Send offers a signal to every subscriber and does not wait for them.
func (s *Signals) Send(_ context.Context, signal core.Signal) {
	s.hub.Deliver(signal)
	s.mu.Lock()
	defer s.mu.Unlock()
	if signal.ExecutionID == "" && slices.Contains(s.backlog, signal) {
		return // told once it is told
	}
	if len(s.backlog) == notifyBacklog {
		s.backlog = s.backlog[1:]
	}
	s.backlog = append(s.backlog, signal)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Subscribe returns the signals of all nodes from now on. The function ends the
// subscription and closes the channel; calling it again does nothing.
func (s *Signals) Subscribe() (<-chan core.Signal, func()) { return s.hub.Subscribe() }

// tell hands the backlog to the other nodes, at most once in a gap.
func (s *Signals) tell() {
	gap := time.NewTimer(0)
	defer gap.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-s.wake:
		}
		s.flush()
		gap.Reset(notifyGap)
		select {
		case <-s.done:
			return
		case <-gap.C:
		}
	}
}

// notification is the payload: the sender and what it tells.
type notification struct {
	Node    string        `json:"n"`
	Signals []core.Signal `json:"s"`
}

func (s *Signals) flush() {
	s.mu.Lock()
	signals := s.backlog
	s.backlog = nil
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), notifyTimeout)
	defer cancel()
	for _, payload := range payloads(s.node, signals) {
		if _, err := s.db.ExecContext(ctx, `SELECT pg_notify($1, $2)`, s.channel, payload); err != nil {
			s.logger.Warn("signals were lost; other nodes find out by polling", "error", err)
			return
		}
	}
}

// payloads packs signals into as few notifications as they fit in.
func payloads(node string, signals []core.Signal) []string {
	var packed []string
	for len(signals) > 0 {
		n, size := 0, len(node)
		for n < len(signals) && (n == 0 || size < notifyPayload) {
			size += len(signals[n].ExecutionID) + 64 // with its names and quotes
			n++
		}
		if size > notifyPayload && n > 1 {
			n--
		}
		text, err := json.Marshal(notification{Node: node, Signals: signals[:n]})
		if err == nil { // texts cannot fail to marshal
			packed = append(packed, string(text))
		}
		signals = signals[n:]
	}
	return packed
}

// listen hands what other nodes tell to our subscribers.
func (s *Signals) listen() {
	ping := time.NewTicker(listenPing)
	defer ping.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-ping.C:
			_ = s.listener.Ping() // an error makes it connect anew
		case n, ok := <-s.listener.Notify:
			switch {
			case !ok:
				return
			case n == nil: // connected anew: what was said meanwhile is lost
				s.hub.Deliver(core.Signal{Kind: core.SignalPlan}, core.Signal{Kind: core.SignalDispatch})
			default:
				s.hear(n.Extra)
			}
		}
	}
}

func (s *Signals) hear(payload string) {
	var n notification
	if err := json.Unmarshal([]byte(payload), &n); err != nil {
		s.logger.Warn("a notification cannot be read", "channel", s.channel, "error", err)
		return
	}
	if n.Node != s.node {
		s.hub.Deliver(n.Signals...)
	}
}

var _ core.Signals = (*Signals)(nil)
