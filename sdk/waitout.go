package sdk

import (
	"errors"
	"time"
)

// WaitOut sleeps for as long as err asks, see RetryAfter, and reports that the
// call may be repeated. It reports false at once when err asks for nothing, for
// more than most, or for longer than the run may last; then the error is the
// handler's to return, and the next attempt comes after the wait.
//
//	for {
//		err := remove(id)
//		if !c.WaitOut(err, time.Minute) {
//			return err
//		}
//	}
func (c *Context) WaitOut(err error, most time.Duration) bool {
	f, ok := errors.AsType[*failure](err)
	if !ok || f.after <= 0 || f.after > most {
		return false
	}
	if end := c.Execution.Deadline; !end.IsZero() && !c.Now().Add(f.after).Before(end) {
		return false
	}
	return c.Sleep(f.after) == nil
}
