package apidef

// Upstream is a pool of targets and how they are called.
type Upstream struct {
	// Targets are the servers, at least one, called in weighted turn.
	Targets []Target `json:"targets"`
	// Path is a prefix added to each forwarded path. Default: none.
	Path string `json:"path,omitempty"`
	// PreserveHost forwards the client's Host instead of the target's. Default: false.
	PreserveHost bool `json:"preserveHost,omitempty"`
	// Timeouts bound each step of a call.
	Timeouts Timeouts `json:"timeouts,omitzero"`
	// Connections bound the connections to each target.
	Connections Connections `json:"connections,omitzero"`
}

// Target is one server.
type Target struct {
	// URL is http://host:port with an optional path; https comes with upstream TLS.
	URL string `json:"url"`
	// Weight is its share of the calls among the pool's targets; 0 takes no new
	// calls; at most 1000. Default: 1.
	Weight *int `json:"weight,omitempty"`
}

// Timeouts of one call. Zero total means no bound on the whole.
type Timeouts struct {
	// Connect is for establishing a connection. Default: 2s.
	Connect Duration `json:"connect,omitempty"`
	// FirstByte is from the last byte sent to the first byte of the response. Default: 30s.
	FirstByte Duration `json:"firstByte,omitempty"`
	// Idle is the longest silence within a body. Default: 60s.
	Idle Duration `json:"idle,omitempty"`
	// Total is for the whole call, body included. Default: 0s, unbounded.
	Total Duration `json:"total,omitempty"`
}

// Connections to one target.
type Connections struct {
	// Max is the most connections open at once. Default: 512.
	Max int `json:"max,omitempty"`
	// Idle is the most connections kept while unused. Default: 128.
	Idle int `json:"idle,omitempty"`
	// IdleTimeout closes a connection unused for this long. Default: 90s.
	IdleTimeout Duration `json:"idleTimeout,omitempty"`
	// Queue is how many calls may wait for a connection when Max are in use; one
	// more is answered 503. Default: 256.
	Queue int `json:"queue,omitempty"`
}
