package schedule

// Gap says what a fixed-time cron rule does when its local time does not exist
// on a day, because the clock was put forward over it.
type Gap string

// The gap policies.
const (
	// GapShift runs once at the first instant after the gap, as Debian's cron(8)
	// does. Several times inside one gap are one occurrence, and so is a time
	// that falls on the end of the gap anyway. The default.
	GapShift Gap = "shift"
	// GapSkip drops the occurrence, as OCPS 1.4 section 4.3.1 recommends.
	GapSkip Gap = "skip"
)

// Fold says what a fixed-time cron rule does when its local time occurs twice on
// a day, because the clock was put back.
type Fold string

// The fold policies.
const (
	FoldFirst Fold = "first" // the first of the two; the default (cron(8), OCPS 1.4, RFC 5545)
	FoldLast  Fold = "last"  // the second of the two
	FoldBoth  Fold = "both"  // both
)

// DST is the policy for the hours that daylight saving, or any other change of a
// zone's offset, removes and repeats. The zero value means shift and first.
//
// It governs fixed-time rules only. A wildcard rule, whose minute or hour field
// begins with "*", follows real time under every policy: it is due whenever the
// local time matches, so never inside a gap and in both passes of a fold.
// Intervals count elapsed time and know neither.
type DST struct {
	Gap  Gap  `json:"gap"`
	Fold Fold `json:"fold"`
}

// resolve fills in the defaults and refuses unknown words.
func (d DST) resolve() (DST, *Error) {
	switch d.Gap {
	case "":
		d.Gap = GapShift
	case GapShift, GapSkip:
	default:
		return d, fail("dst/gap", string(d.Gap), "it is not a gap policy", "use shift or skip")
	}
	switch d.Fold {
	case "":
		d.Fold = FoldFirst
	case FoldFirst, FoldLast, FoldBoth:
	default:
		return d, fail("dst/fold", string(d.Fold), "it is not a fold policy", "use first, last or both")
	}
	return d, nil
}
