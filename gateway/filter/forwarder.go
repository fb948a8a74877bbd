package filter

// Forwarder sends an exchange to the upstream of one API and sets its Response,
// or returns an error: a *Reject where the cause is known. It stands here because
// both the routes that name it and the upstreams that are it see this package.
type Forwarder interface {
	Forward(x *Exchange) error
}
