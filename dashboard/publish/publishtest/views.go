package publishtest

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// RunViews checks the contract of publish.Views. open gives empty ones.
func RunViews(t *testing.T, open func(t *testing.T) publish.Views) {
	for name, f := range map[string]func(*testing.T, publish.Views){
		"an object comes back as it went in":         viewsRoundTrip,
		"texts come back byte for byte":              viewsTexts,
		"an absent object is not found":              viewsAbsent,
		"only a higher revision is stored":           viewsGuard,
		"a tombstone stays and wins over late":       viewsTombstone,
		"an object may come back after a deletion":   viewsRevived,
		"of racing steps the highest stays":          viewsRace,
		"racing with a deletion":                     viewsRaceDeletion,
		"hostile ids stay apart":                     viewsHostileIDs,
		"each yields everything, tombstones too":     viewsEach,
		"each may be left, and written to meanwhile": viewsEachWhileWriting,
		"an ended context ends every operation":      viewsCancelled,
		"the search finds substrings only":           listSearch,
		"nothing searched for is an operator":        listSearchHostile,
		"filters":                                    listFilters,
		"filters are no operators":                   listFiltersHostile,
		"ordered by name":                            listByName,
		"ordered by the time of change":              listByTime,
		"pages hold still while others write":        listStable,
		"bounds of a page":                           listBounds,
		"a foreign cursor is refused":                listCursors,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

// object is a small API at a revision.
func object(id string, rev int64) publish.Object {
	return publish.Object{
		Org: "default", Kind: publish.KindAPI, ID: id, Rev: rev, SHA: fmt.Sprintf("%064x", rev),
		Text: fmt.Appendf(nil, `{"id":%q,"rev":%d}`, id, rev), UpdatedAt: base.Add(time.Duration(rev) * time.Second),
		UpdatedBy: publish.Author{Kind: "user", ID: "u1", Name: "김하나"},
		Summary:   publish.Summary{Name: id, State: "active", Search: []string{strings.ToLower(id)}},
	}
}

func tombstone(id string, rev int64) publish.Object {
	return publish.Object{
		Org: "default", Kind: publish.KindAPI, ID: id, Rev: rev, Deleted: true,
		UpdatedAt: base.Add(time.Duration(rev) * time.Second), UpdatedBy: publish.Author{Kind: "user", ID: "u1", Name: "김하나"},
	}
}

func apply(t *testing.T, v publish.Views, objects ...publish.Object) {
	t.Helper()
	for _, o := range objects {
		must(t, v.Apply(t.Context(), o))
	}
}

func wantObject(t *testing.T, v publish.Views, want publish.Object) {
	t.Helper()
	got, err := v.Get(t.Context(), want.Org, want.Kind, want.ID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Get(%s): %v\n got %+v\nwant %+v", want.ID, err, got, want)
	}
}

func wantAbsent(t *testing.T, v publish.Views, org, kind, id string) {
	t.Helper()
	if got, err := v.Get(t.Context(), org, kind, id); !errors.Is(err, publish.ErrNotFound) {
		t.Errorf("Get(%s, %s, %s) = %+v, %v, want ErrNotFound", org, kind, id, got, err)
	}
}

// every collects Each by organisation, kind and id, and fails on a repetition.
func every(t *testing.T, v publish.Views) map[[3]string]publish.Object {
	t.Helper()
	all := map[[3]string]publish.Object{}
	for o, err := range v.Each(t.Context()) {
		must(t, err)
		key := [3]string{o.Org, o.Kind, o.ID}
		if _, twice := all[key]; twice {
			t.Errorf("Each yielded %v twice", key)
		}
		all[key] = o
	}
	return all
}

func viewsRoundTrip(t *testing.T, v publish.Views) {
	bare := object("bare", 1)
	bare.Summary = publish.Summary{}
	full := object("full", 2)
	full.Summary = publish.Summary{
		Name: "Orders 주문", State: "disabled", Tags: []string{"Team A", "pci", "a.b$c"},
		Groups: []string{"edge", "internal"}, Search: []string{"orders 주문", "full", "/orders", "*.example.com"},
	}
	policy := object("full", 3)
	policy.Kind = publish.KindPolicy
	other := object("full", 4)
	other.Org = "other"
	apply(t, v, bare, full, policy, other)
	for _, o := range []publish.Object{bare, full, policy, other} {
		wantObject(t, v, o)
	}
	for i, kind := range publish.Kinds() {
		o := object("of-"+kind, int64(i+10))
		o.Kind = kind
		apply(t, v, o)
		wantObject(t, v, o)
		if page, err := v.List(t.Context(), publish.Query{Org: "default", Kind: kind, Q: "of-" + kind, Limit: 1}); err != nil || len(page.Items) > 1 {
			t.Errorf("a list of the kind %s: %v, %v", kind, page.Items, err)
		}
	}
	precise := object("precise", 5)
	precise.UpdatedAt = base.Add(123_456).In(time.FixedZone("KST", 9*3600))
	apply(t, v, precise)
	if got, err := v.Get(t.Context(), "default", publish.KindAPI, "precise"); err != nil || !got.UpdatedAt.Equal(base) || got.UpdatedAt.Location() != time.UTC {
		t.Errorf("%v came back as %v, %v", precise.UpdatedAt, got.UpdatedAt, err)
	}
}

func viewsTexts(t *testing.T, v publish.Views) {
	for name, text := range texts() {
		o := object(name, 1)
		o.Text = text
		apply(t, v, o)
		got, err := v.Get(t.Context(), o.Org, o.Kind, o.ID)
		if err != nil || got.Text == nil || !bytes.Equal(got.Text, text) {
			t.Errorf("%s: %d bytes came back as %d, %v", name, len(text), len(got.Text), err)
		}
	}
}

func viewsAbsent(t *testing.T, v publish.Views) {
	apply(t, v, object("orders", 1))
	wantAbsent(t, v, "default", publish.KindAPI, "payments")
	wantAbsent(t, v, "other", publish.KindAPI, "orders")
	wantAbsent(t, v, "default", publish.KindPolicy, "orders")
	wantAbsent(t, v, "default", publish.KindAPI, "ORDERS")
	wantAbsent(t, v, "", publish.KindAPI, "orders")
}

func viewsGuard(t *testing.T, v publish.Views) {
	apply(t, v, object("orders", 5))
	same := object("orders", 5)
	same.Text = []byte("another text under the same number")
	apply(t, v, object("orders", 4), object("orders", 1), same)
	wantObject(t, v, object("orders", 5))
	apply(t, v, object("orders", 6))
	wantObject(t, v, object("orders", 6))
}

func viewsTombstone(t *testing.T, v publish.Views) {
	apply(t, v, object("orders", 1), tombstone("orders", 3), object("orders", 2))
	wantAbsent(t, v, "default", publish.KindAPI, "orders")
	apply(t, v, tombstone("never-seen", 9), object("never-seen", 8))
	wantAbsent(t, v, "default", publish.KindAPI, "never-seen")
	p, err := v.List(t.Context(), publish.Query{Org: "default", Kind: publish.KindAPI, Limit: 10})
	if err != nil || p.Total != 0 || len(p.Items) != 0 {
		t.Errorf("a list shows tombstones: %+v, %v", p, err)
	}
	withText := tombstone("with-text", 10)
	withText.Text = []byte("gone")
	apply(t, v, withText)
	for _, o := range every(t, v) {
		if !o.Deleted || o.Text != nil {
			t.Errorf("Each yielded %+v, want tombstones without text", o)
		}
	}
}

func viewsRevived(t *testing.T, v publish.Views) {
	apply(t, v, object("orders", 1), tombstone("orders", 2), object("orders", 3))
	wantObject(t, v, object("orders", 3))
	apply(t, v, tombstone("orders", 2))
	wantObject(t, v, object("orders", 3))
}

func viewsRace(t *testing.T, v publish.Views) {
	const objects, writers, each = 5, 8, 6
	race(writers, func(i int) {
		for n := range each {
			rev := int64(n*writers + i + 1)
			if i%2 == 0 { // half of them come late
				rev = writers*each + 1 - rev
			}
			for k := range objects {
				if err := v.Apply(t.Context(), object(fmt.Sprintf("api-%d", k), rev)); err != nil {
					t.Error(err)
				}
			}
		}
	})
	// Every writer counts over its own numbers; the highest of all is known.
	highest := int64(0)
	for i := range writers {
		for n := range each {
			rev := int64(n*writers + i + 1)
			if i%2 == 0 {
				rev = writers*each + 1 - rev
			}
			highest = max(highest, rev)
		}
	}
	for k := range objects {
		wantObject(t, v, object(fmt.Sprintf("api-%d", k), highest))
	}
}

func viewsRaceDeletion(t *testing.T, v publish.Views) {
	for round := range 20 {
		id := fmt.Sprintf("api-%d", round)
		steps := []publish.Object{object(id, 1), object(id, 2), tombstone(id, 4), object(id, 3)}
		race(len(steps), func(i int) {
			if err := v.Apply(t.Context(), steps[i]); err != nil {
				t.Error(err)
			}
		})
		wantAbsent(t, v, "default", publish.KindAPI, id)
	}
	for key, o := range every(t, v) {
		if !o.Deleted || o.Rev != 4 {
			t.Errorf("%v ended as revision %d, deleted %v", key, o.Rev, o.Deleted)
		}
	}
}

func viewsHostileIDs(t *testing.T, v publish.Views) {
	var all []publish.Object
	for i, org := range hostile() {
		for j, id := range hostile() {
			if (i+j)%9 != 0 { // a ninth of the pairs is enough
				continue
			}
			o := object(id, int64(len(all)+1))
			o.Org = org
			all = append(all, o)
		}
	}
	x, y := object("c", 1000), object("b/c", 1001) // a/b + c and a + b/c
	x.Org, y.Org = "a/b", "a"
	all = append(all, x, y)
	apply(t, v, all...)
	for _, o := range all {
		wantObject(t, v, o)
	}
	if got := every(t, v); len(got) != len(all) {
		t.Errorf("Each yielded %d objects, want %d", len(got), len(all))
	}
}

func viewsEach(t *testing.T, v publish.Views) {
	if got := every(t, v); len(got) != 0 {
		t.Errorf("empty views yield %v", got)
	}
	want := map[[3]string]publish.Object{}
	for i := range 230 { // more than two batches
		o := object(fmt.Sprintf("api-%03d", i), int64(i+1))
		switch {
		case i%7 == 0:
			o = tombstone(o.ID, o.Rev)
		case i%5 == 0:
			o.Kind = publish.KindPolicy
		case i%3 == 0:
			o.Org = "other"
		}
		apply(t, v, o)
		want[[3]string{o.Org, o.Kind, o.ID}] = o
	}
	got := every(t, v)
	if len(got) != len(want) {
		t.Errorf("Each yielded %d objects, want %d", len(got), len(want))
	}
	for key, o := range want {
		if !reflect.DeepEqual(got[key], o) {
			t.Errorf("Each yielded\n     %+v\nwant %+v", got[key], o)
		}
	}
}

func viewsEachWhileWriting(t *testing.T, v publish.Views) {
	const count = 130
	for i := range count {
		apply(t, v, object(fmt.Sprintf("api-%03d", i), int64(i+1)))
	}
	seen, left := map[string]bool{}, 0
	for o, err := range v.Each(t.Context()) {
		must(t, err)
		seen[o.ID] = true
		// A writer inside the loop must neither wait for it nor disturb it.
		if !strings.HasPrefix(o.ID, "zz-") {
			apply(t, v, object(o.ID, 1000), object("zz-"+o.ID, 1000))
		}
	}
	for i := range count {
		if !seen[fmt.Sprintf("api-%03d", i)] {
			left++
		}
	}
	if left != 0 {
		t.Errorf("Each left out %d objects that were there all the time", left)
	}
	for range v.Each(t.Context()) {
		break
	}
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			n := 0
			for _, err := range v.Each(t.Context()) {
				if err != nil {
					t.Error(err)
				}
				n++
			}
			if n != 2*count {
				t.Errorf("a reader beside others saw %d objects, want %d", n, 2*count)
			}
		})
	}
	readers.Wait()
}

func viewsCancelled(t *testing.T, v publish.Views) {
	ctx := cancelled(t)
	wantCanceled(t, "Apply", v.Apply(ctx, object("orders", 1)))
	_, err := v.Get(ctx, "default", publish.KindAPI, "orders")
	wantCanceled(t, "Get", err)
	_, err = v.List(ctx, publish.Query{Org: "default", Kind: publish.KindAPI, Limit: 10})
	wantCanceled(t, "List", err)
	yields := 0
	for _, err := range v.Each(ctx) {
		yields++
		wantCanceled(t, "Each", err)
	}
	if yields != 1 {
		t.Errorf("Each with an ended context yielded %d times, want its error once", yields)
	}
	wantAbsent(t, v, "default", publish.KindAPI, "orders")
}
