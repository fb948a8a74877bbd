package identity

import (
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
	"github.com/sluice-gateway/sluice/pkg/access"
)

const options = `{"headers":{"X-User-Id":"{subject}","X-User-Grade":"{meta.grade}","X-Api":"{api.id}"}}`

func TestTheBackendIsToldWhoCalls(t *testing.T) {
	s := &access.Session{Org: "default", Subject: "kim", Metadata: map[string]string{"grade": "A"}}
	o := filtertest.Run(t, Spec(), options, filtertest.Get("/").Session(s)).Passed(t)
	if got := o.Sent(); got != "X-Api: orders\nX-User-Grade: A\nX-User-Id: kim\n" {
		t.Errorf("sent\n%s", got)
	}
}

func TestEmptyValuesAreNotSent(t *testing.T) {
	o := filtertest.Run(t, Spec(), options, filtertest.Get("/").Header("X-User-Id", "root")).Passed(t)
	if got := o.Sent(); got != "X-Api: orders\n" {
		t.Errorf("sent\n%s", got)
	}
}

func TestItOwnsItsHeaders(t *testing.T) {
	req, _, err := Spec().Build([]byte(options))
	if err != nil {
		t.Fatal(err)
	}
	if got := req.(filter.HeaderOwner).OwnedHeaders(); !slices.Equal(got, []string{"X-Api", "X-User-Grade", "X-User-Id"}) {
		t.Errorf("owns %q", got)
	}
}

func TestMetadataCannotSplitHeaders(t *testing.T) {
	s := &access.Session{Metadata: map[string]string{"grade": "A\r\nX-Admin: 1"}}
	filtertest.Run(t, Spec(), options, filtertest.Get("/").Session(s)).Refused(t, 500, "value.control")
}

func TestOptionsAreRefused(t *testing.T) {
	for o, want := range map[string]string{
		`{"headers":{"Host":"{subject}"}}`:        "/headers/Host header.reserved",
		`{"headers":{"X-A":"{subjct}"}}`:          "/headers/X-A value.unknown_variable",
		`{"jwt":{"header":"X-Sluice-Identity"}}`:  " unknown_field",
		`{"headers":{"X-A":"{claim.sub}"}}`:       "/headers/X-A not_available",
		`{"headers":{}}`:                          "",
		`{"headers":{"X-A":"{subject}"}} {"x":1}`: " malformed",
	} {
		if got := filtertest.BuildFault(t, Spec(), o); got != want {
			t.Errorf("%s: got %q, want %q", o, got, want)
		}
	}
}
