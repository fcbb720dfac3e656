package rabbitmq

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// The properties of a message that holds a bundle. The version is a part of the
// type, so that a consumer sees it before it reads the body.
const (
	bundleContentType = "application/json"
	bundleType        = "bundle.v1"
)

// Bounds on a bundle that is accepted, far above what is sent.
const (
	maxBundleBytes = 256 << 10
	maxBundleItems = 1000
	maxIDBytes     = 200
)

// bundle is the body of a message: executions of one task type. Rank is in
// microseconds since 1970, as exact as the store keeps it.
type bundle struct {
	Type  string       `json:"type"`
	Items []bundleItem `json:"items"`
}

type bundleItem struct {
	ID       string `json:"id"`
	Priority int    `json:"p"`
	Rank     int64  `json:"r"`
}

// encodeBundle writes items of one type.
func encodeBundle(taskType string, items []core.QueueItem) ([]byte, error) {
	b := bundle{Type: taskType, Items: make([]bundleItem, len(items))}
	for i, item := range items {
		b.Items[i] = bundleItem{ID: item.ExecutionID, Priority: item.Priority, Rank: item.Rank.UnixMicro()}
	}
	return json.Marshal(b)
}

// decodeBundle reads what encodeBundle wrote. Any other text is an error that
// says what is wrong with it.
func decodeBundle(contentType, messageType string, body []byte) ([]core.QueueItem, error) {
	if contentType != bundleContentType || messageType != bundleType {
		return nil, fmt.Errorf("read bundle: content type %q and type %q are not those of a bundle", contentType, messageType)
	}
	if len(body) > maxBundleBytes {
		return nil, fmt.Errorf("read bundle: %d bytes are too many", len(body))
	}
	var b bundle
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	if b.Type == "" || len(b.Items) == 0 || len(b.Items) > maxBundleItems {
		return nil, fmt.Errorf("read bundle: type %q with %d items", b.Type, len(b.Items))
	}
	items := make([]core.QueueItem, len(b.Items))
	for i, item := range b.Items {
		if item.ID == "" || len(item.ID) > maxIDBytes {
			return nil, errors.New("read bundle: an id is missing or too long")
		}
		items[i] = core.QueueItem{ExecutionID: item.ID, Type: b.Type, Priority: item.Priority, Rank: time.UnixMicro(item.Rank).UTC()}
	}
	return items, nil
}
