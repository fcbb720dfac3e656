// Package coretest proves that an adapter keeps the contract of its port. Each
// port of core has one suite here; an adapter's own tests call it with a
// function that opens the adapter:
//
//	func TestStore(t *testing.T) {
//		coretest.TestStore(t, func(t testing.TB, clock core.Clock) core.Store {
//			return memory.NewStore(clock)
//		})
//	}
//
// Beside the suites there are a clock that obeys the test and builders of tasks
// and executions.
package coretest
