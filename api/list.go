package api

import (
	"encoding/base64"
	"hash/fnv"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

const (
	defaultLimit = 50
	maxLimit     = 200
)

// list is the answer of every list route.
type list[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"nextCursor"` // null on the last page
}

// query reads the parameters of a list and gathers what is wrong with them.
type query struct {
	values   url.Values
	scope    string // what the cursor belongs to
	known    map[string]bool
	problems []core.FieldProblem
}

// newQuery starts reading the parameters of the list that name stands for.
func newQuery(c *fiber.Ctx, name string) *query {
	values, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	q := &query{values: values, known: map[string]bool{}}
	if err != nil {
		q.bad("", "the query string is malformed")
	}
	q.scope = name + "#" + fingerprint(values)
	return q
}

// fingerprint ties a cursor to the filters it was made with: with others it
// would silently skip or repeat items.
func fingerprint(values url.Values) string {
	filters := url.Values{}
	for k, v := range values {
		if k != "cursor" && k != "limit" {
			filters[k] = v
		}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(filters.Encode())) // a hash never fails to write
	return strconv.FormatUint(uint64(h.Sum32()), 36)
}

func (q *query) bad(name, problem string) {
	q.problems = append(q.problems, core.FieldProblem{Field: "?" + name, Problem: problem})
}

// text returns a parameter that is given at most once.
func (q *query) text(name string) string {
	q.known[name] = true
	if len(q.values[name]) > 1 {
		q.bad(name, "is given more than once")
	}
	return q.storable(name, q.values.Get(name))
}

// storable refuses text that no store can hold, and so none can look for.
func (q *query) storable(name, s string) string {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		q.bad(name, "is not valid UTF-8, or has the character U+0000")
	}
	return strings.Clone(s)
}

// repeated returns a parameter that may be given several times or as a list.
func (q *query) repeated(name string) []string {
	q.known[name] = true
	var all []string
	for _, v := range q.values[name] {
		for part := range strings.SplitSeq(v, ",") {
			if part != "" {
				all = append(all, q.storable(name, part))
			}
		}
	}
	return all
}

func (q *query) id(name string) string {
	s := q.text(name)
	if s == "" {
		return ""
	}
	id, ok := core.ParseID(s)
	if !ok {
		q.bad(name, "is not a UUID")
	}
	return id
}

func (q *query) boolean(name string) *bool {
	s := q.text(name)
	if s == "" {
		return nil
	}
	b := s == "true"
	if !b && s != "false" {
		q.bad(name, "is neither true nor false")
	}
	return &b
}

func (q *query) instant(name string) *time.Time {
	s := q.text(name)
	if s == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		q.bad(name, "is no time as in RFC 3339, for example 2026-01-31T09:00:00Z")
		return nil
	}
	return &t
}

// labels reads label=name:value parameters.
func (q *query) labels(name string) map[string]string {
	all := map[string]string{}
	for _, s := range q.repeated(name) {
		k, v, ok := strings.Cut(s, ":")
		if !ok {
			q.bad(name, "is written name:value")
			continue
		}
		if !core.ValidLabelName(k) {
			q.bad(name, "names no label: up to 63 letters, digits and _ . / -, then : and the value")
			continue
		}
		all[k] = v
	}
	return all
}

// page reads limit and cursor, refuses parameters nobody asked for, and reports
// everything that was wrong.
func (q *query) page() (core.Page, error) {
	p := core.Page{Limit: defaultLimit}
	if s := q.text("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxLimit {
			q.bad("limit", "is out of 1–"+strconv.Itoa(maxLimit))
		}
		p.Limit = n
	}
	if s := q.text("cursor"); s != "" {
		id, ok := q.openCursor(s)
		if !ok {
			q.bad("cursor", "is not a cursor of this list with these filters; take it from nextCursor")
		}
		p.After = id
	}
	for name := range q.values {
		if !q.known[name] {
			q.bad(strings.Clone(name), "is not a known parameter")
		}
	}
	return p, core.Invalid(core.CodeInvalidRequest, q.problems)
}

func (q *query) openCursor(s string) (string, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return "", false
	}
	scope, id, ok := strings.Cut(string(raw), "|")
	if !ok || scope != q.scope {
		return "", false
	}
	return core.ParseID(id)
}

// answer makes a page out of up to limit+1 items: the one too many says that
// there is a next page.
func answer[T any](q *query, limit int, items []T, id func(T) string) list[T] {
	l := list[T]{Items: items}
	if len(items) > limit {
		l.Items = items[:limit]
		cursor := base64.RawURLEncoding.EncodeToString([]byte(q.scope + "|" + id(items[limit-1])))
		l.NextCursor = &cursor
	}
	if l.Items == nil {
		l.Items = []T{}
	}
	return l
}

// oneMore asks the store for the item that tells whether a page follows.
func oneMore(p core.Page) core.Page {
	p.Limit++
	return p
}
