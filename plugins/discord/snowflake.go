package discord

import (
	"strconv"
	"time"
)

// At is the least id of what is made at a time or later: everything before it
// has a lesser id.
func At(at time.Time) string {
	return strconv.FormatInt(max(at.UnixMilli()-1420070400000, 0)<<22, 10)
}
