// Package wire is what host and plugin say to each other: frames of bytes and
// the JSON headers in them. Both sides of the border import it, for every
// runtime, so that a message has one definition.
//
// A frame is
//
//	u32 little-endian   length of the header in bytes
//	header              JSON object
//	payload             the rest, any bytes
//
// The header is small and says what the payload is; the payload is carried as
// it is, so that task data and results are not encoded twice. docs/abi.md has
// the layout with a worked example.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// MaxHeader is the largest header, in bytes, that a frame may have.
const MaxHeader = 1 << 20

// prefix is the length of the number in front of the header.
const prefix = 4

// ErrFrame is what every error of Split and Decode wraps: the bytes are no
// frame, or their header is not the JSON that was expected.
var ErrFrame = errors.New("malformed frame")

// Encode makes a frame of a header, rendered as JSON, and a payload. It fails
// when the header cannot be rendered or is larger than MaxHeader.
func Encode(header any, payload []byte) ([]byte, error) {
	head, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("encode frame header: %w", err)
	}
	if len(head) > MaxHeader {
		return nil, fmt.Errorf("encode frame header: %d bytes, at most %d are allowed", len(head), MaxHeader)
	}
	frame := make([]byte, 0, prefix+len(head)+len(payload))
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(head)))
	frame = append(frame, head...)
	return append(frame, payload...), nil
}

// Split takes a frame apart without reading its header. Both parts alias the
// frame. Its error is an ErrFrame.
func Split(frame []byte) (header, payload []byte, err error) {
	if len(frame) < prefix {
		return nil, nil, fmt.Errorf("%w: %d bytes are too few for the header's length", ErrFrame, len(frame))
	}
	n := binary.LittleEndian.Uint32(frame)
	rest := frame[prefix:]
	if n > MaxHeader || uint64(n) > uint64(len(rest)) {
		return nil, nil, fmt.Errorf("%w: header of %d bytes in a frame of %d", ErrFrame, n, len(frame))
	}
	return rest[:n:n], rest[n:], nil
}

// Decode takes a frame apart and reads its header into header, a pointer.
// Unknown members are ignored, so that either side may be the newer one. The
// payload aliases the frame. Its error is an ErrFrame.
func Decode(frame []byte, header any) (payload []byte, err error) {
	head, payload, err := Split(frame)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(head, header); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrFrame, err)
	}
	return payload, nil
}
