//go:build !linux

package wasm

import (
	"errors"
	"slices"
)

// pagemap does not exist here.
type pagemap struct{}

func openPagemap() (*pagemap, error) {
	return nil, errors.New("this system cannot tell which pages were written")
}

func (*pagemap) close() {}

// image is a memory that runs start from. It does not change and is safe for
// concurrent use.
type image struct {
	bytes []byte
}

func newImage(content []byte, _ *pagemap) (*image, error) {
	return &image{bytes: slices.Clone(content)}, nil
}

func (i *image) close() { i.bytes = nil }

// space is the linear memory of one instance, a copy of an image. It is used by
// one goroutine at a time.
type space struct {
	bounds
	image  *image
	buf    []byte
	size   uint64 // bytes that the engine has
	shrink bool   // see takeBack
}

func newSpace(img *image, limit, maximum uint64) (*space, error) {
	s := &space{image: img, bounds: bounds{limit: limit, maximum: maximum}}
	if img != nil {
		s.buf = slices.Clone(img.bytes)
	}
	return s, nil
}

// Reallocate implements experimental.LinearMemory. What is beyond the image is
// zero. A program grows its memory in small steps right after its start, and
// each step beyond the room copies all of it, so room is taken for half as
// much again.
func (s *space) Reallocate(size uint64) []byte {
	if s.shrink {
		return s.give(uint64(len(s.image.bytes)))
	}
	if s.refuse(size) {
		return nil
	}
	if size > uint64(len(s.buf)) {
		grown := make([]byte, min(size+size/2, max(s.limit, size)))
		copy(grown, s.buf)
		s.buf = grown
	}
	return s.give(size)
}

func (s *space) give(size uint64) []byte {
	s.size = size
	return s.buf[:size:size]
}

// Free implements experimental.LinearMemory.
func (s *space) Free() { s.buf = nil }

// restore puts the image back, and zeros behind it.
func (s *space) restore() error {
	clear(s.buf[copy(s.buf[:s.size], s.image.bytes):s.size])
	return nil
}

// relax does nothing: the copy is all that the instance has.
func (s *space) relax() {}
