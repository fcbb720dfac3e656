package process

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
)

// begun is what a child reports last before it executes the program.
const begun = "begun\n"

const maxReport = 4 << 10 // bytes

// report is what a child says on its way to the program. The program itself does
// not have the descriptor any more.
type report struct {
	file *os.File
	text string // once the command has ended
}

// open returns the child's end.
func (r *report) open() (child *os.File, err error) {
	r.file, child, err = os.Pipe()
	return child, err
}

// read returns at the execution, or at the end of the child.
func (r *report) read() {
	text, _ := io.ReadAll(io.LimitReader(r.file, maxReport)) // what came counts
	r.text = string(text)
	r.close()
}

func (r *report) close() { _ = r.file.Close() }

// began tells of a command that has ended whether the program was executed.
func (c *command) began() bool { return c.report.text == begun }

// obstacle says of a command that has ended why the program was not executed.
func (c *command) obstacle(ctx context.Context, err error) error {
	if said := strings.TrimPrefix(c.report.text, begun); said != "" {
		return errors.New(said)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.endedByItself() {
		return errors.New("it " + c.status)
	}
	return err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
