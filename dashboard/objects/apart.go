package objects

import (
	"context"

	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Apart is what the rules of a kind embed whose objects share nothing with others:
// there is nothing to judge by the state, nobody to ask, and no reason to keep one
// but what Holder says.
type Apart struct{}

// Judge finds no clash.
func (Apart) Judge(*publish.State, string, Document) []fault.Problem { return nil }

// Consult asks nobody.
func (Apart) Consult(context.Context, string, Document) []fault.Problem { return nil }

// Release lets the object go.
func (Apart) Release(context.Context, string, string) ([]fault.Problem, error) { return nil, nil }
