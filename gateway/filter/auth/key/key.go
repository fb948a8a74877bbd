// Package key identifies callers by an API key in a header, the query or a
// cookie. It is one method of the filter auth; the secret is looked up by its
// hash and never logged, recorded or forwarded.
package key
