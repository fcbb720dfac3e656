package api

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// setETag names the version of what is answered (RFC 9110 §8.8.3).
func setETag(c *fiber.Ctx, version int64) { c.Set(fiber.HeaderETag, `"`+itoa(version)+`"`) }

// tags are the versions that a request insists on, one of them; none of them is
// any version.
type tags []int64

// ifMatch reads the If-Match header (RFC 9110 §13.1.1): *, or a list of tags.
func ifMatch(c *fiber.Ctx) (tags, error) {
	h := strings.TrimSpace(c.Get(fiber.HeaderIfMatch))
	if h == "" || h == "*" {
		return nil, nil
	}
	var all tags
	for tag := range strings.SplitSeq(h, ",") {
		inner, ok := strings.CutPrefix(strings.TrimSpace(tag), `"`)
		inner, closed := strings.CutSuffix(inner, `"`)
		version, err := strconv.ParseInt(inner, 10, 64)
		if !ok || !closed || err != nil || version < 1 {
			return nil, core.Invalid(core.CodeInvalidRequest, []core.FieldProblem{{
				Field: "If-Match", Problem: `is not a list of entity tags as the ETag header gives them, for example "3" or "3", "4"`,
			}})
		}
		all = append(all, version)
	}
	return all, nil
}

// version chooses the one to demand of the store: the current one if it is among
// several, else the first, which then fails. That the thing still has it is for
// the store to check.
func (t tags) version(current func() (int64, error)) (int64, error) {
	switch len(t) {
	case 0:
		return core.AnyVersion, nil
	case 1:
		return t[0], nil
	}
	now, err := current()
	if err == nil && !slices.Contains(t, now) {
		now = t[0]
	}
	return now, err
}

// samePath refuses a body whose id is not the one in the path: it is unclear
// which of them is meant.
func samePath(raw jsontext.Value, id string) error {
	if len(raw) == 0 || raw.Kind() == 'n' {
		return nil
	}
	var given string
	if err := json.Unmarshal(raw, &given); err == nil {
		if parsed, ok := core.ParseID(given); ok && parsed == id {
			return nil
		}
	}
	return core.Invalid(core.CodeValidationFailed, []core.FieldProblem{{Field: "/id", Problem: "is not the id in the path; leave it out or correct it"}})
}

const (
	headerIdempotencyKey      = "Idempotency-Key"
	headerIdempotencyReplayed = "Idempotency-Replayed"
	maxIdempotencyKey         = 255
)

// idempotency reads the caller's key, nil when there is none. The same key on
// another route is another key; on the same one, with another path, query or
// body, it is the mistake that the fingerprint tells.
func idempotency(c *fiber.Ctx) (*core.Idempotency, error) {
	key := c.Get(headerIdempotencyKey)
	if key == "" {
		return nil, nil
	}
	if len(key) > maxIdempotencyKey || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, core.Invalid(core.CodeInvalidRequest, []core.FieldProblem{{
			Field: headerIdempotencyKey, Problem: "is not 1–255 printable ASCII characters",
		}})
	}
	h := sha256.New()
	h.Write([]byte(c.Method() + " " + c.OriginalURL() + "\n"))
	h.Write(c.Request().Body())
	scope := c.Method() + " " + c.Route().Path + " " // keys of different routes are different keys
	return &core.Idempotency{Key: scope + key, Fingerprint: hex.EncodeToString(h.Sum(nil))}, nil
}
