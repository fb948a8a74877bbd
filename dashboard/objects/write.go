// Package objects changes revisioned objects: whatever the kind, a text is read
// and judged by the rules of its kind, becomes a revision, and is published.
package objects

import (
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/dashboard/diff"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Write is what every change comes with.
type Write struct {
	Org     string
	Author  publish.Author
	Note    string // free text kept in the revision; at most 500 characters
	IfMatch string // the If-Match header (RFC 9110, 13.1.1): the object's ETag, or "*" for any; not for creation
	DryRun  bool   // judge and plan, store nothing
}

// Result tells what a change did, or would do when it was a dry run.
type Result struct {
	Object   publish.Object  // after the change; of a deletion the tombstone; Rev is 0 in a dry run
	Revision int64           // the revision that was made; 0 when nothing changed or in a dry run
	ETag     string          // of Object
	Problems []fault.Problem // warnings
	Plan     []Step          // what changed or would change
}

// Step is one object's part of a plan.
type Step struct {
	Action string   `json:"action"` // create, update, delete or none
	Kind   string   `json:"kind"`
	ID     string   `json:"id"`
	Groups []string `json:"groups,omitempty"` // gateway groups that serve it; absent is every group
	Before string   `json:"before,omitempty"` // SHA-256 of the text, hex
	After  string   `json:"after,omitempty"`
	// Differences say what changes; only in a dry run.
	Differences []diff.Difference `json:"differences,omitempty"`
}

// ETag is the strong validator (RFC 9110, 8.8.3) of an object changed last by rev.
func ETag(rev int64) string { return `"` + strconv.FormatInt(rev, 10) + `"` }

// Precondition judges an If-Match header against an object that was changed last
// by rev: nil, a fault of kind Missing with the code "precondition.required", one
// of kind Invalid with "precondition.invalid" for what is no ETag, or one of kind Stale with the code "precondition.stale" and the parameters current
// (the present ETag) and revision.
func Precondition(ifMatch string, rev int64) error {
	if strings.TrimSpace(ifMatch) == "" {
		return fault.New(fault.Missing, "precondition.required",
			"send If-Match with the ETag of the version that you changed, so that nobody's work is overwritten")
	}
	for tag := range strings.SplitSeq(ifMatch, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == ETag(rev) {
			return nil
		}
		if !strings.HasSuffix(tag, `"`) {
			return fault.New(fault.Invalid, "precondition.invalid",
				"If-Match holds the ETag as it was given, in double quotes, such as %s", ETag(1))
		}
	}
	return fault.New(fault.Stale, "precondition.stale",
		"it was changed meanwhile: the present version is %s; read it again, then repeat the change", ETag(rev)).
		With("current", ETag(rev)).With("revision", rev)
}
