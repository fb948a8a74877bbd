// Package notice holds the control plane's messages as plain data. A notice is
// a hint that something changed; the signed root and the key entries are the
// truth. pkg/bus carries them.
package notice

// Kind names a message on the bus.
type Kind string

// The notices.
const (
	ConfigChangedKind    Kind = "config-changed"
	KeyChangedKind       Kind = "key-changed"
	KeysChangedKind      Kind = "keys-changed"
	RevisionAppendedKind Kind = "revision-appended"
	AppliedKind          Kind = "applied"
)

// ConfigChanged says that roots of this generation are out.
type ConfigChanged struct {
	Epoch      int64 `json:"epoch"`
	Generation int64 `json:"generation"`
}

// KeyChanged says that the entry of a key changed.
type KeyChanged struct {
	Hash    string `json:"hash"` // as in the key's entry
	Version int64  `json:"version"`
}

// KeysChanged says that more keys changed than are told one by one: every key has
// to be asked for again.
type KeysChanged struct{}

// RevisionAppended tells other dashboards that the log grew.
type RevisionAppended struct {
	Revision int64 `json:"revision"`
}

// Applied is a gateway's acknowledgement of a generation.
type Applied struct {
	Node       string     `json:"node"` // node id
	Name       string     `json:"name"` // host name
	Group      string     `json:"group"`
	Epoch      int64      `json:"epoch"`
	Generation int64      `json:"generation"`
	Root       string     `json:"root"` // SHA-256 of the root's bytes, hex
	Millis     int64      `json:"ms"`   // from notice or poll to the swap
	Rejected   []Rejected `json:"rejected,omitempty"`
}

// Rejected is an item that a gateway could not take; its last good version, if
// any, serves on.
type Rejected struct {
	Kind    string `json:"kind"`
	ID      string `json:"id"`
	Org     string `json:"org"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Kept    bool   `json:"kept"` // the previous version serves
	// Path is the JSON pointer of the field, in the answer to a check; the message
	// begins with it as well.
	Path string `json:"path,omitempty"`
}

// Command names a request that a dashboard sends to one gateway.
type Command string

// The commands, each with a request and a reply type below.
const (
	CheckCommand Command = "check" // compile definitions without using them
	ProbeCommand Command = "probe" // call an upstream once
	RunCommand   Command = "run"   // send a request through the gateway itself
)

// Check asks whether a definition compiles.
type Check struct {
	Org  string `json:"org"`
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Text []byte `json:"text"`
}

// CheckReply lists what a gateway would reject; empty is good.
type CheckReply struct {
	Version  string     `json:"version"`
	Rejected []Rejected `json:"rejected,omitempty"`
}

// Probe asks for one GET of an upstream URL.
type Probe struct {
	URL           string `json:"url"`
	TimeoutMillis int64  `json:"timeoutMs"`
}

// ProbeReply tells how the upstream answered.
type ProbeReply struct {
	Status int    `json:"status"`          // 0: no answer
	Millis int64  `json:"ms"`              // until the head of the response
	Error  string `json:"error,omitempty"` // one sentence
}

// Run asks for a request through the gateway's own path.
type Run struct {
	Method  string      `json:"method"`
	Host    string      `json:"host"`
	Target  string      `json:"target"`
	Headers [][2]string `json:"headers,omitempty"`
	Body    []byte      `json:"body,omitempty"`
}

// RunReply is the response, its body cut at 64 KiB.
type RunReply struct {
	Status    int         `json:"status"`
	Millis    int64       `json:"ms"`
	Headers   [][2]string `json:"headers,omitempty"`
	Body      []byte      `json:"body,omitempty"`
	Truncated bool        `json:"truncated,omitempty"`
	Error     string      `json:"error,omitempty"`
}
