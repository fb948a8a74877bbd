package backup

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// stream is a whole stream of records, made by what put does.
func stream(t testing.TB, put func(r *recorder)) []byte {
	t.Helper()
	var out bytes.Buffer
	r := newRecorder(&out)
	put(r)
	must(t, r.end())
	return out.Bytes()
}

func manifest(t testing.TB, r *recorder) {
	t.Helper()
	must(t, r.putJSON(kindManifest, Manifest{CreatedAt: time.Unix(1e9, 0).UTC(), Release: "r", Driver: "sqlite"}))
}

func revision(n int64, texts ...string) publish.Revision {
	r := publish.Revision{N: n, At: time.Unix(1e9+n, 0).UTC()}
	for i, text := range texts {
		r.Changes = append(r.Changes, publish.Change{Org: "default", Kind: publish.KindAPI, ID: fmt.Sprint(i), After: publish.Sum([]byte(text))})
	}
	return r
}

func TestRecordsComeInBatches(t *testing.T) {
	in := stream(t, func(r *recorder) {
		manifest(t, r)
		for n := int64(1); n <= 450; n++ {
			text := fmt.Sprintf(`{"n":%d}`, n)
			must(t, r.put(kindContent, []byte(text)))
			must(t, r.putJSON(kindRevision, revision(n, text)))
		}
		must(t, r.putJSON(kindMark, markRecord{markEpoch, 7}))
	})
	revisions, batches := 0, 0
	known := map[string]bool{}
	got, err := readRecords(t.Context(), bytes.NewReader(in), func(b Batch) error {
		batches++
		for sum := range b.Contents {
			known[sum] = true
		}
		for _, r := range b.Revisions {
			revisions++
			if !known[r.Changes[0].After] {
				t.Errorf("revision %d comes before its text", r.N)
			}
		}
		return nil
	})
	if err != nil || revisions != 450 || got.Revisions != 450 || got.Contents != 450 || got.Summary.Epoch != 7 || batches < 4 {
		t.Errorf("%d revisions in %d batches, %+v, %v", revisions, batches, got, err)
	}
	want := errors.New("full")
	if _, err := readRecords(t.Context(), bytes.NewReader(in), func(Batch) error { return want }); !errors.Is(err, want) {
		t.Errorf("an error of whoever writes: %v", err)
	}
}

func TestRecordsThatAreNotWholeAreRefused(t *testing.T) {
	text := []byte(`{}`)
	for name, c := range map[string]struct {
		put  func(r *recorder)
		want error
	}{
		"no manifest": {func(*recorder) {}, ErrDamaged},
		"something before it": {func(r *recorder) {
			must(t, r.put(kindContent, text))
			manifest(t, r)
		}, ErrDamaged},
		"a gap in the log": {func(r *recorder) {
			manifest(t, r)
			must(t, r.putJSON(kindRevision, revision(2)))
		}, ErrDamaged},
		"a revision without its text": {func(r *recorder) {
			manifest(t, r)
			must(t, r.putJSON(kindRevision, revision(1, "{}")))
		}, ErrDamaged},
		"a text that another revision brought": {func(r *recorder) {
			manifest(t, r)
			must(t, r.put(kindContent, text))
			must(t, r.putJSON(kindRevision, revision(1, "{}")))
			must(t, r.putJSON(kindRevision, revision(2, "{}")))
		}, ErrDamaged},
		"a text of no revision": {func(r *recorder) {
			manifest(t, r)
			must(t, r.put(kindContent, text))
			must(t, r.putJSON(kindRevision, revision(1)))
		}, ErrDamaged},
		"a text behind the log": {func(r *recorder) {
			manifest(t, r)
			must(t, r.put(kindContent, text))
		}, ErrDamaged},
		"a kind of later": {func(r *recorder) {
			manifest(t, r)
			must(t, r.put('Z', text))
		}, ErrNewer},
		"a member of later": {func(r *recorder) {
			manifest(t, r)
			must(t, r.put(kindUser, []byte(`{"id":"u","shoeSize":43}`)))
		}, ErrDamaged},
		"a key that is no JSON": {func(r *recorder) {
			manifest(t, r)
			must(t, r.put(kindKey, []byte(`{`)))
		}, ErrDamaged},
		"a count that is wrong": {func(r *recorder) {
			manifest(t, r)
			r.counts.Keys++
		}, ErrDamaged},
		"a sum that is wrong": {func(r *recorder) {
			manifest(t, r)
			r.sum.Write(text)
		}, ErrDamaged},
	} {
		if _, err := readRecords(t.Context(), bytes.NewReader(stream(t, c.put)), nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	whole := stream(t, func(r *recorder) { manifest(t, r) })
	for n := range whole {
		if _, err := readRecords(t.Context(), bytes.NewReader(whole[:n]), nil); !errors.Is(err, ErrCut) {
			t.Errorf("cut at %d of %d: %v", n, len(whole), err)
		}
	}
	if _, err := readRecords(t.Context(), bytes.NewReader(append(whole, 'M')), nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("something behind the end: %v", err)
	}
}

// What is packed and sealed has to end with the records, too.
func TestNothingMayFollowTheEnd(t *testing.T) {
	whole := stream(t, func(r *recorder) { manifest(t, r) })
	var once bytes.Buffer
	z := gzip.NewWriter(&once)
	_, err := z.Write(whole)
	must(t, err)
	must(t, z.Close())
	if _, err := Read(t.Context(), bytes.NewReader(sealed(t, once.Bytes())), pass, nil); err != nil {
		t.Fatal(err)
	}
	for name, plain := range map[string][]byte{
		"bytes":              append(bytes.Clone(once.Bytes()), "more"...),
		"another member":     append(bytes.Clone(once.Bytes()), once.Bytes()...),
		"a wrong checksum":   replaced(once.Bytes(), once.Len()-6, once.Bytes()[once.Len()-6]^1),
		"no gzip":            whole,
		"no end of the gzip": once.Bytes()[:once.Len()-1],
	} {
		if _, err := Read(t.Context(), bytes.NewReader(sealed(t, plain)), pass, nil); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrCut) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzRecords reads any stream of records. One that is taken is whole: cut anywhere
// it is not taken.
func FuzzRecords(f *testing.F) {
	whole := stream(f, func(r *recorder) {
		manifest(f, r)
		must(f, r.putJSON(kindFile, fileRecord{"bus.key", []byte("x")}))
		must(f, r.putJSON(kindKey, keyRecord{Hashes: []string{"h"}}))
		must(f, r.put(kindContent, []byte("{}")))
		must(f, r.putJSON(kindRevision, revision(1, "{}")))
		must(f, r.putJSON(kindUser, userRecord{ID: "u"}))
		must(f, r.putJSON(kindToken, tokenRecord{ID: "t"}))
		must(f, r.putJSON(kindMark, markRecord{markEpoch, 1}))
	})
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{'M', 0xff, 0xff, 0xff, 0xff, 0x0f, '{'})
	f.Fuzz(func(t *testing.T, in []byte) {
		revisions := int64(0)
		got, err := readRecords(t.Context(), bytes.NewReader(in), func(b Batch) error {
			for _, r := range b.Revisions {
				if revisions++; r.N != revisions {
					t.Fatalf("revision %d is number %d", r.N, revisions)
				}
			}
			return nil
		})
		if err != nil {
			return
		}
		if got.Revisions != revisions {
			t.Fatalf("%d revisions, counted %d", revisions, got.Revisions)
		}
		if _, err := readRecords(t.Context(), bytes.NewReader(in[:len(in)-1]), nil); err == nil {
			t.Fatal("a cut stream is taken")
		}
	})
}
