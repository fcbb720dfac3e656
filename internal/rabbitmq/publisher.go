package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/nexuscore/scheduler/core"
)

// window bounds the messages that are published before their confirms are
// waited for, and with them the room that returned messages need.
const window = 512

// outgoing is a message and where it goes.
type outgoing struct {
	exchange, key string
	mandatory     bool // a message that no queue takes is an error
	message       amqp.Publishing
}

// The ways in which the server declines a message.
var (
	errRefused  = errors.New("the queue is full")
	errReturned = errors.New("there is no such queue")
)

// publisher publishes with confirms on a channel of its own. One batch at a
// time is on its way, so that what comes back is of that batch. It is safe for
// concurrent use.
type publisher struct {
	link  *link
	setup func(ch *amqp.Channel) error // declares what is published to, on each new channel; may be nil
	turn  chan struct{}                // holds one token: whose turn it is
	ended chan struct{}                // closed by close
	left  sync.WaitGroup               // channels that are being closed
	end   sync.Once

	// Of whoever has the turn.
	session *session
	ch      *amqp.Channel
	returns chan amqp.Return
	closes  chan *amqp.Error
}

func newPublisher(l *link, setup func(ch *amqp.Channel) error) *publisher {
	return &publisher{link: l, setup: setup, turn: make(chan struct{}, 1), ended: make(chan struct{})}
}

// publish returns when the server has taken responsibility for all messages. It
// fails with errRefused or errReturned when it declined some, which may have
// been any part of them, and otherwise with UNAVAILABLE or ctx's error; then
// nobody knows which were taken. It ends within the timeout, and as much again
// when a channel has to be opened.
func (p *publisher) publish(ctx context.Context, messages []outgoing) error {
	bounded, cancel := context.WithTimeout(ctx, p.link.cfg.Timeout)
	defer cancel()
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-p.ended:
		return unavailable("publish", errClosed)
	case <-bounded.Done():
		return p.failed(ctx, bounded.Err())
	}
	for len(messages) > 0 {
		n := min(len(messages), window)
		if err := p.batch(bounded, messages[:n]); err != nil {
			return p.failed(ctx, err)
		}
		messages = messages[n:]
	}
	return nil
}

// failed names an error: the caller's own end comes first.
func (p *publisher) failed(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("publish: %w", ctx.Err())
	case errors.Is(err, errRefused), errors.Is(err, errReturned), core.CodeOf(err) == core.CodeUnavailable:
		return err
	}
	return unavailable("publish", err)
}

// batch publishes up to a window of messages.
func (p *publisher) batch(ctx context.Context, messages []outgoing) error {
	if err := p.link.blocked(); err != nil {
		return err
	}
	if err := p.open(); err != nil {
		return err
	}
	confirms := make([]*amqp.DeferredConfirmation, len(messages))
	for i, m := range messages {
		var err error
		if confirms[i], err = p.ch.PublishWithDeferredConfirmWithContext(ctx, m.exchange, m.key, m.mandatory, false, m.message); err != nil {
			p.leave()
			return err
		}
	}
	refused := false
	for _, c := range confirms {
		taken, err := c.WaitContext(ctx)
		if err != nil {
			p.leave()
			return fmt.Errorf("no confirm: %w", err)
		}
		refused = refused || !taken
	}
	return p.verdict(refused)
}

// verdict says what became of a batch whose confirms have all come. The driver
// also calls those unconfirmed whose channel was lost.
func (p *publisher) verdict(refused bool) error {
	if p.ch.IsClosed() {
		select {
		case err, ok := <-p.closes:
			if ok {
				return fmt.Errorf("channel lost: %w", err)
			}
		default:
		}
		return errors.New("channel lost")
	}
	returned := false
	for len(p.returns) > 0 { // a return comes before the confirm of its message
		<-p.returns
		returned = true
	}
	switch {
	case returned:
		return errReturned
	case refused:
		return errRefused
	}
	return nil
}

// open makes sure that there is a channel.
func (p *publisher) open() error {
	s, _, err := p.link.look()
	if err != nil {
		return err
	}
	if p.session == s && p.ch != nil && !p.ch.IsClosed() {
		return nil
	}
	ch, err := s.channel()
	if err != nil {
		return err
	}
	err = s.call(func() error {
		if p.setup != nil {
			if err := p.setup(ch); err != nil {
				return err
			}
		}
		return ch.Confirm(false)
	})
	if err != nil {
		s.closeChannel(ch)
		return err
	}
	p.session, p.ch = s, ch
	p.returns, p.closes = ch.NotifyReturn(make(chan amqp.Return, window)), ch.NotifyClose(make(chan *amqp.Error, 1))
	return nil
}

// leave gives up a channel on which messages are on their way: what is still
// said about them must not be taken for the next batch. A channel that does not
// even close takes its connection with it. Only a server that takes no messages
// is left in peace: it would not hear, and a new connection would have to learn
// again that it is blocked. That channel stays, one for each time of trouble.
func (p *publisher) leave() {
	s, ch := p.session, p.ch
	p.session, p.ch = nil, nil
	if p.link.blocked() != nil {
		return
	}
	p.left.Go(func() { s.closeChannel(ch) })
}

// close waits for the batch that is on its way and ends the channel. What comes
// later fails with UNAVAILABLE. Closing again does nothing.
func (p *publisher) close() {
	p.end.Do(func() {
		close(p.ended)
		p.turn <- struct{}{} // for good
		if p.ch != nil {
			p.leave()
		}
	})
	p.left.Wait()
}
