package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nexuscore/scheduler/plugins/discord"
	"github.com/nexuscore/scheduler/plugins/platforms"
	"github.com/nexuscore/scheduler/plugins/twitch"
	"github.com/nexuscore/scheduler/sdk"
)

// maxWait is how long a server's wish for patience is waited out; a longer one is
// left to the next attempt.
const maxWait = time.Minute

// collector asks sources for their rows.
type collector struct {
	c   *sdk.Context
	cfg platforms.Config
	add func(doc any) error // takes a row

	pages int
	more  bool // a source has more than a run may ask for; its cursor is kept
}

func (co *collector) collect(s source) error {
	switch s.Kind {
	case "helix_streams":
		return co.streams(s.UserIDs)
	case "discord_guild":
		return co.guilds(s.GuildIDs)
	}
	return endpoint{co, s}.collect()
}

// streams adds the streams of users that are live, each once: between two pages
// they may change places.
func (co *collector) streams(users []string) error {
	client, seen := twitch.New(co.c, co.cfg.Twitch), map[string]bool{}
	for len(users) > 0 {
		some := users[:min(twitch.MaxUsers, len(users))]
		users = users[len(some):]
		after := ""
		for range maxStreamPages {
			var page []twitch.Stream
			next := ""
			err := co.page(func() (err error) {
				page, next, err = client.Streams(some, after, twitch.MaxUsers)
				return err
			})
			if err != nil {
				return err
			}
			for _, stream := range page {
				if seen[stream.UserID] {
					continue
				}
				seen[stream.UserID] = true
				if err := co.addValue(stream); err != nil {
					return err
				}
			}
			if after = next; after == "" {
				break
			}
		}
	}
	return nil
}

// maxStreamPages is how many pages the streams of 100 users may take, which fit
// on one.
const maxStreamPages = 10

// guilds adds the counts of servers.
func (co *collector) guilds(ids []string) error {
	client := discord.New(co.c, co.cfg.Discord)
	for _, id := range ids {
		var g discord.Guild
		if err := co.page(func() (err error) { g, err = client.Guild(id); return err }); err != nil {
			return err
		}
		if err := co.addValue(g); err != nil {
			return err
		}
	}
	return nil
}

// page asks for a page, and again after what a rate limit wants.
func (co *collector) page(ask func() error) error {
	for {
		err := ask()
		if err == nil {
			co.pages++
		}
		if !co.c.WaitOut(err, maxWait) {
			return err
		}
	}
}

// addValue adds what a client has read, under the names of the API.
func (co *collector) addValue(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return sdk.Permanent(err)
	}
	doc, err := decode(raw)
	if err != nil {
		return err
	}
	return co.add(doc)
}

// decode reads JSON with its numbers as they are written.
func decode(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read the answer: more than one JSON value")
	}
	return doc, nil
}
