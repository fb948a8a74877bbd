package publish

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestForgedRootsAreRefusedAndOverwritten(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k, other := s.Client(), newKeys(t), newKeys(t)
		w := newWorld(t, rdb, k, "g", "h")
		w.set("x", "one")
		u := w.publish(1, 5)
		key := rootPrefix + "g"
		good, err := rdb.HGetAll(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		foreign, err := Seal(NewTree("g").Root(1, 5, at), other)
		if err != nil {
			t.Fatal(err)
		}
		ofH, err := rdb.HGetAll(t.Context(), rootPrefix+"h").Result()
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			fields map[string]string
			code   fault.Code
		}{
			"tampered":              {map[string]string{"root": strings.Replace(good["root"], `"epoch":1`, `"epoch":9`, 1), "epoch": "9"}, "root.signature"},
			"another key":           {map[string]string{"root": string(foreign.Root), "sig": string(foreign.Signature)}, "root.key"},
			"another group":         {map[string]string{"root": ofH["root"], "sig": ofH["sig"]}, "root.group"},
			"no signature":          {map[string]string{"sig": ""}, "root.signature"},
			"fields that lie":       {map[string]string{"generation": "4000000000", "sha": strings.Repeat("0", 64)}, ""},
			"fields that are words": {map[string]string{"generation": "many", "epoch": "inf"}, ""},
		} {
			t.Run(name, func(t *testing.T) {
				if err := rdb.HSet(t.Context(), key, c.fields).Err(); err != nil {
					t.Fatal(err)
				}
				_, _, err := NewReader(rdb, k.Node(), "g").Root(t.Context())
				if c.code != "" {
					wantCode(t, err, c.code)
				}
				if head, err := w.w.Head(t.Context(), "g"); err != nil || head != (Head{}) {
					t.Errorf("a dashboard takes it for published: %+v, %v", head, err)
				}
				// It holds nobody up: the same update again mends it.
				if ok, err := w.w.Publish(t.Context(), u); !ok || err != nil {
					t.Fatalf("repair: %v, %v", ok, err)
				}
				if now, err := rdb.HGetAll(t.Context(), key).Result(); err != nil || !maps.Equal(now, good) {
					t.Errorf("after the repair: %v, %v", now, err)
				}
			})
		}
		if err := rdb.Del(t.Context(), key, namedKey).Err(); err != nil {
			t.Fatal(err)
		}
		if err := rdb.MSet(t.Context(), key, "text", namedKey, "text").Err(); err != nil {
			t.Fatal(err)
		}
		if ok, err := w.w.Publish(t.Context(), u); !ok || err != nil {
			t.Errorf("over keys of another type: %v, %v", ok, err)
		}
	})
}

func TestBadContentsAreNamedAndGoodOnesReturned(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k := s.Client(), newKeys(t)
		w := newWorld(t, rdb, k, "g")
		for _, id := range []string{"good", "missing", "wrong", "broken", "list", "lostpart"} {
			w.set(id, "text of "+id)
		}
		u := w.publish(1, 1)
		ctx := t.Context()
		key := func(text string) string { return contentPrefix + hexSum([]byte(text)) }
		lost := PartOf("default", "api", "lostpart")
		for _, err := range []error{
			rdb.Del(ctx, key("text of missing")).Err(),
			rdb.Set(ctx, key("text of wrong"), pack([]byte("another text")), 0).Err(),
			rdb.Set(ctx, key("text of broken"), "\xff\xff\xff\xff\x0f", 0).Err(),
			rdb.Del(ctx, key("text of list")).Err(),
			rdb.RPush(ctx, key("text of list"), "x").Err(),
			rdb.Set(ctx, key(string(w.trees[0].PartText(lost))), pack([]byte("sluice part 1\tg\t0\n")), 0).Err(),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		r := NewReader(rdb, k.Node(), "g")
		root, _, err := r.Root(ctx)
		if err != nil {
			t.Fatal(err)
		}
		items, texts, _, err := r.Fetch(ctx, root, nil)
		wantCode(t, err, "root.incomplete")
		var inc *IncompleteError
		if !errors.As(err, &inc) {
			t.Fatalf("error %T", err)
		}
		var bad []string
		for _, i := range inc.Items {
			bad = append(bad, i.ID)
			if !strings.Contains(err.Error(), strconv.Quote(i.ID)) {
				t.Errorf("%q does not name %s", err, i.ID)
			}
			if _, ok := texts[i.SHA]; ok {
				t.Errorf("the text of %s is bad, yet returned", i.ID)
			}
		}
		slices.Sort(bad)
		if !slices.Equal(bad, []string{"broken", "list", "missing", "wrong"}) || !slices.Equal(inc.Parts, []int{lost}) {
			t.Errorf("bad items %v, parts %v (want %d)", bad, inc.Parts, lost)
		}
		if len(items) != 5 || string(texts[hexSum([]byte("text of good"))]) != "text of good" {
			t.Errorf("%d items, %d texts", len(items), len(texts))
		}
		if ok, err := w.w.Publish(ctx, u); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if _, got := fetch(t, rdb, k, "g"); len(got) != 6 {
			t.Errorf("after the repair: %v", got)
		}
	})
}
