package wasm

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// image is a memory that runs start from: a sealed file in memory, which
// instances map copy-on-write, so that they share what they do not write. It
// does not change and is safe for concurrent use.
type image struct {
	fd      int
	bytes   []byte // the file, read-only
	pagemap *pagemap
}

// newImage copies content, whose length is a multiple of the page size. Without
// a pagemap instances are put back by dropping all their pages.
func newImage(content []byte, p *pagemap) (_ *image, err error) {
	i := &image{fd: -1, pagemap: p}
	if len(content) == 0 {
		return i, nil
	}
	i.fd, err = unix.MemfdCreate("plugin-image", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("create image: %w", err)
	}
	defer func() {
		if err != nil {
			i.close()
		}
	}()
	if err := i.write(content); err != nil {
		return nil, fmt.Errorf("write image: %w", err)
	}
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(i.fd), unix.F_ADD_SEALS, seals); err != nil {
		return nil, fmt.Errorf("seal image: %w", err)
	}
	if i.bytes, err = unix.Mmap(i.fd, 0, len(content), unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("map image: %w", err)
	}
	return i, nil
}

// write leaves pages of zeros out: they stay holes, which take no memory until
// they are read.
func (i *image) write(content []byte) error {
	if err := unix.Ftruncate(i.fd, int64(len(content))); err != nil {
		return err
	}
	page := os.Getpagesize()
	for at := 0; at < len(content); at += page {
		part := content[at : at+page]
		if isZero(part) {
			continue
		}
		if _, err := unix.Pwrite(i.fd, part, int64(at)); err != nil {
			return err
		}
	}
	return nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// close releases the file. Spaces that map it keep it alive.
func (i *image) close() {
	if i.bytes != nil {
		_ = unix.Munmap(i.bytes) // it was mapped by newImage
	}
	if i.fd >= 0 {
		_ = unix.Close(i.fd)
	}
	i.bytes, i.fd = nil, -1
}

// space is the linear memory of one instance: a range of addresses with an
// image at its start. It is used by one goroutine at a time. Its pages lie
// outside the Go heap.
type space struct {
	bounds
	image    *image
	reserved []byte
	usable   uint64 // bytes that may be touched
	size     uint64 // bytes that the engine has
	shrink   bool   // see takeBack
}

// newSpace reserves addresses for limit bytes; img may be nil. Addresses cost
// no memory, and a page of the image costs none until it is written.
func newSpace(img *image, limit, maximum uint64) (*space, error) {
	s := &space{image: img, bounds: bounds{limit: limit, maximum: maximum}}
	n := max(min(limit, maximum), pageSize)
	at, err := unix.MmapPtr(-1, 0, nil, uintptr(n), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes of addresses for a module's memory: %w", n, err)
	}
	s.reserved = unsafe.Slice((*byte)(at), n) //nolint:gosec // n bytes were mapped there
	if img == nil || len(img.bytes) == 0 {
		return s, nil
	}
	s.usable = uint64(len(img.bytes))
	_, err = unix.MmapPtr(img.fd, 0, at, uintptr(s.usable), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	if err != nil {
		s.Free()
		return nil, fmt.Errorf("map image: %w", err)
	}
	return s, nil
}

// Reallocate implements experimental.LinearMemory. The memory does not move, and
// what is beyond the image is zero.
func (s *space) Reallocate(size uint64) []byte {
	if s.shrink {
		return s.give(uint64(len(s.image.bytes)))
	}
	if s.refuse(size) {
		return nil
	}
	if size > s.usable {
		if err := unix.Mprotect(s.reserved[s.usable:size], unix.PROT_READ|unix.PROT_WRITE); err != nil {
			s.refused = true // the machine has no more
			return nil
		}
		s.usable = size
	}
	return s.give(size)
}

func (s *space) give(size uint64) []byte {
	s.size = size
	return s.reserved[:size:size]
}

// Free implements experimental.LinearMemory.
func (s *space) Free() {
	if s.reserved != nil {
		_ = unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(s.reserved)), uintptr(len(s.reserved))) //nolint:gosec // it was mapped by newSpace
		s.reserved = nil
	}
}

// keptPages bounds the pages that an instance keeps between runs. After a run
// that wrote more, it gives them all back.
const keptPages = 256

// restore puts the image back over everything that was written to it, and zeros
// behind it. Written
// pages are copied, so that the next run finds them in place; that is cheaper
// than faults, and other threads of the process do not wait for it.
func (s *space) restore() error {
	b := s.reserved[:s.size]
	if s.image.pagemap == nil {
		return s.drop(b)
	}
	copied := 0
	err := s.image.pagemap.written(b, func(from, to int) {
		copied += to - from
		if copied <= keptPages*os.Getpagesize() {
			s.restoreRange(b, from, to)
		}
	})
	if err != nil || copied > keptPages*os.Getpagesize() {
		return s.drop(b)
	}
	return nil
}

func (s *space) restoreRange(b []byte, from, to int) {
	n := 0
	if from < len(s.image.bytes) {
		n = copy(b[from:to], s.image.bytes[from:])
	}
	clear(b[from+n : to])
}

// relax gives all pages back that the instance has of its own. The memory is
// the image's before and after.
func (s *space) relax() { _ = s.drop(s.reserved[:s.size]) } // it only costs memory if this fails

// drop forgets the written pages; the kernel brings those of the image back when
// they are touched.
func (s *space) drop(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := unix.Madvise(b, unix.MADV_DONTNEED); err != nil {
		return fmt.Errorf("restore image: %w", err)
	}
	return nil
}
