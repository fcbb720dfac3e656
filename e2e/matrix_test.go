package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// row is a line of the crash matrix that this package proves. matrix.md lists
// all of them, also those that other tests prove.
type row struct {
	name  string // begins with the number in the matrix
	run   func(c *cluster)
	plain bool // with Postgres alone
}

func rows() []row {
	return slices.Concat(workRows(), processRows(), outsideRows(), brokerRows(), lifeRows())
}

// atOnce is how many rows run at the same time: they mostly wait.
const atOnce = 4

// TestCrashMatrix breaks a cluster at exact moments, each time in a database of
// its own, and demands the promises afterwards.
func TestCrashMatrix(t *testing.T) {
	serviceURL(t, "TEST_DATABASE_URL") // or skip, before anything is started
	warm(t)
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for _, r := range rows() {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			t.Run(r.name, func(t *testing.T) {
				c := newCluster(t)
				c.plain = r.plain
				start := time.Now()
				r.run(c)
				t.Logf("took %s", time.Since(start).Round(100*time.Millisecond))
			})
		})
	}
	all.Wait()
}

// warm compiles the plugins, so that no row is slow because of that.
func warm(t testing.TB) {
	s := newService(t, "NOTIFICATION_SERVICE_URL=http://127.0.0.1:1")
	s.writePlugins(effectPlugin)
	s.start()
	s.kill()
}

// crash is a row in which a node dies at a failpoint while it alone has an
// execution, and two others find what it has left.
type crash struct {
	point    string // see internal/app/failpoints.go
	data     object // of the task
	more     object
	status   string   // of the execution in the end; "" is succeeded
	attempts []string // how each attempt ended
	effects  int
}

// run plays the row.
func (r crash) run(c *cluster) {
	a, b, other := c.node("SCHED_FAILPOINTS="+r.point), c.node(), c.node()
	c.start(a)
	task := c.create(a, once(time.Second, r.data, r.more))
	died := a.dies()
	c.start(b, other)
	c.settle(patience)
	r.check(c, task, died)
}

// check demands what the row promises.
func (r crash) check(c *cluster, task string, died time.Time) {
	c.t.Helper()
	e := c.only(task)
	status := r.status
	if status == "" {
		status = "succeeded"
	}
	require.Equal(c.t, status, e.status, "%v", e)
	require.Equal(c.t, r.attempts, e.ends(), "%v", e)
	require.Len(c.t, c.outside.marks("effect", e.id), r.effects, "%v", e)
	if status == "succeeded" {
		require.Less(c.t, e.attempts[len(e.attempts)-1].StartTime.Sub(died), takeover, "until it ran elsewhere")
	}
}

// ends lists how the attempts ended.
func (r record) ends() []string {
	ends := make([]string, len(r.attempts))
	for i, a := range r.attempts {
		ends[i] = a.Status
	}
	return ends
}

// The ends of attempts that rows expect.
var (
	first  = []string{"succeeded"}
	second = []string{"lost", "succeeded"}
)

// TestTheMatrixIsListed holds matrix.md against the rows, both ways.
func TestTheMatrixIsListed(t *testing.T) {
	raw, err := os.ReadFile("matrix.md")
	require.NoError(t, err)
	listed := map[string]bool{}
	for _, name := range regexp.MustCompile("`([0-9]{2}-[a-z0-9-]+)`").FindAllStringSubmatch(string(raw), -1) {
		listed[name[1]] = true
	}
	for _, r := range rows() {
		require.True(t, listed[r.name], "%s is not in matrix.md", r.name)
		delete(listed, r.name)
	}
	require.Empty(t, listed, "matrix.md lists rows that are not there")
	for i := 1; i <= 36; i++ {
		require.Contains(t, string(raw), fmt.Sprintf("\n| %d |", i))
	}
}
