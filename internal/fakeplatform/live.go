package fakeplatform

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
)

// live is a stream as POST /live takes it.
type live struct {
	UserID  string `json:"userId"`          // digits; a stream of theirs that is live is replaced
	Login   string `json:"login,omitempty"` // default: channel and the id
	Title   string `json:"title,omitempty"` // default: Welcome
	Viewers int    `json:"viewers"`         // negative: offline
}

func (l live) check() error {
	if !isSnowflake(l.UserID) {
		return errors.New("userId: is no id of a user, 1 to 20 digits")
	}
	return nil
}

// readLive answers {"items": […]}, the streams that are live as Twitch shows them.
func (p *Platform) readLive(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	items := []map[string]any{}
	for _, user := range slices.Sorted(maps.Keys(p.twitch.streams)) {
		items = append(items, p.twitch.streams[user])
	}
	a := ok(map[string]any{"items": items}).rendered()
	p.mu.Unlock()
	a.write(w)
}

// addLive begins or ends a stream, and answers as readLive does.
func (p *Platform) addLive(w http.ResponseWriter, r *http.Request) {
	var l live
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	err := dec.Decode(&l)
	if err == nil {
		err = l.check()
	}
	if err != nil {
		plainError(http.StatusBadRequest, err.Error()).write(w)
		return
	}
	p.SetLive(l.UserID, cmp.Or(l.Login, "channel"+l.UserID), cmp.Or(l.Title, "Welcome"), l.Viewers, p.now())
	p.readLive(w, r)
}

func (p *Platform) allOffline() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.twitch.streams)
}
