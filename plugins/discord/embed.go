package discord

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/nexuscore/scheduler/sdk"
)

// MaxContent is how long a message may be, in characters.
const MaxContent = 2000

// MaxEmbedded is how long the texts of all embeds of a message may be together,
// in characters.
const MaxEmbedded = 6000

// Embed is a box below a message, with Discord's own names.
type Embed struct {
	Title       string       `json:"title,omitempty" schema:"maxLength=256"`
	Description string       `json:"description,omitempty" schema:"maxLength=4096"`
	URL         string       `json:"url,omitempty" doc:"Where the title leads" schema:"format=uri; maxLength=2048"`
	Color       int          `json:"color,omitempty" doc:"Red, green and blue as one number: 0xRRGGBB" schema:"minimum=0; maximum=16777215"`
	Timestamp   string       `json:"timestamp,omitempty" schema:"format=date-time"`
	Author      *EmbedAuthor `json:"author,omitempty"`
	Fields      []EmbedField `json:"fields,omitempty" schema:"maxItems=25"`
	Image       *EmbedImage  `json:"image,omitempty"`
	Thumbnail   *EmbedImage  `json:"thumbnail,omitempty"`
	Footer      *EmbedFooter `json:"footer,omitempty"`
}

// EmbedAuthor is who an embed names as its author.
type EmbedAuthor struct {
	Name string `json:"name" schema:"minLength=1; maxLength=256"`
	URL  string `json:"url,omitempty" schema:"format=uri; maxLength=2048"`
	Icon string `json:"icon_url,omitempty" schema:"format=uri; maxLength=2048"`
}

// EmbedField is a name and what it stands for.
type EmbedField struct {
	Name   string `json:"name" schema:"minLength=1; maxLength=256"`
	Value  string `json:"value" schema:"minLength=1; maxLength=1024"`
	Inline bool   `json:"inline,omitempty" doc:"Beside its neighbours"`
}

// EmbedImage is a picture.
type EmbedImage struct {
	URL string `json:"url" schema:"format=uri; maxLength=2048"`
}

// EmbedFooter is the last line of an embed.
type EmbedFooter struct {
	Text string `json:"text" schema:"minLength=1; maxLength=2048"`
	Icon string `json:"icon_url,omitempty" schema:"format=uri; maxLength=2048"`
}

// Texts returns what people read in an embed, for who wants to change it.
func (e *Embed) Texts() []*string {
	texts := []*string{&e.Title, &e.Description}
	if e.Author != nil {
		texts = append(texts, &e.Author.Name)
	}
	for i := range e.Fields {
		texts = append(texts, &e.Fields[i].Name, &e.Fields[i].Value)
	}
	if e.Footer != nil {
		texts = append(texts, &e.Footer.Text)
	}
	return texts
}

// shows tells whether there is anything to see: Discord refuses a message with an
// embed of which there is not.
func (e *Embed) shows() bool {
	return slices.ContainsFunc(e.Texts(), func(text *string) bool { return *text != "" }) || e.Image != nil || e.Thumbnail != nil
}

// CheckContent says why a text cannot be a message. An empty one is none of its
// business: a message may have embeds instead.
func CheckContent(s string) error {
	if n := utf8.RuneCountInString(s); n > MaxContent {
		return sdk.Permanent(fmt.Errorf("discord: a message of %d characters, at most %d are allowed", n, MaxContent))
	}
	return nil
}

// Check says why a message cannot be sent.
func (m Message) Check() error {
	if m.Content == "" && len(m.Embeds) == 0 {
		return sdk.Permanent(errors.New("discord: a message with neither content nor embeds"))
	}
	total := 0
	for i := range m.Embeds {
		if !m.Embeds[i].shows() {
			return sdk.Permanent(fmt.Errorf("discord: embeds/%d: shows nothing; it needs a title, a description, an author, fields, a picture or a footer", i))
		}
		for _, text := range m.Embeds[i].Texts() {
			total += utf8.RuneCountInString(*text)
		}
	}
	if total > MaxEmbedded {
		return sdk.Permanent(fmt.Errorf("discord: embeds of %d characters together, at most %d are allowed", total, MaxEmbedded))
	}
	return CheckContent(m.Content)
}
