package api

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// setETag names the version of what is answered (RFC 9110 §8.8.3).
func setETag(c *fiber.Ctx, version int64) { c.Set(fiber.HeaderETag, `"`+itoa(version)+`"`) }

// ifMatch returns the version that the request insists on, AnyVersion when it
// does not.
func ifMatch(c *fiber.Ctx) (int64, error) {
	h := strings.TrimSpace(c.Get(fiber.HeaderIfMatch))
	if h == "" || h == "*" {
		return core.AnyVersion, nil
	}
	inner, ok := strings.CutPrefix(h, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	version, err := strconv.ParseInt(inner, 10, 64)
	if !ok || !closed || err != nil || version < 1 {
		return 0, core.Invalid(core.CodeInvalidRequest, []core.FieldProblem{{
			Field: "If-Match", Problem: `is not one entity tag as the ETag header gave it, for example "3"`,
		}})
	}
	return version, nil
}

const (
	headerIdempotencyKey      = "Idempotency-Key"
	headerIdempotencyReplayed = "Idempotency-Replayed"
	maxIdempotencyKey         = 255
)

// idempotency reads the caller's key, nil when there is none. The same key with
// another method, path, query or body is another request.
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
	return &core.Idempotency{Key: strings.Clone(key), Fingerprint: hex.EncodeToString(h.Sum(nil))}, nil
}
