package route

import "context"

// Item is one published object.
type Item struct {
	Org, Kind, ID string
	SHA           string // SHA-256 of Text, hex
	Text          []byte
}

// Key names an object.
type Key struct{ Org, Kind, ID string }

// State names the generation that a table or an update is of. The zero value is
// "nothing yet".
type State struct {
	Epoch, Generation int64
	Root              string // SHA-256 of the root's bytes, hex
	Origin            string // live, disk or dir
}

// Update is what changed.
type Update struct {
	State
	Full bool // Set is everything: what is not in it is gone
	Set  []Item
	Gone []Key
	// Incomplete lists objects that the root names but that could not be fetched;
	// their last version serves on.
	Incomplete []Key
}

// Source says what the world should be.
type Source interface {
	// Fetch returns what changed since the update that it returned last, or nil when
	// there is nothing newer. For a zero have the update is full.
	Fetch(ctx context.Context, have State) (*Update, error)
	// Hints yields a value when Fetch may have something new.
	Hints() <-chan struct{}
}
