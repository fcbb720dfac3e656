package fakeplatform

import (
	"net/http"

	"github.com/google/uuid"
)

// notice is a notification that was accepted.
type notice struct {
	ID  string   `json:"id"`
	Via []string `json:"via"`
}

// notify is POST /notifications: a repeated Idempotency-Key is answered as the
// first time, and sent once.
func (p *Platform) notify(r *request) answer {
	var b struct {
		Event     string   `json:"event"`
		TaskName  string   `json:"taskName"`
		ChannelID string   `json:"channelId"`
		Message   string   `json:"message"`
		Via       []string `json:"via"`
	}
	if r.read(&b) != nil {
		return plainError(http.StatusBadRequest, errNotJSON.Error())
	}
	key := r.Header.Get("Idempotency-Key")
	if known, repeated := p.notices[key]; repeated && key != "" {
		return ok(known)
	}
	sent := notice{ID: uuid.NewString(), Via: b.Via}
	if len(sent.Via) == 0 {
		sent.Via = []string{"email"}
	}
	if len(p.notices) >= maxWorldObjects {
		clear(p.notices)
	}
	p.notices[key] = sent
	r.did("notification sent", b.ChannelID, map[string]any{"id": sent.ID, "message": b.Message, "via": sent.Via, "event": b.Event, "task": b.TaskName})
	return ok(sent)
}
