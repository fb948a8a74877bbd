package http1

// Clock is a coarse clock that ends what has outlived its deadline.
type Clock struct{}

// NewClock makes a clock.
func NewClock() *Clock { return &Clock{} }
