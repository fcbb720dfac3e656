package fakeplatform

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

const maxBody = 1 << 20 // bytes of a request

// Config is what a Platform is made of.
type Config struct {
	// Now is the platforms' clock. Defaults to the machine's.
	Now func() time.Time
	// JournalSize is how many entries are remembered. Defaults to 10,000.
	JournalSize int
}

// Platform is the fake world. It is safe for concurrent use.
type Platform struct {
	now     func() time.Time
	journal *Journal
	faults  *Faults
	limits  *limits

	mu      sync.Mutex // guards the three worlds
	discord *discord
	twitch  *twitch
	notices map[string]notice // by idempotency key
}

// New makes an empty world.
func New(cfg Config) *Platform {
	if cfg.Now == nil {
		cfg.Now = core.SystemClock{}.Now
	}
	if cfg.JournalSize <= 0 {
		cfg.JournalSize = 10_000
	}
	return &Platform{
		now: cfg.Now, journal: newJournal(cfg.JournalSize), faults: &Faults{}, limits: newLimits(),
		discord: newDiscord(), twitch: newTwitch(), notices: map[string]notice{},
	}
}

// Journal returns what has happened.
func (p *Platform) Journal() *Journal { return p.journal }

// Faults returns what goes wrong on purpose.
func (p *Platform) Faults() *Faults { return p.faults }

// Handler serves all of it.
func (p *Platform) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range p.routes() {
		mux.HandleFunc(r.pattern, p.serve(r))
	}
	mux.HandleFunc("/discord/", func(w http.ResponseWriter, _ *http.Request) {
		discordError(http.StatusNotFound, 0, "404: Not Found").write(w)
	})
	mux.HandleFunc("/twitch/", func(w http.ResponseWriter, _ *http.Request) {
		twitchError(http.StatusNotFound, "").write(w)
	})
	p.pages(mux)
	return mux
}

// routes is everything that the platforms can be asked.
func (p *Platform) routes() []route {
	return append(append(p.discordRoutes(), p.twitchRoutes()...), route{
		name: "notification.send", pattern: "POST /notification/notifications", handle: p.notify, refuse: plainError,
	})
}

// route is one operation of a platform.
type route struct {
	name    string // platform.operation, such as discord.create_message
	pattern string // of http.ServeMux
	handle  func(*request) answer
	// refuse renders an error in the platform's words.
	refuse func(status int, message string) answer
	// admit checks who asks, and takes one from the platform's rate limit. A
	// status of 0 lets the request through; its headers are sent in any case.
	admit func(r *request, scope string) answer
	// major is the wildcard of the pattern, or the parameter of the query, that
	// the platform counts this route's limit by.
	major string
}

// request is what a handler is asked.
type request struct {
	*http.Request
	route route
	body  []byte
	now   time.Time
	entry *Entry
}

// did notes that the world has changed.
func (r *request) did(effect, target string, detail any) {
	r.entry.Effect, r.entry.Target, r.entry.Detail = effect, target, detail
}

// read decodes the body, leniently as the platforms do.
func (r *request) read(v any) error {
	if len(r.body) == 0 {
		return nil
	}
	return json.Unmarshal(r.body, v)
}

// answer is what goes back.
type answer struct {
	status int
	header http.Header
	body   any // rendered as JSON; nil is none
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

func noContent() answer { return answer{status: http.StatusNoContent} }

// rendered is the same answer, with a body that nothing changes any more.
func (a answer) rendered() answer {
	if a.body == nil {
		return a
	}
	raw, err := json.Marshal(a.body)
	if err != nil {
		return plainError(http.StatusInternalServerError, err.Error())
	}
	a.body = json.RawMessage(raw)
	return a
}

func (a answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	body, err := json.Marshal(a.body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // the client has left
}

// plainError is the error of a service without words of its own.
func plainError(status int, message string) answer {
	return answer{status: status, body: map[string]string{"message": message}}
}

// serve carries out one route: what is to go wrong before, who asks and how
// often, the operation, what is to go wrong after.
func (p *Platform) serve(r route) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(io.LimitReader(req.Body, maxBody+1))
		if err != nil {
			return // the client has left
		}
		in := &request{Request: req, route: r, body: body, now: p.now()}
		in.entry = &Entry{
			At: in.now.UTC(), Platform: strings.SplitN(r.name, ".", 2)[0], Route: r.name,
			Method: req.Method, Path: req.URL.Path, IdempotencyKey: req.Header.Get("Idempotency-Key"),
		}
		fault, broken := p.faults.take(r.name)
		if broken {
			in.entry.Fault = fault.Kind
		}
		out := p.answer(in, fault)
		in.entry.Status = out.status
		if fault.Kind == FaultResetAfter || fault.Kind == FaultHangAfter || out.status == hangUp {
			in.entry.Status = 0
		}
		p.journal.add(*in.entry)
		fault.deliver(w, req, out)
	}
}

// answer finds out what to answer.
func (p *Platform) answer(in *request, f Fault) answer {
	r := in.route
	switch {
	case len(in.body) > maxBody:
		return r.refuse(http.StatusRequestEntityTooLarge, "Request entity too large")
	case f.Kind == FaultResetBefore, f.Kind == FaultHang:
		return answer{status: hangUp}
	case f.Kind == FaultUnauthorized:
		return r.refuse(http.StatusUnauthorized, "401: Unauthorized")
	case f.Kind == FaultStatus:
		return r.refuse(f.Status, http.StatusText(f.Status))
	case f.Kind == FaultRateLimited:
		return p.limits.injected(in, f)
	}
	return p.carryOut(in, f)
}

// carryOut asks the worlds. The answer is rendered while they stand still: its
// body may be a part of them, which the next request changes.
func (p *Platform) carryOut(in *request, f Fault) answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.handle(in, f).rendered()
}

// handle admits a request and does what it asks for. Platform.mu must be held.
func (p *Platform) handle(in *request, f Fault) answer {
	r, admitted := in.route, answer{}
	if r.admit != nil {
		if admitted = r.admit(in, in.major()); admitted.status != 0 {
			return admitted
		}
	}
	if f.Kind == FaultNotSent {
		in.entry.Fault = f.Kind
		return with(p.notSent(in), admitted.header)
	}
	return with(r.handle(in), admitted.header)
}

// hangUp stands for no answer.
const hangUp = -1

// major is what the platform counts the route's limit by.
func (r *request) major() string {
	if value := r.PathValue(r.route.major); value != "" {
		return value
	}
	return r.URL.Query().Get(r.route.major)
}

// with adds headers that the answer does not have.
func with(a answer, header http.Header) answer {
	if a.header == nil {
		a.header = http.Header{}
	}
	for name, values := range header {
		if a.header[name] == nil {
			a.header[name] = values
		}
	}
	return a
}

var errNotJSON = errors.New("the body is not JSON")
