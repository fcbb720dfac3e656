package redis

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	driver "github.com/redis/go-redis/v9"

	"github.com/nexuscore/scheduler/core"
)

// Bounds on what waits; the oldest goes when there is more.
const (
	signalBuffer   = 256  // signals that wait to be read from Redis
	outboundBuffer = 4096 // signals that have not reached Redis
	outboundBatch  = 256  // signals that are sent in one round trip
)

// silence is how often the connection that listens is tested.
const silence = 3 * time.Second

// Signals is a core.Signals for all nodes that share a Redis: publish and
// subscribe on one channel. Subscribers of this node get its own signals at
// once and without Redis, those of other nodes while Redis is there. What is
// sent while Redis or a connection is away is lost for other nodes, which costs
// latency only; a lost connection is found within seconds and made again. It is
// safe for concurrent use. Its zero value is not useful; NewSignals makes one.
type Signals struct {
	client  *Client
	node    string // tells our own messages from those of others
	stop    context.CancelFunc
	running sync.WaitGroup
	out     chan core.Signal

	hub core.SignalHub

	mu sync.Mutex // of whoever puts something into out
}

// signalMessage is how a signal travels, as JSON.
type signalMessage struct {
	Node        string          `json:"node"`
	Kind        core.SignalKind `json:"kind"`
	ExecutionID string          `json:"executionId,omitempty"`
}

// NewSignals starts to listen. Close ends it, before the client is closed.
func NewSignals(c *Client) *Signals {
	ctx, stop := context.WithCancel(context.Background())
	s := &Signals{
		client: c, node: core.NewID(), stop: stop,
		out: make(chan core.Signal, outboundBuffer),
	}
	s.running.Go(func() { s.send(ctx) })
	s.running.Go(func() { s.listen(ctx) })
	return s
}

// Close stops listening and closes the channels of all subscribers. Signals
// that have not left yet are dropped. Closing again does nothing.
func (s *Signals) Close() error {
	s.stop()
	s.running.Wait()
	s.hub.Close()
	return nil
}

// Send offers a signal to every subscriber of every node and does not wait for
// them or for Redis. Whether ctx has ended does not matter: a hint about the
// end of a request is wanted.
func (s *Signals) Send(_ context.Context, signal core.Signal) {
	s.hub.Deliver(signal)
	s.mu.Lock()
	defer s.mu.Unlock()
	core.OfferSignal(s.out, signal)
}

// Subscribe returns the signals from now on. The function ends the subscription
// and closes the channel; calling it again does nothing.
func (s *Signals) Subscribe() (<-chan core.Signal, func()) { return s.hub.Subscribe() }

// send carries signals to Redis, many in a round trip, until ctx ends.
func (s *Signals) send(ctx context.Context) {
	failing := false
	for {
		var first core.Signal
		select {
		case <-ctx.Done():
			return
		case first = <-s.out:
		}
		err := s.publish(ctx, s.batch(first))
		if ctx.Err() != nil {
			return
		}
		if failed := err != nil; failed != failing {
			failing = failed
			s.client.cfg.Logger.Info("signals to other nodes", "working", !failing, "error", err)
		}
	}
}

// batch adds what else waits to the first signal.
func (s *Signals) batch(first core.Signal) []core.Signal {
	batch := []core.Signal{first}
	for len(batch) < outboundBatch {
		select {
		case next := <-s.out:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

func (s *Signals) publish(ctx context.Context, batch []core.Signal) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.cfg.Timeout)
	defer cancel()
	pipe := s.client.db.Pipeline()
	for _, signal := range batch {
		text, err := json.Marshal(signalMessage{Node: s.node, Kind: signal.Kind, ExecutionID: signal.ExecutionID})
		if err != nil {
			return err
		}
		pipe.Publish(ctx, s.channel(), text)
	}
	_, err := pipe.Exec(ctx)
	return err
}

// listen hands on what other nodes send, until ctx ends. The driver connects
// again and again by itself.
func (s *Signals) listen(ctx context.Context) {
	sub := s.client.db.Subscribe(ctx, s.channel())
	defer func() {
		if err := sub.Close(); err != nil && !errors.Is(err, driver.ErrClosed) {
			s.client.cfg.Logger.Debug("close subscription", "error", err)
		}
	}()
	messages := sub.Channel(driver.WithChannelSize(signalBuffer), driver.WithChannelHealthCheckInterval(silence))
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-messages:
			if !ok {
				return
			}
			s.receive(m.Payload)
		}
	}
}

// receive delivers a message of another node. What cannot be read is of a newer
// version and only a hint.
func (s *Signals) receive(text string) {
	var m signalMessage
	if err := json.Unmarshal([]byte(text), &m); err != nil || m.Node == s.node {
		return
	}
	s.hub.Deliver(core.Signal{Kind: m.Kind, ExecutionID: m.ExecutionID})
}

func (s *Signals) channel() string { return s.client.cfg.Prefix + ":signals" }

var _ core.Signals = (*Signals)(nil)
