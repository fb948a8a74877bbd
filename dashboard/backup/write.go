package backup

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// Source is what a backup is made of. All are required but KeyFiles.
type Source struct {
	Log      publish.Log
	Contents publish.Contents
	Marks    publish.Marks
	Keys     keys.Store
	People   People
	KeyFiles map[string][]byte // of the platform, by name; see ReadKeyFiles
	Manifest Manifest
}

const (
	revisionPage = 20 // revisions that are read at a time
	textPage     = 16 // texts; each has 4 MiB at most
	keyPage      = 200
	// rounds bounds how often what changed meanwhile is looked for.
	rounds = 3
	// overlap is how far back a round looks, since dashboards' clocks differ.
	overlap = 2 * time.Minute
)

// Write writes a backup of a store that may be in use. It holds the log up to one
// revision with all that this one and those before it bring. Keys are as they were
// while it was written, and looked at again until no revision was appended
// meanwhile, 3 times at most; so none names what is missing but one that was changed
// in the last moment. Errors are those of the stores and of w; what was written until
// then is no backup.
func Write(ctx context.Context, w io.Writer, passphrase string, s Source) (Summary, error) {
	return write(ctx, w, passphrase, s, defaultCost())
}

func write(ctx context.Context, w io.Writer, passphrase string, s Source, c cost) (Summary, error) {
	sealed, err := newSealer(w, passphrase, c)
	if err != nil {
		return Summary{}, fmt.Errorf("writing the head: %w", err)
	}
	packed := gzip.NewWriter(sealed)
	d := &writer{s: s, r: newRecorder(packed)}
	if err := d.all(ctx); err != nil {
		return Summary{}, err
	}
	if err := packed.Close(); err != nil {
		return Summary{}, fmt.Errorf("writing the end: %w", err)
	}
	if err := sealed.Close(); err != nil {
		return Summary{}, fmt.Errorf("writing the end: %w", err)
	}
	return Summary{s.Manifest, d.counts, d.epoch}, nil
}

// writer makes one backup.
type writer struct {
	s      Source
	r      *recorder
	n      int64 // the newest revision that is written
	epoch  int64
	counts Counts
}

func (d *writer) all(ctx context.Context) error {
	if err := d.r.putJSON(kindManifest, d.s.Manifest); err != nil {
		return err
	}
	names := make([]string, 0, len(d.s.KeyFiles))
	for name := range d.s.KeyFiles {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := d.r.putJSON(kindFile, fileRecord{name, d.s.KeyFiles[name]}); err != nil {
			return err
		}
	}
	// Keys first: what a key names was made before it.
	since := time.Time{}
	for range rounds {
		began, before := time.Now(), d.n
		if err := d.keys(ctx, since); err != nil {
			return err
		}
		if err := d.log(ctx); err != nil {
			return err
		}
		if !since.IsZero() && d.n == before {
			break
		}
		since = began.Add(-overlap)
	}
	if err := d.people(ctx); err != nil {
		return err
	}
	if err := d.marks(ctx); err != nil {
		return err
	}
	d.counts = d.r.counts
	return d.r.end()
}

func (d *writer) keys(ctx context.Context, since time.Time) error {
	after := ""
	for {
		page, err := d.s.Keys.Changed(ctx, since, after, keyPage)
		if err != nil {
			return fmt.Errorf("reading keys: %w", err)
		}
		for _, k := range page {
			if err := d.r.putJSON(kindKey, keyRecord(k)); err != nil {
				return err
			}
			since, after = k.Key.UpdatedAt, k.Key.ID
		}
		if len(page) < keyPage {
			return nil
		}
	}
}

// log writes the revisions up to the one that is the newest now.
func (d *writer) log(ctx context.Context) error {
	newest, err := d.s.Log.Newest(ctx)
	if err != nil {
		return fmt.Errorf("reading the newest revision: %w", err)
	}
	for d.n < newest {
		list, err := d.s.Log.Since(ctx, d.n, int(min(revisionPage, newest-d.n)))
		if err != nil {
			return fmt.Errorf("reading revisions after %d: %w", d.n, err)
		}
		if len(list) == 0 {
			return fmt.Errorf("the log ends at revision %d, not at %d", d.n, newest)
		}
		for _, r := range list {
			if err := d.revision(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *writer) revision(ctx context.Context, r publish.Revision) error {
	if r.N != d.n+1 {
		return fmt.Errorf("the log has no revision %d, but has %d", d.n+1, r.N)
	}
	for sums := range slices.Chunk(brings(r), textPage) {
		texts, err := d.s.Contents.Get(ctx, sums)
		if err != nil {
			return fmt.Errorf("reading the texts of revision %d: %w", r.N, err)
		}
		for _, sum := range sums {
			text, ok := texts[sum]
			if !ok {
				return fmt.Errorf("the store lacks the text %s that revision %d names", sum, r.N)
			}
			if publish.Sum(text) != sum {
				return fmt.Errorf("the text %s of revision %d is not what its name says", sum, r.N)
			}
			if err := d.r.put(kindContent, text); err != nil {
				return err
			}
		}
	}
	d.n = r.N
	return d.r.putJSON(kindRevision, r)
}

// brings are the sums of the texts that a revision names as new, each once.
func brings(r publish.Revision) []string {
	var sums []string
	for _, c := range r.Changes {
		if c.After != "" {
			sums = append(sums, c.After)
		}
	}
	slices.Sort(sums)
	return slices.Compact(sums)
}

// people come last, so that a token or an admin that ended meanwhile is not in it.
func (d *writer) people(ctx context.Context) error {
	users, tokens, err := d.s.People.Everyone(ctx)
	if err != nil {
		return fmt.Errorf("reading users and tokens: %w", err)
	}
	for _, u := range users {
		if err := d.r.putJSON(kindUser, userRecord(u)); err != nil {
			return err
		}
	}
	for _, t := range tokens {
		if err := d.r.putJSON(kindToken, tokenRecord(t)); err != nil {
			return err
		}
	}
	return nil
}

// marks writes the epoch. How far views and projection are is not so: both are made
// anew from what is restored.
func (d *writer) marks(ctx context.Context) (err error) {
	if d.epoch, err = d.s.Marks.Mark(ctx, markEpoch); err != nil {
		return fmt.Errorf("reading the signing epoch: %w", err)
	}
	return d.r.putJSON(kindMark, markRecord{markEpoch, d.epoch})
}
