// Package fleet answers which gateways and pumps are alive and how far each is
// behind what was published.
package fleet

import (
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
)

// Node is one gateway or pump as the console shows it.
type Node struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Service    string            `json:"service"` // gateway or pump
	Version    string            `json:"version"`
	Group      string            `json:"group,omitempty"`
	Address    string            `json:"address,omitempty"`
	TLS        bool              `json:"tls,omitempty"`
	State      string            `json:"state"` // current, catching-up, behind, rejected, degraded, offline or draining
	Reason     string            `json:"reason,omitempty"`
	ReasonCode fault.Code        `json:"reasonCode,omitempty"`   // "": the node's own words, which nobody translates
	ReasonWith map[string]any    `json:"reasonParams,omitempty"` // values that a translation of ReasonCode needs
	Epoch      int64             `json:"epoch"`
	Generation int64             `json:"generation"`
	Expected   int64             `json:"expected"` // generation that its group should run
	Root       string            `json:"root,omitempty"`
	Source     string            `json:"source,omitempty"` // live, disk or none
	Rejected   []notice.Rejected `json:"rejected,omitempty"`
	RedisOK    bool              `json:"redisOk"`
	StartedAt  time.Time         `json:"startedAt"`
	SeenAt     time.Time         `json:"seenAt"`
	Load       Load              `json:"load"`
	OffsetMS   int64             `json:"clockOffsetMs"`
	LastError  string            `json:"lastError,omitempty"`
	ErrorCode  fault.Code        `json:"lastErrorCode,omitempty"`   // of LastError, as ReasonCode
	ErrorWith  map[string]any    `json:"lastErrorParams,omitempty"` // as ReasonWith
	Spool      Spool             `json:"spool,omitzero"`            // absent: nothing waits and nothing was lost
}

// Load is how busy a node is.
type Load struct {
	RPS         float64 `json:"rps"`
	Connections int64   `json:"connections"`
	InFlight    int64   `json:"inFlight"`
	RSS         int64   `json:"rss"` // bytes
	Goroutines  int64   `json:"goroutines"`
}

// Spool is how the records of a gateway's calls fare.
type Spool struct {
	DiskBytes int64  `json:"diskBytes"` // that wait on its disk for Redis
	Dropped   uint64 `json:"dropped"`   // records, since its start
	Volatile  bool   `json:"volatile"`  // a crash loses open batches: the disk has no room for them
}
