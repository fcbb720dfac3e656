package host_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
)

func TestCrashTextFindsTheReason(t *testing.T) {
	stacks := strings.Repeat("goroutine 7 [running]:\nmain.main()\n", 10_000)
	tests := map[string]struct {
		text, want string
		memory     bool
	}{
		"nothing":         {"", "", false},
		"last line":       {"one\ntwo\n\n", "two", false},
		"panic":           {"log\npanic: no\n\ngoroutine 1 [running]:\nmain.main()\n", "panic: no", false},
		"many goroutines": {"panic: no\n\n" + stacks, "panic: no", false},
		"last panic":      {"panic: one\n\ngoroutine 1\nlog\npanic: two\n\ngoroutine 2", "panic: two", false},
		"of two lines":    {"panic: a\nb\n\ngoroutine 1", "panic: a\nb", false},
		"out of memory":   {"fatal error: runtime: cannot allocate memory\n\nruntime stack:\nruntime.throw\n", "fatal error: runtime: cannot allocate memory", true},
		"in a message":    {"panic: no\n\ngoroutine 1\nmain.outOfMemory: out of memory", "panic: no", false},
		"C++":             {"terminate called after throwing an instance of 'std::bad_alloc'\n", "terminate called after throwing an instance of 'std::bad_alloc'", true},
		"collector": {"SIGSEGV: segmentation violation\nPC=0x1 m=2 sigcode=1 addr=0x0\n\ngoroutine 0 gp=0x1 m=2:\nruntime.(*spanQueue).tryDrain(...)\n" + stacks,
			"SIGSEGV: segmentation violation\nPC=0x1 m=2 sigcode=1 addr=0x0", true},
		"other violation": {"SIGSEGV: segmentation violation\nPC=0x1\n\ngoroutine 0 gp=0x1 m=2:\nmain.main()\n", "SIGSEGV: segmentation violation\nPC=0x1", false},
	}
	for name, test := range tests {
		for _, size := range []int{1, 5, 4096, 1 << 20} {
			t.Run(name, func(t *testing.T) {
				var c host.CrashText
				for text := test.text; text != ""; {
					n := min(size, len(text))
					c.Add([]byte(text[:n]))
					text = text[n:]
				}
				require.Equal(t, test.want, c.Reason())
				require.Equal(t, test.memory, c.OutOfMemory())
			})
		}
	}
}
