package wire

// The operations a plugin can call. Arguments and answer are JSON: the
// arguments are the header of the call's frame, the answer is Reply.Value.
// A name with a dot belongs to the capability in front of the dot.
const (
	OpLog    = "log"    // LogLine, no answer. Needs no grant
	OpConfig = "config" // no arguments, answers the plugin's config object. Needs no grant
	OpNotify = "notify" // Notification, answers a Receipt. Needs the grant notify

	OpStateGet    = "kv.get"    // StateKey, answers a StateValue. Needs the grant kv, as the next three
	OpStateSet    = "kv.set"    // StateSet, no answer
	OpStateDelete = "kv.delete" // StateKey, no answer
	OpStateList   = "kv.list"   // StateList, answers a StatePage
	OpPublish     = "publish"   // Event, answers an EventReceipt. Needs the grant publish
	OpEnqueue     = "enqueue"   // Enqueue, answers an EnqueueReceipt. Needs the grant enqueue

	OpClock    = "clock"    // no arguments, answers a Clock. Needs no grant, as the next three
	OpDeadline = "deadline" // no arguments, answers a Deadline
	OpRandom   = "random"   // RandomArgs, answers Random
	OpSleep    = "sleep"    // SleepArgs, no answer; ends early, with an error, when the run does
	OpHTTP     = "http"     // HTTPRequest and a payload, answers an HTTPResponse and a payload. Needs the grant http
	OpSecret   = "secret"   // SecretName, answers the placeholder of the secret, a string. Needs the grant secrets
)

// LogLine is the argument of OpLog.
type LogLine struct {
	Level   string         `json:"level"` // debug, info, warn or error
	Message string         `json:"message"`
	Fields  map[string]any `json:"fields,omitempty"`
}

// Notification is the argument of OpNotify: a message for the people of a
// channel.
type Notification struct {
	ChannelID string   `json:"channelId"`
	Message   string   `json:"message"`
	Via       []string `json:"via,omitempty"` // routes, for example discord, email; none leaves it to the service
}

// Receipt is the answer of OpNotify.
type Receipt struct {
	ID  string   `json:"id,omitempty"` // the notification service's own id, when it gave one
	Via []string `json:"via"`          // the routes that were really used
}
