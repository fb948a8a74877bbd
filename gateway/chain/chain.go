// Package chain runs an API's filters: order.go is the order of the product,
// build.go turns options into two slices, run.go walks them.
package chain

import (
	"github.com/sluice-gateway/sluice/gateway/filter"
)

// Chain is the compiled filters of one API or endpoint. Immutable.
type Chain struct {
	steps []step // in order; a step without a request half is entered all the same
}

type step struct {
	name     string
	stage    filter.Stage
	request  filter.RequestPhase
	response filter.ResponsePhase
}
