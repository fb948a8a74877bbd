package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
)

// Sum is the SHA-256 of a text, hex: its name in Contents.
func Sum(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// makeObject is the object that a change leads to.
func makeObject(r Revision, c Change, text []byte) Object {
	o := Object{Org: c.Org, Kind: c.Kind, ID: c.ID, Rev: r.N, SHA: c.After, UpdatedAt: r.At, UpdatedBy: r.Author}
	if c.After == "" {
		o.Deleted = true
		return o
	}
	o.Text, o.Summary = text, Summarise(c.ID, text)
	return o
}

// Summarise takes from a text what lists show and search. It reads loosely, so
// that every text which was ever accepted keeps its place in the lists.
func Summarise(id string, text []byte) Summary {
	var d struct {
		Name   string   `json:"name"`
		State  string   `json:"state"`
		Tags   []string `json:"tags"`
		Chain  string   `json:"chain"` // of a certificate
		Groups []string `json:"groups"`
		Listen struct {
			Domains []string `json:"domains"`
			Path    string   `json:"path"`
		} `json:"listen"`
		Upstream struct {
			Targets []struct {
				URL string `json:"url"`
			} `json:"targets"`
		} `json:"upstream"`
	}
	// A member of another type stops at itself: what was read before it counts.
	_ = json.Unmarshal(text, &d)
	s := Summary{Name: d.Name, State: d.State, Tags: d.Tags, Groups: d.Groups}
	if s.State == "" {
		s.State = string(apidef.Active)
	}
	search := append([]string{id, d.Name, d.Listen.Path}, d.Listen.Domains...)
	for _, t := range d.Upstream.Targets {
		search = append(search, t.URL)
	}
	if chain := material.Read(d.Chain); d.Chain != "" && chain != nil {
		facts := chain.Facts(false)
		search = append(append(search, facts.Subject), facts.Names...)
	}
	for _, v := range append(search, d.Tags...) {
		if v != "" {
			s.Search = append(s.Search, strings.ToLower(v))
		}
	}
	return s
}
