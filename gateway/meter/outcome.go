package meter

import (
	"time"

	"github.com/sluice-gateway/sluice/gateway/chain"
)

// Outcome is what came of an exchange.
type Outcome struct {
	Status   int           // that was written; 499 when the client went away before; of a refused gRPC call that of the refusal
	Bytes    int64         // of the response body
	Received int64         // of the request body; of a tunnel, from the client
	Duration time.Duration // from the head of the request to the last byte of the response
	Aborted  bool          // the response was cut short
	Err      error         // why, where it was not the client that went away

	Generation int64        // of the configuration that served
	Chain      *chain.Chain // that the exchange went through; nil after a panic before it was found
}
