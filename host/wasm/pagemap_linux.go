package wasm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The PAGEMAP_SCAN request of Linux 6.7 and its page categories, from
// include/uapi/linux/fs.h.
const (
	pagemapScan = 0xc0606610 // _IOWR('f', 16, struct pm_scan_arg)

	pageIsFile    = 1 << 2
	pageIsPresent = 1 << 3
	pageIsSwapped = 1 << 4
)

// pageRegion is struct page_region.
type pageRegion struct {
	start, end, categories uint64
}

// scanArgument is struct pm_scan_arg.
type scanArgument struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages   uint64
	categoryInverted, categoryMask, categoryAnyOf, returnMask uint64
}

// pagemap asks the kernel which pages of a private mapping were written: a
// page that is present or swapped out, and no longer the file's. It is safe for
// concurrent use.
type pagemap struct {
	file *os.File
}

var errNoPagemap = errors.New("the kernel cannot tell which pages were written (PAGEMAP_SCAN, Linux 6.7)")

// openPagemap fails with errNoPagemap, or why else it cannot be used, after it
// tried it out.
func openPagemap() (*pagemap, error) {
	file, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoPagemap, err)
	}
	p := &pagemap{file: file}
	if err := p.try(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%w: %w", errNoPagemap, err)
	}
	return p, nil
}

// try reads one page of an image, writes another and demands to be told so:
// some kernels and sandboxes answer without an error and wrongly.
func (p *pagemap) try() error {
	page := os.Getpagesize()
	img, err := newImage(bytes.Repeat([]byte{1}, 4*page), nil)
	if err != nil {
		return err
	}
	defer img.close()
	s, err := newSpace(img, uint64(4*page), uint64(4*page))
	if err != nil {
		return err
	}
	defer s.Free()
	b := s.Reallocate(uint64(4 * page))
	b[page], b[2*page+1] = b[0]+1, 2
	written := 0
	if err := p.written(b, func(from, to int) { written += from + 10*to }); err != nil {
		return err
	}
	if written != page+10*3*page {
		return errors.New("wrong answer")
	}
	return nil
}

func (p *pagemap) close() {
	if p != nil {
		_ = p.file.Close()
	}
}

// written calls f for every range of b that was written.
func (p *pagemap) written(b []byte, f func(from, to int)) error {
	var regions [64]pageRegion
	base := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) //nolint:gosec // an address is what the kernel asks for
	a := scanArgument{
		start: base, end: base + uint64(len(b)), vec: uint64(uintptr(unsafe.Pointer(&regions[0]))), vecLen: uint64(len(regions)), //nolint:gosec // likewise
		categoryInverted: pageIsFile, categoryMask: pageIsFile, categoryAnyOf: pageIsPresent | pageIsSwapped, returnMask: pageIsPresent,
	}
	a.size = uint64(unsafe.Sizeof(a))
	for a.start < a.end {
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, p.file.Fd(), pagemapScan, uintptr(unsafe.Pointer(&a))) //nolint:gosec // likewise
		if errno != 0 {
			return fmt.Errorf("scan pages: %w", errno)
		}
		for _, r := range regions[:n] {
			f(int(r.start-base), int(r.end-base))
		}
		if a.walkEnd <= a.start {
			return errors.New("scan pages: no progress")
		}
		a.start = a.walkEnd
	}
	runtime.KeepAlive(&regions)
	return nil
}
