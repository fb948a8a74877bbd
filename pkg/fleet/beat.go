// Package fleet is the wire on which gateways and pumps show that they live: one
// hash per node and one sorted set of nodes in Redis, with both ends of it.
//
// A beat bears a MAC; one without is dropped and counted. When a node was last
// heard is measured by the clock of Redis, so hosts' clocks may differ.
package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// The rhythm of beats.
const (
	Interval     = 2 * time.Second  // a node writes a beat this often
	OfflineAfter = 10 * time.Second // without a beat a node counts as offline
	ForgetAfter  = 24 * time.Hour   // and is then forgotten
	// MaxSkew is how far a beat's own time, corrected by its ClockOffset, may lie
	// from the time at which Redis took it. A beat further off is a replay.
	MaxSkew = time.Minute
)

// The names in Redis. The hash tag lets one script write both.
const (
	nodesKey   = "sluice:{fleet}:nodes"
	nodePrefix = "sluice:{fleet}:node:"
	beatDomain = "beat"
)

const (
	callTimeout = 5 * time.Second
	chunkSize   = 128
	maxBeat     = 64 << 10
	maxNodes    = 10_000
)

// State is how a node fares; the same words everywhere.
type State string

// The states.
const (
	Current    State = "current"     // serves the newest generation
	CatchingUp State = "catching-up" // is about to
	Behind     State = "behind"      // serves an older one; Reason says why
	Rejected   State = "rejected"    // serves the newest but for the items in Rejected
	Degraded   State = "degraded"    // serves without something it needs; Reason says what
	Offline    State = "offline"     // no beat for OfflineAfter; set by the reader
	Draining   State = "draining"    // finishes its requests and takes no new ones
)

// Load is what a node has to do.
type Load struct {
	RPS         float64 `json:"rps"`         // requests a second
	Connections int64   `json:"connections"` // open client connections
	InFlight    int64   `json:"inFlight"`    // requests being served
	RSS         int64   `json:"rss"`         // resident memory in bytes
	Goroutines  int64   `json:"goroutines"`
}

// Spool is how the records of a gateway's calls fare.
type Spool struct {
	DiskBytes int64  `json:"diskBytes,omitempty"` // that wait on its disk for Redis
	Dropped   uint64 `json:"dropped,omitempty"`   // records, since the start
	Volatile  bool   `json:"volatile,omitempty"`  // a crash loses open batches: the disk has no room for them
}

// Beat is what a node says of itself.
type Beat struct {
	Node        string            `json:"node"`    // node id: 1 to 64 of A-Z a-z 0-9 . _ -
	Name        string            `json:"name"`    // host name
	Service     string            `json:"service"` // "gateway" or "pump"
	Version     string            `json:"version"`
	Group       string            `json:"group,omitempty"`   // gateway group
	Address     string            `json:"address,omitempty"` // where clients reach it
	TLS         bool              `json:"tls,omitempty"`     // they must use TLS there
	Start       string            `json:"start"`             // id of this start of the process
	StartedAt   time.Time         `json:"startedAt"`
	At          time.Time         `json:"at"` // by the node's clock; the writer sets it when zero
	State       State             `json:"state"`
	Reason      string            `json:"reason,omitempty"`
	ReasonCode  fault.Code        `json:"reasonCode,omitempty"`   // stable, of Reason; "": its words are somebody else's
	ReasonWith  map[string]any    `json:"reasonParams,omitempty"` // values that a translation of ReasonCode needs
	Epoch       int64             `json:"epoch"`
	Generation  int64             `json:"generation"`
	Root        string            `json:"root,omitempty"` // hex SHA-256 of the root in use
	Rejected    []notice.Rejected `json:"rejected,omitempty"`
	Source      string            `json:"source"` // where the configuration came from: live, disk or none
	RedisOK     bool              `json:"redisOk"`
	Load        Load              `json:"load"`
	Spool       Spool             `json:"spool,omitzero"`
	ClockOffset time.Duration     `json:"-"` // clock of Redis less the node's; "clockOffsetMs" in JSON; the writer measures it when zero
	LastError   string            `json:"lastError,omitempty"`
	ErrorCode   fault.Code        `json:"lastErrorCode,omitempty"`   // of LastError, as ReasonCode
	ErrorWith   map[string]any    `json:"lastErrorParams,omitempty"` // as ReasonWith
}

// Codes of reasons. Where an error is the reason, its own code stands there.
const (
	CodeDraining    fault.Code = "node.draining"         // the node is stopping
	CodeFromDisk    fault.Code = "node.from_disk"        // a gateway serves what its disk kept
	CodeNoConfig    fault.Code = "node.no_configuration" // a gateway has read nothing yet
	CodeBehind      fault.Code = "node.behind"           // an older generation runs and nobody said why; set by the reader
	CodeOtherRoot   fault.Code = "node.other_root"       // another root of the same generation runs; set by the reader
	CodeSinkFailing fault.Code = "sink.failing"          // of a pump; params sink, since (RFC 3339), error
)

type beatFields Beat

type beatJSON struct {
	beatFields
	ClockOffsetMillis int64 `json:"clockOffsetMs"`
}

// MarshalJSON writes ClockOffset as whole milliseconds in "clockOffsetMs".
func (b Beat) MarshalJSON() ([]byte, error) {
	return json.Marshal(beatJSON{beatFields(b), b.ClockOffset.Milliseconds()})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (b *Beat) UnmarshalJSON(text []byte) error {
	var j beatJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*b = Beat(j.beatFields)
	b.ClockOffset = time.Duration(j.ClockOffsetMillis) * time.Millisecond
	return nil
}

var nodePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// errForged marks beats that are dropped.
var errForged = errors.New("forged beat")

// decode reads what a node's hash holds. seen is when Redis took it.
func decode(k *trust.Keys, node string, text, sum []byte, seen time.Time) (Beat, error) {
	if len(text) == 0 || len(text) > maxBeat || !k.CheckMAC(beatDomain, sum, []byte(node), text) {
		return Beat{}, errForged
	}
	var b Beat
	if err := json.Unmarshal(text, &b); err != nil {
		return Beat{}, fmt.Errorf("read a beat: %w", err)
	}
	if b.Node != node {
		return Beat{}, errForged
	}
	// An old beat that someone writes again would keep a dead node alive.
	if off := seen.Sub(b.At.Add(b.ClockOffset)); off > MaxSkew || off < -MaxSkew {
		return Beat{}, errForged
	}
	return b, nil
}

func unavailable(err error, doing string) error {
	return fault.Wrap(fmt.Errorf("%s: %w", doing, err), fault.Unavailable, "fleet.unavailable",
		"Redis did not answer a question about nodes; check that it is up and reachable")
}

// bounded gives a call to Redis a deadline where the caller set none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, callTimeout)
}
