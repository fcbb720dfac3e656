package fakeplatform

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

//go:embed page.html
var page []byte

// pages adds what people and tests look at.
func (p *Platform) pages(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page) // the client has left
	})
	mux.HandleFunc("GET /journal", p.readJournal)
	mux.HandleFunc("GET /journal/stream", p.streamJournal)
	mux.HandleFunc("GET /faults", p.readFaults)
	mux.HandleFunc("POST /faults", p.addFault)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		p.faults.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /live", p.readLive)
	mux.HandleFunc("POST /live", p.addLive)
	mux.HandleFunc("DELETE /live", func(w http.ResponseWriter, _ *http.Request) {
		p.allOffline()
		w.WriteHeader(http.StatusNoContent)
	})
}

// readJournal answers {"items": […]}: all that is remembered, or what came after
// ?after=sequence; with ?effects=true only what changed the world.
func (p *Platform) readJournal(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.Atoi(r.URL.Query().Get("after")) // what is no number is the beginning
	entries, _ := p.journal.After(after)
	items := make([]Entry, 0, len(entries))
	for _, e := range entries {
		if e.Effect != "" || r.URL.Query().Get("effects") != "true" {
			items = append(items, e)
		}
	}
	ok(map[string]any{"items": items}).write(w)
}

// streamJournal sends entries as they come, as server-sent events. It goes on
// after Last-Event-ID.
func (p *Platform) streamJournal(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	last, _ := strconv.Atoi(r.Header.Get("Last-Event-ID")) // what is no number is the beginning
	for {
		entries, news := p.journal.After(last)
		for _, e := range entries {
			raw, err := json.Marshal(e)
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", e.Sequence, raw); err != nil {
				return
			}
			last = e.Sequence
		}
		if control.Flush() != nil {
			return
		}
		select {
		case <-news:
		case <-r.Context().Done():
			return
		}
	}
}

func (p *Platform) readFaults(w http.ResponseWriter, _ *http.Request) {
	routes := []string{}
	for _, r := range p.routes() {
		routes = append(routes, r.name)
	}
	ok(map[string]any{"items": p.faults.List(), "kinds": faultKinds, "routes": routes}).write(w)
}

func (p *Platform) addFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	err := dec.Decode(&f)
	if err == nil {
		err = p.faults.Add(f)
	}
	if err != nil {
		plainError(http.StatusBadRequest, err.Error()).write(w)
		return
	}
	p.readFaults(w, r)
}
